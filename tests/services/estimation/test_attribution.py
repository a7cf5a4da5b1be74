"""Attribution: each part by hand, and the sum against the books of an independent ledger."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.instrument import Instrument
from common.ledger import CoinLedger
from common.messages import Attribution, Fill
from common.units import Lots, Millis, Nanos, Side
from services.estimation.attribution import ADVERSE_MS, PENDING_MAX, TIDS_MAX, ProfitAndLoss
from tests.services.estimation.fills import fill, position

BTC = Instrument(coin="BTC", asset=0, size_decimals=5)
MID = 1_000_000  # ticks of 0.1 USD; a tick of ten lots is ten micro-USD


def opened(lots: int = 0, mid: int = MID) -> ProfitAndLoss:
    one = ProfitAndLoss()
    one.on_mid(2 * mid, Millis(0))
    one.on_position(position(lots))
    return one


def split(one: ProfitAndLoss) -> Attribution:
    said = one.attribution(Nanos(7))
    assert said is not None
    parts = said.spread_captured + said.adverse_selection + said.inventory_carry + said.funding + said.fees
    assert abs(parts - said.equity_change) <= Decimal("1e-6")
    return said


def micro(amount: float) -> Decimal:
    return Decimal(str(amount)).scaleb(-6)


def test_spread_and_adverse_selection() -> None:
    """Rules 1 and 2: bought 20 ticks below the mid, which fell by 50 within half a minute and by 5 after it."""
    one = opened()
    one.on_fill(fill(0, 1, ticks=MID - 20))
    one.on_mid(2 * (MID - 50), Millis(ADVERSE_MS))
    one.on_mid(2 * (MID - 55), Millis(ADVERSE_MS + 1))
    said = split(one)
    assert said.spread_captured == micro(10 * 20)
    assert said.adverse_selection == micro(-10 * 50)
    assert said.inventory_carry == micro(-10 * 5)
    assert said.equity_change == micro(10 * (20 - 55))


@pytest.mark.parametrize(("after_ms", "adverse"), [(ADVERSE_MS - 1, 0), (ADVERSE_MS, -500)])
def test_a_young_fill_is_not_judged(after_ms: int, adverse: int) -> None:
    """Rule 2: until its time is over its moves are inventory carry; both sides of the limit."""
    one = opened()
    one.on_fill(fill(0, 1))
    one.on_mid(2 * (MID - 50), Millis(after_ms))
    said = split(one)
    assert said.adverse_selection == micro(adverse)
    assert said.inventory_carry == micro(-500 - adverse)


def test_carry_of_what_was_held_before() -> None:
    """Rule 2: the first position is no profit, its moves are."""
    one = opened(lots=-30)
    assert split(one).equity_change == 0
    one.on_mid(2 * MID + 1, Millis(5))  # half a tick
    assert split(one).inventory_carry == micro(-15)


def test_fees_and_funding_are_the_books() -> None:
    """Rule 3: from the first word on; what was paid before is not ours to explain."""
    one = ProfitAndLoss()
    one.on_mid(2 * MID, Millis(0))
    one.on_position(position(0, fees=5, funding=2))
    one.on_position(position(0, fees=Decimal("5.25"), funding=Decimal("1.5")))
    said = split(one)
    assert (said.fees, said.funding) == (Decimal("-0.25"), Decimal("-0.5"))
    assert said.equity_change == Decimal("-0.75")


def test_a_position_without_its_fill_is_adopted() -> None:
    """Rule 5: at the mid, so that it neither wins nor loses by being found, and said."""
    one = opened()
    one.on_mid(2 * (MID + 100), Millis(1))
    one.on_position(position(40))
    said = split(one)
    assert said.equity_change == 0
    assert said.adopted_lots == 40
    one.on_mid(2 * (MID + 110), Millis(2))
    assert split(one).inventory_carry == micro(400)


def test_nothing_before_position_and_mid() -> None:
    """Unproven books say nothing, nor do fills that the first position will hold."""
    one = ProfitAndLoss()
    one.on_position(position(10))
    assert one.attribution(Nanos(0)) is None
    one.on_mid(2 * MID, Millis(0))
    one.on_fill(fill(0, 1))
    one.on_position(position(10, proven=False))
    assert one.attribution(Nanos(0)) is None
    one.on_position(position(10))
    assert split(one).equity_change == 0


def test_odd_input_changes_nothing() -> None:
    """Rule 6: repeated or empty fills, mids that are late or not positive: counted."""
    one = opened()
    one.on_mid(2 * MID, Millis(50))
    one.on_fill(fill(0, 1, ticks=MID - 5))
    before = split(one)
    for odd in (fill(0, 1), fill(0, 2, ticks=0), fill(0, 3, lots=0), fill(0, 4, lots=-5)):
        one.on_fill(odd)
    one.on_mid(2 * MID + 500, Millis(49))
    one.on_mid(0, Millis(60))
    one.on_mid(-2, Millis(60))
    assert one.refused == 7
    assert split(one) == before
    one.restart()
    one.on_mid(2 * MID, Millis(1))
    assert one.refused == 7


def test_memory_is_bounded() -> None:
    """Fills of a wild half minute: some are judged as carry, the sum still holds."""
    one = opened()
    for tid in range(max(PENDING_MAX, TIDS_MAX) + 10):
        one.on_fill(fill(0, tid))
    assert len(one._young) == PENDING_MAX
    assert len(one._tids) == TIDS_MAX
    one.on_mid(2 * MID + 7, Millis(ADVERSE_MS))
    split(one)


steps = st.lists(
    st.tuples(
        st.integers(0, 20_000),  # ms
        st.integers(-500, 500),  # half ticks of the mid's move
        st.sampled_from([None, Side.BUY, Side.SELL]),
        st.integers(-30, 30),  # ticks of the fill from the mid
        st.integers(1, 10_000),  # lots
        st.decimals(-1, 1, places=6),  # fee, and funding of the same amount
    ),
    max_size=40,
)


@settings(max_examples=80)
@given(steps, st.integers(-5_000, 5_000))
def test_parts_sum_to_the_change_of_the_ledger(
    rows: list[tuple[int, int, Side | None, int, int, Decimal]], held: int
) -> None:
    """Rule 4: against realised, unrealised, fees and funding of the ledger that order_management keeps, to 1e-6."""
    ledger = CoinLedger(instrument=BTC, opened_ms=Millis(-1), anchor_ms=Millis(-1), lots=Lots(held))
    ledger.entry = BTC.price(MID) if held else None
    one, at, mid = opened(held), 0, 2 * MID
    for tid, (dt_ms, move, side, off, lots, money) in enumerate(rows):
        at, mid = at + dt_ms, mid + move
        one.on_mid(mid, Millis(at))
        if side is not None:
            done: Fill = msgspec.structs.replace(fill(at, tid, side=side, ticks=mid // 2 + off, lots=lots), fee=money)
            ledger.apply(done)
            one.on_fill(done)
        ledger.funding += money
        one.on_position(position(ledger.lots, fees=ledger.fees, funding=ledger.funding))
    unrealized = Decimal(0)
    if ledger.entry is not None:
        unrealized = BTC.size(ledger.lots) * (BTC.price(mid) / 2 - ledger.entry)
    equity = ledger.realized_pnl + unrealized - ledger.fees + ledger.funding
    said = split(one)
    assert abs(said.equity_change - equity) <= Decimal("1e-6")
    assert said.adopted_lots == 0
