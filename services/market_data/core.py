"""Market data: passes on what the venue's streams say when it can be true, and says how fresh it is.

Rules
  1. A book or top of book that is crossed, locked, unsorted or has an empty price or size is dropped and counted.
  2. A message older than the last of its stream is dropped and counted; so is a trade that we have, replays included.
  3. FeedHealth of every coin is sent each unit, and at once when `fresh` changes.
  4. Fresh means: socket up, universe checked, a two-sided book within `liveness.book_feed` units, and a context
     within `risk.reference_age_ms`. A refused message proves no life.
  5. A stream that is stale, or talks nonsense, while the socket lives is a reason to reconnect: at once, but then
     not again for 5, 10, 20 ... 60 s; the hold-off starts anew when every coin was fresh again.
  6. At each connection the venue's universe is compared with the configured coins: another asset index or size
     grid, or no such coin, is DEGRADED and that coin is never fresh. A failed query is asked again.
  7. The leader's prices pass by (leader_feed.py) and change nothing of all this, whatever they are.
"""

from typing import Final, TypeAlias, assert_never

from common.actor import Ask, Boot, Effect, Exit, Reconnect, Send
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    AssetContext,
    Book,
    FeedHealth,
    LeaderDown,
    LeaderTop,
    MalformedVenueData,
    QueryFailed,
    ServiceState,
    Stopping,
    StreamDown,
    StreamUp,
    TopOfBook,
    Trade,
    VenueMeta,
    Wake,
)
from common.messages.venue import MetaQuery
from common.units import MILLISECOND, SECOND, Nanos
from services.market_data.coin_feed import CoinFeed, Streamed, Verdict
from services.market_data.leader_feed import LeaderFeed

Inbox: TypeAlias = (
    Wake
    | Stopping
    | StreamUp
    | StreamDown
    | Book
    | TopOfBook
    | Trade
    | AssetContext
    | LeaderTop
    | LeaderDown
    | MalformedVenueData
    | VenueMeta
    | QueryFailed
)

HOLD_OFF_MIN: Final = Nanos(5 * SECOND)  # a new socket needs about a second to give its first books
HOLD_OFF_MAX: Final = Nanos(60 * SECOND)  # the venue allows 30 new connections a minute and address
META_RETRY: Final = Nanos(5 * SECOND)


