"""Recorded markets as one stream of events in venue time, read as it is played, never loaded whole.

Kinds, by the names in the directory (or of the one file) that is given; a coin that is not asked for is passed over
  1. orderbooks_BTC.csv(.zst), with prices_BTC and trades_BTC beside it where they exist. A header line each, then
       orderbooks  received, sequence, time, and 20 times: bid price, bid size, ask price, ask size; empty: no level
       prices      received, price, size, bid or ask, time: the best level of one side where it changed
       trades      received, price, size, buy or sell (the taker's side), trade id, time
     where time is the venue's in ms, and `received` and `sequence` are not read.
  2. BTC_..._l2Book.jsonl(.zst), one message of the venue's archive a line:
     {"raw": {"data": {"coin", "time", "levels": [[{"px", "sz", "n"}, ...bids], [...asks]]}}}
  3. *.tape: our own recordings (common/tape.py), any number of coins in each, their leader's prices too.

Lines are in the order of their time within a file; files are merged by it. Only the books are needed. A line that
cannot be read is skipped; the first of each file is reported by file and line, the others are counted.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from decimal import InvalidOperation
from functools import partial
from heapq import merge
from math import inf
from pathlib import Path
from typing import Final, TextIO, TypeAlias

import msgspec
import zstandard

from common import tape
from common.errors import ConfigFault
from common.instrument import Instrument
from common.messages import Book, LeaderTop, TopOfBook, Trade
from common.units import MILLISECOND, Lots, Nanos, Side, Ticks
from services.venue_sim.api import ExternalLevel

WINDOW_BYTES_MAX: Final = 1 << 27  # the recordings are compressed with long windows
LINE_CHARS_MAX: Final = 64 * 1024  # a book of 20 levels is about 2,000
TRADES_REMEMBERED_MAX: Final = 4_096  # subscriptions replay trades, so recordings have some twice
LEVELS_MAX: Final = 20  # a side, in the csv files
GAP_MS_MAX: Final = 600_000  # within one file; a stamp that jumps further is damage, and would stop the market

Say: TypeAlias = Callable[[str], None]
Levels: TypeAlias = tuple[ExternalLevel, ...]


class BookSeen(msgspec.Struct, frozen=True):
    """The whole book."""

    at_ms: int
    coin: str
    bids: Levels
    asks: Levels


class TouchSeen(msgspec.Struct, frozen=True):
    """The best price of one side; None when the side is empty."""

    at_ms: int
    coin: str
    side: Side
    level: ExternalLevel | None


class TradeSeen(msgspec.Struct, frozen=True):
    at_ms: int
    coin: str
    side: Side  # the taker's
    ticks: Ticks
    lots: Lots
    tid: int


class LeaderSeen(msgspec.Struct, frozen=True):
    """Another venue's price of a coin, in our ticks, when it reached the recorder."""

    at_ms: int
    coin: str
    ticks: float


Event: TypeAlias = BookSeen | TouchSeen | TradeSeen | LeaderSeen
Read: TypeAlias = Callable[[str, Instrument], Event]


