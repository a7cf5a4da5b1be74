"""A recording in play: its pace, its end, and our orders in its queues."""

from pathlib import Path

import pytest

from common.config import FillModel
from common.errors import ConfigFault
from common.instrument import Instrument
from common.messages import LeaderTop
from common.tape import TapeWriter
from common.units import Lots, Micros, Side, Ticks
from services.venue_sim.api import (
    Action,
    ActionRequest,
    Block,
    BookChange,
    CancelOrders,
    CancelTarget,
    ExternalBook,
    ExternalLevel,
    ExternalTrade,
    FillEvent,
    OracleUpdate,
    OrderSpec,
    PlaceOrders,
    Refused,
    Tif,
    TradeEvent,
)
from services.venue_sim.core import Exchange
from services.venue_sim.recordings import BookSeen, TouchSeen
from services.venue_sim.rules import CoinRules, ExchangeConfig
from services.venue_sim.tape_market import SILENCE_MS_MAX, RecordedBook, TapeMarket
from tests.data import data_file
from tests.market import at, book
from tests.services.venue_sim.stage import ALICE, BTC, ETH, START_MS
from tests.services.venue_sim.test_recordings import BOOKS, row, write

TRADES = "timestamp,price,size,side,trade_id,exchange_timestamp"
PRICES = "timestamp,price,size,side,exchange_timestamp"


def test_a_leader_is_played_once(tmp_path: Path) -> None:
    """In the block of its time, the newest of each block, and not again while it is silent."""
    path = tmp_path / "x.tape"
    writer = TapeWriter(path)
    writer.write(at(0), book(0))
    for seconds, usd in ((0.1, 113_000.0), (0.2, 113_001.0), (0.5, 113_002.0)):
        writer.write(at(seconds), LeaderTop(coin="BTC", bid=usd - 1, ask=usd + 1, received_at=at(seconds)))
    writer.write(at(3), book(3))
    writer.close()
    play = Play(path)
    leads = []
    for ms in (0, 99, 300, 499, 500, 600):
        play.at(ms)
        leads.append(play.market.take_leads())
    assert leads == [{}, {}, {"BTC": pytest.approx(1_130_010.0)}, {}, {"BTC": pytest.approx(1_130_020.0)}, {}]


