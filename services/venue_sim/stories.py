"""What an event of a block is about: which book, whose money."""

from collections.abc import Iterator

from services.venue_sim import api, notes
from services.venue_sim.deleveraging import REASON as DELEVERAGED
from services.venue_sim.rules import FEE_ACCOUNT, FUNDING_ACCOUNT, LIQUIDATOR


def coin_of(event: api.Event | notes.Note) -> str:
    """Return the coin whose book an event may depend on, empty when it is about none."""
    match event:
        case api.OrderEvent(order=order):
            return order.coin
        case api.FillEvent(coin=coin) | api.TradeEvent(coin=coin):
            return coin
        case _:
            return ""


def moves(event: api.Event | notes.Note) -> Iterator[tuple[str, int]]:
    """List whose money or position an event changed, and the funding that it was."""
    match event:
        case api.FillEvent(user=user, direction=direction):
            yield user, 0
            yield (LIQUIDATOR if direction == DELEVERAGED else FEE_ACCOUNT), 0
        case notes.TransferNote(user=user):
            yield user, 0
            yield LIQUIDATOR, 0
        case api.FundingEvent(user=user, micros=micros):
            yield user, micros
        case notes.RateNote():
            yield FUNDING_ACCOUNT, 0
        case api.LedgerEvent(user=user):
            yield user, 0
        case api.LiquidationEvent(user=user, liquidator=liquidator):
            yield user, 0
            if liquidator:
                yield liquidator, 0
        case _:
            pass
