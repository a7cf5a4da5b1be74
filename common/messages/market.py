"""Facts about the market, from the venue's feed to the quoted ladder. Prices in ticks, sizes in lots."""

from enum import StrEnum

import msgspec

from common.messages.base import Message
from common.units import Lots, Millis, Nanos, Side, Ticks

# --- market data -------------------------------------------------------------------------------


class Book(Message, frozen=True, kw_only=True):
    """The venue's book as of `venue_ms`, best first, at most 20 levels a side."""

    coin: str
    venue_ms: Millis
    bids: tuple[tuple[Ticks, Lots], ...]
    asks: tuple[tuple[Ticks, Lots], ...]
    received_at: Nanos


class TopOfBook(Message, frozen=True, kw_only=True):
    """Best bid and ask; None where a side is empty."""

    coin: str
    venue_ms: Millis
    bid: tuple[Ticks, Lots] | None
    ask: tuple[Ticks, Lots] | None
    received_at: Nanos


class Trade(Message, frozen=True, kw_only=True):
    """A public print; `side` is the taker's."""

    coin: str
    venue_ms: Millis
    side: Side
    ticks: Ticks
    lots: Lots  # unsigned
    tid: int
    received_at: Nanos


class AssetContext(Message, frozen=True, kw_only=True):
    """Mark, oracle and funding as the venue publishes them about once a second; None is absent, not zero."""

    coin: str
    mark: Ticks
    oracle: Ticks
    funding: float | None  # fraction per hour
    open_interest: float | None  # coin
    received_at: Nanos


class FeedHealth(Message, frozen=True, kw_only=True):
    """Whether my view of this coin can be traded on; sent every unit and at each change."""

    coin: str
    fresh: bool
    reason: str  # "" when fresh
    book_age_ms: int | None  # since reception; None before the first
    context_age_ms: int | None
    duplicates: int = 0
    refused: int = 0  # crossed, malformed or out of order
    reconnects: int = 0


class LeaderTop(Message, frozen=True, kw_only=True):
    """Best prices at another venue, in its own currency: an opinion for estimation, never a price to trade at."""

    coin: str
    bid: float
    ask: float
    received_at: Nanos


class LeaderDown(Message, frozen=True, kw_only=True):
    """The connection to the other venue was lost, or could not be made; made by the driver, never sent."""

    reason: str


# --- estimation; what is said once a second is in estimates.py ------------------------------------


class Regime(StrEnum):
    """How the market moves now against how it has been moving."""

    CALM = "calm"
    NORMAL = "normal"
    VOLATILE = "volatile"
    EXTREME = "extreme"


class Estimate(Message, frozen=True, kw_only=True):
    """What we believe of one coin as of `as_of`. Units in the names; `warm` is earned live, never restored."""

    coin: str
    as_of: Nanos
    book_venue_ms: Millis
    mid_ticks: float
    fair_ticks: float  # microprice with a bounded imbalance tilt
    sigma_per_sqrt_s: float  # fraction per sqrt(second), jumps removed (bipower)
    sigma_total_per_sqrt_s: float
    jump_ratio: float
    effective_samples: float
    confidence: float  # 0..1
    warm: bool
    missed: int = 0  # trades that never reached me
    regime: Regime = Regime.NORMAL
    pull_bids: bool = False  # the mid falls so fast that bids would be run over
    pull_asks: bool = False
    leader_tilt_bps: float = 0.0  # by which the leader says that `fair_ticks` is about to move
    leader_at: Nanos = Nanos(0)  # when its price was received; 0 while it says nothing


# --- strategy ----------------------------------------------------------------------------------


class QuoteLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One wanted order."""

    ticks: Ticks
    lots: Lots
    reduce_only: bool = False


class QuoteTarget(Message, frozen=True, kw_only=True):
    """The ladder I want resting until `valid_until`; repeated every unit, also when unchanged."""

    coin: str
    bids: tuple[QuoteLevel, ...]
    asks: tuple[QuoteLevel, ...]
    reason_bid: str  # why the side is not quoted; "" when it is
    reason_ask: str
    fair_ticks: float
    mid_ticks: float
    components_bps: dict[str, float]  # quoted price = fair + the sum of these: "bid.x" or "ask.x", and "x" of both
    book_venue_ms: Millis
    book_received_at: Nanos
    valid_until: Nanos


class QuoteShares(Message, frozen=True, kw_only=True):
    """Share of the time since `since` that each side was "quoted", or not, by reason; each side's sum to one."""

    coin: str
    since: Nanos
    as_of: Nanos
    bid: dict[str, float]
    ask: dict[str, float]