class Recording:
    """What a path holds of some coins, the first `skip_s` after its first book left out.

    ConfigFault when that is nothing, or unreadable from its first line on.
    """

    def __init__(self, path: Path, instruments: Iterable[Instrument], say: Say, *, skip_s: float = 0.0) -> None:
        self.path = path
        self._skip_s = skip_s
        self._instruments = {instrument.coin: instrument for instrument in instruments}
        self._say = say
        self._sources = self._find()
        if not self._sources:
            wanted = ", ".join(f"orderbooks_{coin}.csv.zst" for coin in self._instruments)
            raise ConfigFault(f"{path}: no recording of the configured coins; expected {wanted}, *.jsonl.zst or *.tape")

    def events(self) -> Iterator[Event]:
        """Give everything in order of venue time, from the beginning; trades before the book that they changed."""
        streams = [_in_order(source()) for source in self._sources]
        events = _once(merge(*streams, key=lambda event: event.at_ms))
        return _later(events, self._skip_s) if self._skip_s else events

    def first_books(self) -> dict[str, BookSeen]:
        """Return each coin's first two-sided book; ConfigFault when a configured coin has none."""
        found: dict[str, BookSeen] = {}
        for event in self.events():
            if isinstance(event, BookSeen) and event.bids and event.asks:
                found.setdefault(event.coin, event)
                if len(found) == len(self._instruments):
                    return found
        missing = sorted(self._instruments.keys() - found.keys())
        where = f" after {self._skip_s:g} s" if self._skip_s else ""
        raise ConfigFault(
            f"{self.path}: no book of {', '.join(missing)}{where}; record it, or remove [coins.{missing[0]}]"
        )

    def _find(self) -> list[Callable[[], Iterator[Event]]]:
        try:
            names = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
            for path in names:
                with path.open("rb"):
                    pass
        except OSError as error:
            raise ConfigFault(
                f"{self.path}: cannot be read: {error.strerror}; name a recording (--tape, or venue_sim.tape)"
            ) from error
        kinds = ("leader_", "trades_", "prices_", "")
        return [source for kind in kinds for path in names if (source := self._source(path, kind))]

    def _source(self, path: Path, kind: str) -> Callable[[], Iterator[Event]] | None:
        """Return the reader of a file when it is of this kind, else None."""
        stem, _, ending = path.name.partition(".")
        if ending == "tape":
            taped = {"leader_": self._leader, "": self._tape}.get(kind)
            return None if taped is None else partial(taped, path)
        archived = ending in ("jsonl", "jsonl.zst") and stem.endswith("_l2Book")
        name = stem.partition("_")[0] if archived else stem.rpartition("_")[2]
        instrument = self._instruments.get(name)
        if instrument is None or not (archived or ending in ("csv", "csv.zst")):
            return None
        if archived:
            return None if kind else lambda: self._lines(path, instrument, _archived)
        readers: dict[str, Read] = {f"trades_{name}": _trade, f"prices_{name}": _touch, f"orderbooks_{name}": _book}
        read = readers.get(stem)
        if read is None or not stem.startswith(kind or "orderbooks_"):
            return None
        return lambda: self._lines(path, instrument, read, header=True)

    def _lines(self, path: Path, instrument: Instrument, read: Read, *, header: bool = False) -> Iterator[Event]:
        bad = 0
        latest: int | None = None
        try:
            for number, line in enumerate(_text(path), start=1):
                if header and number == 1:
                    continue
                try:
                    event = read(_whole(line), instrument)
                    latest = _next_ms(latest, event.at_ms)
                    yield event
                except (ValueError, InvalidOperation, IndexError, msgspec.MsgspecError) as error:
                    bad += 1
                    if bad == 1:
                        self._say(f"{path}:{number}: {_clear(error)}; skipped")
        except (OSError, zstandard.ZstdError, UnicodeDecodeError) as error:
            self._say(f"{path}: cannot be read any further: {error}")
        if bad > 1:
            self._say(f"{path}: {bad} lines skipped")

    def _tape(self, path: Path) -> Iterator[Event]:
        try:
            for _, message in tape.read(path):
                if isinstance(message, Book | TopOfBook | Trade) and message.coin in self._instruments:
                    yield from _told(message)
        except ConfigFault as fault:
            self._say(str(fault))

    def _leader(self, path: Path) -> Iterator[Event]:
        """Give the leader's prices by the venue's time: as long after our feed's last word as they were received.

        They are a stream of their own, because a stamp of ours that is older than that must not wait for them.
        """
        with contextlib.suppress(ConfigFault):  # the books' reader says so
            word: tuple[int, Nanos] | None = None
            for at, message in tape.read(path):
                match message:
                    case Book() | TopOfBook():
                        word = message.venue_ms, at
                    case LeaderTop(coin=coin) if word is not None and coin in self._instruments:
                        usd = (message.bid + message.ask) / 2
                        ticks = usd / float(self._instruments[coin].price(1))
                        yield LeaderSeen(word[0] + (at - word[1]) // MILLISECOND, coin, ticks)
                    case _:
                        pass


def _text(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX).stream_reader(file)
            lines: TextIO = io.TextIOWrapper(stream, encoding="ascii", newline="\n")
        else:
            lines = io.TextIOWrapper(file, encoding="ascii", newline="\n")
        while line := lines.readline(LINE_CHARS_MAX):
            yield line


def _whole(line: str) -> str:
    """Return the line without its end; ValueError when it has none."""
    if not line.endswith("\n"):
        raise ValueError("the line is cut")
    return line[:-1]


def _next_ms(latest: int | None, at_ms: int) -> int:
    """Return the latest time of a file; ValueError when this one cannot belong to it."""
    if latest is not None and at_ms - latest > GAP_MS_MAX:
        raise ValueError(f"time {at_ms} is more than ten minutes after the line before")
    return max(latest or 0, at_ms)


def _clear(error: Exception) -> str:
    """Say what is wrong with a line where Python's own words do not."""
    match error:
        case InvalidOperation():
            return "a price or size is not a number"
        case IndexError():
            return "columns are missing"
        case _:
            return str(error)


def _in_order(events: Iterator[Event]) -> Iterator[Event]:
    """Lift what comes late (trades replayed after a reconnect) to the time of what came before it."""
    latest = 0
    for event in events:
        if event.at_ms >= latest:
            latest = event.at_ms
            yield event
        else:
            yield msgspec.structs.replace(event, at_ms=latest)


def _once(events: Iterator[Event]) -> Iterator[Event]:
    """Leave out trades that were there before."""
    seen: dict[tuple[str, int], None] = {}
    for event in events:
        if isinstance(event, TradeSeen):
            key = (event.coin, event.tid)
            if key in seen:
                continue
            seen[key] = None
            if len(seen) > TRADES_REMEMBERED_MAX:
                del seen[next(iter(seen))]
        yield event


def _later(events: Iterator[Event], skip_s: float) -> Iterator[Event]:
    """Leave out what is not `skip_s` after the first two-sided book yet."""
    from_ms = inf
    for event in events:
        if from_ms == inf and isinstance(event, BookSeen) and event.bids and event.asks:
            from_ms = event.at_ms + skip_s * 1_000
        if event.at_ms >= from_ms:
            yield event


# --- one line, one event ---------------------------------------------------------------------------


def _level(price: str, size: str, instrument: Instrument) -> ExternalLevel:
    ticks, lots = instrument.ticks(price), instrument.lots(size)
    if ticks <= 0 or lots <= 0:
        raise ValueError(f"price {price} or size {size} is not positive")
    return ExternalLevel(ticks, lots)


def _book(line: str, instrument: Instrument) -> BookSeen:
    columns = line.split(",")
    at_ms = int(columns[2])
    rows = range(3, 3 + 4 * LEVELS_MAX, 4)
    bids = tuple(_level(columns[i], columns[i + 1], instrument) for i in rows if columns[i])
    asks = tuple(_level(columns[i + 2], columns[i + 3], instrument) for i in rows if columns[i + 2])
    return _checked(BookSeen(at_ms, instrument.coin, bids, asks))


def _touch(line: str, instrument: Instrument) -> TouchSeen:
    _, price, size, name, at_ms = line.split(",")
    side = {"bid": Side.BUY, "ask": Side.SELL}.get(name)
    if side is None:
        raise ValueError(f"side {name!r} is neither bid nor ask")
    return TouchSeen(int(at_ms), instrument.coin, side, _level(price, size, instrument))


def _trade(line: str, instrument: Instrument) -> TradeSeen:
    _, price, size, side, tid, at_ms = line.split(",")
    level = _level(price, size, instrument)
    return TradeSeen(int(at_ms), instrument.coin, Side(side), level.ticks, level.lots, int(tid))


class _ArchivedLevel(msgspec.Struct):
    px: str
    sz: str
    n: int


class _ArchivedBook(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[list[_ArchivedLevel], list[_ArchivedLevel]]


class _ArchivedFrame(msgspec.Struct):
    data: _ArchivedBook


class _ArchivedLine(msgspec.Struct):
    raw: _ArchivedFrame


_archived_line: Final = msgspec.json.Decoder(_ArchivedLine)


def _archived(line: str, instrument: Instrument) -> BookSeen:
    book = _archived_line.decode(line).raw.data
    bids, asks = (
        tuple(msgspec.structs.replace(_level(level.px, level.sz, instrument), orders=max(1, level.n)) for level in side)
        for side in book.levels
    )
    return _checked(BookSeen(book.time, instrument.coin, bids, asks))


def _checked(book: BookSeen) -> BookSeen:
    if book.bids and book.asks and book.bids[0].ticks >= book.asks[0].ticks:
        raise ValueError(f"the book is crossed: bid {book.bids[0].ticks}, ask {book.asks[0].ticks} ticks")
    return book


def _told(message: Book | TopOfBook | Trade) -> Iterator[Event]:
    """Turn a message of our own feed into events."""
    at_ms, coin = message.venue_ms, message.coin
    match message:
        case Book():
            bids, asks = (tuple(ExternalLevel(*level) for level in side) for side in (message.bids, message.asks))
            yield BookSeen(at_ms, coin, bids, asks)
        case TopOfBook():
            for side, level in ((Side.BUY, message.bid), (Side.SELL, message.ask)):
                yield TouchSeen(at_ms, coin, side, None if level is None else ExternalLevel(*level))
        case Trade():
            yield TradeSeen(at_ms, coin, message.side, message.ticks, message.lots, message.tid)
