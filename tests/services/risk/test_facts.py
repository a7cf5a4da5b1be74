"""What the gate is shown of the ledger."""

from decimal import Decimal

import pytest

from common.messages import VenueAccount
from common.units import SECOND, Lots, Millis, Nanos, Side
from services.risk.facts import ACCOUNT_AGE_MAX, Facts
from tests.services.risk.scene import ACCOUNT, ASKER_EPOCH, SETTINGS, ask, bid


def facts() -> Facts:
    return Facts(SETTINGS, ACCOUNT, started_at=Nanos(0), build="")


def account(equity: str = "1000") -> VenueAccount:
    return VenueAccount(
        query_id=0,
        venue_ms=Millis(1),
        equity=Decimal(equity),
        margin_used=Decimal(0),
        withdrawable=Decimal(0),
        positions=(),
        asked_at=Nanos(0),
    )


@pytest.mark.parametrize(
    ("by_snapshot", "by_fills", "shown"), [(9, 5, 5), (5, 9, 5), (-9, -5, -5), (-5, -9, -5), (3, -2, 0), (0, 4, 0)]
)
def test_the_position_that_allows_the_least_reducing(by_snapshot: int, by_fills: int, shown: int) -> None:
    """Where two witnesses differ, reduce-only orders are capped at the smaller one; at nothing when they contradict."""
    made = facts()
    position = made.ledger.position("BTC")
    position.by_snapshot, position.by_fills = Lots(by_snapshot), Lots(by_fills)
    assert made.room("BTC", Side.SELL, Nanos(0)).position == shown


def test_equity_grows_old() -> None:
    """Rule 3: four reads; unknown before the first."""
    made = facts()
    assert made.account_stale(Nanos(0))
    made.on_account(account(), Nanos(SECOND))
    assert not made.account_stale(Nanos(SECOND + ACCOUNT_AGE_MAX))
    assert made.account_stale(Nanos(SECOND + ACCOUNT_AGE_MAX + 1))


@pytest.mark.parametrize(("equity", "micros"), [("1000", 3_000_000_000), ("-5", -15_000_000), ("NaN", 0)])
def test_the_account_s_limit_is_a_multiple_of_equity(equity: str, micros: int) -> None:
    """Three times equity by default; what is no number allows nothing."""
    made = facts()
    made.on_account(account(equity), Nanos(0))
    assert made.account_max == micros


def test_a_held_coin_without_any_price_makes_the_sum_unknown() -> None:
    """Rule 2: nothing may grow while the worth of another coin is unknown; a flat one needs no price."""
    made = facts()
    made.on_account(account(), Nanos(0))
    assert made.room("BTC", Side.BUY, Nanos(0)).account_others == 0
    made.ledger.reserve(bid(1, coin="ETH"), Millis(0), Nanos(0))
    assert made.room("BTC", Side.BUY, Nanos(0)).account_others is None


@pytest.mark.parametrize(
    ("cloid", "ours"),
    [
        (bid(1).cloid, True),
        (bid(1).cloid.upper().replace("0X", "0x"), False),
        (bid(1).cloid[:-1] + "g", False),
        (bid(1).cloid[:-1], False),
        ("0x" + "0" * 32, False),
        ("", False),
    ],
)
def test_cloids_that_count_as_ours(cloid: str, ours: bool) -> None:
    """House tag, 32 lower-case hex digits, and the asker's epoch."""
    order = bid(1)
    named = type(order)(cloid=cloid, coin=order.coin, side=order.side, ticks=order.ticks, lots=order.lots)
    view = facts().view(named, None, ASKER_EPOCH, Nanos(0))
    assert view is not None
    assert view.cloid_ours is ours
    other = facts().view(order, None, ASKER_EPOCH + 1, Nanos(0))
    assert other is not None
    assert not other.cloid_ours


def test_a_modify_names_an_order_of_its_side() -> None:
    """What is replaced is in the ledger, in this coin and on this side."""
    made = facts()
    made.ledger.reserve(bid(1), Millis(0), Nanos(0))
    for order, old, known in ((bid(2), bid(1), True), (ask(2), bid(1), False), (bid(2), bid(3), False)):
        view = made.view(order, old.cloid, ASKER_EPOCH, Nanos(0))
        assert view is not None
        assert view.replaces is known
