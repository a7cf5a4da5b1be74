"""P&L recomputed by risk: against the venue's account, and against what order_management states."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Fill, Position, PostureLevel, VenueAccount
from common.messages.venue import FundingPayment, Transfer
from common.units import MICROS_PER_USD, SECOND, Lots, Millis, Nanos, Side, Ticks
from services.risk.earnings import Earnings
from tests.services.risk.scene import SETTINGS

BREACH: Final = Nanos(10 * SECOND)
OPENED: Final = Millis(1_000)
CASH: Final = Decimal(500)
INSTRUMENTS: Final = SETTINGS.instruments()


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def account(venue_ms: int, cash: Decimal | None) -> VenueAccount:
    return VenueAccount(
        query_id=1,
        venue_ms=Millis(venue_ms),
        equity=Decimal(1_000),
        margin_used=Decimal(0),
        withdrawable=Decimal(0),
        positions=(),
        asked_at=Nanos(0),
        raw_usd=cash,
    )


def fill(tid: int, venue_ms: int, side: Side = Side.SELL, **changes: Any) -> Fill:  # any field
    """Return 0.01 BTC at 60,000 USD, 600 USD, for a fee of 9 cents."""
    told = Fill(
        coin="BTC",
        side=side,
        ticks=Ticks(600_000),
        lots=Lots(1_000),
        venue_ms=Millis(venue_ms),
        tid=tid,
        oid=tid,
        cloid=None,
        start_position=Lots(0),
        fee=Decimal("0.09"),
        closed_pnl=Decimal(0),
        crossed=False,
    )
    return msgspec.structs.replace(told, **changes)


def funding(usd: str, venue_ms: int) -> FundingPayment:
    return FundingPayment(coin="BTC", usd=Decimal(usd), venue_ms=Millis(venue_ms))


def transfer(usd: str, venue_ms: int) -> Transfer:
    return Transfer(kind="deposit", usd=Decimal(usd), venue_ms=Millis(venue_ms))


def stated(earned: str, lots: int = 0, **changes: Any) -> Position:  # any field
    """Return order_management's word on BTC, with these earnings before fees and funding."""
    said = Position(
        coin="BTC",
        lots=Lots(lots),
        entry=None,
        realized_pnl=Decimal(earned),
        fees=Decimal(0),
        funding=Decimal(0),
        fills=0,
        as_of_ms=Millis(0),
        proven=True,
    )
    return msgspec.structs.replace(said, **changes)


def opened() -> Earnings:
    earnings = Earnings(INSTRUMENTS, BREACH)
    earnings.on_account(account(OPENED, CASH), at(0), agrees=True)
    return earnings


def differs(earnings: Earnings, now: Nanos) -> list[str]:
    """Return what pulls quotes now."""
    causes = earnings.causes(now)
    assert all(cause.level is PostureLevel.PULL_QUOTES for cause in causes)
    return [cause.text for cause in causes]


# --- against the venue -----------------------------------------------------------------------------


def test_what_fills_bring_in_is_what_the_account_shows() -> None:
    """Rule 1: sold for 600 USD less 9 cents, 1.5 USD of funding, 20 USD deposited."""
    earnings = opened()
    earnings.on_fill(fill(1, 1_500))
    earnings.on_fundings([funding("1.5", 1_600)], at(1))
    earnings.on_transfers([transfer("20", 1_700)], at(1))
    earnings.on_account(account(2_000, CASH + Decimal("621.41")), at(5), agrees=True)
    assert not earnings.wants_read(at(5))
    assert earnings.agreed_ms == 2_000
    assert earnings.earned("BTC") == Decimal("601.41")


def test_money_that_moved_otherwise_pulls_until_it_is_explained() -> None:
    """Rule 3: both numbers in the evidence, once; what explains it ends it."""
    earnings = opened()
    earnings.on_fill(fill(1, 1_500))
    earnings.on_account(account(2_000, CASH + Decimal("579.91")), at(5), agrees=True)
    assert earnings.wants_read(at(5))
    assert not earnings.wants_read(at(34.9))
    assert earnings.wants_read(at(35))
    assert (earnings.findings(at(14.9)), differs(earnings, at(14.9))) == ([], [])
    (found,) = earnings.findings(at(15))
    assert (found.kind, found.fatal) == ("P&L difference", False)
    assert found.evidence == (
        "from 1000 to 2000 own fills, funding and transfers make 599.91 USD, "
        "the venue's account 579.91 USD: -20 USD unexplained"
    )
    assert differs(earnings, at(15)) == ["P&L difference"]
    assert earnings.findings(at(16)) == []
    earnings.on_account(account(3_000, CASH + Decimal("579.91")), at(20), agrees=True)
    assert differs(earnings, at(20)) == ["P&L difference"]
    earnings.on_transfers([transfer("-20", 1_800)], at(21))
    assert (differs(earnings, at(21)), earnings.wants_read(at(21))) == ([], False)


