"""Everything that risk knows at one moment, and the view of one order that the gate judges.

Rules
  1. Where order_management's worst case is worse than ours, the difference counts on top until it says otherwise.
  2. A coin without fresh references is priced at its last known ones in the account's sum; one that holds or may
     hold something and never had a price makes the sum unknown.
  3. Equity older than `ACCOUNT_AGE_MAX` is unknown.
  4. No limit of order or position is worth more than its share of equity, by the higher of the last two account
     states: one phantom state neither kills nor pulls. After a loss limits are ramped up (ramp.py).
  5. No position limit of a side is worth more than what the venue allows there (venue_limits.py).
"""

from decimal import Decimal
from math import floor
from typing import Final

import msgspec

from common.cloid import epoch_of, house_tag, is_ours
from common.config import Settings
from common.limits_hash import limits_hash
from common.messages import Fill, OrderIntent, PendingExposure, Trade, VenueAccount, VenueTime
from common.units import MICROS_PER_USD, MILLISECOND, SECOND, Lots, Micros, Nanos, Side, Ticks
from common.venue_clock import VenueClock
from services.risk.activity import Activity
from services.risk.audit import Kind
from services.risk.decisions import Decisions
from services.risk.earnings import Earnings
from services.risk.exposure_ledger import ExposureLedger, Finding
from services.risk.gate import CoinLimits, View, initial_margin
from services.risk.leverages import Leverages
from services.risk.losses import Losses
from services.risk.posture import PostureBoard
from services.risk.price_watch import PriceWatch
from services.risk.ramp import Ramp
from services.risk.references import PPM, ReferenceFeed
from services.risk.request_budget import RequestBudget
from services.risk.risk_state import Limits, RiskState, Stream
from services.risk.roster import Roster
from services.risk.venue_limits import VenueLimits
from services.risk.volume import TradedVolume

# How old the last answer to each question may be: four reads.
READ_AGES: Final = {Kind.ORDERS: Nanos(40 * SECOND), Kind.FILLS: Nanos(120 * SECOND)}
UNBOUND: Final = Micros(1 << 62)
ACCOUNT_AGE_MAX: Final = Nanos(20 * SECOND)  # four reads
CLOID_DIGITS: Final = 34


