"""Random actions on the exchange and on a slow reference: same books, fills, positions and money."""

from decimal import Decimal, localcontext
from random import Random
from typing import Final

import msgspec
from hypothesis import event, given, settings

from common.units import Side, Ticks
from services.venue_sim import texts
from services.venue_sim.api import (
    ActionAnswer,
    ActionRequest,
    Block,
    Filled,
    FillEvent,
    OracleUpdate,
    Refused,
    Resting,
    Status,
    Waiting,
)
from services.venue_sim.core import Exchange
from services.venue_sim.notes import RateNote
from services.venue_sim.rules import FEE_ACCOUNT, FUNDING_ACCOUNT, LIQUIDATOR
from tests.services.venue_sim.reference_venue import ReferenceVenue
from tests.services.venue_sim.stage import ALICE, BOB, BTC, CAROL, START_MS, config
from tests.services.venue_sim.wishes import BLOCKS, BlockOfWishes, action, random_block, rank, tell

USERS: Final = [ALICE, BOB, CAROL]
EQUITY: Final = Decimal(3_000)
DIGITS: Final = 60
EVERYTHING: Final = {
    *("filled", "canceled", "selfTradeCanceled", "marginCanceled", "reduceOnlyCanceled", "siblingFilledCanceled"),
    *("liquidatedCanceled", "scheduledCancel", "badAloPxRejected", "iocCancelRejected", "perpMarginRejected"),
    *("reduceOnlyRejected", "minTradeNtlRejected", "badTriggerPxRejected", "marketOrderNoLiquidityRejected"),
    *("Open Long", "Open Short", "Close Long", "Close Short", "Long > Short", "Short > Long", "Auto-Deleveraging"),
    *("Liquidated Cross Long", "Liquidated Cross Short", "Liquidated Isolated Long", "Liquidated Isolated Short"),
}


def word(status: Status) -> str:
    match status:
        case Resting():
            return "resting"
        case Filled():
            return "filled"
        case Refused() | Waiting():
            return status.text
        case _:
            return "success"


def words(answer: ActionAnswer) -> list[str]:
    return [word(status) for status in answer.statuses] or [answer.error]


def usd(micros: int) -> Decimal:
    return Decimal(micros).scaleb(-6)