@pytest.mark.parametrize(("off", "found"), [("0.000003", False), ("0.0000031", True), ("-0.0000031", True)])
def test_a_micro_usd_for_every_amount(off: str, found: bool) -> None:
    """Rule 4: two states and one fill may miss three micro-USD together."""
    earnings = opened()
    earnings.on_fill(fill(1, 1_500))
    earnings.on_account(account(2_000, CASH + Decimal("599.91") + Decimal(off)), at(5), agrees=True)
    assert bool(differs(earnings, at(15))) is found


def test_what_came_before_the_books_is_no_part_of_them() -> None:
    """Rule 2: the millisecond of the first state is in it, the next one is not."""
    earnings = Earnings(INSTRUMENTS, BREACH)
    earnings.on_fill(fill(1, 1_000))
    earnings.on_fill(fill(2, 1_001))
    earnings.on_account(account(OPENED, CASH), at(0), agrees=True)
    earnings.on_fill(fill(3, 900))
    earnings.on_account(account(2_000, CASH + Decimal("599.91")), at(5), agrees=True)
    assert differs(earnings, at(15)) == []


@pytest.mark.parametrize("state", [account(2_000, None), account(900, Decimal(0)), account(OPENED, Decimal(0))])
def test_what_proves_nothing_is_not_compared(state: VenueAccount) -> None:
    """A state without its cash, and one that is no newer than the last."""
    earnings = opened()
    earnings.on_account(state, at(5), agrees=True)
    assert differs(earnings, at(15)) == []


def test_a_state_whose_position_nobody_else_has_is_left_out() -> None:
    """The fills that it holds are on their way."""
    earnings = opened()
    earnings.on_account(account(2_000, CASH + Decimal(600)), at(5), agrees=False)
    assert differs(earnings, at(15)) == []


def test_a_person_who_arms_has_seen_it() -> None:
    """Rule 3: the books are opened anew, with the state after that."""
    earnings = opened()
    earnings.on_account(account(2_000, CASH - 1), at(5), agrees=True)
    assert differs(earnings, at(15)) != []
    earnings.rebase()
    assert differs(earnings, at(15)) == []
    earnings.on_account(account(3_000, CASH - 1), at(20), agrees=True)
    earnings.on_fill(fill(1, 3_500))
    earnings.on_account(account(4_000, CASH - 1 + Decimal("599.91")), at(25), agrees=True)
    assert differs(earnings, at(35)) == []


amounts = st.lists(
    st.one_of(
        st.builds(
            fill,
            st.integers(1, 5),
            st.integers(1_001, 9_000),
            st.sampled_from(Side),
            ticks=st.integers(1, 10**6),
            lots=st.integers(1, 10**6),
            fee=st.integers(-(10**6), 10**6).map(lambda micros: Decimal(micros) / MICROS_PER_USD),
        ),
        st.builds(funding, st.integers(-(10**8), 10**8).map(lambda micros: f"{micros}e-6"), st.integers(1_001, 9_000)),
        st.builds(transfer, st.integers(-(10**4), 10**4).map(str), st.integers(1_001, 9_000)),
    ),
    max_size=12,
    unique_by=lambda one: (type(one), one.venue_ms),
)


def micros(one: Fill | FundingPayment | Transfer) -> int:
    """Return what an amount adds to the account, in whole units."""
    if isinstance(one, Fill):
        return -one.side.sign * one.lots * one.ticks - int(one.fee * MICROS_PER_USD)
    return int(one.usd * MICROS_PER_USD)


def tell(earnings: Earnings, told: Sequence[Fill | FundingPayment | Transfer]) -> None:
    for one in told:
        match one:
            case Fill():
                earnings.on_fill(one)
            case FundingPayment():
                earnings.on_fundings([one], at(1))
            case Transfer():
                earnings.on_transfers([one], at(1))


