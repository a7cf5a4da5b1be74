"""The synthetic market on the exchange core: a quoter is filled on both sides, and truth is true."""

from itertools import pairwise
from random import Random
from statistics import mean, median
from time import process_time

import msgspec
import pytest

from common.units import MICROS_PER_USD, Lots, Side
from services.venue_sim import scenarios
from services.venue_sim.api import (
    ActionRequest,
    Block,
    CancelOrders,
    CancelTarget,
    FillEvent,
    OracleUpdate,
    OrderSpec,
    PlaceOrders,
    Refused,
    Tif,
    TradeEvent,
)
from services.venue_sim.core import Exchange
from services.venue_sim.rules import CoinRules, ExchangeConfig
from services.venue_sim.synthetic import INFORMED, ORACLE_INTERVAL_MS, SyntheticMarket, start_ticks
from tests.services.venue_sim.stage import ALICE, BLOCK_MS, BTC, ETH, START_MS

COINS = (BTC, ETH)


class Day:
    """An exchange with this market and one quoter, block by block."""

    def __init__(self, seed: int = 1, trade_rate: float = 1.0, scenario: str = "") -> None:
        self.market = SyntheticMarket(
            COINS, trade_rate=trade_rate, chance=Random(seed), scenario=scenarios.find(scenario)
        )
        rules = tuple(CoinRules(instrument=coin, oracle_ticks=start_ticks(coin)) for coin in COINS)
        self.exchange = Exchange(ExchangeConfig(coins=rules, internal=self.market.internal), START_MS)
        self.exchange.sight(ALICE)
        self.now = START_MS
        self._nonce = START_MS

    def block(self) -> Block:
        self.now += BLOCK_MS
        self.market.step(self.exchange, self.now)
        return self.exchange.step(self.now)

    def run(self, seconds: float) -> list[Block]:
        return [self.block() for _ in range(int(seconds * 1_000 / BLOCK_MS))]

    def submit(self, action: PlaceOrders | CancelOrders) -> None:
        self._nonce += 1
        self.exchange.submit(ActionRequest(request_id=1, signer=ALICE, action=action, nonce=self._nonce))

    def quote(self, depth_bps: float) -> None:
        """Replace ALICE's quotes: 500 USD on each side of each mid."""
        old = self.exchange.info.open_orders(ALICE)
        if old:
            self.submit(CancelOrders(tuple(CancelTarget(coin=order.coin, ref=order.oid) for order in old)))
        for coin in COINS:
            top = self.exchange.info.top(coin.coin)
            assert top.bid is not None
            assert top.ask is not None
            mid = (top.bid.ticks + top.ask.ticks) / 2
            for side in Side:
                ticks = coin.legal_outward(side, mid * (1 - side.sign * depth_bps / 10_000))
                lots = Lots(500 * MICROS_PER_USD // ticks)
                self.submit(PlaceOrders((OrderSpec(coin=coin.coin, side=side, ticks=ticks, lots=lots, tif=Tif.ALO),)))


def trades(blocks: list[Block], coin: str = "BTC") -> list[TradeEvent]:
    return [e for block in blocks for e in block.events if isinstance(e, TradeEvent) and e.coin == coin]


def test_equal_seeds_give_equal_days() -> None:
    """Byte for byte; another seed is another day."""
    first, again, other = (
        [msgspec.msgpack.encode((block.number, block.events)) for block in Day(seed).run(30)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_it_looks_like_a_market() -> None:
    """Two minutes: always two-sided after the first block, spreads of 1 to 2 bps, prices that go with the truth."""
    day = Day(3)
    day.block()
    spreads = []
    for _ in range(1_700):
        day.block()
        for coin in COINS:
            top = day.exchange.info.top(coin.coin)
            assert top.bid is not None
            assert top.ask is not None
            mid = (top.bid.ticks + top.ask.ticks) / 2
            spreads.append((top.ask.ticks - top.bid.ticks) / mid * 10_000)
            assert mid == pytest.approx(day.market.truth(coin.coin).fair_ticks, rel=0.004)
    assert 0.8 < median(spreads) < 2.5
    assert 112_000 < day.exchange.info.oracle("BTC") / 10 < 114_000
    assert day.exchange.info.oracle("ETH") / 100 < 5_000
    book = day.exchange.info.book("BTC")
    assert len(book.bids) >= 15
    assert len(book.asks) >= 15


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quotes_are_filled_on_both_sides(seed: int) -> None:
    """Resting 4.5 bps from the mid and requoted every 350 ms: each side of each coin fills within a minute."""
    day = Day(seed)
    day.run(1)
    filled = set()
    for _ in range(170):
        day.quote(4.5)
        for _ in range(5):
            block = day.block()
            assert not [s for a in block.answers if a.request_id == 1 for s in a.statuses if isinstance(s, Refused)]
            filled |= {(e.coin, e.side) for e in block.events if isinstance(e, FillEvent)}
    assert filled == {(coin.coin, side) for coin in COINS for side in Side}


def test_far_orders_rest() -> None:
    """Bids of other people's examples, far below the market, are never filled."""
    day = Day()
    day.run(1)
    far = OrderSpec(coin="ETH", side=Side.BUY, ticks=ETH.ticks("1100"), lots=ETH.lots("0.2"), tif=Tif.GTC)
    day.submit(PlaceOrders((far,)))
    day.run(60)
    assert [order.lots for order in day.exchange.info.open_orders(ALICE)] == [far.lots]


def test_trade_rate_multiplies() -> None:
    """Three times the rate, about three times the trades."""
    once, thrice = (len(trades(Day(7, rate).run(120))) for rate in (1.0, 3.0))
    assert 2.0 < thrice / once < 4.5


def test_oracle_every_three_seconds() -> None:
    """It follows the true price at the venue's pace, and does not move in between."""
    day = Day(3)
    seen = []
    for _ in range(1_000):
        day.block()
        seen.append(day.exchange.info.oracle("BTC"))
    changes = [index for index in range(1, len(seen)) if seen[index] != seen[index - 1]]
    gaps = [(later - earlier) * BLOCK_MS for earlier, later in pairwise(changes)]
    assert min(gaps) >= ORACLE_INTERVAL_MS
    assert max(gaps) <= ORACLE_INTERVAL_MS + 2 * BLOCK_MS


def test_the_informed_know() -> None:
    """The true price lies on the informed takers' side more often than chance, on the noise's as often as not."""
    day = Day(11)
    day.run(1)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(4_000):
        block = day.block()
        truth = day.market.truth("BTC").fair_ticks
        mid = day.market._coins["BTC"].makers.reference
        for trade in trades([block]):
            informed = INFORMED in (trade.buyer, trade.seller)
            right[informed].append((truth - mid) * trade.side.sign > 0)
    assert mean(right[True]) > 0.7
    assert mean(right[False]) == pytest.approx(0.5, abs=0.1)


def test_truth_is_exported() -> None:
    """Numbers that a judge of estimators needs, per coin, with the rate that is configured."""
    truth = Day(1, 2.0).market.truth("ETH")
    assert truth.coin == "ETH"
    assert truth.fair_ticks == 430_000
    assert truth.arrival_rate_per_s == 3.2
    assert 3e-5 <= truth.sigma_per_sqrt_s <= 1e-4
    assert truth.sigma_per_sqrt_s < truth.sigma_total_per_sqrt_s < 1e-4


def test_a_restored_venue_goes_on() -> None:
    """A new process on an old exchange: prices begin at its oracle, its resting orders are taken over."""
    day = Day(1)
    day.run(20)
    book = day.exchange.info.book("BTC")
    oracle = BTC.ticks("113500")
    day.exchange.feed(OracleUpdate("BTC", oracle))
    day.exchange.step(day.now)
    day.market = SyntheticMarket(COINS, trade_rate=1.0, chance=Random(99))
    day.run(3)
    top = day.exchange.info.top("BTC")
    assert top.bid is not None
    assert top.bid.ticks == pytest.approx(oracle, rel=0.001)
    assert len(day.exchange.info.book("BTC").bids) <= len(book.bids) + 5


def test_a_pause_is_no_crash() -> None:
    """A process that slept for days goes on where it was: no days' worth of moves in one block."""
    day = Day(5)
    day.run(5)
    before = day.market.truth("BTC").fair_ticks
    day.now += 360_000_000
    block = day.block()
    assert len(trades([block])) < 100
    assert day.market.truth("BTC").fair_ticks == pytest.approx(before, rel=0.0016)


def test_cost() -> None:
    """A block of two coins costs well under 2 ms on average, exchange included (measured 0.2 ms)."""
    day = Day(1)
    day.run(1)
    began = process_time()
    blocks = day.run(35)
    assert (process_time() - began) / len(blocks) < 0.002
