"""Strategy: the ladder that should rest, and one reason for each side where none should.

Rules
  1. Every unit each coin's target is sent anew, also when unchanged, valid for `liveness.valid_until` units; between
     two of these only when a level or a reason changed.
  2. Stale, missing or contradictory input is an empty target with its reason, never an old one repeated.
  3. Risk's posture and exposure count for `liveness.posture_unheard` units after they were heard. Halted and
     PullQuotes are empty targets; Widen adds its premium; ReduceOnly quotes the reducing side alone, capped at the
     position.
  4. A side never wants more than its limits leave: risk's headroom plus what is pending already (the ladder
     replaces it), and never more than `max_position_usd` less the position. Where risk and order_management
     differ on the position the worse one binds.
  5. Bids stay below the best ask and asks above the best bid of the newest book: every order is post-only.
"""

from typing import TypeAlias, assert_never

import msgspec

from common.actor import Boot, Effect, Exit, Send
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    Book,
    Estimate,
    Exposure,
    FeedHealth,
    Position,
    Posture,
    PostureLevel,
    QuoteLevel,
    QuoteTarget,
    ServiceState,
    Stopping,
    TopOfBook,
    Wake,
)
from common.touch import Touch
from common.units import MICROS_PER_USD, Lots, Millis, Nanos, Side
from services.strategy.quoting import Allowance, Market, Reason, Shape, components, ladder, shape

Inbox: TypeAlias = Wake | Stopping | Book | TopOfBook | Estimate | FeedHealth | Position | Exposure | Posture


