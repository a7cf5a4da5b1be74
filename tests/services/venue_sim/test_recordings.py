"""Readers of recordings: every kind, every damage, and what real recordings hold."""

from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from common.errors import ConfigFault
from common.messages import AssetContext, LeaderTop, Message
from common.tape import TapeWriter
from common.units import Side
from services.venue_sim.api import ExternalLevel
from services.venue_sim.recordings import BookSeen, Event, LeaderSeen, Recording, TouchSeen, TradeSeen
from tests.data import data_file
from tests.market import ASK, BID, at, book, context, top, trade
from tests.services.venue_sim.stage import BTC, ETH

BOOKS = "timestamp,sequence,exchange_timestamp," + ",".join(
    f"bid_price_{i},bid_size_{i},ask_price_{i},ask_size_{i}" for i in range(20)
)


def row(at_ms: int, bid: float = 113_000.0, levels: int = 20) -> str:
    """One line of an orderbooks file: a dollar between levels, half a coin on each."""
    cells = [f"{bid - i},0.5,{bid + 1 + i},0.25" for i in range(levels)] + [",,,"] * (20 - levels)
    return f"{at_ms / 1000},{at_ms},{at_ms},{','.join(cells)}"


def write(path: Path, *lines: str, end: str = "\n", compress: bool = False) -> Path:
    text = ("\n".join(lines) + end).encode()
    path.write_bytes(zstandard.ZstdCompressor().compress(text) if compress else text)
    return path


def read(path: Path, *coins: str) -> tuple[list[Event], list[str]]:
    said: list[str] = []
    instruments = [instrument for instrument in (BTC, ETH) if instrument.coin in (coins or ("BTC",))]
    events = list(Recording(path, instruments, said.append).events())
    return events, said


@pytest.mark.parametrize("compress", [False, True])
def test_csv(tmp_path: Path, *, compress: bool) -> None:
    """Three files of one coin become one stream: at equal times trades come first, then touches, then books."""
    ending = "csv.zst" if compress else "csv"
    write(tmp_path / f"orderbooks_BTC.{ending}", BOOKS, row(1_000), row(1_500, levels=3), compress=compress)
    write(
        tmp_path / f"prices_BTC.{ending}",
        "timestamp,price,size,side,exchange_timestamp",
        "1.2,113000.0,0.7,bid,1200",
        "1.5,113002.0,0.00001,ask,1500",
        compress=compress,
    )
    write(
        tmp_path / f"trades_BTC.{ending}",
        "timestamp,price,size,side,trade_id,exchange_timestamp",
        "1.5,113001.0,0.25,buy,77,1500",
        compress=compress,
    )
    write(tmp_path / f"orderbooks_DOGE.{ending}", BOOKS, "nonsense", compress=compress)
    (first, touch, sold, best, last), said = read(tmp_path)
    assert said == []
    assert isinstance(first, BookSeen)
    assert (first.at_ms, len(first.bids), first.bids[0], first.asks[0]) == (
        1_000,
        20,
        ExternalLevel(BTC.ticks("113000"), BTC.lots("0.5")),
        ExternalLevel(BTC.ticks("113001"), BTC.lots("0.25")),
    )
    assert touch == TouchSeen(1_200, "BTC", Side.BUY, ExternalLevel(BTC.ticks("113000"), BTC.lots("0.7")))
    assert sold == TradeSeen(1_500, "BTC", Side.BUY, BTC.ticks("113001"), BTC.lots("0.25"), 77)
    assert best == TouchSeen(1_500, "BTC", Side.SELL, ExternalLevel(BTC.ticks("113002"), BTC.lots("0.00001")))
    assert isinstance(last, BookSeen)
    assert (len(last.bids), len(last.asks)) == (3, 3)


def test_archive(tmp_path: Path) -> None:
    """One line is one message of the venue, with order counts."""
    line = (
        '{"time":"2024-01-01T12:00:01.1","ver_num":1,"raw":{"channel":"l2Book","data":{"coin":"BTC","time":5,'
        '"levels":[[{"px":"42727.0","sz":"0.02265","n":3}],[{"px":"42728.0","sz":"1.0","n":1}]]}}}'
    )
    (seen,), said = read(write(tmp_path / "BTC_20240101_12_l2Book.jsonl", line))
    assert said == []
    assert seen == BookSeen(
        5,
        "BTC",
        (ExternalLevel(BTC.ticks("42727"), BTC.lots("0.02265"), 3),),
        (ExternalLevel(BTC.ticks("42728"), BTC.lots("1"), 1),),
    )


