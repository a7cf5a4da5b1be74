"""What our own orders did: fills, round trips, trouble, flickers, markouts, stuck inventory."""

import msgspec
import pytest

from common.units import MILLISECOND, SECOND, Lots, Nanos
from services.risk.activity import FLICKER, Activity
from tests.services.risk.scene import SETTINGS, ask, bid, fill_of, venue_order

NOW = Nanos(100 * SECOND)


def made() -> Activity:
    return Activity(SETTINGS.monitors)


def test_fills_by_side_and_net() -> None:
    """Rule 1: the net of a minute, each side's number in ten seconds."""
    activity = made()
    for number in range(3):
        activity.on_fill(fill_of(bid(1), 100, 0, number), NOW)
    activity.on_fill(fill_of(ask(2), 50, 0, 9), NOW)
    seen = activity.conduct(NOW)
    assert (seen.net_fills, seen.bought, seen.sold, seen.filled) == (250, 3, 1, 4)
    later = activity.conduct(Nanos(NOW + 10 * SECOND))
    assert (later.net_fills, later.bought, later.filled_minute) == (250, 0, 4)
    assert activity.conduct(Nanos(NOW + 60 * SECOND)).net_fills == 0


def test_round_trips() -> None:
    """Rule 1: back to flat is one, across it is one, adding and shrinking are none."""
    activity = made()
    for number, (order, lots) in enumerate(((bid(1), 10), (ask(2), 5), (ask(2), 5), (ask(2), 5), (bid(1), 20))):
        activity.on_fill(fill_of(order, lots, 0, number), NOW)
    assert activity.conduct(NOW).round_trips == 2


@pytest.mark.parametrize(
    ("status", "troubles"), [("perpMarginRejected", 1), ("badAloPxRejected", 0), ("canceled", 0), ("filled", 0)]
)
def test_trouble(status: str, troubles: int) -> None:
    """Rule 2: a refusal is one, a post-only order that came too late is not."""
    activity = made()
    activity.on_end(venue_order(bid(1), 1), status, age=Nanos(SECOND), now=NOW)
    assert activity.conduct(NOW).troubles == troubles
    activity.on_trouble(NOW)
    assert activity.conduct(NOW).troubles == troubles + 1
    assert activity.conduct(Nanos(NOW + 60 * SECOND)).troubles == 0


@pytest.mark.parametrize(("age", "left", "flickers"), [(FLICKER - 1, 800, 1), (FLICKER, 800, 0), (0, 799, 0)])
def test_flickers(age: int, left: int, flickers: int) -> None:
    """Rule 3: half a second is a life; what filled has lived."""
    activity = made()
    activity.on_end(venue_order(bid(1), 1, left=left), "canceled", age=Nanos(age), now=NOW)
    assert activity.conduct(NOW).flickers == flickers


def test_markouts() -> None:
    """Rule 4: five seconds later, in our favour when positive, on either side."""
    activity = made()
    activity.on_fill(fill_of(bid(1, ticks=600_000), 1, 0, 1), NOW)
    activity.on_fill(fill_of(ask(2, ticks=600_000), 1, 0, 2), Nanos(NOW + 1))
    activity.on_mid(2 * 600_600, Nanos(NOW + 5 * SECOND - 1))
    assert activity.conduct(NOW).markouts == 0
    activity.on_mid(2 * 600_600, Nanos(NOW + 5 * SECOND))
    assert activity.conduct(Nanos(NOW + 5 * SECOND)).markout_bps == pytest.approx(10)
    activity.on_mid(2 * 600_600, Nanos(NOW + 5 * SECOND + 1))
    both = activity.conduct(Nanos(NOW + 5 * SECOND + 1))
    assert both.markouts == 2
    assert both.markout_bps == pytest.approx(0)


def test_stuck_since() -> None:
    """Rule 5: growing and standing still keep the time, shrinking and turning begin anew, flat ends it."""
    activity = made()
    expected = {5: 1, 6: 1, -6: 3, -5: 4, 0: None}
    for number, (lots, since) in enumerate(expected.items(), start=1):
        activity.on_position(Lots(lots), Nanos(number))
        assert activity.conduct(Nanos(number)).unshrunk_since == since


def test_liquidation_and_overfill_until_a_person_looks() -> None:
    """By the fill's own mark or by an order's status; both stay until they are forgiven."""
    for number in range(2):
        activity = made()
        if number:
            fill = msgspec.structs.replace(fill_of(ask(1), 5, 0, 7), liquidation=True)
            activity.on_fill(fill, NOW)
        else:
            activity.on_end(venue_order(bid(1), 1), "liquidatedCanceled", age=Nanos(MILLISECOND), now=NOW)
        activity.on_overfill("too much")
        assert activity.conduct(NOW).liquidated
        assert activity.conduct(NOW).overfilled == "too much"
        activity.forgive()
        assert not activity.conduct(NOW).liquidated
        assert not activity.conduct(NOW).overfilled
