"""A recording in play: its pace, its end, and our orders in its queues."""

from pathlib import Path

import pytest

from common.errors import ConfigFault
from common.units import Lots, Side, Ticks
from services.venue_sim.api import (
    ActionRequest,
    Block,
    ExternalBook,
    ExternalLevel,
    ExternalTrade,
    FillEvent,
    OracleUpdate,
    OrderSpec,
    PlaceOrders,
    Tif,
    TradeEvent,
)
from services.venue_sim.core import Exchange
from services.venue_sim.recordings import BookSeen, TouchSeen
from services.venue_sim.rules import CoinRules, ExchangeConfig
from services.venue_sim.tape_market import RecordedBook, TapeMarket
from tests.data import data_file
from tests.services.venue_sim.stage import ALICE, BTC, ETH, START_MS
from tests.services.venue_sim.test_recordings import BOOKS, row, write

TRADES = "timestamp,price,size,side,trade_id,exchange_timestamp"
PRICES = "timestamp,price,size,side,exchange_timestamp"


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
        return self.exchange.step(START_MS + ms)

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


def test_quiet_at_the_end(recording: Path) -> None:
    """Rule 2: the last book stays, nothing happens any more, and it is said once."""
    play = Play(recording)
    play.at(0)
    play.at(1_500)
    for ms in (1_570, 5_000, 9_000):
        assert play.at(ms).events == ()
    assert play.said == [f"{recording}: the recording has ended; the market is quiet now"]
    assert play.market.ended
    assert play.bid == BTC.ticks("113020")
    assert play.exchange.info.oracle("BTC") == BTC.ticks("113000.5")


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
    bid = OrderSpec(coin="BTC", side=Side.BUY, ticks=BTC.ticks("113000"), lots=BTC.lots("0.3"), tif=Tif.ALO)
    play.exchange.submit(ActionRequest(request_id=1, signer=ALICE, action=PlaceOrders((bid,)), nonce=START_MS))
    play.at(70)
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
    for ms in range(0, 2_000, 70):
        play.at(ms)
    assert play.said[0] == f"{path}:3: columns are missing; skipped"
    assert play.bid == BTC.ticks("113020")


def test_missing_coins_refuse_the_start(recording: Path) -> None:
    """A configured coin without a book would have no market."""
    with pytest.raises(ConfigFault, match="no book of ETH"):
        TapeMarket(recording, (BTC, ETH), speed=1.0, loop=False, say=print)


@pytest.mark.data
def test_a_real_day_plays() -> None:
    """Two minutes of BTC and ETH: two-sided, alive, its own prices, and equal each time."""
    path = data_file("A_hl_book_trades_20250904")
    days = []
    for _ in range(2):
        market = TapeMarket(path, (BTC, ETH), speed=1.0, loop=False, say=print)
        oracles = market.first_oracles()
        rules = tuple(CoinRules(instrument=i, oracle_ticks=oracles[i.coin], external=True) for i in (BTC, ETH))
        exchange = Exchange(ExchangeConfig(coins=rules), START_MS)
        day = []
        for number in range(1_700):
            now_ms = START_MS + 70 * number
            market.step(exchange, now_ms)
            block = exchange.step(now_ms)
            day += [event for event in block.events if isinstance(event, TradeEvent)]
            for coin in ("BTC", "ETH"):
                top = exchange.info.top(coin)
                assert top.bid is not None
                assert top.ask is not None
        days.append(day)
    assert len(days[0]) > 200
    assert days[0] == days[1]
    assert all(109_000 < event.ticks / 10 < 111_000 for event in days[0] if event.coin == "BTC")
