"""One TOML file, strictly read: unknown keys, wrong types and absurd values refuse the start by path.

`load(path)` gives the one frozen `Settings` that every service of a run shares; nothing else is configuration.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from common.delays import Latency, UniformDelay
from common.errors import ConfigFault
from common.instrument import Instrument
from common.sections import Alerts, Count, Drill, Estimation, Keys, Kill, Leader, Mesh, Positive, Share, Strategy, Usd
from common.units import MILLISECOND, Nanos

MESH_SERVICES: Final = (
    *("risk", "canceller", "order_management", "market_data"),
    *("estimation", "strategy", "metrics"),
)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: unknown keys are refused."""


class Profile(StrEnum):
    SIM = "sim"
    TESTNET = "testnet"
    MAINNET = "mainnet"


class Network(StrEnum):
    """Decides the flag inside every signature."""

    TESTNET = "testnet"
    MAINNET = "mainnet"


HOSTS: Final = {"api.hyperliquid.xyz": Network.MAINNET, "api.hyperliquid-testnet.xyz": Network.TESTNET}


class JournalSync(StrEnum):
    NORMAL = "normal"  # survives any process crash
    FULL = "full"  # survives power loss


class FillModel(StrEnum):
    """When a recorded market fills an order that rests; each fills at least what the one before does."""

    TRADE_THROUGH = "trade_through"
    PESSIMISTIC = "pessimistic"
    PROBABILISTIC = "probabilistic"


class Coin(Section, frozen=True, kw_only=True):
    """One coin; asset and size_decimals are checked against the venue's universe at every start."""

    asset: Annotated[int, Meta(ge=0, le=10_000_000)]
    size_decimals: Annotated[int, Meta(ge=0, le=6)]
    leverage: Annotated[int, Meta(ge=1, le=50)] = 5
    max_position_usd: Usd  # hard limit on the worst case
    max_order_usd: Usd
    order_usd: Usd  # size of the innermost level


