"""Puts a venue together: universe, market, accounts of a home, or what a former process left. Pure.

Rules
  1. The account of a home is funded and its agents are approved before anybody can connect.
  2. A venue that comes back goes on from its last oracle prices, with other random numbers than at its first start;
     a recording begins anew.
"""

from random import Random

import msgspec

from common import config
from common.config import FillModel, Network
from common.delays import Latency, UniformDelay
from common.errors import ConfigFault
from common.keys import PublicKeys
from common.units import MICROS_PER_USD, Micros, Millis
from services.venue_sim import durable, scenarios, universe
from services.venue_sim.core import Exchange
from services.venue_sim.durable import Saved
from services.venue_sim.rules import HOUR_MS, CoinRules, ExchangeConfig
from services.venue_sim.synthetic import SyntheticMarket
from services.venue_sim.venue import Market, Settings, Venue


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue is made from."""

    coins: tuple[CoinRules, ...]
    seed: int
    block_ms: int = 70
    equity: Micros = Micros(100_000 * MICROS_PER_USD)
    network: Network = Network.TESTNET
    cadence: str = "2025"
    data_age_ms: tuple[int, int] = (0, 0)
    latency: Latency = Latency()
    trade_rate: float = 1.0
    schedule_cancel_volume: Micros = Micros(0)
    partial_fill_rests: bool = True
    price_band_percent: int = 95
    abort_unknown: bool = True
    fill_model: FillModel = FillModel.PESSIMISTIC
    scenario: str = ""  # one of scenarios.NAMES; empty: the ordinary market
    quotes_noted: bool = True  # the market's own orders are in the witness log
    witness_fsync: bool = False
    open_interest_max: Micros = Micros(0)
    funding_interval_ms: int = HOUR_MS
    faults: bool = False  # there is a socket by which they can be asked for
    account: str = ""
    agents: dict[str, str] = {}  # name -> address


def plan_of(settings: config.Settings | None = None, public: PublicKeys | None = None, *, seed: int) -> Plan:
    """Return the plan of a configuration, or that of a venue for anybody."""
    if settings is None or public is None:
        return Plan(coins=universe.coins({}), seed=seed)
    sim = settings.venue_sim
    return Plan(
        coins=universe.coins(settings.coins),
        seed=seed,
        block_ms=sim.block_ms,
        equity=Micros(round(sim.equity_usd * MICROS_PER_USD)),
        network=settings.venue.network,
        cadence=sim.cadence,
        data_age_ms=sim.data_age_ms,
        latency=sim.latency,
        trade_rate=sim.trade_rate,
        schedule_cancel_volume=Micros(round(sim.schedule_cancel_volume_usd * MICROS_PER_USD)),
        partial_fill_rests=sim.partial_fill_rests,
        price_band_percent=sim.price_band_percent,
        abort_unknown=sim.abort_unknown,
        scenario=sim.scenario,
        fill_model=sim.fill_model,
        quotes_noted=sim.witness == "full",
        witness_fsync=sim.witness_fsync,
        open_interest_max=Micros(round(sim.open_interest_max_usd * MICROS_PER_USD)),
        funding_interval_ms=sim.funding_interval_ms,
        faults=sim.faults,
        account=public.account.lower(),
        agents={name: address.lower() for name, address in public.agents.items()},
    )


def assemble(
    plan: Plan, now: Millis, saved: Saved | None, *, last_sequence: int, recording: Market | None = None
) -> Venue:
    """Return a venue that is ready for its first block; `now` is venue time.

    `recording` plays the coins whose rules say external; without it a synthetic market trades in all of them.
    ConfigFault when there is no such scenario.
    """
    seed = str(plan.seed)
    if saved is not None:
        state = durable.venue_state(saved)
        now = max(now, state.now_ms)
        seed = f"{plan.seed}/{state.block}"
    internal: tuple[str, ...] = ()
    if recording is not None and plan.scenario:
        raise ConfigFault("a recording and a scenario exclude each other; remove venue_sim.tape or venue_sim.scenario")
    if recording is None:
        instruments = tuple(coin.instrument for coin in plan.coins)
        chance, scenario = Random(seed), scenarios.find(plan.scenario)
        synthetic = SyntheticMarket(instruments, trade_rate=plan.trade_rate, chance=chance, scenario=scenario)
        internal = synthetic.internal
    settings = ExchangeConfig(
        coins=plan.coins,
        internal=internal,
        equity=plan.equity,
        schedule_cancel_volume=plan.schedule_cancel_volume,
        partial_fill_rests=plan.partial_fill_rests,
        price_band_percent=plan.price_band_percent,
        fill_model=plan.fill_model,
        quotes_noted=plan.quotes_noted,
        open_interest_max=plan.open_interest_max,
        funding_interval_ms=plan.funding_interval_ms,
    )
    exchange = Exchange(settings, now)
    if saved is not None:
        durable.restore(exchange, saved)
    manners = Settings(
        network=plan.network,
        cadence=plan.cadence,
        data_age=UniformDelay(least_ms=plan.data_age_ms[0], most_ms=plan.data_age_ms[1]),
        abort_unknown=plan.abort_unknown,
        seed=plan.seed,
        block_ms=plan.block_ms,
    )
    venue = Venue(manners, settings, exchange, recording or synthetic, last_sequence)
    venue.start(now, restored=saved is not None)
    _admit_home(exchange, plan, now)  # its deposit belongs to the first block
    return venue


def _admit_home(exchange: Exchange, plan: Plan, now: Millis) -> None:
    """Fund the home's account and approve its agents (rule 1)."""
    if not plan.account:
        return
    exchange.sight(plan.account)
    for name, agent in sorted(plan.agents.items()):
        # Refused where it was revoked before the restart: then it stays so.
        exchange.floor.agents.approve(plan.account, agent, name, now, is_account=False)
