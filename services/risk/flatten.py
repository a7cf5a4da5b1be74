"""After a contained halt, where the operator wants it: sell what is held, buy back what is owed.

Rules
  1. Only `[kill] flatten = true`, and only between CONTAINED and the next arming: nothing of ours may interfere.
  2. Reduce-only and immediate-or-cancel, never more together than what both witnesses of the position agree on, each
     order within the coin's own limit.
  3. A ladder: the first try goes a part of `slippage_bps` beyond the mid, the last of the `retries` all of it.
  4. One try at a time: the next one waits until nothing of the last may still fill. Without a fresh price none is made.
  5. Out of retries, it stops and says so: a person closes the rest. A new life begins with all its retries.
  6. Each try is a decision tagged "flatten", durable before its signature.
"""

from dataclasses import dataclass
from typing import Final

from common.actor import Effect
from common.cloid import make_cloid
from common.messages import OrderIntent, TimeInForce
from common.units import MICROS_PER_USD, MILLISECOND, SECOND, Lots, Millis, Nanos, Side, Ticks
from services.risk.exposure_ledger import Finding
from services.risk.facts import Facts
from services.risk.own_actions import OwnActions
from services.risk.references import PPM, ppm_floor

PAUSE: Final = Nanos(SECOND)  # between two tries: time for fills to arrive, and for the book to fill up again
LOOK: Final = Nanos(500 * MILLISECOND)  # between two looks while something is waited for
SLOTS: Final = 1 << 15  # of cloids: above those of order_management, whose epoch may be the same number
ORDERS_MAX: Final = 20  # in one try; a position that needs more takes more tries


@dataclass(slots=True)
class _Work:
    """One coin's tries since the halt was contained."""

    tries: int = 0
    next_at: Nanos = Nanos(0)
    given_up: bool = False


class Flatten:
    """Makes the orders; `own` signs and posts them."""

    def __init__(self, facts: Facts, own: OwnActions, epoch: int) -> None:
        self._facts = facts
        self._own = own
        self._epoch = epoch
        self._kill = facts.settings.kill
        self._sequence = 0
        self._work: dict[str, _Work] = {}
        self._words: dict[str, str] = {}

    @property
    def detail(self) -> str:
        """Say how far it is: "" when there is nothing to say."""
        return "; ".join(self._words.values())

    def due(self, now: Nanos, *, coins: tuple[str, ...], contained: bool) -> tuple[list[Effect], list[Finding]]:
        """Return the tries whose turn it is in the coins that are halted, and what is given up."""
        for coin in [coin for coin in self._work if coin not in coins]:
            del self._work[coin]
            self._words.pop(coin, None)
        effects: list[Effect] = []
        findings: list[Finding] = []
        if self._kill.flatten and contained:
            for coin in coins:
                work = self._work.setdefault(coin, _Work())
                if not work.given_up and now >= work.next_at:
                    work.next_at = Nanos(now + LOOK)
                    effects += self._try(coin, work, now)
                    findings += self._judge(coin, work)
        return effects, findings

    def deadline(self, now: Nanos) -> Nanos | None:
        due = (work.next_at for work in self._work.values() if not work.given_up)
        return min((at for at in due if at > now), default=None)

    def _try(self, coin: str, work: _Work, now: Nanos) -> list[Effect]:
        venue_now = self._facts.clock.venue_now(now)
        if venue_now is None or work.tries > self._kill.retries or self._facts.ledger.entries(coin):
            return []
        orders = self._orders(coin, work, now)
        if not orders:
            return []
        work.tries += 1
        work.next_at = Nanos(now + PAUSE)
        expires_after = Millis(venue_now + self._facts.settings.orders.order_expiry_ms)
        for order in orders:
            self._facts.ledger.reserve(order, expires_after, now)
        return self._own.flatten(orders, self._epoch, expires_after, venue_now)

    def _judge(self, coin: str, work: _Work) -> list[Finding]:
        """Say how this coin stands (rule 5)."""
        held = self._facts.nearest(coin)
        if held == 0:
            self._words.pop(coin, None)
            return []
        done = work.tries > self._kill.retries and not self._facts.ledger.entries(coin)
        if not done:
            self._words[coin] = f"flattening {coin}, try {work.tries} of {self._kill.retries + 1}"
            return []
        work.given_up = True
        self._words[coin] = f"{coin} NOT flat"
        evidence = f"{held} lots left after {work.tries} tries within {self._kill.slippage_bps} bps; close by hand"
        return [Finding(kind="not flat", coin=coin, evidence=evidence)]

    def _orders(self, coin: str, work: _Work, now: Nanos) -> tuple[OrderIntent, ...]:
        """Split what is held into orders at this try's price (rules 2 and 3); none without a price."""
        held, references = self._facts.nearest(coin), self._facts.feeds[coin].now(now)
        if held == 0 or references is None:
            return ()
        side = Side.SELL if held > 0 else Side.BUY
        ticks = self._price(coin, side, references.mid_twice, work.tries + 1)
        limits = self._facts.settings.coins[coin]
        lots_max = max(1, int(limits.max_order_usd * MICROS_PER_USD) // ticks)
        count = min(-(-abs(held) // lots_max), ORDERS_MAX)
        lots, more = divmod(min(abs(held), count * lots_max), count)
        self._sequence += 1
        return tuple(
            OrderIntent(
                cloid=make_cloid(self._facts.tag, self._epoch, self._sequence, SLOTS + number),
                coin=coin,
                side=side,
                ticks=ticks,
                lots=Lots(lots + (number < more)),
                tif=TimeInForce.IOC,
                reduce_only=True,
            )
            for number in range(count)
        )

    def _price(self, coin: str, side: Side, mid_twice: int, attempt: int) -> Ticks:
        """Return the legal price nearest to the mid that still is no further away than this attempt may go."""
        ppm = ppm_floor(self._kill.slippage_bps) * attempt // (self._kill.retries + 1)
        instrument = self._facts.limits[coin].instrument
        if side is Side.SELL:
            return instrument.legal_ceil(-(-mid_twice * (PPM - ppm) // (2 * PPM)))
        return instrument.legal_floor(mid_twice * (PPM + ppm) // (2 * PPM))
