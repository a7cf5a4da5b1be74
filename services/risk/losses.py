"""Losses: equity against the start of UTC day and hour, its peak, and a floor; by venue time.

Rules
  1. The first account state of a day and of an hour is its start. Starts and peak are recorded, so that a restart
     forgives nothing; the peak once it has grown by a thousandth.
  2. One state beyond a limit pulls quotes and asks for another; a second one within 2 s is confirmed. One peer
     latched on a single phantom tick of equity.
  3. Equity that is no finite number is beyond every limit; so is an account state with any number that is none.
  4. No limit is worth more than `max_loss_share` of what the day began with.
  5. A person who clears a drawdown has seen it: the peak begins anew. A loss of the day or hour stays one.
"""

from decimal import Decimal
from typing import Final

import msgspec

from common.config import Risk as RiskSettings
from common.messages import DayRecord, Message, VenueAccount
from common.units import SECOND, Nanos

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
CONFIRM_WITHIN: Final = Nanos(2 * SECOND)
PEAK_STEP: Final = Decimal("1.001")
ZERO: Final = Decimal(0)
NO_NUMBER: Final = Decimal("NaN")


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The account at one moment, in USD."""

    equity: Decimal = ZERO
    known: bool = False  # false before the first account state
    day_start: Decimal = ZERO
    hour_start: Decimal = ZERO
    peak: Decimal = ZERO
    unrealised: Decimal = ZERO
    bad_states: int = 0  # in a row, each within 2 s of the last; two confirm

    @property
    def daily_pnl(self) -> Decimal:
        return self.equity - self.day_start

    @property
    def hourly_pnl(self) -> Decimal:
        return self.equity - self.hour_start

    @property
    def peak_pnl(self) -> Decimal:
        """The most that the day ever had, or more where the peak is older than the day."""
        return self.peak - self.day_start

    @property
    def realised(self) -> Decimal:
        """Of the day's, fees and funding included."""
        return self.daily_pnl - self.unrealised

    @property
    def drawdown(self) -> Decimal:
        return self.peak - self.equity

    def cap(self, usd: float, share: float) -> Decimal:
        """Return a loss limit in USD (rule 4)."""
        return min(Decimal(str(usd)), self.day_start * Decimal(str(share)))


def loss_share(money: Money, risk: RiskSettings) -> Decimal:
    """Return how much of the nearest loss limit is used up; beyond 1 is beyond the limit."""
    if not money.equity.is_finite():
        return Decimal("Infinity")
    used = ZERO
    for lost, usd in ((-money.daily_pnl, risk.max_daily_loss_usd), (-money.hourly_pnl, risk.max_hourly_loss_usd)):
        cap = money.cap(usd, risk.max_loss_share)
        if lost > 0:
            used = max(used, lost / cap if cap > 0 else Decimal("Infinity"))
    return used


def drawdown_share(money: Money, risk: RiskSettings) -> Decimal:
    """Return how much of the drawdown limit is used up; below the floor everything is."""
    if not money.equity.is_finite() or money.equity < Decimal(str(risk.min_equity_usd)):
        return Decimal("Infinity")
    cap = money.peak * Decimal(str(risk.max_drawdown_share))
    return money.drawdown / cap if cap > 0 else ZERO


class Losses:
    """Remembers the marks and counts bad states."""

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._marks: DayRecord | None = None
        self._bad_at: Nanos | None = None
        self.money = Money()

    def restore(self, row: Message) -> None:
        """Take one row of an earlier life, oldest first."""
        if isinstance(row, DayRecord):
            self._marks = row

    @property
    def suspected(self) -> bool:
        """The last state was beyond a limit, and another is wanted at once."""
        return self.money.bad_states == 1

    def on_account(self, account: VenueAccount, now: Nanos) -> DayRecord | None:
        """Take one account state; return the row to record when a mark has changed."""
        changed = self._mark(account) if account.equity.is_finite() else None
        marks = self._marks
        money = Money(
            equity=account.equity,
            known=True,
            day_start=marks.equity if marks else ZERO,
            hour_start=marks.hour_equity if marks else ZERO,
            peak=marks.peak if marks else ZERO,
            unrealised=sum((position.unrealized_pnl for position in account.positions), ZERO),
        )
        self._judge(money, now)
        return changed

    def on_absurd(self, now: Nanos) -> None:
        """An account state came in which a number is none (rule 3)."""
        self._judge(msgspec.structs.replace(self.money, equity=NO_NUMBER, known=True), now)

    def _judge(self, money: Money, now: Nanos) -> None:
        """Rule 2."""
        bad = max(loss_share(money, self._settings), drawdown_share(money, self._settings)) > 1
        count = 0
        if bad:
            again = self._bad_at is not None and now - self._bad_at <= CONFIRM_WITHIN
            count = self.money.bad_states + 1 if again else 1
        self._bad_at = now if bad else None
        self.money = msgspec.structs.replace(money, bad_states=count)

    def forgive_drawdown(self) -> DayRecord | None:
        """Rule 5; the row to record, when there is one."""
        if self._marks is None or not self.money.equity.is_finite():
            return None
        self._marks = msgspec.structs.replace(self._marks, peak=self.money.equity)
        self.money = msgspec.structs.replace(self.money, peak=self.money.equity)
        return self._marks

    def _mark(self, account: VenueAccount) -> DayRecord | None:
        """Rule 1."""
        equity, before = account.equity, self._marks
        day, hour = account.venue_ms // DAY_MS, account.venue_ms // HOUR_MS
        if before is None:
            after = DayRecord(day=day, equity=equity, hour=hour, hour_equity=equity, peak=equity)
        else:
            after = before
            if day > before.day:
                after = msgspec.structs.replace(after, day=day, equity=equity)
            if hour > before.hour:
                after = msgspec.structs.replace(after, hour=hour, hour_equity=equity)
            if equity > before.peak * PEAK_STEP:
                after = msgspec.structs.replace(after, peak=equity)
        self._marks = after
        return after if after != before else None
