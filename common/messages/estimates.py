"""What estimation says of each coin once a second, beside the `Estimate` at each change of the market.

Every message has the time it was true (`as_of`), the effective number of samples behind it, a confidence from 0 to 1
(the share of the market in it, the rest being a prior's) and `warm`, which is earned live and never restored.
"""

from decimal import Decimal

import msgspec

from common.messages.base import Message
from common.units import Lots, Nanos, Side


class VolatilityEstimate(Message, frozen=True, kw_only=True):
    """Volatility at other half-lives than the `Estimate`'s, and the process that drives it."""

    coin: str
    as_of: Nanos
    sigma_fast_per_sqrt_s: float  # jumps removed, fast half-life
    sigma_slow_per_sqrt_s: float
    sigma_median_per_sqrt_s: float  # frequent jumps removed too
    expected_sigma_per_sqrt_s: float  # over the next minute, the pull to the mean variance included
    theta_per_s: float  # mean variance, fraction^2 per second; these five hold nothing unless `ready`
    kappa_v_per_s: float  # speed of return to it
    xi_per_s: float  # volatility of variance
    rho: float  # correlation of returns and variance, -1..1
    variance_of_variance_per_s2: float
    ready: bool
    effective_samples: float  # windows of variance
    confidence: float  # of the volatilities
    warm: bool


class ArrivalSide(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that reach a depth, per second: a_per_s x exp(-k_per_bps x depth in bps of the mid)."""

    a_per_s: float
    k_per_bps: float
    k_low_per_bps: float  # 95 % interval
    k_high_per_bps: float
    effective_samples: float
    confidence: float
    warm: bool


class ArrivalEstimate(Message, frozen=True, kw_only=True):
    """How often market orders come as deep as our quotes."""

    coin: str
    as_of: Nanos
    bids: ArrivalSide  # sellers, who fill our bids
    asks: ArrivalSide


class FlowEstimate(Message, frozen=True, kw_only=True):
    """Who is pressing, and what holding costs."""

    coin: str
    as_of: Nanos
    order_flow_imbalance: float  # mean sizes of the touch that were pushed, positive upwards
    flow_1s_usd_per_s: float  # takers' buying less selling
    flow_5s_usd_per_s: float
    flow_30s_usd_per_s: float
    vpin: float | None  # 0..1; None before 50 buckets of volume, and a minute after the last trade
    funding_per_hour: float | None  # fraction of the position's value that longs pay; None is absent
    funding_due_s: float  # until the next payment, at each full hour of venue time
    effective_samples: float  # changes of the touch
    confidence: float
    warm: bool


class CascadeEstimate(Message, frozen=True, kw_only=True):
    """Whether forced trading feeds on itself, and whom it runs over."""

    coin: str
    as_of: Nanos
    side: Side  # the takers'
    ratio: float  # intensity of bursts over its baseline
    severity: float  # 0..1
    size_factor: float  # 0..1, for the sizes that would be run over
    pull_bids: bool
    pull_asks: bool
    effective_samples: float  # bursts
    confidence: float
    warm: bool


class LeaderEstimate(Message, frozen=True, kw_only=True):
    """What another venue's price says of our next half second; also said while it says nothing."""

    coin: str
    as_of: Nanos
    age_ms: int | None  # of the leader's price since reception; None before the first
    tilt_bps: float  # expected move of our fair price; 0 unless warm
    error_bps: float  # standard deviation of what it then did, about that
    deviation_bps: float  # leader over ours, against its own slow mean: what we have not followed yet
    followed: float  # 0..1: share of such a deviation that our price makes up, less its standard error
    effective_samples: float  # half seconds
    confidence: float
    warm: bool  # learned, fresh, and no absurd price
    refused: int = 0  # prices that were none, absurd or out of order


class Markout(msgspec.Struct, frozen=True, kw_only=True):
    """Mean signed move of the mid after our fills of one kind; positive is a gain. An error is None of one sample."""

    kind: str  # side, level or regime
    of: str  # which of them
    horizon_s: int
    from_fill_bps: float
    from_fill_error_bps: float | None
    effective_samples: float
    from_placement_bps: float  # from the mid when the order was placed
    from_placement_error_bps: float | None
    placement_samples: float  # fewer: of some orders the placement was not seen


class MarkoutEstimate(Message, frozen=True, kw_only=True):
    """What became of our fills."""

    coin: str
    as_of: Nanos
    fills: int
    missed: int  # that never reached me
    markouts: tuple[Markout, ...]


class Attribution(Message, frozen=True, kw_only=True):
    """Where our money came from since the estimator's start, USD; the five parts sum to the equity change."""

    coin: str
    as_of: Nanos
    spread_captured: Decimal  # from the fill's price to the mid at the fill
    adverse_selection: Decimal  # moves of the mid in the 30 s after each fill
    inventory_carry: Decimal  # all other moves of the mid against the position
    funding: Decimal  # received is positive
    fees: Decimal  # paid is negative
    equity_change: Decimal
    adopted_lots: Lots  # signed: position that came without a fill, valued at the mid