@settings(max_examples=60, deadline=None)
@given(amounts, st.randoms(use_true_random=False))
def test_the_identity_holds_to_a_micro_usd(told: list[Fill | FundingPayment | Transfer], chance: Random) -> None:
    """However late, in whatever order and however often things are heard; what is never heard is missing in full."""
    missing = chance.choice([*told, None])
    heard = [one for one in [*told, *told] if one is not missing]
    chance.shuffle(heard)
    early = chance.randint(0, len(heard))  # heard before the states
    cash = CASH * MICROS_PER_USD
    earnings = opened()
    tell(earnings, heard[:early])
    for moment in (4_000, 9_000):
        held = cash + sum(micros(one) for one in told if one.venue_ms <= moment)
        earnings.on_account(account(moment, held / MICROS_PER_USD), at(5), agrees=True)
    tell(earnings, heard[early:])
    earnings.on_fundings([], at(6))
    allowed = 2 + len(told) - (missing is not None)
    assert bool(differs(earnings, at(30))) is (missing is not None and abs(micros(missing)) > allowed)
    total = sum((earnings.earned(coin) for coin in ("BTC", "")), Decimal(0)) * MICROS_PER_USD
    assert total == sum(micros(one) for one in told if one is not missing)


# --- against order_management ------------------------------------------------------------------------


def settled(earned: str = "70") -> Earnings:
    """Books that order_management is 70 USD ahead of, since it is older."""
    earnings = opened()
    for second in (0, 2):
        earnings.on_stated(stated(earned), Lots(0), at(second))
    return earnings


def test_books_that_move_together_agree() -> None:
    """Rule 5: 0.01 BTC bought at 60,000 for 9 cents; what it is worth now plays no part."""
    earnings = settled()
    earnings.on_fill(fill(1, 1_500, Side.BUY))
    earnings.on_fundings([funding("-0.25", 1_600)], at(3))
    bought = stated("70", 1_000, entry=Decimal(60_000), fees=Decimal("0.09"), funding=Decimal("-0.25"))
    earnings.on_stated(bought, Lots(1_000), at(3))
    assert differs(earnings, at(99)) == []


@pytest.mark.parametrize(("said", "found"), [("70.000001", False), ("69.999998", True), ("75", True)])
def test_a_lie_pulls_quotes(said: str, found: bool) -> None:
    """Rule 3: both numbers in the evidence; a micro-USD is rounding, two are not."""
    earnings = settled()
    earnings.on_stated(stated(said), Lots(0), at(5))
    assert differs(earnings, at(14.9)) == []
    assert bool(differs(earnings, at(15))) is found
    assert bool(earnings.wants_read(at(15))) is found
    evidence = [one.evidence for one in earnings.findings(at(15))]
    wanted = f"order_management states {Decimal(said) - 70:f} USD, own fills and funding make 0 USD"
    assert evidence == ([wanted] if found else [])
    earnings.on_stated(stated("70"), Lots(0), at(16))
    assert differs(earnings, at(99)) == []


def test_a_fill_that_only_one_has_heard_yet_is_no_lie() -> None:
    """It reaches the other one within seconds."""
    earnings = settled()
    earnings.on_fill(fill(1, 1_500))
    earnings.on_stated(stated("70"), Lots(-1_000), at(5))
    sold = stated("70", -1_000, entry=Decimal(60_000), fees=Decimal("0.09"))
    earnings.on_stated(sold, Lots(-1_000), at(6))
    assert differs(earnings, at(99)) == []


def test_a_fill_that_only_one_ever_hears_is_one() -> None:
    """A fill that order_management lost."""
    earnings = settled()
    earnings.on_fill(fill(1, 1_500))
    earnings.on_stated(stated("70"), Lots(0), at(5))
    assert differs(earnings, at(15)) == ["stated P&L difference"]


def test_the_comparison_begins_with_a_distance_that_holds() -> None:
    """Rule 5: a fill was under way when it was first taken, so it is taken anew; so it is with a new epoch."""
    earnings = opened()
    earnings.on_fill(fill(1, 1_500))
    earnings.on_stated(stated("70", 5), Lots(-1_000), at(0))
    earnings.on_stated(stated("70", -1_000, proven=False), Lots(-1_000), at(0))
    earnings.on_stated(stated("70", -1_000), Lots(-1_000), at(0))
    sold = stated("70", -1_000, entry=Decimal(60_000), fees=Decimal("0.09"))
    for second in (1, 3, 4, 6):
        earnings.on_stated(sold, Lots(-1_000), at(second))
    assert differs(earnings, at(99)) == []
    earnings.on_stated(stated("0"), Lots(0), at(7))
    assert differs(earnings, at(17)) == ["stated P&L difference"]
    earnings.forget_stated()
    assert differs(earnings, at(17)) == []