class MarketData:
    """One socket's public streams of all configured coins."""

    def __init__(self, settings: Settings, boot: Boot) -> None:
        self._unit = settings.liveness.units(1)
        self._book_limit = settings.liveness.units(settings.liveness.book_feed)
        self._context_limit = Nanos(settings.risk.reference_age_ms * MILLISECOND)
        self._instruments = settings.instruments()
        self._feeds = {coin: CoinFeed() for coin in self._instruments}
        self._fresh = dict.fromkeys(self._feeds, False)  # as last published
        self._leader = LeaderFeed(() if settings.leader is None else settings.leader.symbols)
        self._been_fresh = dict.fromkeys(self._feeds, False)
        self._mismatches: dict[str, str] | None = None  # None until the universe was seen
        self._up_at: Nanos | None = None
        self._down = "no socket yet"
        self._connections = 0
        self._malformed = 0
        self._unasked = 0  # messages of coins that we did not subscribe to
        self._reasons = self._all_reasons(boot.started_at)
        self._beat_at = boot.started_at
        self._reconnect_after = boot.started_at
        self._hold_off = HOLD_OFF_MIN
        self._query_id = 0
        self._ask_at: Nanos | None = None

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        effects: list[Effect] = []
        match message:
            case Stopping():
                return [Exit(0, "stopped as asked")]
            case Book() | TopOfBook() | Trade() | AssetContext():
                effects += self._on_market(message, now)
            case LeaderTop():
                return [Send(top) for top in self._leader.hear(message, now)]
            case LeaderDown():
                self._leader.trouble = f"leader: {message.reason}"
                return []
            case StreamUp():
                self._up_at = now
                self._connections += 1
                self._ask_at = now
            case StreamDown():
                self._drop_socket(f"socket down: {message.reason}")
            case MalformedVenueData():
                self._malformed += 1
            case VenueMeta():
                self._on_universe(message)
            case QueryFailed():
                if message.query_id == self._query_id:
                    self._ask_at = Nanos(now + META_RETRY)
            case Wake():
                effects += [Send(top) for top in self._leader.due(now)]
            case _:
                assert_never(message)
        return [*effects, *self._question(now), *self._repair(now), *self._health(now)]

    def deadline(self) -> Nanos:
        candidates = [self._beat_at]
        candidates += [at for at in (self._ask_at, self._repair_at(), self._leader.due_at) if at is not None]
        candidates += [self._expires_at(feed, Nanos(0)) for coin, feed in self._feeds.items() if self._fresh[coin]]
        return min(candidates)

    @property
    def state(self) -> ServiceState:
        if self._mismatches:
            return ServiceState.DEGRADED
        if not all(self._been_fresh.values()):
            return ServiceState.STARTING
        return ServiceState.DEGRADED if any(self._reasons.values()) else ServiceState.READY

    @property
    def detail(self) -> str:
        parts = [f"{coin}: {reason}" for coin, reason in self._reasons.items() if reason]
        if self._unasked:
            parts.append(f"{self._unasked} messages of coins that are not configured")
        if self._leader.trouble:
            parts.append(self._leader.trouble)
        return "; ".join(parts)

    # --- streams -----------------------------------------------------------------------------------

    def _on_market(self, message: Streamed, now: Nanos) -> list[Effect]:
        feed = self._feeds.get(message.coin)
        if feed is None:
            self._unasked += 1
            return []
        return [Send(message)] if feed.judge(message, now) is Verdict.GOOD else []

    def _drop_socket(self, why: str) -> None:
        self._up_at = None
        self._down = why
        for feed in self._feeds.values():
            feed.forget_order()

    def _repair(self, now: Nanos) -> list[Effect]:
        due = self._repair_at()
        if due is None or now < due:
            return []
        broken = [coin for coin, feed in self._feeds.items() if feed.broken]
        stale = [coin for coin, feed in self._feeds.items() if self._stale_at(feed) <= now]
        what = f"stale streams: {', '.join(stale)}" if stale else f"refused without end: {', '.join(broken)}"
        self._drop_socket(f"reconnecting: {what}")
        self._reconnect_after = Nanos(now + self._hold_off)
        self._hold_off = min(HOLD_OFF_MAX, Nanos(2 * self._hold_off))
        return [Reconnect(what)]

    def _repair_at(self) -> Nanos | None:
        """Return when the socket is to be given up, or None while there is none."""
        if self._up_at is None:
            return None
        if any(feed.broken for feed in self._feeds.values()):
            return self._reconnect_after
        return max(self._reconnect_after, min(map(self._stale_at, self._feeds.values())))

    def _stale_at(self, feed: CoinFeed) -> Nanos:
        """Return when this coin's streams are given up: a new socket gets the whole limit."""
        return self._expires_at(feed, floor=self._up_at or Nanos(0))

    def _expires_at(self, feed: CoinFeed, floor: Nanos) -> Nanos:
        book_at = max(floor, feed.book_at or floor)
        context_at = max(floor, feed.context_at or floor)
        return Nanos(min(book_at + self._book_limit, context_at + self._context_limit))

    # --- the venue's universe ----------------------------------------------------------------------

    def _question(self, now: Nanos) -> list[Effect]:
        if self._ask_at is None or now < self._ask_at:
            return []
        self._ask_at = None
        self._query_id += 1
        return [Ask(self._query_id, MetaQuery())]

    def _on_universe(self, meta: VenueMeta) -> None:
        venue = {instrument.coin: instrument for instrument in meta.universe}
        checks = {coin: _mismatch(ours, venue.get(coin)) for coin, ours in self._instruments.items()}
        self._mismatches = {coin: fault for coin, fault in checks.items() if fault}

    # --- health ------------------------------------------------------------------------------------

    def _health(self, now: Nanos) -> list[Effect]:
        self._reasons = self._all_reasons(now)
        beat = now >= self._beat_at
        if beat:
            self._beat_at = Nanos(now + self._unit)
        effects: list[Effect] = []
        for coin, reason in self._reasons.items():
            changed = self._fresh[coin] is bool(reason)
            self._fresh[coin] = not reason
            self._been_fresh[coin] |= not reason
            if beat or changed:
                effects.append(Send(self._feed_health(coin, reason, now)))
        if not any(self._reasons.values()):
            self._hold_off = HOLD_OFF_MIN
        return effects

    def _all_reasons(self, now: Nanos) -> dict[str, str]:
        return {coin: self._reason(coin, feed, now) for coin, feed in self._feeds.items()}

    def _reason(self, coin: str, feed: CoinFeed, now: Nanos) -> str:
        """Say why this coin cannot be traded on, or ""."""
        if self._up_at is None:
            return self._down
        if self._mismatches is None:
            return "universe not seen yet"
        if coin in self._mismatches:
            return self._mismatches[coin]
        if feed.book_at is None:
            return "no book yet"
        if now - feed.book_at >= self._book_limit:
            return "book stale"
        if not feed.two_sided:
            return "one side of the book is empty"
        if feed.context_at is None:
            return "no context yet"
        if now - feed.context_at >= self._context_limit:
            return "context stale"
        return ""

    def _feed_health(self, coin: str, reason: str, now: Nanos) -> FeedHealth:
        feed = self._feeds[coin]
        return FeedHealth(
            coin=coin,
            fresh=not reason,
            reason=reason,
            book_age_ms=_age_ms(feed.book_at, now),
            context_age_ms=_age_ms(feed.context_at, now),
            duplicates=feed.duplicates,
            refused=feed.refused + self._malformed,  # malformed data names no coin: it counts for each
            reconnects=max(0, self._connections - 1),
        )


def _mismatch(ours: Instrument, venue: Instrument | None) -> str:
    if venue is None:
        return f"the venue does not list {ours.coin}; remove [coins.{ours.coin}]"
    if (venue.asset, venue.size_decimals) == (ours.asset, ours.size_decimals):
        return ""
    return (
        f"[coins.{ours.coin}] says asset {ours.asset} and size_decimals {ours.size_decimals}, "
        f"the venue {venue.asset} and {venue.size_decimals}"
    )


def _age_ms(at: Nanos | None, now: Nanos) -> int | None:
    return None if at is None else (now - at) // MILLISECOND
