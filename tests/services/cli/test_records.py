"""Lists of orders and fills: what is proven, what only the journal says."""

from decimal import Decimal

import pytest

from common.messages import (
    BootRecord,
    Fill,
    FillRecord,
    IntentRecord,
    Message,
    OrderIntent,
    OrderState,
    TransitionRecord,
)
from common.messages.venue import VenueOrder
from common.units import Lots, Millis, Side, Ticks
from services.cli.records import OVER, fill_lines, journal_lines, venue_lines
from tests.services.cli.samples import BTC, cloid

GRID = {"BTC": BTC}


def intent(slot: int = 0, coin: str = "BTC") -> IntentRecord:
    order = OrderIntent(cloid=cloid(slot), coin=coin, side=Side.BUY, ticks=Ticks(999_990), lots=Lots(500))
    return IntentRecord(order=order, mid_ticks=1.0)


def moved(state: OrderState, slot: int = 0, *, oid: int | None = None, filled: int = 0) -> TransitionRecord:
    return TransitionRecord(cloid=cloid(slot), state=state, evidence="test", oid=oid, filled=Lots(filled))


def fill(tid: int, *, lots: int = 100, venue_ms: int = 5, coin: str = "BTC") -> FillRecord:
    return FillRecord(
        source="stream",
        fill=Fill(
            coin=coin,
            side=Side.BUY,
            ticks=Ticks(999_990),
            lots=Lots(lots),
            venue_ms=Millis(venue_ms),
            tid=tid,
            oid=77,
            cloid=cloid(),
            start_position=Lots(0),
            fee=Decimal("0.015"),
            closed_pnl=Decimal(0),
            crossed=False,
        ),
    )


@pytest.mark.parametrize("state", OrderState)
def test_the_journal_lists_what_may_still_fill(state: OrderState) -> None:
    """Rule 1: everything between signature and terminal fact, marked unproven; nothing before or after."""
    lines = journal_lines([BootRecord(epoch=1), intent(), moved(state, oid=77)], GRID)
    assert [(line.cloid, line.oid, line.state, line.unproven) for line in lines] == (
        [] if state in OVER else [(cloid(), 77, state.value, True)]
    )


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        ([], "0.00500"),
        ([moved(OrderState.PARTIALLY_FILLED, filled=200)], "0.00300"),
        ([fill(1), fill(2)], "0.00300"),
        ([fill(1), moved(OrderState.PARTIALLY_FILLED, filled=200)], "0.00300"),
        ([fill(1, lots=900)], "0.00000"),
    ],
)
def test_the_journal_counts_down(rows: list[Message], size: str) -> None:
    """Rule 1: what remains is the smaller word of transitions and fills, never below zero."""
    (line,) = journal_lines([intent(), moved(OrderState.RESTING), *rows], GRID)
    assert (line.px, line.sz) == ("99999.0", size)


def test_an_oid_is_kept() -> None:
    """A later transition without the oid does not forget it; an order without intent is nobody's."""
    rows = [intent(), moved(OrderState.RESTING, oid=5), moved(OrderState.CANCEL_PENDING), moved(OrderState.SENT, 3)]
    assert [line.oid for line in journal_lines(rows, GRID)] == [5]


def test_fills_are_listed_once_in_order() -> None:
    """Rule 2: a fill that came twice is one line; lines stand in venue time."""
    lines = fill_lines([fill(2, venue_ms=9), fill(1, venue_ms=5), fill(2, venue_ms=9), intent()], GRID)
    assert [(line.time_ms, line.tid, line.sz, line.fee) for line in lines] == [
        (5, 1, "0.00100", "0.015"),
        (9, 2, "0.00100", "0.015"),
    ]


def test_a_coin_without_a_grid_has_no_amounts() -> None:
    """Rule 3: better no number than one on a guessed grid."""
    (order,) = journal_lines([intent(coin="DOGE"), moved(OrderState.SENT)], GRID)
    (trade,) = fill_lines([fill(1, coin="DOGE")], GRID)
    assert (order.px, order.sz, trade.px, trade.sz) == (None, None, None, None)


def test_the_venues_list_is_proof() -> None:
    """Rule 1: what the venue lists is proven."""
    order = VenueOrder(
        coin="BTC",
        oid=7,
        cloid=None,
        side=Side.SELL,
        ticks=Ticks(10),
        lots=Lots(1),
        original_lots=Lots(2),
        placed_ms=Millis(0),
    )
    (line,) = venue_lines([order], GRID, ours=False)
    assert (line.side, line.px, line.sz, line.oid, line.ours, line.unproven) == (
        "sell",
        "1.0",
        "0.00001",
        7,
        False,
        False,
    )
