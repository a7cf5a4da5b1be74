"""No setting is inert: changed alone, each changes an order, or is named here with the reason.

Settings of strategy, estimation and leader are changed in the first two's cores on the recording in the tree, with
fills of ours on the way, and for the leader with its own prices ahead of themselves; those of risk and its monitors in
the whole mesh on a virtual clock, where the venue's log is compared. Nothing else differs between the two runs.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import msgspec
import pytest

from common import tape
from common.actor import Effect, Send
from common.config import Monitors, Risk, Settings
from common.messages import (
    AssetContext,
    Attribution,
    Book,
    Exposure,
    Fill,
    LeaderEstimate,
    LeaderTop,
    Position,
    Posture,
    PostureLevel,
    QuoteTarget,
    TopOfBook,
    Trade,
)
from common.sections import Estimation as EstimationSection
from common.sections import Leader
from common.sections import Strategy as StrategySection
from common.touch import Touch
from common.units import MILLISECOND, SECOND, Lots, Millis, Nanos, Side, Ticks
from services.estimation.core import Estimation
from services.strategy.core import Inbox, Strategy
from tests.common.simulation.whole_mesh import WholeMesh
from tests.market import BOOT, SETTINGS
from tests.services.strategy.facts import FRESH, exposure, fill, position, posture

OWN: Final = Path(__file__).parent / "tapes" / "synthetic.tape"
TAPE_S: Final = 280
HOLDING: Final = 1_500  # lots: inventory leans
# What five minutes of a calm recording do not have is brought within its reach.
BASE: Final[dict[str, dict[str, Any]]] = {
    "strategy": {"full_inventory_shift": 3.0, "level_ratio": 1.2},
    "estimation": {
        "vpin_bucket_usd": 2_000.0,
        "momentum_threshold": 3.0,
        "variance_window_s": 2.0,
        "cascade_pull_severity": 0.1,
        "arrival_half_life_s": 600.0,
        "markout_half_life_s": 60.0,
    },
}
SYMMETRIC: Final = {"model": "symmetric"}
STRATEGY: Final[dict[str, tuple[object, dict[str, Any]]]] = {  # key -> another value, and what else both runs have
    "model": ("symmetric", {}),
    "full_inventory_shift": (2.0, {}),
    "horizon_s": (4.0, SYMMETRIC),
    "half_spread_bps": (2.0, SYMMETRIC),
    "volatility_multiple": (2.0, SYMMETRIC),
    "levels": (2, {}),
    "level_ratio": (1.3, {}),
    "maker_fee_bps": (2.0, {}),
    "markout_horizon_s": (1, {}),
    "latency_ms": (400.0, {}),
    "jump_multiple": (3.0, {}),
    "vpin_premium_bps": (5.0, {}),
    "cold_premium_bps": (3.0, {}),
    "widen_premium_bps": (4.0, {}),
    "half_spread_min_bps": (6.0, {}),
    "half_spread_max_bps": (7.0, {}),
    "flow_tilt_bps": (1.0, {}),
    "funding_hold_s": (86_400.0, {}),
    "cascade_guard": (False, {}),
    "sweep_fills": (3, {}),
    "sweep_recovery_s": (20.0, {}),
}
ESTIMATION: Final[dict[str, object]] = {
    "half_life_s": 30.0,
    "fast_half_life_s": 2.0,
    "sigma_prior_per_sqrt_s": 0.0003,
    "microprice_tilt": 0.0,
    "warm_up_ms": 5_000,
    "arrival_from_bps": 1.0,
    "arrival_to_bps": 2.0,
    "arrival_half_life_s": 300.0,
    "arrival_k_prior_per_bps": 0.6,
    "arrival_a_prior_per_s": 2.0,
    "vpin_bucket_usd": 20_000.0,
    "momentum_threshold": 8.0,
    "cascade_pull_severity": 0.9,
    "markout_half_life_s": 5.0,
}
HEAD_START: Final = 300 * MILLISECOND
LED: Final = Leader(symbols={"BTC": "btcusdt"})
LEADER: Final[dict[str, object]] = {"max_tilt_bps": 0.1, "weight": 0.2, "stale_ms": 100, "half_life_s": 10.0}


Public: TypeAlias = Book | TopOfBook | Trade | AssetContext

# Section and key -> another value, and what else both runs have.
IN_THE_MESH: Final[dict[str, tuple[object, dict[str, object]]]] = {
    "risk.price_band_bps": (5.0, {}),
    "risk.reference_gap_bps": (1.0, {}),
    "risk.reference_age_ms": (500, {}),
    "risk.mid_age_ms": (100, {}),
    "risk.max_open_orders": (3, {}),
    "risk.max_orders_per_s": (0.5, {"risk.orders_burst": 3}),
    "risk.orders_burst": (3, {}),
    "risk.max_depth_share": (0.01, {}),
    "risk.max_volume_share": (1e-6, {}),
    "risk.max_resting_share": (0.05, {}),
    "risk.max_repeats": (
        1,
        {"risk.repeat_window_ms": 60_000, "orders.price_tolerance": 0.02, "orders.queue_tolerance": 0.02},
    ),
    "risk.soft_limit_share": (0.6, {"risk.max_position_share": 0.008}),
    "risk.max_daily_loss_usd": (100.0, {}),
    "risk.max_hourly_loss_usd": (100.0, {}),
    "risk.max_drawdown_share": (0.001, {}),
    "risk.min_equity_usd": (99_990.0, {}),
    "risk.max_loss_share": (0.001, {}),
    "risk.max_order_share": (0.001, {}),
    "risk.max_position_share": (0.01, {}),
    "risk.max_equity_share": (0.01, {}),
    "risk.max_margin_share": (0.001, {}),
    "monitors.flash_bps": (1.0, {}),
    "monitors.flash_window_ms": (100, {"monitors.flash_bps": 3.0}),
    "monitors.flash_cooldown_ms": (1_000, {"monitors.flash_bps": 3.0}),
    "monitors.sigma_max_per_sqrt_s": (1e-5, {}),
    "monitors.velocity_share": (0.01, {}),
    "monitors.fills_max": (1, {"monitors.fills_window_s": 60}),
    "monitors.flickers_max": (1, {}),
    "monitors.open_interest_min_usd": (1.0, {}),
    "monitors.funding_max_per_h": (1e-6, {}),
    "monitors.spread_max_bps": (0.01, {}),
    "monitors.budget_left_share": (0.999, {}),
    "monitors.liquidation_distance": (0.5, {"venue_sim.equity_usd": 2_000.0}),
    "monitors.jump_share_max": (0.01, {"monitors.sigma_max_per_sqrt_s": 4e-5}),
    "monitors.open_interest_drop_share": (0.9, {"monitors.open_interest_min_usd": 1.0}),
    "monitors.stuck_share": (0.001, {"monitors.stuck_s": 10}),
    "monitors.stuck_s": (10, {"monitors.stuck_share": 0.001}),
}
NAMED: Final[dict[str, str]] = {
    "leader.symbols": "who is followed: tests/services/market_data/test_leader_wire.py reads by them",
    "leader.url": "where: tests/services/market_data/test_leader_wire.py and tests/mesh/test_leader.py go there",
    "strategy.parameters": "of strategies that are not built in: tests/services/strategy/test_core.py changes one",
    "estimation.slow_half_life_s": "only the regime, by which markouts are told apart for people",
    "estimation.variance_window_s": "acts once the variance process is ready, after an hour or so; that it then moves "
    "orders is in tests/common/simulation/test_estimates.py (sigma ahead)",
    "estimation.variance_half_life_s": "the same",
    "risk.repeat_window_ms": "with its count: strategy itself never repeats an order so soon",
    "risk.reconcile_breach_ms": "an account that nobody else trades agrees with itself",
    **dict.fromkeys(("risk.ramp_s", "risk.ramp_from"), "grow back after a recovery from a loss: half an hour"),
    "monitors.orders_per_fill_max": "is shown, and restrains nothing",
    **dict.fromkeys(
        ("monitors.round_trips_max", "monitors.fills_window_s", "monitors.troubles_max"),
        "a story of half a minute without repeats or trouble: both are in tests/common/simulation/test_controls.py",
    ),
    "monitors.fill_rate_floor": "a minute against nine before it: tests/services/risk/monitors/test_trading.py",
    "monitors.markout_bps": "of thirty fills, a minute each: tests/services/risk/monitors/test_trading.py",
}


@cache
def recording() -> tuple[tuple[Nanos, Public], ...]:
    """Return the start of the recording on a clock that begins at zero."""
    began: Nanos | None = None
    kept = []
    for at, message in tape.read(OWN):
        began = at if began is None else began
        now = Nanos(at - began)
        if now >= TAPE_S * SECOND:
            break
        if isinstance(message, Public) and message.coin == "BTC":
            kept.append((now, msgspec.structs.replace(message, received_at=now)))
    return tuple(kept)


@cache
def led_recording() -> tuple[tuple[Nanos, Public | LeaderTop], ...]:
    """Return the same, and a leader that says each mid before it comes, half a bp off."""
    tops = []
    for now, message in recording():
        mid = Touch.of(message).mid_ticks if isinstance(message, TopOfBook) else None
        if mid is not None and now > HEAD_START:
            at, price = Nanos(now - HEAD_START), mid * 1.00005
            tops.append((at, LeaderTop(coin="BTC", bid=price - 1, ask=price + 1, received_at=at)))
    return tuple(sorted((*recording(), *tops), key=lambda tick: tick[0]))


def changed(section: str, changes: dict[str, Any]) -> Settings:
    """Return the base with some keys of one section changed."""
    settings = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})
    for name, base in BASE.items():
        keys = base | (changes if name == section else {})
        settings = msgspec.structs.replace(settings, **{name: msgspec.structs.replace(getattr(settings, name), **keys)})
    return settings


def quoted(settings: Settings) -> list[tuple[object, ...]]:
    """Play the recording: what is wanted of the venue, whenever it changes."""
    estimation, strategy = Estimation(settings, BOOT), Strategy(settings, BOOT)
    wanted: list[tuple[object, ...]] = []

    def take(effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, QuoteTarget):
                target = effect.message
                shown = (target.bids, target.asks, target.reason_bid, target.reason_ask)
                if not wanted or wanted[-1] != shown:
                    wanted.append(shown)

    take(strategy.handle(FRESH, Nanos(0)))
    estimation.handle(FRESH, Nanos(0))
    second, touch = -1, None
    for now, message in recording() if settings.leader is None else led_recording():
        if now // SECOND != second:
            second = now // SECOND
            for other in ourselves(second, touch):
                if isinstance(other, Fill):
                    estimation.handle(other, now)
                take(strategy.handle(other, now))
        if isinstance(message, Book | TopOfBook):
            touch = Touch.of(message)
        for effect in estimation.handle(message, now):
            if isinstance(effect, Send) and not isinstance(effect.message, Attribution | LeaderEstimate):
                take(strategy.handle(cast("Inbox", effect.message), now))
        if isinstance(message, Book | TopOfBook):
            take(strategy.handle(message, now))
    return wanted


def ourselves(second: int, touch: Touch | None) -> Iterator[Fill | Posture | Position | Exposure]:
    """What the other services say each second: we hold, lose with bids, and are swept on both sides."""
    widen = PostureLevel.WIDEN if 60 <= second < 80 else PostureLevel.NORMAL
    yield from (posture(widen), position(HOLDING), exposure(HOLDING))
    if touch is None or touch.mid_ticks is None:
        return
    sweeps = {100: (Side.SELL, 3), 120: (Side.BUY, 5)}
    side, count = sweeps.get(second, (Side.BUY, 1 if 20 <= second < 60 and second % 3 == 0 else 0))
    for number in range(count):
        ticks = Ticks(round(touch.mid_ticks * (1.0004 + second / 1e6)))  # 4 bps above the mid, some more than others
        yield msgspec.structs.replace(
            fill(second * 10 + number, side), ticks=ticks, venue_ms=Millis(touch.venue_ms), lots=Lots(5)
        )


@cache
def base(keys: tuple[tuple[str, Any], ...]) -> list[tuple[object, ...]]:
    return quoted(changed("strategy", dict(keys)))


@pytest.mark.truth
@pytest.mark.parametrize("key", STRATEGY)
def test_settings_of_strategy(key: str) -> None:
    """Each changes what is wanted of the venue."""
    value, also = STRATEGY[key]
    assert quoted(changed("strategy", {**also, key: value})) != base(tuple(also.items()))


@pytest.mark.truth
@pytest.mark.parametrize("key", ESTIMATION)
def test_settings_of_estimation(key: str) -> None:
    """An estimate counts once it moves an order."""
    assert quoted(changed("estimation", {key: ESTIMATION[key]})) != base(())


def led(**changes: object) -> list[tuple[object, ...]]:
    return quoted(msgspec.structs.replace(changed("strategy", {}), leader=msgspec.structs.replace(LED, **changes)))


@cache
def led_base() -> list[tuple[object, ...]]:
    return led()


@pytest.mark.truth
@pytest.mark.parametrize("key", LEADER)
def test_settings_of_the_leader(key: str) -> None:
    """The section moves orders, and so does each of its numbers."""
    assert led_base() != base(())
    assert led(**{key: LEADER[key]}) != led_base()


def ordered(changes: dict[str, object]) -> list[tuple[object, ...]]:
    """Run the whole mesh through a loss of 60 USD and a trade by hand: the orders in the venue's log."""
    settings = SETTINGS
    for path, value in changes.items():
        section, key = path.split(".")
        settings = msgspec.structs.replace(
            settings, **{section: msgspec.structs.replace(getattr(settings, section), **{key: value})}
        )
    mesh = WholeMesh(3, settings=settings).run_for(20)
    mesh.venue.fault("transfer", mesh.simulation.now, usd="-60")
    mesh.venue.fault("manual_trade", mesh.simulation.now, coin="BTC", side="buy", size="0.02")
    mesh.run_for(16)
    return [(order.t, order.coin, order.side, order.px, order.orig_sz, order.status) for order in mesh.judge.orders()]


