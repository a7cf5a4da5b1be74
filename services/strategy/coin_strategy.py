"""One coin of the strategy: the last word of every peer on it, and the ladder that follows.

Rules
  1. A side never wants more than its limits leave: risk's headroom plus what is pending already (the ladder replaces
     it), and never more than `max_position_usd` less the position. Where risk and order_management differ on the
     position the worse one binds. Inventory is a share of the limit in force, which risk scales with equity.
  2. Sizes shrink in proportion once less than SHRINK_FROM of that limit is left on a side.
  3. A side in the way of a fast price, of a cascade, or just swept, may only reduce the position.
  4. Bids stay below the best ask and asks above the best bid of the newest book: every order is post-only.
  5. A full state that repeats what is known, and a slow estimate, wait for the next price or the next unit; a top of
     book at known prices for the estimate that follows it, through which alone its sizes count.
"""

from math import isfinite
from typing import Final, TypeAlias, assert_never

import msgspec

from common.actor import Boot
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    ArrivalEstimate,
    Book,
    CascadeEstimate,
    Estimate,
    Exposure,
    FeedHealth,
    Fill,
    FlowEstimate,
    LiveOrders,
    MarkoutEstimate,
    Position,
    PostureLevel,
    QuoteLevel,
    QuoteShares,
    QuoteTarget,
    TopOfBook,
    VolatilityEstimate,
)
from common.sections import Leader
from common.touch import Touch
from common.units import MICROS_PER_USD, SECOND, Lots, Millis, Nanos, Side
from services.strategy.beliefs import Beliefs, Slow
from services.strategy.echo import Echo
from services.strategy.ladder import UNLIMITED, Allowance, Grid, components, ladder
from services.strategy.market import Market
from services.strategy.models.interface import Model, Setup, View
from services.strategy.premia import Shape, shape
from services.strategy.reasons import Reason
from services.strategy.sweep_guard import SweepGuard
from services.strategy.time_shares import TimeShares

Fact: TypeAlias = Book | TopOfBook | LiveOrders | Estimate | FeedHealth | Position | Exposure | Fill | Slow

SHRINK_FROM: Final = 0.5  # of the limit
SHARES_EVERY: Final = Nanos(1 * SECOND)  # people read them


