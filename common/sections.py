"""Bounded numbers of the configuration, and some of its sections; common/config.py reads them."""

from collections.abc import Container, Iterator, Mapping
from math import floor
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Usd: TypeAlias = Annotated[float, Meta(gt=0, le=100_000_000)]  # a limit beyond that is none
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


PORT: Final = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
BUILT_IN_MODELS: Final = ("glft", "avellaneda_stoikov", "symmetric")  # services/strategy/models
SOLVING_MODELS: Final = BUILT_IN_MODELS[:2]  # which solve their risk aversion from full_inventory_shift


class Alerts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where metrics tells what a person must hear of at once."""

    file: str = "logs/alerts.jsonl"  # relative to the home
    # of this machine; "" means none
    webhook: Annotated[str, Meta(pattern=rf"^(http://(127\.0\.0\.1|localhost)(:{PORT})?(/.*)?)?$")] = ""
    # an absolute path and its words; each alert is a JSON line on its stdin, no shell is asked
    command: tuple[Annotated[str, Meta(pattern=r"^[^\x00]+$")], ...] = ()
    repeat_s: Annotated[int, Meta(ge=1, le=86_400)] = 300  # the same alert again within it is merged

    def faults(self) -> Iterator[str]:
        """Say what could never be told."""
        if self.command and not self.command[0].startswith("/"):
            yield f"command: {self.command[0]!r} is no absolute path of a program"


class Passphrase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of both: a file of mode 0600 in another directory than the keystore's, or a person at `mm up`."""

    file: str = ""
    prompt: bool = False

    def __post_init__(self) -> None:
        if bool(self.file) is self.prompt:
            raise ValueError("either {file = PATH} or {prompt = true}")


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keystore: str = ""
    passphrase: Passphrase | None = None

    @property
    def prompted(self) -> bool:
        return self.passphrase is not None and self.passphrase.prompt


class Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each key lies; empty means HOME/keys, made by `mm keys init`."""

    risk: Key = Key()
    canceller: Key = Key()
    operator: Key = Key()


class Kill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows a contained halt."""

    flatten: bool = False  # sell what is held: reduce-only, immediate or cancel
    slippage_bps: Annotated[float, Meta(gt=0, le=500)] = 50.0  # of the last try; the earlier ones go a part of it
    retries: Annotated[int, Meta(ge=0, le=20)] = 5


class Estimation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    half_life_s: Positive = 60.0  # of volatility
    fast_half_life_s: Positive = 10.0
    slow_half_life_s: Positive = 300.0
    sigma_prior_per_sqrt_s: Positive = 0.0001
    microprice_tilt: Annotated[float, Meta(ge=0, le=1)] = 0.5  # share of the half-spread at most
    warm_up_ms: Annotated[int, Meta(ge=0)] = 15_000
    variance_window_s: Annotated[float, Meta(ge=2)] = 10.0  # of realised variance, for the process that drives it
    variance_half_life_s: Positive = 7_200.0
    arrival_from_bps: Positive = 0.5  # depths at which we quote: market orders are counted from here
    arrival_to_bps: Positive = 3.0  # and told apart up to here
    arrival_half_life_s: Positive = 600.0
    arrival_k_prior_per_bps: Positive = 1.3
    arrival_a_prior_per_s: Positive = 0.2
    vpin_bucket_usd: Positive = 100_000.0
    momentum_threshold: Positive = 5.0  # sigmas of a move within 0.5 or 1 s from which the quotes in its way are pulled
    cascade_pull_severity: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    markout_half_life_s: Positive = 3_600.0


class Strategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    model: Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_.]*$")] = "glft"  # services/strategy/models
    parameters: dict[str, float] = {}  # of a model that is not built in
    full_inventory_shift: Positive = 1.0  # half-spreads of the model that quotes move at the position limit
    horizon_s: Positive = 1.0  # avellaneda_stoikov and symmetric
    half_spread_bps: Positive = 3.0  # symmetric alone, as the next
    volatility_multiple: Annotated[float, Meta(ge=0)] = 1.0  # sigma over horizon_s, added to the half-spread
    # the ladder
    levels: Annotated[int, Meta(ge=1, le=10)] = 3
    level_ratio: Annotated[float, Meta(gt=1, le=10)] = 1.5  # of each level's distance to the one before it
    # premia, added to the model's half-spread, and the bounds of the sum
    maker_fee_bps: Annotated[float, Meta(ge=-10, le=100)] = 1.5
    markout_horizon_s: Literal[1, 5, 30, 60] = 5
    latency_ms: Annotated[float, Meta(ge=0, le=10_000)] = 200.0  # from a move of the market to our answer at the venue
    jump_multiple: Annotated[float, Meta(ge=0, le=10)] = 1.0  # of the volatility that jumps add, over a second
    vpin_premium_bps: Annotated[float, Meta(ge=0, le=100)] = 1.0  # when all flow is one-sided
    cold_premium_bps: Annotated[float, Meta(ge=0)] = 2.0
    widen_premium_bps: Annotated[float, Meta(ge=0)] = 5.0
    half_spread_min_bps: Positive = 1.0
    half_spread_max_bps: Positive = 50.0  # never below what fees, fills, latency and jumps cost
    # what moves both sides besides inventory
    flow_tilt_bps: Annotated[float, Meta(ge=0, le=10)] = 0.2  # with the order flow, at most
    funding_hold_s: Annotated[float, Meta(ge=0, le=86_400)] = 600.0  # how long a position is held, for its funding
    # guards
    cascade_guard: bool = True  # shrink and pull what a liquidation cascade would run over
    sweep_fills: Annotated[int, Meta(ge=2, le=100)] = 5  # of one side within 2 s
    sweep_recovery_s: Positive = 120.0

    def faults(self, orders_at_limit: Mapping[str, float]) -> Iterator[str]:
        """Say what cannot be quoted with; orders_at_limit is max_position_usd / order_usd by coin."""
        if self.half_spread_min_bps > self.half_spread_max_bps:
            yield "half_spread_min_bps: must not exceed half_spread_max_bps"
        if self.model in BUILT_IN_MODELS and self.parameters:
            yield f"parameters: {self.model} has none of its own, so {', '.join(self.parameters)} would change nothing"
        for coin, orders in orders_at_limit.items() if self.model in SOLVING_MODELS else ():
            largest = largest_shift(orders)
            if self.full_inventory_shift > largest:
                yield (
                    f"full_inventory_shift: {self.full_inventory_shift} has no solution where coins.{coin} holds "
                    f"{orders:g} orders at its limit; {largest:g} is the largest legal value"
                )


def largest_shift(orders_at_limit: float) -> float:
    """Return the most half-spreads by which quotes can move at the limit: less than two for each order that fits.

    However large the risk aversion, the inventory's part of a half-spread is half of what one order moves the quotes.
    """
    return floor(orders_at_limit * 2 * 999) / 1_000


class Leader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another venue whose prices run ahead of ours, as a bounded tilt of the fair price; no section, no tilt."""

    symbols: dict[str, Annotated[str, Meta(pattern="^[a-z0-9_]{1,32}$")]]  # coin -> its name there
    # Binance's market streams, without /stream: encrypted, or on this machine; "" is the local venue's own leader
    url: Annotated[str, Meta(pattern=r"^(wss://[^\s?#]+|ws://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s?#]*)?)?$")] = ""
    max_tilt_bps: Annotated[float, Meta(gt=0, le=20)] = 2.0
    weight: Share = 1.0  # of what the estimator believes of the leader's head start
    stale_ms: Annotated[int, Meta(ge=100, le=10_000)] = 1_500  # an older price tilts nothing
    half_life_s: Annotated[float, Meta(ge=10, le=3_600)] = 300.0  # of the distance between the venues, and of belief

    def faults(self, coins: Container[str], *, local: bool) -> Iterator[str]:
        """Say what cannot be followed; `local`: the venue is our own, which has a leader."""
        if not self.symbols:
            yield 'symbols: names no coin; write BTC = "btcusdt", or remove the section'
        for coin in self.symbols:
            if coin not in coins:
                yield f"symbols.{coin}: there is no [coins.{coin}]; remove one of the two"
        if len(set(self.symbols.values())) < len(self.symbols):
            yield "symbols: two coins have one name; a leader leads one coin"
        if not self.url and not local:
            yield "url: only the sim profile's venue has a leader of its own; write wss://fstream.binance.com"


class Drill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a passed drill of these limits is good for; the sim profile needs none."""

    max_age_days: Annotated[int, Meta(ge=1, le=90)] = 30


class Mesh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Services that are reached over tcp, each as "host:port"; all others use ipc. See common/wiring.py."""

    tcp: dict[str, str] = {}

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Return service -> host and port; ValueError where a text is not "host:port"."""
        parts = ((service, text.rpartition(":")) for service, text in sorted(self.tcp.items()))
        return {service: (host, int(port)) for service, (host, _, port) in parts}

    def faults(self) -> Iterator[str]:
        """Say which addresses are none, and which ports two services would take."""
        taken: dict[tuple[str, int], str] = {}
        for service, text in self.tcp.items():
            host, _, port = text.rpartition(":")
            if not host or not port.isdecimal() or not 1 <= int(port) < 65_535:
                yield f'{service}: {text!r} is no address; write "127.0.0.1:7001" (and leave the next port free)'
                continue
            for each in (int(port), int(port) + 1):
                if (other := taken.setdefault((host, each), service)) != service:
                    yield f"{service}: port {each} belongs to {other}; each takes the port it names and the next one"
