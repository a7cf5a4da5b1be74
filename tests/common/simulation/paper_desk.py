"""A desk of one coin on the venue's core, without wire and mesh, as fast as many days need.

Market, matching, estimation, strategy, and risk's monitors of market and position are the real ones.

Rules
  1. What a block shows is heard before the next one; what follows from it is at the venue after that (paper_orders.py).
  2. Tops come where they changed, books twice a second, contexts once a second, what risk says every second block.
  3. Money is counted at the mid, as the split of profit counts it.
"""

from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from common.actor import Boot, Effect, Send
from common.config import Settings
from common.messages import (
    ArrivalEstimate,
    AssetContext,
    Book,
    CascadeEstimate,
    Estimate,
    Exposure,
    FeedHealth,
    Fill,
    FlowEstimate,
    MarkoutEstimate,
    Position,
    Posture,
    PostureLevel,
    QuoteTarget,
    TopOfBook,
    Trade,
    VolatilityEstimate,
    Wake,
)
from common.units import MICROS_PER_USD, MILLISECOND, SECOND, Lots, Micros, Millis, Nanos, Side
from services.estimation.core import Estimation
from services.risk.activity import Conduct
from services.risk.monitors.assessment import Severity
from services.risk.monitors.panel import OF_A_COIN
from services.risk.posture import Cause, PostureBoard
from services.risk.price_watch import PriceWatch
from services.risk.risk_state import Limits, RiskState
from services.risk.windows import Window
from services.strategy.core import Strategy
from services.venue_sim import scenarios, universe
from services.venue_sim.api import ActionRequest, FillEvent, TradeEvent
from services.venue_sim.core import Exchange
from services.venue_sim.rules import ExchangeConfig
from services.venue_sim.synthetic import SyntheticMarket
from tests.common.simulation.paper_orders import PaperOrders

US: Final = "0x" + "ab" * 20
COIN: Final = "BTC"
BLOCK_MS: Final = 70
START_MS: Final = 1_790_000_000_000
BOOK_BLOCKS: Final = 7
CONTEXT_BLOCKS: Final = 14
RISK_BLOCKS: Final = 2