class Quotes(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of one coin: for each side levels, or one reason."""

    bids: tuple[QuoteLevel, ...] = ()
    asks: tuple[QuoteLevel, ...] = ()
    reason_bid: str = ""
    reason_ask: str = ""


class CoinStrategy:
    """One coin: the last word of every peer on it, and the ladder that follows."""

    def __init__(self, instrument: Instrument, settings: Settings, model: Model, boot: Boot) -> None:
        self._instrument = instrument
        self._coin = settings.coins[instrument.coin]
        self._strategy = settings.strategy
        self._model = model
        self._setup = Setup.of(settings, instrument.coin)
        self._grid = Grid(
            instrument=instrument, coin=self._coin, strategy=self._strategy, band_bps=settings.risk.price_band_bps
        )
        self._beliefs = Beliefs(
            self._setup.arrival, self._strategy.markout_horizon_s, _leader_of(settings, instrument.coin)
        )
        self._sweeps = SweepGuard(self._strategy.sweep_fills, Nanos(int(self._strategy.sweep_recovery_s * SECOND)))
        self._shares = TimeShares(boot.started_at)
        self._shares_at = Nanos(boot.started_at + SHARES_EVERY)
        self._gap_bps = settings.risk.reference_gap_bps
        self._market_age_max = settings.liveness.units(settings.liveness.book_feed)
        self._exposure_age_max = settings.liveness.units(settings.liveness.posture_unheard)
        self._unit = settings.liveness.units(1)
        self._validity = settings.liveness.units(settings.liveness.valid_until)
        self._touch: Touch | None = None
        self._visible: dict[Side, Lots] = dict.fromkeys(Side, UNLIMITED)  # by the last book, all levels together
        self._echo = Echo()
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

    def take(self, message: Fact, now: Nanos) -> bool:
        """Say whether the target may differ now (rule 5)."""
        known: object = None
        match message:
            case Book():
                self._on_touch(message, now)
            case TopOfBook():
                known = self._touch
                self._on_touch(message, now)
                return self.lacks is not None or self._touch is None or not self._touch.is_priced_as(known)
            case LiveOrders():
                self._echo.on_orders(message)
                return False
            case Estimate():
                self._estimate = message
            case FeedHealth():
                known, self._health = self._health, message
                if not message.fresh:
                    self._touch = None  # an absurd stamp must not outlive the socket that it came from
            case Position():
                known, self._position = self._position, message
            case Exposure():
                known, self._exposure, self._exposure_at = self._exposure, message, now
            case Fill():
                self._sweeps.hear(message, now)
            case CascadeEstimate():
                self._beliefs.hear(message)
            case ArrivalEstimate() | FlowEstimate() | MarkoutEstimate() | VolatilityEstimate():
                self._beliefs.hear(message)
                return False
            case _:
                assert_never(message)
        return self.lacks is not None or not _is_repeated(message, known)

    def say(self, level: PostureLevel, forbidden: Reason | None, now: Nanos) -> list[QuoteTarget | QuoteShares]:
        """Return the target where it is due or has changed, and the shares when due; `forbidden` empties both sides."""
        market = self._market(now)
        self.lacks = self._lack(market, now)
        self.was_complete |= self.lacks is None
        reason = forbidden or self.lacks
        priced = None
        if market is not None and reason is None:
            distances = self._shape(market, level)
            if distances.is_finite:
                priced = market, distances
            else:
                reason = Reason.BAD_MODEL
        if priced is None:
            quotes = Quotes(reason_bid=str(reason), reason_ask=str(reason))
        else:
            quotes = self._quotes(*priced, level, now)
        self._shares.note(quotes.reason_bid, quotes.reason_ask, now)
        said: list[QuoteTarget | QuoteShares] = []
        if quotes != self._sent or now >= self.repeat_at:
            self._sent = quotes
            self.repeat_at = Nanos(now + self._unit)
            parts = {} if priced is None else components(*priced, quotes.bids, quotes.asks)
            said.append(self._target(quotes, parts, now))
        if now >= self._shares_at:
            self._shares_at = Nanos(now + SHARES_EVERY)
            said.append(self._time_shares(now))
        return said

    # --- input -------------------------------------------------------------------------------------

    def _on_touch(self, message: Book | TopOfBook, now: Nanos) -> None:
        touch = Touch.of(message)
        self._heard_at = max(self._heard_at, min(touch.received_at, now))
        if isinstance(message, Book):
            self._echo.on_book(message)
            self._visible = {
                Side.BUY: Lots(sum(lots for _, lots in message.bids)),
                Side.SELL: Lots(sum(lots for _, lots in message.asks)),
            }
        if not touch.is_older_than(self._touch):
            self._touch = touch

    def _lack(self, market: Market | None, now: Nanos) -> Reason | None:
        """Return what keeps us from pricing, posture apart."""
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
        if self._echo.is_all():
            return Reason.ECHO
        if market is None or not market.is_sane(self._gap_bps):
            return Reason.BAD_ESTIMATE
        if self._position is None or self._exposure is None or now - self._exposure_at >= self._exposure_age_max:
            return Reason.NO_EXPOSURE
        return None if self._position.proven else Reason.POSITION_UNPROVEN

    def _market(self, now: Nanos) -> Market | None:
        if self._touch is None or self._estimate is None:
            return None
        return self._beliefs.market(self._touch, self._estimate, now)

    # --- output ------------------------------------------------------------------------------------

    def _shape(self, market: Market, level: PostureLevel) -> Shape:
        view = View(market=market, inventory=self._inventory(market))
        distances = self._model(view, self._setup)
        return shape(self._strategy, market, distances, widen=level >= PostureLevel.WIDEN)

    def _quotes(self, market: Market, distances: Shape, level: PostureLevel, now: Nanos) -> Quotes:
        bids, asks = (self._side(side, market, distances, level, now) for side in (Side.BUY, Side.SELL))
        return Quotes(
            bids=bids if isinstance(bids, tuple) else (),
            asks=asks if isinstance(asks, tuple) else (),
            reason_bid="" if isinstance(bids, tuple) else str(bids),
            reason_ask="" if isinstance(asks, tuple) else str(asks),
        )

    def _side(
        self, side: Side, market: Market, distances: Shape, level: PostureLevel, now: Nanos
    ) -> tuple[QuoteLevel, ...] | Reason:
        allowance = self._allowance(side, market, level, now)
        return allowance if isinstance(allowance, Reason) else ladder(side, market, distances, self._grid, allowance)

    def _allowance(self, side: Side, market: Market, level: PostureLevel, now: Nanos) -> Allowance | Reason:
        """Rules 1 to 3; positions are turned so that buying adds and selling takes away, whatever the side."""
        position, exposure = self._position, self._exposure
        assert position is not None
        assert exposure is not None
        least, most = sorted((side.sign * position.lots, side.sign * exposure.position))
        room = self._room(side)
        largest, visible = exposure.largest_order, self._visible[side]
        guard = self._guard(side, now)
        if level >= PostureLevel.REDUCE_ONLY or guard is not None:
            if most >= 0:
                return guard if guard and level < PostureLevel.REDUCE_ONLY else _cannot_reduce(least)
            return Allowance(
                lots=Lots(min(room, -most)), largest=largest, visible=visible, reduce_only=True, whole=room >= -most
            )
        limit = self._limit(market)
        lots = Lots(min(room, int(self._coin.max_position_usd * MICROS_PER_USD / market.ask) - most))
        factor = min(
            1.0 if limit == 0 else max(0.0, min(1.0, lots / (SHRINK_FROM * limit))),
            self._beliefs.size_factor(side, now) if self._strategy.cascade_guard else 1.0,
            self._sweeps.size_factor(side, now),
        )
        return Allowance(lots=lots, largest=largest, visible=visible, factor=factor)

    def _guard(self, side: Side, now: Nanos) -> Reason | None:
        """Rule 3."""
        estimate = self._estimate
        if estimate is not None and (estimate.pull_bids if side is Side.BUY else estimate.pull_asks):
            return Reason.MOMENTUM
        if self._strategy.cascade_guard and self._beliefs.cascade_pulls(side, now):
            return Reason.CASCADE
        return Reason.SWEPT if self._sweeps.pulls(side, now) else None

    def _room(self, side: Side) -> int:
        exposure = self._exposure
        assert exposure is not None
        if side is Side.BUY:
            return exposure.headroom_bid + exposure.pending_bid
        return exposure.headroom_ask + exposure.pending_ask

    def _limit(self, market: Market) -> int:
        """Return the position limit in force, in lots: the configured one, or less where risk leaves less."""
        assert self._exposure is not None
        position = self._exposure.position
        left = max(self._room(Side.BUY) + position, self._room(Side.SELL) - position, 0)
        return min(left, int(self._coin.max_position_usd * MICROS_PER_USD / market.mid_ticks))

    def _inventory(self, market: Market) -> float:
        assert self._position is not None
        lots, limit = self._position.lots, self._limit(market)
        return max(-1.0, min(1.0, lots / limit)) if limit else float((lots > 0) - (lots < 0))

    def _target(self, quotes: Quotes, said: dict[str, float], now: Nanos) -> QuoteTarget:
        touch, estimate = self._touch, self._estimate
        return QuoteTarget(
            coin=self._instrument.coin,
            bids=quotes.bids,
            asks=quotes.asks,
            reason_bid=quotes.reason_bid,
            reason_ask=quotes.reason_ask,
            fair_ticks=estimate.fair_ticks if estimate and isfinite(estimate.fair_ticks) else 0.0,
            mid_ticks=(touch.mid_ticks if touch else None) or 0.0,
            components_bps=said,
            book_venue_ms=touch.venue_ms if touch else Millis(0),
            book_received_at=self._heard_at,
            valid_until=Nanos(now + self._validity),
        )

    def _time_shares(self, now: Nanos) -> QuoteShares:
        return QuoteShares(
            coin=self._instrument.coin,
            since=self._shares.since,
            as_of=now,
            bid=self._shares.shares(Side.BUY),
            ask=self._shares.shares(Side.SELL),
        )


def _leader_of(settings: Settings, coin: str) -> Leader | None:
    return settings.leader if settings.leader and coin in settings.leader.symbols else None


def _cannot_reduce(least: int) -> Reason:
    return Reason.FLAT if least <= 0 else Reason.REDUCE_ONLY


def _is_repeated(message: Fact, known: object) -> bool:
    """Say whether a full state says what was known, but for what nothing here is made of: ages, counters, stamps."""
    match message, known:
        case FeedHealth(), FeedHealth():
            return message.fresh == known.fresh
        case Position(), Position():
            return (message.lots, message.proven) == (known.lots, known.proven)
        case Exposure(), Exposure():
            return message == known
        case _:
            return False
