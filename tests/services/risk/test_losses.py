"""Marks that losses are measured from, bad states, and what a person may forgive."""

from decimal import Decimal

import msgspec
import pytest

from common.messages import DayRecord, VenueAccount
from common.units import SECOND, Millis, Nanos
from services.risk.losses import DAY_MS, HOUR_MS, Losses, drawdown_share, loss_share
from tests.services.risk.scene import SETTINGS

DAY = 20_000
NOON = Millis(DAY * DAY_MS + DAY_MS // 2)
MARKS = DayRecord(
    day=DAY, equity=Decimal(10_000), hour=DAY * 24 + 12, hour_equity=Decimal(10_000), peak=Decimal(10_000)
)


def account(equity: str, venue_ms: int = NOON) -> VenueAccount:
    return VenueAccount(
        query_id=1,
        venue_ms=Millis(venue_ms),
        equity=Decimal(equity),
        margin_used=Decimal(0),
        withdrawable=Decimal(0),
        positions=(),
        asked_at=Nanos(0),
    )


def started() -> Losses:
    losses = Losses(SETTINGS.risk)
    assert losses.on_account(account("10000"), Nanos(0)) == MARKS
    return losses


@pytest.mark.parametrize(("equity", "bad"), [("9500", 0), ("9499.999999", 1)])
def test_the_limit_itself_is_allowed(equity: str, bad: int) -> None:
    """Rule 2: five hundred may be lost in an hour, a millionth more is suspect, twice is confirmed."""
    losses = started()
    losses.on_account(account(equity), Nanos(SECOND))
    assert losses.money.bad_states == bad
    assert losses.suspected is bool(bad)
    losses.on_account(account(equity), Nanos(2 * SECOND))
    assert losses.money.bad_states == 2 * bad


def test_one_phantom_tick_is_forgiven() -> None:
    """Rule 2: a good state in between begins anew."""
    losses = started()
    for number, equity in enumerate(("1", "9999", "1")):
        losses.on_account(account(equity), Nanos(number * SECOND))
        assert losses.money.bad_states < 2
    assert losses.suspected


@pytest.mark.parametrize(("pause", "count"), [(2 * SECOND, 2), (2 * SECOND + 1, 1)])
def test_the_second_state_comes_within_two_seconds(pause: int, count: int) -> None:
    """Rule 2: later it is a first one again."""
    losses = started()
    losses.on_account(account("1"), Nanos(0))
    losses.on_account(account("1"), Nanos(pause))
    assert losses.money.bad_states == count


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_no_number_is_beyond_every_limit(text: str) -> None:
    """Rule 3: also as the very first word of a day, which it does not begin."""
    for losses in (Losses(SETTINGS.risk), started()):
        for at in (1, 2):
            assert losses.on_account(account(text), Nanos(at)) is None
        assert losses.money.bad_states == 2
        assert loss_share(losses.money, SETTINGS.risk) == drawdown_share(losses.money, SETTINGS.risk) > 1


def test_a_state_with_a_number_that_is_none_is_beyond_every_limit() -> None:
    """Rule 3: one pulls, two kill; the marks stay, and a sound one is a sound one again."""
    losses = started()
    losses.on_absurd(Nanos(0))
    assert losses.suspected
    losses.on_absurd(Nanos(2 * SECOND))
    assert losses.money.bad_states == 2
    assert loss_share(losses.money, SETTINGS.risk) == drawdown_share(losses.money, SETTINGS.risk) > 1
    losses.on_account(account("10000"), Nanos(3 * SECOND))
    assert losses.money.bad_states == losses.money.daily_pnl == 0


def test_a_restart_forgives_nothing() -> None:
    """Rule 1: starts and peak are in the journal."""
    losses = Losses(SETTINGS.risk)
    losses.restore(MARKS)
    assert losses.on_account(account("9000"), Nanos(0)) is None
    assert losses.suspected
    assert (losses.money.daily_pnl, losses.money.hourly_pnl, losses.money.drawdown) == (
        Decimal(-1_000),
        Decimal(-1_000),
        Decimal(1_000),
    )


def test_a_new_hour_and_a_new_day() -> None:
    """Rule 1: by venue time; the first state of each is its start, an older one never is."""
    losses = started()
    hour = Millis(NOON + HOUR_MS)
    assert losses.on_account(account("9900", hour - 1), Nanos(1)) is None
    marks = losses.on_account(account("9900", hour), Nanos(2))
    assert marks == msgspec.structs.replace(MARKS, hour=DAY * 24 + 13, hour_equity=Decimal(9_900))
    assert (losses.money.daily_pnl, losses.money.hourly_pnl) == (Decimal(-100), Decimal(0))
    midnight = Millis((DAY + 1) * DAY_MS)
    marks = losses.on_account(account("9800", midnight), Nanos(3))
    assert marks is not None
    assert (marks.day, marks.equity, marks.peak) == (DAY + 1, Decimal(9_800), Decimal(10_000))
    assert losses.on_account(account("9700", NOON), Nanos(4)) is None


@pytest.mark.parametrize(("equity", "peak"), [("10010", 10_000), ("10010.01", Decimal("10010.01"))])
def test_the_peak_grows_by_thousandths(equity: str, peak: Decimal) -> None:
    """Rule 1: the journal is not written at every state; what is left out is a thousandth at most."""
    losses = started()
    losses.on_account(account(equity), Nanos(1))
    assert losses.money.peak == peak
    assert losses.money.peak_pnl == peak - 10_000


def test_a_person_forgives_a_drawdown() -> None:
    """Rule 5: the peak begins anew, and the loss of the day stays."""
    losses = started()
    assert Losses(SETTINGS.risk).forgive_drawdown() is None
    losses.on_account(account("9400"), Nanos(1))
    assert drawdown_share(losses.money, SETTINGS.risk) == Decimal("1.2")
    assert losses.forgive_drawdown() == msgspec.structs.replace(MARKS, peak=Decimal(9_400))
    assert drawdown_share(losses.money, SETTINGS.risk) == 0
    assert loss_share(losses.money, SETTINGS.risk) > 1