class Play:
    """A recording of BTC on an exchange, at venue times that are said in ms since the start."""

    def __init__(self, path: Path, *, speed: float = 1.0, loop: bool = False) -> None:
        self.said: list[str] = []
        self.market = TapeMarket(path, (BTC,), speed=speed, loop=loop, say=self.said.append)
        rules = CoinRules(instrument=BTC, oracle_ticks=self.market.first_oracles()["BTC"], external=True)
        self.exchange = Exchange(ExchangeConfig(coins=(rules,)), START_MS)
        self.exchange.sight(ALICE)

    def at(self, ms: int) -> Block:
        self.market.step(self.exchange, START_MS + ms)
        self.last = self.exchange.step(START_MS + ms)
        return self.last

    def ask(self, action: Action, ms: int) -> None:
        """Have ALICE act in the block of this time."""
        self.exchange.submit(ActionRequest(request_id=1, signer=ALICE, action=action, nonce=START_MS + ms))
        self.at(ms)

    def order(self, price: str, ms: int) -> None:
        bid = OrderSpec(coin="BTC", side=Side.BUY, ticks=BTC.ticks(price), lots=BTC.lots("0.3"), tif=Tif.ALO)
        self.ask(PlaceOrders((bid,)), ms)

    def prints(self, ms: int) -> list[int]:
        return [event.ticks for event in self.at(ms).events if isinstance(event, TradeEvent)]

    @property
    def bid(self) -> Ticks:
        top = self.exchange.info.top("BTC")
        assert top.bid is not None
        return top.bid.ticks


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A second and a half: a book a half second, a touch between, two trades."""
    write(tmp_path / "orderbooks_BTC.csv", BOOKS, row(10_000), row(10_500, 113_010.0), row(11_500, 113_020.0))
    write(tmp_path / "prices_BTC.csv", PRICES, "0,112000.0,1.0,bid,9000", "0,113005.0,0.4,bid,10300")
    write(
        tmp_path / "trades_BTC.csv",
        TRADES,
        "0,112999.0,0.1,sell,1,9500",
        "0,113001.0,0.1,buy,2,10400",
        "0,113010.0,0.1,sell,3,11000",
    )
    return tmp_path


def test_pace(recording: Path) -> None:
    """Rule 1: each event in the block at or after its time, counted from the first book; older ones are nothing."""
    play = Play(recording)
    assert play.prints(0) == []
    assert play.bid == BTC.ticks("113000")
    play.at(299)
    assert play.bid == BTC.ticks("113000")
    play.at(300)
    assert play.bid == BTC.ticks("113005")
    assert play.prints(399) == []
    assert play.prints(400) == [BTC.ticks("113001")]
    play.at(500)
    assert play.bid == BTC.ticks("113010")
    assert play.prints(1_499) == [BTC.ticks("113010")]
    assert play.bid == BTC.ticks("113010")
    play.at(1_500)
    assert play.bid == BTC.ticks("113020")


def test_order_within_a_block(recording: Path) -> None:
    """Rule 1: what one block brings is fed in recorded order: the touch before the trade that met it."""
    play = Play(recording)
    play.market.step(play.exchange, START_MS)
    play.market.step(play.exchange, START_MS + 450)
    fed = [type(each) for each in play.exchange._inputs if not isinstance(each, OracleUpdate)]
    assert fed == [ExternalBook, ExternalBook, ExternalTrade]


def test_speed(recording: Path) -> None:
    """Rule 1: at double speed everything comes in half the time."""
    play = Play(recording, speed=2.0)
    play.at(0)
    assert play.prints(199) == []
    assert play.prints(200) == [BTC.ticks("113001")]
    play.at(750)
    assert play.bid == BTC.ticks("113020")


def test_withdrawn_at_the_end(recording: Path) -> None:
    """Rule 2: after the last event the books are empty and no order is taken; it is said once, and all is quiet."""
    play = Play(recording)
    play.at(0)
    play.at(1_499)
    assert play.bid == BTC.ticks("113010")
    play.at(1_500)
    assert play.bid == BTC.ticks("113020")
    play.order("113000", 1_570)
    book, (answer,) = play.exchange.info.book("BTC"), play.last.answers
    assert (book.bids, book.asks) == ((), ())
    assert answer.statuses == (Refused("Trading is halted. asset=0"),)
    assert [type(event) for event in play.last.events if isinstance(event, BookChange)] == [BookChange]
    for ms in (5_000, 9_000):
        assert play.at(ms).events == ()
    assert play.said == [f"{recording}: the recording has ended; its books are withdrawn, trading is halted"]
    assert play.market.ended
    assert play.exchange.info.oracle("BTC") == BTC.ticks("113000.5")


def test_what_rests_at_the_end_can_be_cancelled(recording: Path) -> None:
    """Rule 2: our order is all that is left in the book, nothing fills it, and it goes when we want it to."""
    play = Play(recording)
    play.at(0)
    play.order("112000", 70)
    for ms in (1_500, 1_570, 60_000):
        play.at(ms)
    (order,) = play.exchange.info.open_orders(ALICE)
    play.ask(CancelOrders((CancelTarget(coin="BTC", ref=order.oid),)), 60_070)
    assert play.exchange.info.open_orders(ALICE) == ()


def test_a_silent_book_is_withdrawn(tmp_path: Path) -> None:
    """Rule 3: ten seconds of recorded time without a word, not a millisecond less, until it is shown again."""
    write(tmp_path / "orderbooks_BTC.csv", BOOKS, row(10_000), row(40_000, 113_020.0))
    play = Play(tmp_path, speed=2.0)
    play.at(0)
    play.at(SILENCE_MS_MAX // 2)
    assert play.bid == BTC.ticks("113000")
    play.at(SILENCE_MS_MAX // 2 + 1)
    assert play.exchange.info.book("BTC").bids == ()
    play.at(15_000)
    assert play.bid == BTC.ticks("113020")


def test_loop(recording: Path) -> None:
    """Rule 2: it begins anew, with its first prices, as often as it ends."""
    play = Play(recording, loop=True)
    play.at(0)
    play.at(1_500)
    play.at(1_570)
    assert play.bid == BTC.ticks("113000")
    assert play.said == [f"{recording}: the recording begins anew"]
    assert play.prints(1_970) == [BTC.ticks("113001")]
    play.at(3_200)
    play.at(3_270)
    assert len(play.said) == 2
    assert not play.market.ended


def test_oracle_is_the_recorded_mid(recording: Path) -> None:
    """Rule 3: every 3 s of venue time, and at once at the start."""
    play = Play(recording, speed=0.25)
    play.at(0)
    assert play.exchange.info.oracle("BTC") == BTC.ticks("113000.5")
    play.at(2_000)
    play.at(2_999)
    assert play.exchange.info.oracle("BTC") == BTC.ticks("113000.5")
    play.at(3_000)
    assert play.exchange.info.oracle("BTC") == BTC.ticks("113010.5")


def test_our_order_waits_in_the_recorded_queue(tmp_path: Path) -> None:
    """Half a coin is ahead of us at our price: trades of half a coin fill us nothing, the next one does."""
    write(tmp_path / "orderbooks_BTC.csv", BOOKS, row(10_000), row(12_000))
    trades = [f"0,113000.0,{size},sell,{tid},{ms}" for tid, size, ms in ((1, 0.5, 10_500), (2, 0.2, 10_600))]
    write(tmp_path / "trades_BTC.csv", TRADES, *trades)
    play = Play(tmp_path)
    play.at(0)
    play.order("113000", 70)
    assert [e for e in play.at(500).events if isinstance(e, FillEvent)] == []
    fills = [e for e in play.at(600).events if isinstance(e, FillEvent) and e.user == ALICE]
    assert [(fill.lots, fill.crossed) for fill in fills] == [(BTC.lots("0.2"), False)]


def level(ticks: int) -> ExternalLevel:
    return ExternalLevel(Ticks(ticks), Lots(5))


@pytest.mark.parametrize(
    ("side", "ticks", "bids", "asks"),
    [
        (Side.BUY, 11, [11, 10, 9], [12, 13]),
        (Side.BUY, 10, [10, 9], [12, 13]),
        (Side.BUY, 9, [9], [12, 13]),
        (Side.BUY, 12, [12, 10, 9], [13]),
        (Side.BUY, 14, [14, 10, 9], []),
        (Side.BUY, None, [], [12, 13]),
        (Side.SELL, 11, [10, 9], [11, 12, 13]),
        (Side.SELL, 13, [10, 9], [13]),
        (Side.SELL, 10, [9], [10, 12, 13]),
        (Side.SELL, None, [10, 9], []),
    ],
)
def test_a_touch_patches_the_book(side: Side, ticks: int | None, bids: list[int], asks: list[int]) -> None:
    """A new best price removes what was better on its side and what it meets on the other."""
    seen = RecordedBook()
    seen.show(BookSeen(1, "BTC", (level(10), level(9)), (level(12), level(13))))
    seen.touch(TouchSeen(2, "BTC", side, None if ticks is None else level(ticks)))
    assert [one.ticks for one in seen.bids] == bids
    assert [one.ticks for one in seen.asks] == asks
    assert seen.mid_ticks == ((bids[0] + asks[0]) // 2 if bids and asks else None)


def test_a_damaged_line_kills_nobody(recording: Path) -> None:
    """One clear error with file and line; the rest is played."""
    path = recording / "orderbooks_BTC.csv"
    write(path, BOOKS, row(10_000), row(10_500)[:100], row(11_500, 113_020.0))
    play = Play(recording)
    for ms in range(0, 1_560, 70):
        play.at(ms)
    assert play.said[0] == f"{path}:3: columns are missing; skipped"
    assert play.bid == BTC.ticks("113020")


def test_missing_coins_refuse_the_start(recording: Path) -> None:
    """A configured coin without a book would have no market."""
    with pytest.raises(ConfigFault, match="no book of ETH"):
        TapeMarket(recording, (BTC, ETH), speed=1.0, loop=False, say=print)


Passed = tuple[list[TradeEvent], dict[str, int]]  # trades, and the lots that ALICE's orders got by coin


def play_data(name: str, coins: tuple[Instrument, ...], *, seconds: int, model: FillModel) -> Passed:
    """Play from the shared data, with orders of ALICE's at the touch and 3 bps behind it, new ones each ten seconds."""
    market = TapeMarket(data_file(name), coins, speed=1.0, loop=False, say=lambda _: None)
    oracles = market.first_oracles()
    rules = tuple(CoinRules(instrument=coin, oracle_ticks=oracles[coin.coin], external=True) for coin in coins)
    exchange = Exchange(ExchangeConfig(coins=rules, fill_model=model, equity=Micros(10**15)), START_MS)
    exchange.sight(ALICE)
    trades, got = [], dict.fromkeys((coin.coin for coin in coins), 0)
    for now_ms in range(START_MS, START_MS + 1_000 * seconds, 100):
        market.step(exchange, now_ms)
        if (now_ms - START_MS) % 10_000 == 5_000:
            request(
                exchange,
                now_ms,
                *(action for coin in coins for action in orders(exchange, coin, market._books[coin.coin])),
            )
        for event in exchange.step(now_ms).events:
            if isinstance(event, TradeEvent):
                trades.append(event)
            if isinstance(event, FillEvent) and event.user == ALICE:
                got[event.coin] += event.lots
    return trades, got