def tape(path: Path, *messages: Message) -> Path:
    writer = TapeWriter(path)
    for second, message in enumerate(messages):
        writer.write(at(second), message)
    writer.close()
    return path


def test_our_own_tapes(tmp_path: Path) -> None:
    """Books, tops and trades of the coins that are asked for; other messages are passed over."""
    path = tape(tmp_path / "market_data.tape", book(1), top(2, bid=None), trade(3, 9), context(4), book(5, coin="DOGE"))
    events, said = read(path)
    assert said == []
    level = ExternalLevel(book(1).asks[0][0], book(1).asks[0][1])
    assert events == [
        BookSeen(1_000, "BTC", (ExternalLevel(book(1).bids[0][0], level.lots),), (level,)),
        TouchSeen(2_000, "BTC", Side.BUY, None),
        TouchSeen(2_000, "BTC", Side.SELL, level),
        TradeSeen(3_000, "BTC", Side.BUY, trade(3, 9).ticks, trade(3, 9).lots, 9),
    ]
    assert BID < ASK
    assert AssetContext is not None


def test_a_leader_on_our_own_tapes(tmp_path: Path) -> None:
    """As long after our feed's last stamp as it was received; before the first there is no time to give it."""
    leader = LeaderTop(coin="BTC", bid=113_000.0, ask=113_000.2, received_at=at(0))
    doge = LeaderTop(coin="DOGE", bid=1.0, ask=2.0, received_at=at(0))
    late = book(1, venue_ms=600)  # received at 1 s
    path = tape(tmp_path / "market_data.tape", leader, late, leader, doge, book(4, venue_ms=2_500))
    events, said = read(path)
    assert said == []
    assert [event for event in events if isinstance(event, LeaderSeen)] == [LeaderSeen(1_600, "BTC", 1_130_001.0)]
    assert [event.at_ms for event in events] == [600, 1_600, 2_500]


def test_a_cut_tape_plays_to_the_cut(tmp_path: Path) -> None:
    """One clear error that names the file; what lies before the damage was given; nobody dies."""
    path = tape(tmp_path / "a.tape", *(book(second) for second in range(1, 9)))
    path.write_bytes(path.read_bytes()[:-20])
    events, said = read(path)
    assert 0 < len(events) < 9
    assert len(said) == 1
    assert str(path) in said[0]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (row(1_200)[:300], "columns are missing"),
        (row(1_200).replace("113000.0", "garbage"), "a price or size is not a number"),
        (row(1_200).replace("113000.0", "nan"), "BTC price NaN is not a multiple of 1e-1"),
        (row(1_200).replace("113000.0", "113000.01"), "BTC price 113000.01 is not a multiple of 1e-1"),
        (row(1_200).replace("113000.0", "-5"), "is not positive"),
        (row(1_200).replace(",0.5,", ",0,"), "is not positive"),
        (row(1_200).replace("113000.0,0.5", "113001.0,0.5"), "the book is crossed"),
        (row(1_200).replace(",1200,1200,", ",1200,when,"), "invalid literal"),
        (row(9_000_000), "more than ten minutes after the line before"),
        ("", "columns are missing"),
    ],
)
def test_a_bad_line_is_named_and_skipped(tmp_path: Path, line: str, why: str) -> None:
    """The first by file and line, the others as a count; the good lines around them are played."""
    path = write(tmp_path / "orderbooks_BTC.csv", BOOKS, row(1_000), line, row(1_500), line, row(2_000))
    events, said = read(tmp_path)
    assert [event.at_ms for event in events] == [1_000, 1_500, 2_000]
    assert len(said) == 2, said
    assert said[0].startswith(f"{path}:3: ")
    assert why in said[0]
    assert said[1] == f"{path}: 2 lines skipped"


def test_an_outage_is_no_damage(tmp_path: Path) -> None:
    """Ten minutes within a file are allowed, a millisecond more is not."""
    write(tmp_path / "orderbooks_BTC.csv", BOOKS, row(1_000), row(601_000), row(1_201_001))
    events, said = read(tmp_path)
    assert [event.at_ms for event in events] == [1_000, 601_000]
    assert len(said) == 1