class Facts:
    """The parts, wired; nothing here decides."""

    def __init__(self, settings: Settings, account: str, *, started_at: Nanos, build: str) -> None:
        margin_ms = settings.orders.margin_ms
        self.settings = settings
        self.tag = house_tag(account)
        self.build, self.limits_hash = build, limits_hash(settings)  # stand in every decision
        self.limits = {coin: CoinLimits.of(settings, coin) for coin in sorted(settings.coins)}
        self.watches = {coin: PriceWatch(settings.monitors, limits.instrument) for coin, limits in self.limits.items()}
        self.activity = {coin: Activity(settings.monitors) for coin in self.limits}
        self.feeds = {coin: ReferenceFeed(settings.risk) for coin in self.limits}
        self.clock = VenueClock()
        self.volumes = {coin: TradedVolume(self.clock) for coin in self.limits}
        self.decisions = Decisions(margin_ms)
        self.ledger = ExposureLedger(self.activity, self.tag, self.decisions, margin_ms)
        self.earnings = Earnings(settings.instruments(), Nanos(settings.risk.reconcile_breach_ms * MILLISECOND))
        self.losses = Losses(settings.risk)
        self.ramp = Ramp(settings.risk)
        self.budget = RequestBudget()
        self.venue_limits = VenueLimits(self.limits)
        self.leverages = Leverages(settings)
        self.read_at: dict[Kind, Nanos] = {}  # last answer to each question
        self.linked = False
        self.roster = Roster(settings, started_at, build)
        self.board = PostureBoard()
        self.account: VenueAccount | None = None
        self.account_at = Nanos(0)
        self.account_max = self.margin_max = Micros(0)  # by the last account state
        self._binding = self.limits
        self._scales: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))  # equity of the last two account states
        self._excess: dict[str, tuple[int, int]] = dict.fromkeys(self.limits, (0, 0))

    # --- hearing -----------------------------------------------------------------------------------

    def on_account(self, account: VenueAccount, now: Nanos) -> None:
        if self.account is None or account.venue_ms >= self.account.venue_ms:
            self.account, self.account_at = account, now
            self._bind(account.equity)
        self.ledger.on_account(account, now)
        agrees = all(self.ledger.position(coin).differs_since is None for coin in self.limits)
        self.earnings.on_account(account, now, agrees=agrees)
        for coin, activity in self.activity.items():
            activity.on_position(self.ledger.position(coin).by_snapshot, now)

    def on_fill(self, fill: Fill, now: Nanos) -> list[Finding]:
        """Take a fill from any source."""
        self.earnings.on_fill(fill)
        return self.ledger.on_fill(fill, now)

    def on_venue_time(self, stamp: VenueTime, now: Nanos) -> bool:
        """Take a stamp; say whether it changes what time it is at the venue."""
        before = self.clock.venue_now(now)
        self.clock.observe(stamp, now)
        return before != self.clock.venue_now(now)

    def on_failed_cancel(self, now: Nanos) -> None:
        """A cancel failed, whatever it was for: trouble of every coin."""
        for activity in self.activity.values():
            activity.on_trouble(now)

    def on_touch(self, coin: str, bid: Ticks, ask: Ticks, now: Nanos) -> None:
        """A sound best bid and offer of the own feed."""
        self.watches[coin].on_touch(bid, ask, now)
        self.activity[coin].on_mid(bid + ask, now)

    def on_trade(self, trade: Trade, now: Nanos) -> None:
        """A print of the own feed."""
        volume = self.volumes.get(trade.coin)
        if volume is not None:
            volume.on_trade(trade, now)

    def on_pending(self, fact: PendingExposure) -> bool:
        """Compare order_management's worst case with ours (rule 1); say whether the difference has changed."""
        if fact.coin not in self.limits:
            return False
        highest, lowest = self.ledger.worst(fact.coin)
        over = max(0, fact.worst_case_max_position - highest)
        under = max(0, lowest - fact.worst_case_min_position)
        before, self._excess[fact.coin] = self._excess[fact.coin], (over, under)
        return before != (over, under)

    def forget_pending(self) -> None:
        """order_management is gone: what it said last is no news any more."""
        self._excess = dict.fromkeys(self.limits, (0, 0))

    def on_link(self, *, up: bool) -> None:
        """The own socket came or went; what it brought counts no longer."""
        self.linked = up
        if not up:
            for coin in self.limits:
                self.feeds[coin].forget()
                self.watches[coin].forget()

    # --- reading -----------------------------------------------------------------------------------

    def worst(self, coin: str) -> tuple[Lots, Lots]:
        """Return the worst case that binds."""
        highest, lowest = self.ledger.worst(coin)
        over, under = self._excess[coin]
        return Lots(highest + over), Lots(lowest - under)

    def pending(self, coin: str) -> tuple[Lots, Lots]:
        """Return what may still buy and sell, at the worse of both words."""
        bid, ask = self.ledger.pending(coin)
        over, under = self._excess[coin]
        return Lots(bid + over), Lots(ask + under)

    def binding(self, coin: str) -> CoinLimits:
        """Return the limits that bind at this equity, no ramp counted."""
        return self._binding[coin]

    def value(self, coin: str, lots: int) -> Micros | None:
        """Return what so many lots are worth at the dearest reference ever seen last; None without a price."""
        last = self.feeds[coin].last
        if last is None:
            return Micros(0) if lots == 0 else None
        return Micros(abs(lots) * last.dearest)

    def limits_now(self, coin: str, *, ramp_ppm: int) -> CoinLimits:
        """Return the limits that bind at this equity (rule 4)."""
        if ramp_ppm == PPM:
            return self._binding[coin]
        return self._binding[coin].capped(UNBOUND, UNBOUND, ramp_ppm)

    def _bind(self, equity: Decimal) -> None:
        """Take a new equity: what it allows is asked for at every order and every state."""
        risk = self.settings.risk
        known = equity if equity.is_finite() else Decimal(0)
        self.account_max, self.margin_max = _share(known, risk.max_equity_share), _share(known, risk.max_margin_share)
        if equity.is_finite():
            self._scales = (self._scales[1], equity)
        scale = max(self._scales)
        if scale > 0:
            order, position = _share(scale, risk.max_order_share), _share(scale, risk.max_position_share)
            self._binding = {coin: limits.capped(order, position) for coin, limits in self.limits.items()}

    def account_stale(self, now: Nanos) -> bool:
        return self.account is None or now - self.account_at > ACCOUNT_AGE_MAX

    def view(self, order: OrderIntent, replaces: str | None, epoch: int, now: Nanos) -> View | None:
        """Return what the gate needs to judge this order; None when its coin is not configured."""
        if order.coin not in self.limits:
            return None
        replaced = None
        if replaces is not None:
            old = self.ledger.entry(order.coin, replaces)
            replaced = old is not None and old.order.side is order.side
        return self._view(
            order.coin,
            order.side,
            now,
            without=replaces,
            replaced=replaced,
            cloid_ours=self._is_named(order.cloid, epoch),
            cloid_seen=self.decisions.approved(order.cloid) or self.ledger.entry(order.coin, order.cloid) is not None,
        )

    def room(self, coin: str, side: Side, now: Nanos) -> View:
        """Return the view of an order that does not exist yet."""
        return self._view(coin, side, now, without=None, replaced=None, cloid_ours=True, cloid_seen=False)

    def _view(
        self,
        coin: str,
        side: Side,
        now: Nanos,
        *,
        without: str | None,
        replaced: bool | None,
        cloid_ours: bool,
        cloid_seen: bool,
    ) -> View:
        worst_max, worst_min = self.worst(coin)
        best_bid, best_ask = self.ledger.best(coin, without)
        return View(
            limits=self._limits_of_side(coin, side, now),
            references=self.feeds[coin].now(now),
            level=self.board.level(coin),
            position=self.nearest(coin),
            worst_max=worst_max,
            worst_min=worst_min,
            open_orders=self.ledger.live_count,
            resting=self.ledger.resting(coin, side, without),
            depth=self.watches[coin].depth,
            volume=self.volumes[coin].lots(now),
            reducing=self.ledger.reducing(coin, side, without),
            best_bid=best_bid,
            best_ask=best_ask,
            cloid_ours=cloid_ours,
            cloid_seen=cloid_seen,
            replaces=replaced,
            account_others=None if self.account_stale(now) else self._others(coin, margin=False),
            account_max=self.account_max,
            margin_others=self._others(coin, margin=True),
            margin_max=self.margin_max,
        )

    def _limits_of_side(self, coin: str, side: Side, now: Nanos) -> CoinLimits:
        """Return what binds of our limits and the venue's (rule 5)."""
        ours = self.limits_now(coin, ramp_ppm=self.ramp.ppm(self.clock.venue_now(now)))
        theirs = self.value(coin, self.venue_limits.most(coin, side, now))
        return ours if theirs is None or theirs >= ours.position_max else ours.capped(UNBOUND, theirs)

    def nearest(self, coin: str) -> Lots:
        """Return the position that allows the least reducing; 0 where two witnesses disagree on the side."""
        position = self.ledger.position(coin)
        if position.lowest > 0:
            return position.lowest
        return position.highest if position.highest < 0 else Lots(0)

    def _others(self, coin: str, *, margin: bool) -> Micros | None:
        total = 0
        for other in self.limits:
            if other == coin:
                continue
            worst_max, worst_min = self.worst(other)
            value = self.value(other, max(abs(worst_max), abs(worst_min)))
            if value is None:
                return None
            total += initial_margin(value, self.limits[other].leverage) if margin else value
        return Micros(total)

    def _is_named(self, cloid: str, epoch: int) -> bool:
        if not is_ours(cloid, self.tag) or not all(digit in "0123456789abcdef" for digit in cloid[2:]):
            return False
        return epoch_of(cloid) == epoch

    # --- states for the monitors -------------------------------------------------------------------

    def state(self, now: Nanos) -> RiskState:
        """Return the account as a whole."""
        account = self.account
        streams = [Stream("account", Nanos(now - self.account_at) if account else None, ACCOUNT_AGE_MAX)]
        for kind, limit in READ_AGES.items():
            at = self.read_at.get(kind)
            streams.append(Stream(kind.value, None if at is None else Nanos(now - at), limit))
        state = RiskState(limits=Limits(risk=self.settings.risk, monitors=self.settings.monitors))
        used = float(account.margin_used / account.equity) if account and account.equity > 0 else 0.0
        return state.with_money(
            self.losses.money, margin_used_share=used, distance=self.liquidation_distance()
        ).with_streams(tuple(streams), connected=self.linked, budget_left=self.budget.left())

    def coin_state(self, coin: str, now: Nanos) -> RiskState:
        """Return one coin."""
        position, last = self.ledger.position(coin), self.feeds[coin].last
        limits = Limits(risk=self.settings.risk, monitors=self.settings.monitors)
        if last is not None:
            binding = self.binding(coin)
            soft, hard = binding.soft_max // last.dearest, binding.position_max // last.dearest
            limits = msgspec.structs.replace(limits, soft=Lots(soft), hard=Lots(hard))
        mark_age, book_age = self.feeds[coin].ages(now)
        risk = self.settings.risk
        streams = (
            Stream("mark", mark_age, Nanos(risk.reference_age_ms * MILLISECOND)),
            Stream("book", book_age, Nanos(risk.mid_age_ms * MILLISECOND)),
        )
        return (
            RiskState(
                limits=limits,
                coin=coin,
                position=position.by_snapshot,
                position_by_fills=position.by_fills,
                mark=last.dearest if last else Ticks(0),
            )
            .with_pending_exposure(*self.pending(coin))
            .with_market(self.watches[coin].behaviour(now), self.feeds[coin].fault(now))
            .with_conduct(self.activity[coin].conduct(now), now)
            .with_streams(streams, connected=self.linked, budget_left=1.0)
        )

    def liquidation_distance(self) -> float | None:
        """Return the adverse move of every price that eats equity down to maintenance margin; None when flat.

        Maintenance is taken as half of the initial margin at the configured leverage, which is no less than the
        venue asks for.
        """
        held = maintenance = 0
        for coin in self.limits:
            value = self.value(coin, self.ledger.position(coin).by_snapshot) or 0
            held += value
            maintenance += value // (2 * self.limits[coin].leverage)
        equity = max(self._scales)
        if held == 0 or equity <= 0:
            return None
        return float(equity * MICROS_PER_USD - maintenance) / held


def _share(equity: Decimal, share: float) -> Micros:
    return Micros(floor(equity * Decimal(str(share)) * MICROS_PER_USD))