@cache
def ordinary(also: tuple[tuple[str, object], ...]) -> list[tuple[object, ...]]:
    return ordered(dict(also))


@pytest.mark.truth
@pytest.mark.parametrize("path", IN_THE_MESH)
def test_settings_of_risk(path: str) -> None:
    """Each restrains, releases or refuses something that the venue would have seen."""
    value, also = IN_THE_MESH[path]
    assert ordered({**also, path: value}) != ordinary(tuple(also.items()))


@pytest.mark.parametrize(
    ("section", "kind", "changed_here"),
    [
        ("strategy", StrategySection, set(STRATEGY)),
        ("estimation", EstimationSection, set(ESTIMATION)),
        ("leader", Leader, set(LEADER)),
        ("risk", Risk, {path.partition(".")[2] for path in IN_THE_MESH}),
        ("monitors", Monitors, {path.partition(".")[2] for path in IN_THE_MESH}),
    ],
)
def test_none_is_forgotten(section: str, kind: type[msgspec.Struct], changed_here: set[str]) -> None:
    """A setting is changed in a test above, or named with its reason, never both."""
    keys = set(kind.__struct_fields__)
    named = {path.partition(".")[2] for path in NAMED if path.startswith(f"{section}.")}
    assert keys == (changed_here & keys) | named
    assert not changed_here & named