class Quotes(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of one coin: for each side levels, or one reason."""

    bids: tuple[QuoteLevel, ...] = ()
    asks: tuple[QuoteLevel, ...] = ()
    reason_bid: str = ""
    reason_ask: str = ""


class CoinStrategy:
    """One coin: the last word of every peer on it, and the ladder that follows."""

    def __init__(self, instrument: Instrument, settings: Settings, boot: Boot) -> None:
        self._instrument = instrument
        self._coin = settings.coins[instrument.coin]
        self._strategy = settings.strategy
        self._band_bps = settings.risk.price_band_bps
        self._gap_bps = settings.risk.reference_gap_bps
        self._market_age_max = settings.liveness.units(settings.liveness.book_feed)
        self._exposure_age_max = settings.liveness.units(settings.liveness.posture_unheard)
        self._unit = settings.liveness.units(1)
        self._validity = settings.liveness.units(settings.liveness.valid_until)
        self._touch: Touch | None = None
        self._heard_at = boot.started_at  # newest reception of a book or top of book
        self._estimate: Estimate | None = None
        self._health: FeedHealth | None = None
        self._position: Position | None = None
        self._exposure: Exposure | None = None
        self._exposure_at = boot.started_at
        self._sent: Quotes | None = None
        self.repeat_at = boot.started_at
        self.lacks: Reason | None = Reason.NO_MARKET  # what my input lacked when last looked at
        self.was_complete = False

    def take(self, message: Book | TopOfBook | Estimate | FeedHealth | Position | Exposure, now: Nanos) -> None:
        match message:
            case Book() | TopOfBook():
                self._on_touch(Touch.of(message), now)
            case Estimate():
                self._estimate = message
            case FeedHealth():
                self._health = message
                if not message.fresh:
                    self._touch = None  # an absurd stamp must not outlive the socket that it came from
            case Position():
                self._position = message
            case Exposure():
                self._exposure, self._exposure_at = message, now
            case _:
                assert_never(message)

    def target(self, level: PostureLevel, forbidden: Reason | None, now: Nanos) -> QuoteTarget | None:
        """Return the target where it is due or has changed; `forbidden` empties both sides."""
        self.lacks = self._lack(now)
        self.was_complete |= self.lacks is None
        reason = forbidden or self.lacks
        market = self._market() if reason is None else None
        distances = None if market is None else self._shape(market, level)
        if market is None or distances is None:
            why = str(reason)
            quotes = Quotes(reason_bid=why, reason_ask=why)
        else:
            quotes = self._quotes(market, distances, level)
        if quotes == self._sent and now < self.repeat_at:
            return None
        self._sent = quotes
        self.repeat_at = Nanos(now + self._unit)
        said = {} if market is None or distances is None else components(market, distances, quotes.bids, quotes.asks)
        return self._say(quotes, said, now)

    # --- input -------------------------------------------------------------------------------------

    def _on_touch(self, touch: Touch, now: Nanos) -> None:
        self._heard_at = max(self._heard_at, min(touch.received_at, now))
        if not touch.is_older_than(self._touch):
            self._touch = touch

    def _lack(self, now: Nanos) -> Reason | None:
        """Return what keeps us from pricing, posture apart (rule 2)."""
        if self._health is None:
            return Reason.NO_MARKET
        if not self._health.fresh:
            return Reason.FEED_NOT_FRESH
        if self._touch is None or self._estimate is None:
            return Reason.NO_MARKET
        if now - self._heard_at >= self._market_age_max:
            return Reason.STALE_BOOK
        if now - self._estimate.as_of >= self._market_age_max:
            return Reason.STALE_ESTIMATE
        if not self._estimate.warm:
            return Reason.WARMING_UP
        if not self._touch.two_sided:
            return Reason.ONE_SIDED_BOOK
        market = self._market()
        if market is None or not market.is_sane(self._gap_bps):
            return Reason.BAD_ESTIMATE
        if self._position is None or self._exposure is None or now - self._exposure_at >= self._exposure_age_max:
            return Reason.NO_EXPOSURE
        return None if self._position.proven else Reason.POSITION_UNPROVEN

    def _market(self) -> Market | None:
        touch, estimate = self._touch, self._estimate
        if touch is None or estimate is None or touch.bid is None or touch.ask is None:
            return None
        return Market(
            bid=touch.bid[0],
            ask=touch.ask[0],
            fair_ticks=estimate.fair_ticks,
            sigma_per_sqrt_s=estimate.sigma_per_sqrt_s,
            confidence=estimate.confidence,
        )

    # --- output ------------------------------------------------------------------------------------

    def _shape(self, market: Market, level: PostureLevel) -> Shape:
        assert self._position is not None
        inventory = self._position.lots * market.mid_ticks / (self._coin.max_position_usd * MICROS_PER_USD)
        return shape(self._strategy, market, inventory, widen=level >= PostureLevel.WIDEN)

    def _quotes(self, market: Market, distances: Shape, level: PostureLevel) -> Quotes:
        bids, asks = (self._side(side, market, distances, level) for side in (Side.BUY, Side.SELL))
        return Quotes(
            bids=bids if isinstance(bids, tuple) else (),
            asks=asks if isinstance(asks, tuple) else (),
            reason_bid="" if isinstance(bids, tuple) else str(bids),
            reason_ask="" if isinstance(asks, tuple) else str(asks),
        )

    def _side(
        self, side: Side, market: Market, distances: Shape, level: PostureLevel
    ) -> tuple[QuoteLevel, ...] | Reason:
        allowance = self._allowance(side, market, level)
        if isinstance(allowance, Reason):
            return allowance
        return ladder(
            side,
            market,
            distances,
            instrument=self._instrument,
            coin=self._coin,
            strategy=self._strategy,
            band_bps=self._band_bps,
            allowance=allowance,
        )

    def _allowance(self, side: Side, market: Market, level: PostureLevel) -> Allowance | Reason:
        """Rules 3 and 4; positions are turned so that buying adds and selling takes away, whatever the side."""
        position, exposure = self._position, self._exposure
        assert position is not None
        assert exposure is not None
        held = sorted((side.sign * position.lots, side.sign * exposure.position))
        if side is Side.BUY:
            room = exposure.headroom_bid + exposure.pending_bid
        else:
            room = exposure.headroom_ask + exposure.pending_ask
        if level >= PostureLevel.REDUCE_ONLY:
            if held[1] >= 0:
                return Reason.FLAT if held[0] <= 0 else Reason.REDUCE_ONLY
            least = Lots(min(room, -held[1]))
            whole = room >= -held[1]
            return Allowance(lots=least, largest=exposure.largest_order, reduce_only=True, whole=whole)
        limit = int(self._coin.max_position_usd * MICROS_PER_USD / market.ask)
        return Allowance(lots=Lots(min(room, limit - held[1])), largest=exposure.largest_order)

    def _say(self, quotes: Quotes, said: dict[str, float], now: Nanos) -> QuoteTarget:
        touch, estimate = self._touch, self._estimate
        return QuoteTarget(
            coin=self._instrument.coin,
            bids=quotes.bids,
            asks=quotes.asks,
            reason_bid=quotes.reason_bid,
            reason_ask=quotes.reason_ask,
            fair_ticks=estimate.fair_ticks if estimate else 0.0,
            mid_ticks=(touch.mid_ticks if touch else None) or 0.0,
            components_bps=said,
            book_venue_ms=touch.venue_ms if touch else Millis(0),
            book_received_at=self._heard_at,
            valid_until=Nanos(now + self._validity),
        )


class Strategy:
    """All configured coins under one posture."""

    def __init__(self, settings: Settings, boot: Boot) -> None:
        self._coins = {
            coin: CoinStrategy(instrument, settings, boot) for coin, instrument in settings.instruments().items()
        }
        self._posture_age_max = settings.liveness.units(settings.liveness.posture_unheard)
        self._posture: Posture | None = None
        self._posture_at = boot.started_at
        self._stopping = False

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        match message:
            case Stopping():
                self._stopping = True
                return [*self._targets(tuple(self._coins), now), Exit(0, "stopped as asked")]
            case Posture():
                self._posture, self._posture_at = message, now
                return self._targets(tuple(self._coins), now)
            case Wake():
                return self._targets(tuple(self._coins), now)
            case Book() | TopOfBook() | Estimate() | FeedHealth() | Position() | Exposure():
                coin = self._coins.get(message.coin)
                if coin is None:
                    return []
                coin.take(message, now)
                return self._targets((message.coin,), now)
            case _:
                assert_never(message)

    def deadline(self) -> Nanos:
        return min(coin.repeat_at for coin in self._coins.values())

    @property
    def state(self) -> ServiceState:
        if not all(coin.was_complete for coin in self._coins.values()):
            return ServiceState.STARTING
        lacking = any(coin.lacks for coin in self._coins.values())
        return ServiceState.DEGRADED if lacking else ServiceState.READY

    @property
    def detail(self) -> str:
        return "; ".join(f"{name}: {coin.lacks.value}" for name, coin in self._coins.items() if coin.lacks)

    def _targets(self, coins: tuple[str, ...], now: Nanos) -> list[Effect]:
        targets = (self._coins[coin].target(self._level(coin), self._forbidden(coin, now), now) for coin in coins)
        return [Send(target) for target in targets if target is not None]

    def _level(self, coin: str) -> PostureLevel:
        if self._posture is None:
            return PostureLevel.PULL_QUOTES
        return max(self._posture.level, self._posture.coins.get(coin, PostureLevel.NORMAL))

    def _forbidden(self, coin: str, now: Nanos) -> Reason | None:
        """Return why nothing may be quoted at all (rule 3)."""
        if self._stopping:
            return Reason.STOPPING
        if self._posture is None:
            return Reason.NO_POSTURE
        if now - self._posture_at >= self._posture_age_max:
            return Reason.POSTURE_UNHEARD
        match self._level(coin):
            case PostureLevel.HALTED:
                return Reason.HALTED
            case PostureLevel.PULL_QUOTES:
                return Reason.PULL_QUOTES
            case _:
                return None