class Twins:
    """Both exchanges, block by block."""

    def __init__(self) -> None:
        self.exchange = Exchange(msgspec.structs.replace(config(), equity=int(EQUITY * 1_000_000)), START_MS)
        for user in USERS:
            self.exchange.sight(user)
        self.reference = ReferenceVenue(USERS, EQUITY, BTC.price(self.exchange.info.mark("BTC")))
        self.reference.now_ms = START_MS
        self.now_ms = START_MS
        self.number = 0

    def block(self, asked: BlockOfWishes) -> Block:
        """Do the same on both; compare the answers."""
        self.now_ms += asked.pause_ms
        self.reference.begin(self.now_ms)
        numbered = [(self.number + place, wish) for place, wish in enumerate(asked.wishes, start=1)]
        self.number += len(numbered)
        for number, wish in numbered:
            deed = action(wish, number, self.now_ms)
            self.exchange.submit(
                ActionRequest(request_id=number, signer=wish.user, nonce=self.now_ms + number, action=deed)
            )
        if asked.oracle is not None:
            self.exchange.feed(OracleUpdate("BTC", Ticks(BTC.ticks(str(asked.oracle)))))
        block = self.exchange.step(self.now_ms)
        numbered.sort(key=lambda pair: rank(pair[1]))
        expected = [(number, wish, tell(self.reference, wish, number)) for number, wish in numbered]
        for answer, (number, wish, starts) in zip(block.answers, expected, strict=True):
            told = words(answer)
            assert answer.request_id == number
            assert len(told) == len(starts), (wish, told, starts)
            for text, start in zip(told, starts, strict=True):
                assert text.startswith(start), (wish, told, starts)
                assert bool(text) is bool(start), (wish, told, starts)
        self._settle(block)
        return block

    def _settle(self, block: Block) -> None:
        pricing = self.exchange.floor.coins["BTC"].pricing
        rates = [note.rate for note in block.story if isinstance(note, RateNote) and note.coin == "BTC"]
        self.reference.settle(
            BTC.price(pricing.mark),
            BTC.price(pricing.oracle),
            rates[0] if rates else None,
            moved=pricing._marked_ms == self.now_ms,
        )

    # --- what must be the same ---

    def compare(self) -> None:
        self._compare_books()
        for user in USERS:
            self._compare_account(user)
        accounts, reference = self.exchange.floor.accounts, self.reference
        vault = accounts[LIQUIDATOR]
        assert usd(vault.cash) == reference.vault.cash
        assert BTC.size(vault.lots("BTC")) == reference.vault.position
        assert usd(accounts[FEE_ACCOUNT].cash) == reference.fees
        assert usd(accounts[FUNDING_ACCOUNT].cash) == reference.pot
        assert usd(self.exchange.info.total_money()) == EQUITY * len(USERS)

    def _compare_account(self, user: str) -> None:
        account, purse = self.exchange.floor.accounts[user], self.reference.purses[user]
        held = account.holding("BTC")
        assert BTC.size(held.lots) == purse.position
        assert (usd(held.cost), usd(held.cash), usd(account.cash)) == (purse.cost, purse.own, purse.cash)
        fills = [
            (
                each.cloid,
                BTC.price(each.ticks),
                BTC.size(each.lots),
                BTC.size(each.start_position),
                usd(each.closed_pnl),
                usd(each.fee),
            )
            for each in self.exchange.info.fills(user)
        ]
        assert fills == purse.fills
        living = [(view.cloid, BTC.size(view.lots)) for view in self.exchange.info.open_orders(user)]
        assert living == [(item.name, item.size) for item in self.reference.open if item.user == user]
        for record in self.exchange.info.historical_orders(user):
            if record.order.cloid is not None and record.status != texts.OPEN:
                assert record.status == self.reference.ends[record.order.cloid]

    def _compare_books(self) -> None:
        for side in (Side.BUY, Side.SELL):
            queued = [
                (order.cloid, BTC.price(order.ticks), BTC.size(order.lots))
                for queue in self.exchange.floor.coins["BTC"].book.own(side)
                for order in queue.orders.values()
            ]
            resting = [each for each in self.reference.resting if each.sign == side.sign]
            expected = sorted(resting, key=lambda each: -each.price * side.sign)
            assert queued == [(each.name, each.price, each.size) for each in expected]


@settings(max_examples=200, deadline=None)
@given(blocks=BLOCKS)
def test_same_as_the_slow_reference(blocks: list[BlockOfWishes]) -> None:
    """All types of actions, triggers, funding and liquidation: same answers, books, fills, statuses, money."""
    twins = Twins()
    with localcontext(prec=DIGITS):
        for asked in blocks:
            twins.block(asked)
            twins.compare()
    for status in {*twins.reference.ends.values()}:
        event(status)


def test_long_lives() -> None:
    """Hundreds of blocks around a wandering price: everything that can happen to an order or an account does."""
    seen: set[str] = set()
    with localcontext(prec=DIGITS):
        for seed in range(6):
            chance, oracle, twins = Random(seed), 100_000, Twins()
            for number in range(250):
                oracle = min(max(oracle + chance.choice((-1, 1)) * chance.choice((0, 50, 300, 2_000)), 80_000), 120_000)
                block = twins.block(random_block(chance, oracle))
                seen |= {each.direction for each in block.events if isinstance(each, FillEvent)}
                if number % 25 == 0:
                    twins.compare()
            twins.compare()
            seen |= {*twins.reference.ends.values()}
    assert seen >= EVERYTHING, EVERYTHING - seen


@settings(max_examples=50, deadline=None)
@given(blocks=BLOCKS)
def test_equal_streams_give_equal_bytes(blocks: list[BlockOfWishes]) -> None:
    """The exchange draws no chance: the same stream gives the same blocks, byte for byte."""
    first, second = Twins(), Twins()
    with localcontext(prec=DIGITS):
        for asked in blocks:
            assert msgspec.msgpack.encode(first.block(asked)) == msgspec.msgpack.encode(second.block(asked))
