"""A log in which everything happens that a check knows a rule for."""

from functools import cache
from typing import Any

import msgspec

from common import witness
from common.units import Micros, Ticks
from services.venue_sim.api import (
    ActionRequest,
    CancelOrders,
    CancelTarget,
    OracleUpdate,
    OrderSpec,
    PlaceOrders,
    UsdSend,
)
from services.venue_sim.views import FeeRates
from tests.services.venue_sim.door import ALICE, BOB, Door, cancel, limit, place
from tests.services.venue_sim.stage import BTC, BUY, MARKET, SELL, config, order

HOUR_MS = 3_600_000


class Story:
    def __init__(self) -> None:
        self.door = Door(exchange_config=msgspec.structs.replace(config(), quotes_noted=True)).meet(ALICE, BOB)
        self.door.log()
        self.door.venue.open_log()

    def market(self, *orders: OrderSpec) -> "Story":
        """Have the market's own participant place orders in the next block."""
        self.door.exchange.submit(ActionRequest(request_id=-1, signer=MARKET, action=PlaceOrders(orders)))
        return self

    def clear(self) -> "Story":
        """Take the market's own orders away."""
        views = self.door.exchange.info.open_orders(MARKET)
        targets = tuple(CancelTarget(coin=view.coin, ref=view.oid) for view in views)
        self.door.exchange.submit(ActionRequest(request_id=-1, signer=MARKET, action=CancelOrders(targets)))
        return self

    def mark(self, price: str) -> None:
        """Move oracle and mark in one block, with an empty book."""
        self.door.exchange.feed(OracleUpdate("BTC", Ticks(BTC.ticks(price))))
        self.door.block(3_000)

    def trade(self) -> None:
        """Rest, trade with the market and each other, self-trade, cancel, expire, be refused."""
        door = self.door
        self.market(order(SELL, "100010", "0.2"), order(SELL, "100010", "0.3"), order(BUY, "99990", "1"))
        door.block()
        door.do(ALICE, place(limit("100010", "0.4", tif="Ioc")))
        (resting,) = door.rest(ALICE, limit("100005", "0.2", buy=False, tif="Alo"))
        door.do(BOB, place(limit("100005", "0.1", tif="Ioc")))
        door.do(ALICE, cancel(resting), expires_after=int(door.now) + 500)
        (own,) = door.rest(BOB, limit("100001", "0.1"))
        door.do(BOB, place(limit("99990", "0.1", buy=False, tif="Ioc")))
        door.do(BOB, cancel(own))
        door.send(BOB, place(limit("99000", "0.1", tif="Alo")))
        door.send(ALICE, cancel(own))
        door.block()

    def exits(self) -> None:
        """A reduce-only order that is filled, a stop that fires, another and an exit that stay."""
        door = self.door
        door.do(ALICE, place({**limit("99990", "0.1", buy=False, tif="Ioc"), "r": True}))
        door.do(ALICE, place(stop("99500", "0.05")))
        self.clear()
        door.block()
        self.mark("99400")
        door.do(ALICE, place({**limit("101000", "0.05", buy=False), "r": True}, stop("90000", "0.05")))

    def money(self) -> None:
        """Another fee tier, an hour's funding, a transfer."""
        rates = FeeRates(maker_ppm=120, taker_ppm=400)
        self.door.exchange.set_fees(ALICE.address, rates)
        self.door.block(HOUR_MS)
        send = UsdSend(BOB.address, Micros(1_000_000))
        self.door.exchange.submit(
            ActionRequest(request_id=-2, signer=ALICE.address, nonce=int(self.door.now), action=send)
        )
        self.door.block()

    def fall(self) -> None:
        """Alice bets everything; Bob's bid takes a part of her position, the liquidator the rest."""
        door = self.door
        door.do(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 40})
        for view in door.exchange.info.open_orders(ALICE.address):
            door.do(ALICE, cancel(view.oid))
        self.market(order(SELL, "99400", "30"))
        door.block()
        door.do(ALICE, place(limit("99400", "30", tif="Ioc")))
        self.clear()
        door.rest(BOB, limit("95000", "0.1"))
        self.mark("95100")


def stop(price: str, size: str) -> dict[str, Any]:
    """Return a stop-loss of a long position."""
    trigger = {"trigger": {"isMarket": True, "triggerPx": price, "tpsl": "sl"}}
    return {**limit(price, size, buy=False), "r": True, "t": trigger}


@cache
def told() -> tuple[witness.AnyLine, ...]:
    """Return the whole log."""
    story = Story()
    story.trade()
    story.exits()
    story.door.venue.open_log()
    story.money()
    story.fall()
    story.door.block()
    return tuple(story.door.log())
