"""What estimation says beside the price, as far as it is recent, warm and a number.

Rules
  1. Arrivals count once they are warm; until then, and when unheard, the configured reference stands in, and no
     confidence (which charges the cold premium).
  2. Adverse selection is what our fills of a side lost, from their price to the mid after `markout_horizon_s`, less one
     standard error: noise costs nothing, and a gain does not narrow.
  3. The leader's tilt counts for `leader.stale_ms` after its price was received, within `leader.max_tilt_bps`; without
     the section, never.
  4. Whatever is older than SLOW_AGE_MAX is as if never heard: a premium or a pull cannot outlive its reason.
"""

from math import isfinite
from typing import Final, Generic, TypeAlias, TypeVar, assert_never

from common.messages import (
    ArrivalEstimate,
    ArrivalSide,
    CascadeEstimate,
    Estimate,
    FlowEstimate,
    Markout,
    MarkoutEstimate,
    VolatilityEstimate,
)
from common.sections import Leader
from common.touch import Touch
from common.units import MILLISECOND, SECOND, Nanos, Side
from services.strategy.market import SIGMA_MAX, Arrival, Market

Slow: TypeAlias = ArrivalEstimate | CascadeEstimate | FlowEstimate | MarkoutEstimate | VolatilityEstimate

SLOW_AGE_MAX: Final = Nanos(10 * SECOND)  # they come once a second
# Live fits outside of these are no market: exponentials of them are.
A_RANGE: Final = (1e-4, 1e4)
K_RANGE: Final = (0.01, 100.0)
FUNDING_RANGE: Final = (-0.1, 0.1)  # per hour; the venue's own cap is 0.04
NO_SIGMAS: Final = (0.0, 0.0)  # fast, ahead
NO_FLOW: Final = (0.0, 0.0, 0.0, 0.0)  # vpin, imbalance, funding an hour, seconds to it

T = TypeVar("T")


class Dated(Generic[T]):
    """A value with the time it was true (rule 4)."""

    __slots__ = ("_as_of", "_value")

    def __init__(self, value: T, as_of: Nanos = Nanos(0)) -> None:
        self._value = value
        self._as_of = as_of

    def at(self, now: Nanos, otherwise: T) -> T:
        return self._value if now - self._as_of < SLOW_AGE_MAX else otherwise


class Beliefs:
    """One coin's. What is heard is digested at once, so that asking costs little."""

    def __init__(self, reference: Arrival, markout_horizon_s: int, leader: Leader | None = None) -> None:
        self._reference = reference
        self._leader = leader
        self._horizon_s = markout_horizon_s
        self._unknown_arrivals = dict.fromkeys(Side, reference)
        self._arrivals = Dated(self._unknown_arrivals)
        self._adverse: Dated[dict[Side, float]] = Dated({})
        self._sigmas = Dated(NO_SIGMAS)
        self._flow = Dated(NO_FLOW)
        self._cascade: Dated[CascadeEstimate | None] = Dated(None)

    def hear(self, message: Slow) -> None:
        match message:
            case ArrivalEstimate():
                sides = {Side.BUY: self._arrival(message.bids), Side.SELL: self._arrival(message.asks)}
                self._arrivals = Dated(sides, message.as_of)
            case CascadeEstimate():
                self._cascade = Dated(message if message.warm else None, message.as_of)
            case FlowEstimate():
                self._flow = Dated(_flow(message) if message.warm else NO_FLOW, message.as_of)
            case MarkoutEstimate():
                self._adverse = Dated(self._losses(message), message.as_of)
            case VolatilityEstimate():
                self._sigmas = Dated(_sigmas(message) if message.warm else NO_SIGMAS, message.as_of)
            case _:
                assert_never(message)

    def market(self, touch: Touch, estimate: Estimate, now: Nanos) -> Market | None:
        """Put everything together; None without two sides."""
        if touch.bid is None or touch.ask is None:
            return None
        fast, ahead = self._sigmas.at(now, NO_SIGMAS)
        vpin, imbalance, funding, due_s = self._flow.at(now, NO_FLOW)
        return Market(
            bid=touch.bid[0],
            ask=touch.ask[0],
            fair_ticks=estimate.fair_ticks,
            sigma_per_sqrt_s=estimate.sigma_per_sqrt_s,
            confidence=estimate.confidence,
            jump_ratio=estimate.jump_ratio,
            sigma_fast_per_sqrt_s=fast,
            sigma_ahead_per_sqrt_s=ahead,
            arrivals=self._arrivals.at(now, self._unknown_arrivals),
            adverse_bps=self._adverse.at(now, {}),
            vpin=vpin,
            imbalance=imbalance,
            funding_per_hour=funding,
            funding_due_s=due_s,
            leader_bps=self._tilt(estimate, now),
        )

    def cascade_pulls(self, side: Side, now: Nanos) -> bool:
        said = self._cascade.at(now, None)
        return said is not None and (said.pull_bids if side is Side.BUY else said.pull_asks)

    def size_factor(self, side: Side, now: Nanos) -> float:
        """Return the share of its sizes that a cascade leaves to the side in its way."""
        said = self._cascade.at(now, None)
        if said is None or said.side is side or not 0 <= said.size_factor <= 1:
            return 1.0
        return said.size_factor

    def _tilt(self, said: Estimate, now: Nanos) -> float:
        """Rule 3."""
        chosen, tilt_bps = self._leader, said.leader_tilt_bps
        if chosen is None or not isfinite(tilt_bps) or now - said.leader_at >= chosen.stale_ms * MILLISECOND:
            return 0.0
        return _within(tilt_bps, (-chosen.max_tilt_bps, chosen.max_tilt_bps))

    def _arrival(self, said: ArrivalSide) -> Arrival:
        """Rule 1."""
        numbers = (said.a_per_s, said.k_per_bps)
        if not said.warm or not all(isfinite(number) and number > 0 for number in numbers):
            return self._reference
        return Arrival(
            a_per_s=_within(said.a_per_s, A_RANGE),
            k_per_bps=_within(said.k_per_bps, K_RANGE),
            confidence=min(1.0, _positive(said.confidence)),
        )

    def _losses(self, said: MarkoutEstimate) -> dict[Side, float]:
        """Rule 2."""
        return {
            Side(markout.of): _proven_loss(markout)
            for markout in said.markouts
            if markout.kind == "side" and markout.horizon_s == self._horizon_s
        }


def _sigmas(said: VolatilityEstimate) -> tuple[float, float]:
    ahead = said.expected_sigma_per_sqrt_s if said.ready else 0.0
    return min(SIGMA_MAX, _positive(said.sigma_fast_per_sqrt_s)), min(SIGMA_MAX, _positive(ahead))


def _flow(said: FlowEstimate) -> tuple[float, float, float, float]:
    imbalance, funding = said.order_flow_imbalance, said.funding_per_hour or 0.0
    return (
        min(1.0, _positive(said.vpin or 0.0)),
        imbalance if isfinite(imbalance) else 0.0,
        _within(funding, FUNDING_RANGE) if isfinite(funding) else 0.0,
        _positive(said.funding_due_s),
    )


def _proven_loss(markout: Markout) -> float:
    error = markout.from_fill_error_bps
    return 0.0 if error is None else _positive(-markout.from_fill_bps - error)


def _positive(number: float) -> float:
    return max(0.0, number) if isfinite(number) else 0.0


def _within(number: float, limits: tuple[float, float]) -> float:
    return min(max(number, limits[0]), limits[1])
