"""A short language for stories on the exchange: who does what in which block, and what the venue says."""

from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from common import witness
from common.instrument import Instrument
from common.units import Lots, Micros, Side
from common.witness_check import check
from services.venue_sim.api import (
    Action,
    ActionAnswer,
    ActionRequest,
    Block,
    CancelOrders,
    CancelTarget,
    Event,
    FillEvent,
    ModifyOrders,
    ModifyTarget,
    OrderEvent,
    OrderSpec,
    PlaceOrders,
    Refused,
    Status,
    Tif,
    Trigger,
)
from services.venue_sim.core import Exchange
from services.venue_sim.rules import CoinRules, ExchangeConfig
from services.venue_sim.witness import Scribe

ALICE: Final = "0x" + "a1" * 20
BOB: Final = "0x" + "b0" * 20
CAROL: Final = "0x" + "ca" * 20
MARKET: Final = "0x" + "01" * 20  # the market's own participant
START_MS: Final = 1_700_000_000_000 // 3_600_000 * 3_600_000 + 60_000  # a minute past an hour
BLOCK_MS: Final = 70
BTC: Final = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)
ETH: Final = Instrument(coin="ETH", asset=1, size_decimals=4, leverage_max=25)
BUY, SELL = Side.BUY, Side.SELL
E = TypeVar("E", bound=Event)


def config(*, external: bool = False, equity_usd: int = 100_000, partial_fill_rests: bool = True) -> ExchangeConfig:
    return ExchangeConfig(
        coins=(
            CoinRules(instrument=BTC, oracle_ticks=BTC.ticks("100000"), external=external),
            CoinRules(instrument=ETH, oracle_ticks=ETH.ticks("4000"), external=external),
        ),
        internal=(MARKET,),
        equity=Micros(equity_usd * 1_000_000),
        partial_fill_rests=partial_fill_rests,
    )


def order(
    side: Side,
    price: str,
    size: str,
    tif: Tif = Tif.GTC,
    *,
    coin: Instrument = BTC,
    reduce_only: bool = False,
    cloid: str | None = None,
    trigger: Trigger | None = None,
) -> OrderSpec:
    return OrderSpec(
        coin=coin.coin,
        side=side,
        ticks=coin.ticks(price),
        lots=coin.lots(size),
        tif=tif,
        reduce_only=reduce_only,
        cloid=cloid,
        trigger=trigger,
    )


class Stage:
    """One exchange with three funded accounts; nonces count up by themselves. `is_logged`: for `verify`."""

    def __init__(self, settings: ExchangeConfig | None = None, *, is_logged: bool = False) -> None:
        chosen = msgspec.structs.replace(settings or config(), quotes_noted=is_logged)
        self.exchange = Exchange(chosen, START_MS)
        self.info = self.exchange.info
        self._scribe = Scribe(chosen) if is_logged else None
        if self._scribe is not None:
            self._scribe.opening(self.info)
        self.now = START_MS
        self._number = 0
        self._asked: list[int] = []
        for user in (ALICE, BOB, CAROL):
            self.exchange.sight(user)
        self.last = self._step()

    # --- ask ---

    def ask(self, user: str, action: Action, **fields: int | str) -> int:
        """Submit an action for the next block; return its request number."""
        self._number += 1
        request = {"nonce": START_MS + self._number, **fields}
        self.exchange.submit(ActionRequest(request_id=self._number, signer=user, action=action, **request))  # type: ignore[arg-type]  # a test names the fields
        self._asked.append(self._number)
        return self._number

    def place(self, user: str, *orders: OrderSpec) -> int:
        return self.ask(user, PlaceOrders(orders))

    def cancel(self, user: str, *refs: int | str, coin: Instrument = BTC) -> int:
        return self.ask(user, CancelOrders(tuple(CancelTarget(coin=coin.coin, ref=ref) for ref in refs)))

    def modify(self, user: str, ref: int | str, new: OrderSpec, *, always: bool = False, single: bool = False) -> int:
        target = ModifyTarget(ref=ref, order=new)
        return self.ask(user, ModifyOrders((target,), always_place=always, single=single))

    # --- run ---

    def block(self, after_ms: int = BLOCK_MS) -> Block:
        """Execute a block; events are in `last`."""
        self.now += after_ms
        self.last = self._step()
        self._asked.clear()
        return self.last

    def _step(self) -> Block:
        block = self.exchange.step(self.now)
        if self._scribe is not None:
            self._scribe.block = block.number
            self._scribe.events(block, self.info)
        return block

    def verify(self) -> None:
        """Have the witness log so far judged."""
        assert self._scribe is not None
        self._scribe.block += 1
        self._scribe.opening(self.info)  # states everything once more
        lines = [witness.decode(line) for line in self._scribe.take().splitlines(keepends=True)]
        assert [str(finding) for finding in check(lines).findings] == []

    def answer(self, number: int) -> ActionAnswer:
        """Return the answer to a request of the last block."""
        return next(answer for answer in self.last.answers if answer.request_id == number)

    def now_place(self, user: str, *orders: OrderSpec) -> tuple[Status, ...]:
        """Place in a block of its own; return the statuses."""
        number = self.place(user, *orders)
        self.block()
        return self.answer(number).statuses

    def one(self, user: str, new: OrderSpec) -> Status:
        (status,) = self.now_place(user, new)
        return status

    def rest(self, user: str, *orders: OrderSpec) -> list[int]:
        """Place orders that must not be refused; return their oids."""
        statuses = self.now_place(user, *orders)
        assert not any(isinstance(status, Refused) for status in statuses), statuses
        return [status.oid for status in statuses if hasattr(status, "oid")]

    # --- look ---

    def events(self, kind: type[E]) -> list[E]:
        return [event for event in self.last.events if isinstance(event, kind)]

    def told(self, user: str) -> list[tuple[int, str, str]]:
        """List (oid, status, remaining size) of the user's order updates in the last block."""
        return [
            (event.order.oid, event.status, size(event.order.lots))
            for event in self.events(OrderEvent)
            if event.order.user == user
        ]

    def fills(self, user: str) -> list[tuple[str, str, str]]:
        """List (side, price, size) of the user's fills in the last block, BTC."""
        return [
            (event.side.value, f"{BTC.price(event.ticks):f}", size(event.lots))
            for event in self.events(FillEvent)
            if event.user == user
        ]

    def bids(self) -> list[tuple[str, str]]:
        return [(f"{BTC.price(level.ticks):f}", size(level.lots)) for level in self.info.book("BTC").bids]

    def asks(self) -> list[tuple[str, str]]:
        return [(f"{BTC.price(level.ticks):f}", size(level.lots)) for level in self.info.book("BTC").asks]

    def position(self, user: str) -> str:
        return size(self.info.position(user, "BTC"))


def size(lots: int) -> str:
    """Write BTC lots without trailing zeros."""
    return f"{(Decimal(lots).scaleb(-BTC.size_decimals) + 0).normalize():f}"


def refused(status: Status) -> str:
    assert isinstance(status, Refused), status
    return status.text


def lots(text: str) -> Lots:
    return BTC.lots(text)
