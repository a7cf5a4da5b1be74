"""One coin and the account at one moment, as every monitor reads them; immutable, built in steps.

Rules
  1. A step returns a new state: `RiskState(...)`, then `with_pending_exposure`, then whatever else is known.
  2. The worst case is the position after everything that may still buy has bought and nothing has sold, and the
     other way round. Where two witnesses differ on the position, the worse one counts on each side.
  3. `worst_case_exceeds_*` compare with the soft limit, strictly: the limit itself is allowed. The gate alone
     knows the hard one.
  4. A balanced book has bids and asks within 10 % of the larger; two zeros are balanced.
"""

from typing import Final

import msgspec

from common.config import Monitors
from common.config import Risk as RiskSettings
from common.units import Lots, Micros, Nanos, Ticks
from services.risk.activity import Conduct
from services.risk.losses import Money
from services.risk.price_watch import Behaviour

BALANCE_PERCENT: Final = 10
UNPRICED: Final = Lots(1 << 62)  # no price was ever heard: no limit in lots is known, and quotes are pulled for that


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the monitors compare with; limits in lots are at the dearest reference."""

    risk: RiskSettings
    monitors: Monitors
    soft: Lots = UNPRICED
    hard: Lots = UNPRICED


class Stream(msgspec.Struct, frozen=True):
    """How old the last word of one stream is (None: never heard), and how old it may be."""

    name: str
    age: Nanos | None
    limit: Nanos


class RiskState(msgspec.Struct, frozen=True, kw_only=True):
    """`coin` is empty for the account as a whole."""

    limits: Limits
    coin: str = ""
    position: Lots = Lots(0)  # by the venue's own word
    position_by_fills: Lots | None = None  # our own count, where it is known to differ or not
    mark: Ticks = Ticks(0)  # dearest reference
    pending_bid_exposure: Lots = Lots(0)
    pending_ask_exposure: Lots = Lots(0)
    net_pending_change: Lots = Lots(0)
    worst_case_max_position: Lots = Lots(0)
    worst_case_min_position: Lots = Lots(0)
    money: Money = Money()
    margin_used_share: float = 0.0  # of equity
    liquidation_distance: float | None = None  # adverse move of all prices that eats equity down to maintenance
    behaviour: Behaviour = Behaviour()
    conduct: Conduct = Conduct()
    stuck_for: Nanos = Nanos(0)
    streams: tuple[Stream, ...] = ()
    reference_fault: str = ""
    budget_left: float = 1.0  # share of the scarcer budget of requests
    connected: bool = True

    # --- steps -------------------------------------------------------------------------------------

    def with_pending_exposure(self, bid: Lots, ask: Lots) -> "RiskState":
        """Count what may still buy and sell."""
        counted = self.position if self.position_by_fills is None else self.position_by_fills
        highest, lowest = max(self.position, counted), min(self.position, counted)
        return msgspec.structs.replace(
            self,
            pending_bid_exposure=bid,
            pending_ask_exposure=ask,
            net_pending_change=Lots(bid - ask),
            worst_case_max_position=Lots(highest + bid),
            worst_case_min_position=Lots(lowest - ask),
        )

    def with_money(self, money: Money, *, margin_used_share: float, distance: float | None) -> "RiskState":
        return msgspec.structs.replace(
            self, money=money, margin_used_share=margin_used_share, liquidation_distance=distance
        )

    def with_market(self, behaviour: Behaviour, reference_fault: str) -> "RiskState":
        return msgspec.structs.replace(self, behaviour=behaviour, reference_fault=reference_fault)

    def with_conduct(self, conduct: Conduct, now: Nanos) -> "RiskState":
        since = conduct.unshrunk_since
        return msgspec.structs.replace(self, conduct=conduct, stuck_for=Nanos(0 if since is None else now - since))

    def with_streams(self, streams: tuple[Stream, ...], *, connected: bool, budget_left: float) -> "RiskState":
        return msgspec.structs.replace(self, streams=streams, connected=connected, budget_left=budget_left)

    # --- questions ---------------------------------------------------------------------------------

    @property
    def value(self) -> Micros:
        """What the position is worth."""
        return Micros(abs(self.position) * self.mark)

    @property
    def held(self) -> Lots:
        """The larger of what two witnesses say, without its sign."""
        return Lots(max(abs(self.position), abs(self.position_by_fills or 0)))

    def worst_case_exceeds_long_limit(self) -> bool:
        return self.worst_case_max_position > self.limits.soft

    def worst_case_exceeds_short_limit(self) -> bool:
        return -self.worst_case_min_position > self.limits.soft

    def worst_case_exceeds_limits(self) -> bool:
        return self.worst_case_exceeds_long_limit() or self.worst_case_exceeds_short_limit()

    def worst_case_position_value(self) -> Micros:
        return Micros(max(abs(self.worst_case_min_position), abs(self.worst_case_max_position)) * self.mark)

    def is_book_balanced(self) -> bool:
        bid, ask = self.pending_bid_exposure, self.pending_ask_exposure
        return abs(bid - ask) * 100 <= BALANCE_PERCENT * max(bid, ask)
