"""The local venue's own log, by which tests and tools judge: what arrived, and what it led to.

JSON lines, one struct below each (its `kind` is the lower-case class name), in files `witness-NNNNNN.jsonl` of one
directory, oldest first; the oldest files are deleted. Prices, sizes and USD are decimal strings; sides are the
wire's B and A; `t` is venue time in ms, `block` the number of the block that the line belongs to.

Rules
  1. `seq` grows by one from line to line, over restarts of the venue too; a gap is a deleted file or a fault.
  2. Lines of one block: arrivals (actions, connections), then verdicts in the order of execution, then orders, fills,
     trades, money and prices as they happened, then accounts and books as the block left them, then truths.
  3. Of the market's own participants there are no order and fill lines, but their trades, and their part of each book
     as `quotes` where the opening says so.
  4. A line that a crash cut short is skipped.
  5. Every file, and every run of the venue, has an opening: the whole state, so that the log can be judged from there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from common.errors import PeerFault

PATTERN: Final = "witness-*.jsonl"


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of all lines."""

    seq: int
    t: int
    block: int


class Start(Line, frozen=True, kw_only=True):
    """The venue came up. `restored`: accounts were found in its durable state."""

    seed: int
    block_ms: int
    network: str
    coins: tuple[str, ...]  # in the order of their asset ids
    restored: bool


class Coin(msgspec.Struct, frozen=True):
    """A perpetual. `tiers`: from this notional in USD on, this leverage at most."""

    name: str
    size_decimals: int
    recorded: bool  # its book is a recording: it has no `quotes`, and may cross
    tiers: tuple[tuple[str, int], ...]


class Opening(Line, frozen=True, kw_only=True):
    """The whole state begins: `lines` lines from here on tell it, they are no news.

    They are prices, fee rates, accounts, then each book in the order in which it trades, then other open orders.
    """

    coins: tuple[Coin, ...]  # in the order of their asset ids
    quotes: bool  # the market's own orders are logged
    internal: tuple[str, ...]  # accounts of the market and of the venue itself
    fee_account: str
    liquidator: str
    bridge_account: str
    funding_account: str
    price_band_percent: int
    lines: int = 0


class Action(Line, frozen=True, kw_only=True):
    """A POST that passed the schema and whose signer was recovered; `t` is its arrival.

    `user` is the account it acts for, empty when the signer is a stranger. `action` is its canonical JSON.
    """

    id: int
    signer: str
    user: str
    nonce: int
    expires_after: int | None
    vault: str | None
    via: str  # http, or ws-<connection>
    action: dict[str, Any]  # the wire's JSON, whatever the client sent


class Verdict(Line, frozen=True, kw_only=True):
    """The answer to action `id`. `error`: the whole action was refused; otherwise one status per item."""

    id: int
    error: str
    statuses: tuple[dict[str, Any] | str, ...]  # as on the wire


class Order(Line, frozen=True, kw_only=True):
    """An order changed; `status` is the wire's string, `sz` what remains.

    In an opening an order that waits for a price or a parent has the status waiting; the others are in the book.
    """

    user: str
    coin: str
    oid: int
    cloid: str | None
    side: str
    px: str
    sz: str
    orig_sz: str
    status: str
    tif: str | None
    reduce_only: bool
    placed_ms: int
    trigger_px: str | None = None
    tpsl: str | None = None
    is_position_tpsl: bool = False


class Fill(Line, frozen=True, kw_only=True):
    user: str
    coin: str
    oid: int
    cloid: str | None
    side: str
    px: str
    sz: str
    start_position: str
    dir: str
    closed_pnl: str
    fee: str
    crossed: bool
    tid: int
    liquidation: bool
    builder_fee: str = "0.0"  # part of the fee


class Trade(Line, frozen=True, kw_only=True):
    """Every trade of the venue; `side` is the taker's. Without a maker it was recorded elsewhere, between strangers."""

    coin: str
    side: str
    px: str
    sz: str
    tid: int
    buyer: str
    seller: str
    maker_oid: int = 0
    taker_oid: int = 0


class Quotes(Line, frozen=True, kw_only=True):
    """What orders of the market's own participants became in the book: (oid, side, price, what rests of it)."""

    coin: str
    orders: tuple[tuple[int, str, str, str], ...]