class PaperDesk:
    """One seeded day: `block` advances it."""

    def __init__(self, settings: Settings, seed: int, scenario: str) -> None:
        self._coin, self._monitors, self._risk = settings.coins[COIN], settings.monitors, settings.risk
        (rules,) = (rules for rules in universe.coins(settings.coins) if rules.instrument.coin == COIN)
        self._instrument = rules.instrument
        self.market = SyntheticMarket(
            (rules.instrument,), trade_rate=1.0, chance=Random(seed), scenario=scenarios.find(scenario)
        )
        self.exchange = Exchange(ExchangeConfig(coins=(rules,), internal=self.market.internal), START_MS)
        self.exchange.sight(US)
        alone = msgspec.structs.replace(settings, coins={COIN: self._coin})
        boot = Boot(epoch=1, started_at=Nanos(0))
        self._estimation, self._strategy = Estimation(alone, boot), Strategy(alone, boot)
        self._orders = PaperOrders(COIN, settings.orders)
        self._watch = PriceWatch(settings.monitors, rules.instrument)
        self._net = Window(Nanos(60 * SECOND))
        self._board = PostureBoard()
        self._blocks = 0
        self._top: tuple[object, ...] = ()
        self.target: QuoteTarget | None = None
        self.cascade: CascadeEstimate | None = None
        self.mid = 0.0

    # --- time --------------------------------------------------------------------------------------

    @property
    def now(self) -> Nanos:
        return Nanos((self._blocks * BLOCK_MS + BLOCK_MS // 2) * MILLISECOND)

    @property
    def seconds(self) -> float:
        return self._blocks * BLOCK_MS / 1_000

    def block(self) -> None:
        """Make one block, hear it, and answer it."""
        self._blocks += 1
        ms = START_MS + self._blocks * BLOCK_MS
        self.market.step(self.exchange, ms)
        for number, action in enumerate(self._orders.due(self._blocks)):
            self.exchange.submit(ActionRequest(request_id=1, signer=US, action=action, nonce=ms + number))
        for event in self.exchange.step(ms).events:
            if isinstance(event, TradeEvent):
                self._hear_trade(event, ms)
            elif isinstance(event, FillEvent) and event.user == US:
                self._hear_fill(event)
        self._hear_market(Millis(ms))
        if self._blocks % RISK_BLOCKS == 0:
            self._hear_risk(ms)
        for actor in (self._estimation, self._strategy):
            due = actor.deadline()
            if due is not None and due <= self.now:
                self._perform(actor.handle(Wake(), self.now))
        if self.target is not None:
            self._orders.follow(self.target, self.exchange.info.open_orders(US), self._blocks)

    # --- what is heard -----------------------------------------------------------------------------

    def _hear_market(self, ms: Millis) -> None:
        info, now = self.exchange.info, self.now
        top = info.top(COIN)
        bid, ask = (None if best is None else (best.ticks, best.lots) for best in (top.bid, top.ask))
        if bid is not None and ask is not None:
            self.mid = (bid[0] + ask[0]) / 2
            self._watch.on_touch(bid[0], ask[0], now)
        if (bid, ask) != self._top:
            self._top = (bid, ask)
            touch = TopOfBook(coin=COIN, venue_ms=ms, bid=bid, ask=ask, received_at=now)
            self._perform(self._estimation.handle(touch, now) + self._strategy.handle(touch, now))
        if self._blocks % BOOK_BLOCKS == 0:
            view = info.book(COIN, 20)
            bids, asks = (tuple((level.ticks, level.lots) for level in side) for side in (view.bids, view.asks))
            book = Book(coin=COIN, venue_ms=ms, bids=bids, asks=asks, received_at=now)
            self._perform(self._estimation.handle(book, now) + self._strategy.handle(book, now))
        if self._blocks % CONTEXT_BLOCKS == 0:
            seen = info.context(COIN)
            context = AssetContext(
                coin=COIN,
                mark=seen.mark_ticks,
                oracle=seen.oracle_ticks,
                funding=float(seen.funding),
                open_interest=float(self._instrument.size(seen.open_interest)),
                received_at=now,
            )
            self._watch.on_context(context, now)
            self._perform(self._estimation.handle(context, now))

    def _hear_trade(self, event: TradeEvent, ms: int) -> None:
        trade = Trade(
            coin=COIN,
            venue_ms=Millis(ms),
            side=event.side,
            ticks=event.ticks,
            lots=event.lots,
            tid=event.tid,
            received_at=self.now,
        )
        self._perform(self._estimation.handle(trade, self.now))

    def _hear_fill(self, event: FillEvent) -> None:
        self._net.add(self.now, event.side.sign * event.lots)
        fill = Fill(
            coin=COIN,
            side=event.side,
            ticks=event.ticks,
            lots=event.lots,
            venue_ms=event.time_ms,
            tid=event.tid,
            oid=event.oid,
            cloid=None,
            start_position=event.start_position,
            fee=Decimal(event.fee) / MICROS_PER_USD,
            closed_pnl=Decimal(event.closed_pnl) / MICROS_PER_USD,
            crossed=event.crossed,
        )
        self._perform(self._estimation.handle(fill, self.now) + self._strategy.handle(fill, self.now))

    def _hear_risk(self, ms: int) -> None:
        """Say what risk and order management would."""
        lots, resting = self.lots, self.exchange.info.open_orders(US)
        mark = self.exchange.info.mark(COIN)
        limit = Lots(int(self._coin.max_position_usd * MICROS_PER_USD / mark))
        bid, ask = (self._orders.pending(side, resting) for side in Side)
        state = RiskState(
            limits=Limits(risk=self._risk, monitors=self._monitors, soft=limit, hard=limit),
            coin=COIN,
            position=lots,
            mark=mark,
            behaviour=self._watch.behaviour(self.now),
            conduct=Conduct(net_fills=Lots(self._net.sum(self.now))),
        )
        found = [one for monitor in OF_A_COIN if (one := monitor(state)).severity is not Severity.NONE]
        self._board.update([Cause(one.action, one.message, COIN, one.hold, one.monitor) for one in found], self.now)
        posture = Posture(
            level=PostureLevel.NORMAL, coins={COIN: self._board.level(COIN)}, causes=self._board.texts(), risk_epoch=1
        )
        health = FeedHealth(coin=COIN, fresh=True, reason="", book_age_ms=1, context_age_ms=1)
        zero = Decimal(0)
        position = Position(
            coin=COIN,
            lots=lots,
            entry=None,
            realized_pnl=zero,
            fees=zero,
            funding=zero,
            fills=0,
            as_of_ms=Millis(ms),
            proven=True,
        )
        exposure = Exposure(
            coin=COIN,
            position=lots,
            pending_bid=bid,
            pending_ask=ask,
            worst_case_max_position=Lots(lots + bid),
            worst_case_min_position=Lots(lots - ask),
            headroom_bid=Lots(max(0, limit - lots - bid)),
            headroom_ask=Lots(max(0, limit + lots - ask)),
            largest_order=limit,
        )
        for known in (health, position):
            self._perform(self._estimation.handle(known, self.now))
        for said in (posture, health, position, exposure):
            self._perform(self._strategy.handle(said, self.now))

    def _perform(self, effects: list[Effect]) -> None:
        for message in (effect.message for effect in effects if isinstance(effect, Send)):
            match message:
                case QuoteTarget():
                    self.target = message
                case CascadeEstimate():
                    self.cascade = message
                    self._perform(self._strategy.handle(message, self.now))
                case Estimate() | ArrivalEstimate() | FlowEstimate() | MarkoutEstimate() | VolatilityEstimate():
                    self._perform(self._strategy.handle(message, self.now))
                case _:
                    pass

    # --- what came of it ---------------------------------------------------------------------------

    @property
    def lots(self) -> Lots:
        return self.exchange.info.position(US, COIN)

    @property
    def position_usd(self) -> float:
        return self.lots * self.mid / MICROS_PER_USD

    @property
    def equity_usd(self) -> float:
        """Rule 3."""
        info = self.exchange.info
        value: Micros = info.account(US).total.account_value
        return (value + self.lots * (self.mid - info.mark(COIN))) / MICROS_PER_USD
