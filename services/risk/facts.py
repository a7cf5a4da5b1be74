"""Everything that risk knows at one moment, and the view of one order that the gate judges.

Rules
  1. Where order_management's worst case is worse than ours, the difference counts on top until it says otherwise.
  2. A coin without fresh references is priced at its last known ones in the account's sum; one that holds or may
     hold something and never had a price makes the sum unknown.
  3. Equity older than `ACCOUNT_AGE_MAX` is unknown.
"""

from decimal import Decimal
from math import floor
from typing import Final

from common.cloid import epoch_of, house_tag, is_ours
from common.config import Settings
from common.messages import OrderIntent, PendingExposure, VenueAccount
from common.units import MICROS_PER_USD, SECOND, Lots, Micros, Nanos, Side
from common.venue_clock import VenueClock
from services.risk.decisions import Decisions
from services.risk.exposure_ledger import ExposureLedger
from services.risk.gate import CoinLimits, View, micros_floor
from services.risk.loss import DailyLoss
from services.risk.posture import PostureBoard
from services.risk.references import ReferenceFeed
from services.risk.roster import Roster

ACCOUNT_AGE_MAX: Final = Nanos(20 * SECOND)  # four reads
CLOID_DIGITS: Final = 34


class Facts:
    """The parts, wired; nothing here decides."""

    def __init__(self, settings: Settings, account: str, *, started_at: Nanos, build: str) -> None:
        margin_ms = settings.orders.margin_ms
        self.settings = settings
        self.tag = house_tag(account)
        self.limits = {coin: CoinLimits.of(settings, coin) for coin in sorted(settings.coins)}
        self.soft = {
            coin: micros_floor(settings.coins[coin].max_position_usd * settings.risk.soft_limit_share)
            for coin in self.limits
        }
        self.feeds = {coin: ReferenceFeed(settings.risk) for coin in self.limits}
        self.clock = VenueClock()
        self.decisions = Decisions(margin_ms)
        self.ledger = ExposureLedger(self.limits, self.tag, self.decisions, margin_ms)
        self.loss = DailyLoss(settings.risk.max_daily_loss_usd)
        self.roster = Roster(settings, started_at, build)
        self.board = PostureBoard()
        self.account: VenueAccount | None = None
        self.account_at = Nanos(0)
        self._excess: dict[str, tuple[int, int]] = dict.fromkeys(self.limits, (0, 0))

    # --- hearing -----------------------------------------------------------------------------------

    def on_account(self, account: VenueAccount, now: Nanos) -> None:
        if self.account is None or account.venue_ms >= self.account.venue_ms:
            self.account, self.account_at = account, now
        self.ledger.on_account(account, now)

    def on_pending(self, fact: PendingExposure) -> None:
        """Compare order_management's worst case with ours (rule 1)."""
        if fact.coin not in self.limits:
            return
        highest, lowest = self.ledger.worst(fact.coin)
        over = max(0, fact.worst_case_max_position - highest)
        under = max(0, lowest - fact.worst_case_min_position)
        self._excess[fact.coin] = (over, under)

    def forget_pending(self) -> None:
        """order_management is gone: what it said last is no news any more."""
        self._excess = dict.fromkeys(self.limits, (0, 0))

    # --- reading -----------------------------------------------------------------------------------

    def worst(self, coin: str) -> tuple[Lots, Lots]:
        """Return the worst case that binds."""
        highest, lowest = self.ledger.worst(coin)
        over, under = self._excess[coin]
        return Lots(highest + over), Lots(lowest - under)

    def value(self, coin: str, lots: int) -> Micros | None:
        """Return what so many lots are worth at the dearest reference ever seen last; None without a price."""
        last = self.feeds[coin].last
        if last is None:
            return Micros(0) if lots == 0 else None
        return Micros(abs(lots) * last.dearest)

    def account_max(self) -> Micros:
        equity = self.account.equity if self.account else Decimal(0)
        if not equity.is_finite():
            return Micros(0)
        return Micros(floor(equity * Decimal(str(self.settings.risk.max_equity_share)) * MICROS_PER_USD))

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
            limits=self.limits[coin],
            references=self.feeds[coin].now(now),
            level=self.board.level(coin),
            position=self._nearest(coin),
            worst_max=worst_max,
            worst_min=worst_min,
            open_orders=self.ledger.live_count,
            reducing=self.ledger.reducing(coin, side, without),
            best_bid=best_bid,
            best_ask=best_ask,
            cloid_ours=cloid_ours,
            cloid_seen=cloid_seen,
            replaces=replaced,
            account_others=None if self.account_stale(now) else self._others(coin),
            account_max=self.account_max(),
        )

    def _nearest(self, coin: str) -> Lots:
        """Return the position that allows the least reducing; 0 where two witnesses disagree on the side."""
        position = self.ledger.position(coin)
        if position.lowest > 0:
            return position.lowest
        return position.highest if position.highest < 0 else Lots(0)

    def _others(self, coin: str) -> Micros | None:
        total = 0
        for other in self.limits:
            if other == coin:
                continue
            worst_max, worst_min = self.worst(other)
            value = self.value(other, max(abs(worst_max), abs(worst_min)))
            if value is None:
                return None
            total += value
        return Micros(total)

    def _is_named(self, cloid: str, epoch: int) -> bool:
        if not is_ours(cloid, self.tag) or not all(digit in "0123456789abcdef" for digit in cloid[2:]):
            return False
        return epoch_of(cloid) == epoch