class Price(Line, frozen=True, kw_only=True):
    """Mark or oracle moved."""

    coin: str
    mark_px: str
    oracle_px: str


class Rate(Line, frozen=True, kw_only=True):
    """Every position of the coin pays this funding now: size x oracle x rate, what is received cut to the micro-USD."""

    coin: str
    rate: str
    oracle_px: str


class Funding(Line, frozen=True, kw_only=True):
    """`usd` was received; negative was paid."""

    user: str
    coin: str
    szi: str
    usd: str


class Fees(Line, frozen=True, kw_only=True):
    """An account trades at these rates from now on; before, at those of tier 0."""

    user: str
    maker: str
    taker: str


class Transfer(Line, frozen=True, kw_only=True):
    """Money moved other than by trade, fee or funding; `what` is the wire's delta type."""

    user: str
    what: str
    usd: str
    destination: str


class Liquidation(Line, frozen=True, kw_only=True):
    """An account, or an isolated position of it, fell short. `cash` went to the liquidator, where there is one."""

    user: str
    liquidator: str
    notional: str
    equity: str
    cash: str


class Bbo(Line, frozen=True, kw_only=True):
    """Best prices after a block that changed them; None where the side is empty."""

    coin: str
    bid_px: str | None
    bid_sz: str | None
    ask_px: str | None
    ask_sz: str | None


class Book(Line, frozen=True, kw_only=True):
    """Twenty levels a side, (price, size, orders), best first; at most once a second for each coin."""

    coin: str
    bids: tuple[tuple[str, str, int], ...]
    asks: tuple[tuple[str, str, int], ...]


class Position(msgspec.Struct, frozen=True):
    coin: str
    szi: str  # signed
    entry_px: str
    isolated_usd: str | None = None  # raw USD of an isolated position
    cost_usd: str = "0.0"  # signed: size times entry price, exactly


class Account(Line, frozen=True, kw_only=True):
    """An account after a block that filled, funded or moved money for it; `equity` is at mark.

    `cash` is its raw USD: deposits less what positions cost; isolated positions have their own.
    """

    user: str
    equity: str
    withdrawable: str
    funding: str  # received in this block; negative was paid
    positions: tuple[Position, ...]
    cash: str = "0.0"


class Truth(Line, frozen=True, kw_only=True):
    """What is true of the synthetic market of a coin and published nowhere: by it estimates are judged.

    Written when the phase, the regime or the cascades change, at jumps, and every ten seconds.
    """

    coin: str
    fair_px: float
    facts: dict[str, Any]  # named and explained in services/venue_sim/truth.py


class Connection(Line, frozen=True, kw_only=True):
    """What concerns a WebSocket: `event` is open, close, drop, subscribe, unsubscribe, or post for a refused post.

    A request refused over HTTP is event http of number 0; `detail` begins with its status.
    """

    number: int
    event: str
    detail: str


AnyLine: TypeAlias = (
    Start
    | Opening
    | Action
    | Verdict
    | Order
    | Fill
    | Trade
    | Quotes
    | Price
    | Rate
    | Funding
    | Fees
    | Transfer
    | Liquidation
    | Bbo
    | Book
    | Account
    | Truth
    | Connection
)

_decoder: Final[msgspec.json.Decoder[AnyLine]] = msgspec.json.Decoder(AnyLine)
_encoder: Final = msgspec.json.Encoder()


def encode(line: AnyLine) -> bytes:
    return _encoder.encode(line) + b"\n"


def decode(line: bytes) -> AnyLine:
    """Read one line; PeerFault when it is none."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerFault(f"witness line {line[:80]!r}: {error}") from error


def files(directory: Path) -> list[Path]:
    """Name the files of a log, oldest first."""
    return sorted(directory.glob(PATTERN))


def read(directory: Path, after: int = 0) -> Iterator[AnyLine]:
    """Iterate the lines with a `seq` above `after`, oldest first; PeerFault when a whole line is none."""
    for path in files(directory):
        with path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):  # rule 4
                    line = decode(raw)
                    if line.seq > after:
                        yield line