class Venue(Section, frozen=True, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$")]
    network: Network
    account: str = ""  # address that owns positions; never an agent's. Empty in the sim profile: made by `mm up`


class Liveness(Section, frozen=True, kw_only=True):
    unit_ms: Annotated[int, Meta(ge=50, le=10_000)] = 250
    # limits in units
    valid_until: Count = 4
    posture_unheard: Count = 4
    order_management_silence: Count = 4
    risk_silence: Count = 5
    canceller_silence: Count = 8
    canceller_unheard: Count = 8
    book_feed: Count = 8
    user_stream: Count = 5  # until it must have told what an answer says already; the pull itself takes some more
    recovery: Count = 120

    def units(self, count: int) -> Nanos:
        return Nanos(count * self.unit_ms * MILLISECOND)


class Orders(Section, frozen=True, kw_only=True):
    order_expiry_ms: Annotated[int, Meta(ge=500, le=10_000)] = 2_000
    margin_ms: Annotated[int, Meta(ge=500, le=10_000)] = 2_000
    price_tolerance: Share = 0.2  # of the half-spread: keep an order that is this close to its target
    queue_tolerance: Share = 0.5  # the same, for an order further out whose place in the queue is worth keeping
    size_tolerance: Share = 0.2
    approval_timeout_ms: Annotated[int, Meta(ge=20, le=5_000)] = 500
    stuck_cancel_ms: Annotated[int, Meta(ge=1_000)] = 30_000
    late_fill_window_ms: Annotated[int, Meta(ge=1_000)] = 5_000
    stale_order_ms: Annotated[int, Meta(ge=5_000)] = 60_000  # an order without evidence for so long is queried


class Risk(Section, frozen=True, kw_only=True):
    price_band_bps: Annotated[float, Meta(gt=0, le=2_000)] = 200.0
    reference_gap_bps: Annotated[float, Meta(gt=0, le=2_000)] = (
        150.0  # own mid against mark: further apart is no reference
    )
    reference_age_ms: Annotated[int, Meta(ge=100, le=60_000)] = 5_000
    mid_age_ms: Annotated[int, Meta(ge=100, le=60_000)] = 2_000
    max_open_orders: Annotated[int, Meta(ge=1, le=1_000)] = 40
    max_orders_per_s: Annotated[float, Meta(gt=0, le=1_000)] = 40.0
    orders_burst: Annotated[int, Meta(ge=1, le=10_000)] = 80
    max_depth_share: Annotated[float, Meta(gt=0, le=10)] = 1.0  # one order, of what the thinner side of the book shows
    # one order, of what the market has traded in the last minute; 20 USD always pass
    max_volume_share: Annotated[float, Meta(gt=0, le=10)] = 0.1
    max_resting_share: Annotated[float, Meta(gt=0, le=2)] = 1.5  # one side's orders, of the position limit
    max_repeats: Annotated[int, Meta(ge=1, le=1_000)] = 5  # orders of one side, price and size in repeat_window_ms
    repeat_window_ms: Annotated[int, Meta(ge=10, le=60_000)] = 1_000
    soft_limit_share: Annotated[float, Meta(gt=0.5, le=1)] = 0.8  # of max_position_usd
    max_daily_loss_usd: Usd
    max_hourly_loss_usd: Usd
    max_drawdown_share: Annotated[float, Meta(gt=0, le=0.5)]  # of the highest equity since a person last looked
    min_equity_usd: Usd
    # no limit in USD is worth more than this share of equity, whatever it says
    max_loss_share: Annotated[float, Meta(gt=0, le=0.5)] = 0.1
    max_order_share: Annotated[float, Meta(gt=0, le=5)] = 0.5
    max_position_share: Annotated[float, Meta(gt=0, le=20)] = 2.0
    max_equity_share: Annotated[float, Meta(gt=0, le=20)] = 3.0  # all worst cases together, in multiples of equity
    max_margin_share: Share = 0.8  # initial margin of all worst cases, of equity
    reconcile_breach_ms: Annotated[int, Meta(ge=1_000, le=600_000)] = 10_000
    ramp_s: Annotated[int, Meta(ge=1, le=86_400)] = 1_800  # limits grow back to full after a loss or a drawdown
    ramp_from: Share = 0.5


class Monitors(Section, frozen=True, kw_only=True):
    """Where each monitor begins to restrain; most restrain harder at a multiple that their rule names."""

    flash_bps: Annotated[float, Meta(gt=0, le=2_000)] = 100.0  # highest against lowest mid in flash_window_ms
    flash_window_ms: Annotated[int, Meta(ge=100, le=60_000)] = 5_000
    flash_cooldown_ms: Annotated[int, Meta(ge=1_000, le=3_600_000)] = 30_000
    sigma_max_per_sqrt_s: Annotated[float, Meta(gt=0, le=0.1)] = 0.002
    jump_share_max: Share = 0.9  # of the variance
    velocity_share: Annotated[float, Meta(gt=0, le=10)] = 0.5  # of the position limit, a minute
    fills_max: Annotated[int, Meta(ge=1, le=10_000)] = 100  # of one side in fills_window_s
    round_trips_max: Annotated[int, Meta(ge=1, le=10_000)] = 30
    fills_window_s: Annotated[int, Meta(ge=1, le=3_600)] = 10
    troubles_max: Annotated[int, Meta(ge=1, le=10_000)] = 20  # rejects, unknowns and failed cancels in a minute
    orders_per_fill_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000  # in ten minutes
    flickers_max: Annotated[int, Meta(ge=1, le=100_000)] = 200  # orders that lived under half a second, a minute
    open_interest_drop_share: Annotated[float, Meta(gt=0, lt=1)] = 0.1  # in five minutes
    open_interest_min_usd: Annotated[float, Meta(gt=0, le=1e12)] = 50_000_000.0  # less of it moves with single traders
    funding_max_per_h: Annotated[float, Meta(gt=0, le=0.1)] = 0.001
    spread_max_bps: Annotated[float, Meta(gt=0, le=2_000)] = 50.0
    fill_rate_floor: Share = 0.1  # of the rate of the last ten minutes
    stuck_share: Share = 0.5  # of the soft limit
    stuck_s: Annotated[int, Meta(ge=10, le=86_400)] = 900
    markout_bps: Annotated[float, Meta(gt=0, le=1_000)] = 5.0
    liquidation_distance: Annotated[float, Meta(gt=0, le=0.5)] = 0.05  # adverse move that equity must survive
    budget_left_share: Annotated[float, Meta(gt=0, lt=1)] = 0.2


class Signer(Section, frozen=True, kw_only=True):
    """The second, tiny limit set: refuses whatever a broken gate lets through."""

    max_order_usd: Usd
    max_position_usd: Usd
    max_deviation_bps: Annotated[float, Meta(gt=0, le=5_000)] = 500.0
    max_signatures_per_s: Annotated[float, Meta(gt=0, le=1_000)] = 50.0


class Canceller(Section, frozen=True, kw_only=True):
    firings_max: Count = 4  # in 10 minutes; the last of them latches
    account_read_ms: Annotated[int, Meta(ge=500)] = 2_000
    max_cancels_per_s: Annotated[int, Meta(ge=10, le=1_000)] = 80  # and at once; sweeps apart
    schedule_cancel: bool = True  # keep the venue's dead man's switch armed where it may be used
    schedule_horizon_ms: Annotated[int, Meta(ge=5_000)] = 20_000


class Budget(Section, frozen=True, kw_only=True):
    """IP weight a minute; the venue gives 1,200 to all processes of one address."""

    order_management: Count = 500
    risk: Count = 450
    canceller: Count = 150
    reserve: Count = 100


class Journal(Section, frozen=True, kw_only=True):
    sync: JournalSync = JournalSync.NORMAL


class CrashBudget(Section, frozen=True, kw_only=True):
    starts: Count = 3  # unclean ones; one more within the window comes up HALTED
    window_s: Count = 60
    throttle_max_s: Annotated[float, Meta(ge=0)] = 10.0


class Cpu(Section, frozen=True, kw_only=True):
    """Cores to pin to, by service; a service not named here runs anywhere."""

    affinity: dict[str, list[int]] = {}


class Tape(Section, frozen=True, kw_only=True):
    services: list[str] = []  # these write what they receive to HOME/tape


class Metrics(Section, frozen=True, kw_only=True):
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9464


class VenueSim(Section, frozen=True, kw_only=True):
    port: Annotated[int, Meta(ge=0, le=65_535)] = 3001
    seed: int = 1
    tape: str = ""
    tape_speed: Positive = 1.0
    fill_model: FillModel = FillModel.PESSIMISTIC  # of a tape (services/venue_sim/tape_book.py)
    block_ms: Annotated[int, Meta(ge=10, le=5_000)] = 70
    equity_usd: Positive = 100_000.0
    cadence: Annotated[str, Meta(pattern="^(2025|2026)$")] = "2025"  # protocol: l2Book 0.5 s, or 5 s / 0.54 s fast
    data_age_ms: tuple[int, int] = (0, 0)  # every public message is held back for a time drawn from here
    latency: Latency = Latency()  # on top of it, of everything in both directions
    trade_rate: Positive = 1.0  # multiplies the synthetic market's order flow
    # scheduleCancel needs so much traded volume; the venue asks for 1,000,000, 0 lets everyone
    schedule_cancel_volume_usd: Annotated[float, Meta(ge=0)] = 0.0
    partial_fill_rests: bool = True  # a Gtc that filled in part answers resting; false: filled
    price_band_percent: Annotated[int, Meta(ge=1, le=99)] = 95  # farther from mark is refused; some venue texts say 80
    abort_unknown: bool = True  # a subscription to an unknown coin breaks the connection; false: an error message
    scenario: str = ""  # a named market (services/venue_sim/scenarios.py); empty: the ordinary one
    open_interest_max_usd: Annotated[float, Meta(ge=0)] = 0.0  # of each coin; 0: no cap
    witness: Annotated[str, Meta(pattern="^(full|clients)$")] = "full"  # full: books can be rebuilt from the log
    witness_fsync: bool = False  # each block's lines reach the disk before anybody hears of the block
    funding_interval_ms: Annotated[int, Meta(ge=1_000)] = 3_600_000  # the venue: an hour
    faults: bool = False  # open the socket by which faults can be asked for


class Log(Section, frozen=True, kw_only=True):
    level: Annotated[str, Meta(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"


class Settings(Section, frozen=True, kw_only=True):
    profile: Profile
    venue: Venue
    coins: dict[str, Coin]
    risk: Risk
    signer: Signer
    monitors: Monitors = Monitors()
    liveness: Liveness = Liveness()
    orders: Orders = Orders()
    canceller: Canceller = Canceller()
    kill: Kill = Kill()
    estimation: Estimation = Estimation()
    strategy: Strategy = Strategy()
    leader: Leader | None = None
    budget: Budget = Budget()
    journal: Journal = Journal()
    drill: Drill = Drill()
    crash_budget: CrashBudget = CrashBudget()
    keys: Keys = Keys()
    cpu: Cpu = Cpu()
    mesh: Mesh = Mesh()
    tape: Tape = Tape()
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    venue_sim: VenueSim = VenueSim()
    log: Log = Log()

    def instrument(self, coin: str) -> Instrument:
        """Return what the wire needs to know of a configured coin; KeyError when it is not configured."""
        settings = self.coins[coin]
        return Instrument(
            coin=coin, asset=settings.asset, size_decimals=settings.size_decimals, leverage_max=settings.leverage
        )

    def instruments(self) -> dict[str, Instrument]:
        return {coin: self.instrument(coin) for coin in sorted(self.coins)}


def load(path: Path) -> Settings:
    """Read and check one file; ConfigFault names the file, the key's path and what is wrong."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigFault(f"{path}: cannot be read: {error.strerror}") from error
    return parse(text, str(path))


def parse(text: bytes, name: str) -> Settings:
    """Check the text of one file; `name` appears in errors."""
    try:
        settings = msgspec.toml.decode(text, type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{name}: {error}") from error
    for fault in (*_infinities(msgspec.to_builtins(settings), ""), *_contradictions(settings)):
        raise ConfigFault(f"{name}: {fault}")
    return settings


def _infinities(value: object, path: str) -> Iterator[str]:
    """TOML can say inf, and an infinite limit is none."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _infinities(part, f"{path}.{key}" if path else key)
    elif isinstance(value, float) and not isfinite(value):
        yield f"{path}: {value} is no number to trade with"


def _misdirected(settings: Settings) -> Iterator[str]:
    """Say where real money could be meant as play money, or the other way round."""
    venue, real = settings.venue, settings.profile is Profile.MAINNET
    if real is not (venue.network is Network.MAINNET):
        yield f"venue.network: {venue.network} is not the network of the {settings.profile} profile"
    for host, network in HOSTS.items():
        if venue.url.partition("://")[2].partition("/")[0].partition(":")[0] == host and network is not venue.network:
            yield f"venue.url: {venue.url} is the venue of the {network}, not of the {venue.network}"


def _unknown_services(settings: Settings) -> Iterator[str]:
    """A name that is mistyped here would change nothing, and nobody would hear of it."""
    named: dict[str, Iterable[str]] = {
        "cpu.affinity": settings.cpu.affinity,
        "mesh.tcp": settings.mesh.tcp,
        "tape.services": settings.tape.services,
    }
    for section, services in named.items():
        for service in services:
            if service not in MESH_SERVICES:
                yield f"{section}: there is no service {service}; one of {', '.join(MESH_SERVICES)}"


def _reversed(venue_sim: VenueSim) -> Iterator[str]:
    if venue_sim.data_age_ms[0] > venue_sim.data_age_ms[1] or venue_sim.data_age_ms[0] < 0:
        yield f"data_age_ms: {list(venue_sim.data_age_ms)} is no range; write [shortest, longest]"
    for way in ("to_venue", "to_client"):
        delay = getattr(venue_sim.latency, way)
        if isinstance(delay, UniformDelay) and delay.least_ms > delay.most_ms:
            yield f"latency.{way}: least_ms must not exceed most_ms"


def _contradictions(settings: Settings) -> list[str]:
    """Say what no single key's type can: values that contradict each other."""
    faults = []
    if not settings.coins:
        faults.append("coins: at least one coin is needed")
    weights = settings.budget
    total = weights.order_management + weights.risk + weights.canceller + weights.reserve
    if total > 1_200:
        faults.append(f"budget: the shares add up to {total}, the venue gives 1200 a minute; lower one of them")
    faults += [*_misdirected(settings), *_unknown_services(settings)]
    faults += [f"mesh.tcp.{fault}" for fault in settings.mesh.faults()]
    faults += [f"venue_sim.{fault}" for fault in _reversed(settings.venue_sim)]
    faults += [f"alerts.{fault}" for fault in settings.alerts.faults()]
    if settings.canceller.schedule_horizon_ms >= 86_400_000:
        faults.append("canceller.schedule_horizon_ms: a horizon of a day or more protects nothing")
    if settings.kill.slippage_bps > settings.signer.max_deviation_bps:
        faults.append("kill.slippage_bps: exceeds signer.max_deviation_bps, which would refuse the flatten")
    if settings.canceller.max_cancels_per_s < settings.risk.max_open_orders:
        faults.append("canceller.max_cancels_per_s: below risk.max_open_orders: one pull would not fit into a second")
    assets = Counter(limits.asset for limits in settings.coins.values())
    faults += [f"coins: two of them are asset {asset}; each coin has its own" for asset in assets if assets[asset] > 1]
    for coin, limits in settings.coins.items():
        if limits.order_usd < 10:
            faults.append(f"coins.{coin}.order_usd: {limits.order_usd} is below the venue's minimum of 10 USD")
        if not limits.order_usd <= limits.max_order_usd <= limits.max_position_usd:
            faults.append(f"coins.{coin}: order_usd <= max_order_usd <= max_position_usd must hold")
        if limits.max_order_usd > settings.signer.max_order_usd:
            faults.append(f"coins.{coin}.max_order_usd: exceeds signer.max_order_usd {settings.signer.max_order_usd}")
        if limits.max_position_usd > settings.signer.max_position_usd:
            faults.append(f"coins.{coin}.max_position_usd: exceeds signer.max_position_usd")
    if settings.risk.max_hourly_loss_usd > settings.risk.max_daily_loss_usd:
        faults.append("risk.max_hourly_loss_usd: must not exceed max_daily_loss_usd, which would always come first")
    if settings.estimation.arrival_from_bps >= settings.estimation.arrival_to_bps:
        faults.append("estimation.arrival_from_bps: must be below arrival_to_bps: between them depths are told apart")
    orders_at_limit = {coin: limits.max_position_usd / limits.order_usd for coin, limits in settings.coins.items()}
    faults += [f"strategy.{fault}" for fault in settings.strategy.faults(orders_at_limit)]
    if settings.leader is not None:
        local = settings.profile is Profile.SIM
        faults += [f"leader.{fault}" for fault in settings.leader.faults(settings.coins, local=local)]
    unit_ms = settings.liveness.unit_ms
    if settings.liveness.order_management_silence > settings.liveness.risk_silence:
        faults.append("liveness: order_management_silence must not exceed risk_silence: each acts before the next")
    if settings.liveness.risk_silence > settings.liveness.canceller_silence:
        faults.append("liveness: risk_silence must not exceed canceller_silence: each acts before the next")
    if unit_ms * settings.liveness.recovery < 5_000:
        faults.append("liveness.recovery: a restart takes about 2 s; less than 5 s would kill on every crash")
    return faults