def request(exchange: Exchange, now_ms: int, *actions: Action) -> None:
    for number, action in enumerate(actions):
        exchange.submit(ActionRequest(request_id=1, signer=ALICE, action=action, nonce=now_ms + number))


def orders(exchange: Exchange, coin: Instrument, book: RecordedBook) -> list[Action]:
    """Cancel the coin's old orders; place new ones at prices that the recording alone decides."""
    old = [CancelTarget(coin=coin.coin, ref=o.oid) for o in exchange.info.open_orders(ALICE) if o.coin == coin.coin]
    specs = tuple(
        OrderSpec(
            coin=coin.coin,
            side=side,
            ticks=coin.legal_outward(side, levels[0].ticks * (1 - side.sign * bps / 10_000)),
            lots=coin.lots("0.5"),
            tif=Tif.GTC,
        )
        for side, levels in ((Side.BUY, book.bids), (Side.SELL, book.asks))
        for bps in (0, 3)
    )
    return [*([CancelOrders(tuple(old))] if old else []), PlaceOrders(specs)]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "coins", "least", "prices"),
    [
        ("A_hl_book_trades_20250904", (BTC, ETH), 100, (109_000, 111_000)),
        ("C_hl_reconnect_20250903", (BTC, ETH), 50, (110_000, 113_000)),
        ("D_hl_archive_btc_20240101", (BTC,), 0, (42_000, 43_000)),
    ],
)
def test_real_days_play(name: str, coins: tuple[Instrument, ...], least: int, prices: tuple[int, int]) -> None:
    """A minute of each set: their own prices, their trades where they have any, and equal each time."""
    days = [play_data(name, coins, seconds=60, model=FillModel.PESSIMISTIC) for _ in range(2)]
    assert days[0] == days[1]
    trades = [event for event in days[0][0] if event.coin == "BTC"]
    assert len(trades) >= least
    assert all(prices[0] < event.ticks / 10 < prices[1] for event in trades)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "minutes"),
    [("A_hl_book_trades_20250904", 35), ("C_hl_reconnect_20250903", 10), ("D_hl_archive_btc_20240101", 61)],
)
def test_real_days_play_to_their_end(name: str, minutes: int) -> None:
    """From the first event to the last: books that are two-sided but for outages, then none."""
    market = TapeMarket(data_file(name), (BTC,), speed=20.0, loop=False, say=lambda _: None)
    rules = CoinRules(instrument=BTC, oracle_ticks=market.first_oracles()["BTC"], external=True)
    exchange, empty, now_ms = Exchange(ExchangeConfig(coins=(rules,)), START_MS), 0, START_MS
    while not market.ended:
        market.step(exchange, now_ms)
        exchange.step(now_ms)
        top, now_ms = exchange.info.top("BTC"), now_ms + 100
        empty += top.bid is None or top.ask is None
    assert (now_ms - START_MS) / 3_000 == pytest.approx(minutes, abs=1.5)
    assert top.bid is None
    assert 2 * (empty - 1) == pytest.approx(
        {"C": 280, "A": 8, "D": 0}[name[0]], abs=6
    )  # seconds of outages past rule 3


@pytest.mark.data
def test_models_fill_in_their_order() -> None:
    """The same orders on two minutes of the same tape: each model fills at least what the stricter one does."""
    got = [
        play_data("A_hl_book_trades_20250904", (BTC, ETH), seconds=120, model=model)[1]
        for model in (FillModel.TRADE_THROUGH, FillModel.PESSIMISTIC, FillModel.PROBABILISTIC)
    ]
    for coin in ("BTC", "ETH"):
        through, pessimistic, probabilistic = (each[coin] for each in got)
        assert 0 < through < pessimistic <= probabilistic, coin