def test_a_cut_last_line(tmp_path: Path) -> None:
    """A file that ends within a line: also when what is left would read as a smaller number."""
    lines = ("timestamp,price,size,side,exchange_timestamp", "1.2,113000.0,0.7,bid,1200", "1.3,113000.0,0.7,bid,13")
    path = write(tmp_path / "prices_BTC.csv", *lines, end="")
    events, said = read(tmp_path)
    assert len(events) == 1
    assert said == [f"{path}:3: the line is cut; skipped"]


def test_damaged_compression(tmp_path: Path) -> None:
    """A changed byte ends the file with one error; a cut file loses its end."""
    path = write(tmp_path / "orderbooks_BTC.csv.zst", BOOKS, *(row(1_000 + i) for i in range(500)), compress=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff\x00\xff\x00" + whole[len(whole) // 2 + 4 :])
    events, said = read(tmp_path)
    assert len(events) < 500
    assert said
    assert all(str(path) in line for line in said)
    path.write_bytes(whole[: len(whole) // 2])
    assert len(read(tmp_path)[0]) < 500


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Another file under the right name is said to be unreadable."""
    (tmp_path / "orderbooks_BTC.csv").write_bytes(b"header\n\xff\xfe\x00binary\n")
    events, said = read(tmp_path)
    assert events == []
    assert len(said) == 1
    assert "cannot be read any further" in said[0]


def test_replayed_trades_count_once_and_time_never_goes_back(tmp_path: Path) -> None:
    """After a reconnect old trades come again, with old times: the known are left out, the others come now."""
    lines = [f"0,113000.0,0.1,sell,{tid},{at_ms}" for tid, at_ms in ((1, 10), (2, 20), (1, 10), (3, 15), (4, 30))]
    write(tmp_path / "trades_BTC.csv", "timestamp,price,size,side,trade_id,exchange_timestamp", *lines)
    events, said = read(tmp_path)
    assert said == []
    assert [(event.tid, event.at_ms) for event in events if isinstance(event, TradeSeen)] == [
        (1, 10),
        (2, 20),
        (3, 20),
        (4, 30),
    ]


@pytest.mark.parametrize("side", ["BID", "", "sell"])
def test_unknown_side_of_a_touch(tmp_path: Path, side: str) -> None:
    """A word that we do not know is not guessed."""
    write(tmp_path / "prices_BTC.csv", "header", f"1.2,113000.0,0.7,{side},1200")
    events, said = read(tmp_path)
    assert events == []
    assert "is neither bid nor ask" in said[0]


def test_nothing_there(tmp_path: Path) -> None:
    """A missing path, an empty directory and a foreign file refuse the start and say what was expected."""
    for path, words in (
        (tmp_path / "missing", "cannot be read: No such file or directory"),
        (tmp_path, "expected orderbooks_BTC.csv.zst"),
        (write(tmp_path / "notes.txt", "hello"), "no recording of the configured coins"),
    ):
        with pytest.raises(ConfigFault, match=words) as fault:
            read(path)
        assert str(path) in str(fault.value)


def test_first_books(tmp_path: Path) -> None:
    """Every configured coin needs a two-sided book; the fault names the coin and the table."""
    write(tmp_path / "orderbooks_BTC.csv", BOOKS, row(1_000, levels=0), row(1_500))
    assert Recording(tmp_path, [BTC], print).first_books()["BTC"].at_ms == 1_500
    with pytest.raises(ConfigFault, match=r"no book of ETH; record it, or remove \[coins.ETH\]"):
        Recording(tmp_path, [BTC, ETH], print).first_books()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "coins", "books", "trades_min"),
    [
        ("A_hl_book_trades_20250904", ("BTC", "ETH"), 2 * 3_785, 13_000),
        ("C_hl_reconnect_20250903", ("BTC", "ETH"), 2 * 446, 1_500),
        ("D_hl_archive_btc_20240101", ("BTC",), 5_587, 0),
    ],
)
def test_real_recordings_read_whole(name: str, coins: tuple[str, ...], books: int, trades_min: int) -> None:
    """Every line is good, times never go back, every book is there."""
    events, said = read(data_file(name), *coins)
    assert said == []
    assert all(one.at_ms <= two.at_ms for one, two in pairwise(events))
    assert sum(isinstance(event, BookSeen) for event in events) == books
    assert sum(isinstance(event, TradeSeen) for event in events) >= trades_min
