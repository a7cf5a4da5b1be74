"""What one address may do."""

import pytest

from services.venue_sim.address_limits import (
    LIMITS,
    MINUTE_MS,
    AddressLimits,
    Limits,
    Window,
    action_weight,
    info_weight,
    items_weight,
)


@pytest.mark.parametrize(("items", "weight"), [(1, 1), (39, 1), (40, 2), (79, 2), (80, 3), (200, 6)])
def test_action_weight(items: int, weight: int) -> None:
    """Rule 1: one, and one more for every 40 items."""
    assert action_weight(items) == weight


def test_info_weight() -> None:
    """Rule 1: light, heavy and ordinary types, and long answers."""
    assert [info_weight(kind) for kind in ("l2Book", "userRole", "meta", "userFills")] == [2, 60, 20, 20]
    assert [items_weight("userFills", items) for items in (19, 20, 2_000)] == [0, 1, 100]
    assert items_weight("candleSnapshot", 120) == 2
    assert items_weight("meta", 2_000) == 0


def test_window_slides() -> None:
    """The limit itself fits, one more does not, and a minute later all of it fits again."""
    window = Window(10)
    assert window.take(10, 0)
    assert not window.take(1, MINUTE_MS - 1)
    assert window.take(10, MINUTE_MS)


def test_refused_costs_nothing() -> None:
    """Rule 4: what was refused leaves room for what is small enough."""
    window = Window(10)
    assert window.take(8, 0)
    assert not window.take(3, 0)
    assert window.take(2, 0)


def test_given_counts_past_the_limit() -> None:
    """A long answer that was already given is paid for afterwards."""
    window = Window(10)
    window.add(15, 0)
    assert not window.take(1, 1)
    assert window.take(1, MINUTE_MS)


def test_connections() -> None:
    """Rule 3: at once and new ones a minute, each with its own limit."""
    address = AddressLimits(Limits(connections=2, new_connections_per_minute=3))
    assert address.connect(0)
    assert address.connect(0)
    assert not address.connect(0)
    address.disconnect()
    assert address.connect(0)
    address.disconnect()
    assert not address.connect(0)
    assert address.connect(MINUTE_MS)


def test_posts_in_flight() -> None:
    """Rule 2: a hundred posts, and one more when one of them was answered."""
    address = AddressLimits(LIMITS["2026"])
    assert all(address.begin_post() for _ in range(100))
    assert not address.begin_post()
    address.end_post()
    assert address.begin_post()


def test_messages() -> None:
    """Rule 2: two thousand messages a minute."""
    address = AddressLimits(LIMITS["2025"])
    assert all(address.message(0) for _ in range(2_000))
    assert not address.message(0)
