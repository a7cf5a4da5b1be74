"""The whole mesh on a virtual clock: it trades, survives storms and crashes, and halts for good.

A failing seed is repeated by `WholeMesh(seed)`; everything that happens follows from it.
"""

from decimal import Decimal

import pytest

from common.messages import DecisionRecord, FindingRecord, HaltFile, LedgerCheck, Position, ServiceState
from common.simulation.network import Weather
from common.units import MILLISECOND, SECOND, Lots, Nanos, Ticks
from services.replay.seating import ORDER
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

FROZEN_S = 20  # less than the recovery time, after which risk halts for good; its own pause counts for nobody's
RISK_FROZEN_S = 40
SETTLE_S = (
    40  # a recovery: last expiry and margin, two empty lists, fills, account, posture's hold-off, a cold estimator
)
IN_FLIGHT_MAX = Nanos(SECOND)  # a fill of this very moment is not known to us yet


def positions_of(mesh: WholeMesh) -> dict[str, Decimal]:
    """Return what order_management last said it holds, in coin, of the coins that the venue ever filled."""
    said = {message.coin: message for _, _, message in mesh.simulation.published if isinstance(message, Position)}
    return {coin: SETTINGS.instrument(coin).size(said[coin].lots) for coin in mesh.judge.positions()}


def check_truth(mesh: WholeMesh) -> None:
    """Positions equal the venue's, no cloid was accepted twice, nothing was placed without a recorded approval."""
    until = mesh.simulation.now + IN_FLIGHT_MAX
    while positions_of(mesh) != mesh.judge.positions() and mesh.simulation.now < until:
        mesh.run_for(0.1)
    assert positions_of(mesh) == mesh.judge.positions()
    assert mesh.judge.duplicates() == []
    decisions = [row for row in mesh.simulation.seats["risk"].records if isinstance(row, DecisionRecord)]
    approved = {order.cloid for row in decisions for order in row.orders}
    assert {order.cloid for order in mesh.judge.orders()} <= approved


def check_ready(mesh: WholeMesh) -> None:
    assert mesh.simulation.halt == []
    assert {name: seat.actor.state for name, seat in mesh.simulation.seats.items() if seat.actor} == dict.fromkeys(
        sorted(ORDER), ServiceState.READY
    ), mesh.states()


def test_it_trades_on_both_sides() -> None:
    """If this fails, nothing that the processes do is worth a look."""
    mesh = WholeMesh(1).run_for(90)
    check_ready(mesh)
    assert {fill.side for fill in mesh.judge.fills()} == {"A", "B"}
    assert {order.coin for order in mesh.judge.resting().values()} == {"BTC", "ETH"}
    check_truth(mesh)


def test_equal_seeds_give_equal_histories() -> None:
    """A failure that cannot be repeated cannot be mended."""
    first, second = WholeMesh(7).run_for(30), WholeMesh(7).run_for(30)
    assert first.venue.lines == second.venue.lines
    assert first.simulation.published == second.simulation.published


@pytest.mark.parametrize("deaths", [1, 3])
@pytest.mark.parametrize("victim", ORDER)
def test_each_one_may_die_at_any_time(victim: str, deaths: int) -> None:
    """After each crash and restart the mesh quotes again with the venue's positions."""
    mesh = WholeMesh(11).run_for(30)
    for _ in range(deaths):
        mesh.simulation.crash(victim)
        mesh.run_for(2)
        mesh.simulation.start(victim)
        mesh.run_for(SETTLE_S)
    check_ready(mesh)
    assert mesh.judge.resting()
    check_truth(mesh)


@pytest.mark.parametrize("silent", ["risk", "order_management", "strategy", "market_data", "estimation"])
def test_the_frozen_one_leaves_no_quotes(silent: str) -> None:
    """Whoever stops working, what rests is gone within the silence limits plus the venue's answer."""
    mesh = WholeMesh(13).run_for(30)
    assert mesh.judge.resting()
    limit_s = SETTINGS.liveness.unit_ms * (SETTINGS.liveness.canceller_silence + 1) / 1_000 + 1
    frozen_s = RISK_FROZEN_S if silent == "risk" else FROZEN_S
    mesh.simulation.freeze(silent, Nanos(mesh.simulation.now + frozen_s * SECOND))
    mesh.run_for(limit_s)
    assert mesh.judge.resting() == {}
    mesh.run_for(5)
    assert mesh.judge.resting() == {}
    mesh.run_for(frozen_s + SETTLE_S)
    check_ready(mesh)
    check_truth(mesh)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.truth) for seed in range(1, 8))])
def test_a_storm(seed: int) -> None:
    """Lost facts and answers, repeats, delays, dropped sockets, crashes: no order is lost or doubled."""
    weather = Weather(delay_max=Nanos(200 * MILLISECOND), loss=0.05, repeat=0.05)
    mesh = WholeMesh(seed, weather=weather).run_for(15)
    mesh.venue.lost_answers = 0.05
    for _ in range(12):
        event = mesh.chance.randrange(3)
        victim = mesh.chance.choice(ORDER)
        if event == 0:
            mesh.simulation.crash(victim)
            mesh.run_for(mesh.chance.uniform(0.1, 3))
            mesh.simulation.start(victim)
        elif event == 1:
            mesh.venue.drop(mesh.chance.choice(("risk", "order_management", "market_data")), mesh.simulation.now)
        else:
            mesh.simulation.freeze(victim, Nanos(mesh.simulation.now + mesh.chance.randint(0, 5) * SECOND))
        mesh.run_for(mesh.chance.uniform(0.5, 12))
    mesh.venue.lost_answers = 0.0
    mesh.simulation.network.weather = Weather()
    mesh.run_for(2 * SETTLE_S)
    check_truth(mesh)
    assert all(file.cause == "canceller fired too often" for file in mesh.simulation.halt), mesh.simulation.halt


def test_a_halt_is_contained_and_survives_every_restart() -> None:
    """After the latch nothing is placed, and no restart of anything changes that."""
    mesh = WholeMesh(17).run_for(30)
    assert mesh.judge.resting()
    mesh.simulation.halt.append(HaltFile(name="0000", cause="operator"))
    mesh.run_for(6)
    mark = mesh.judge.seq
    assert mesh.judge.resting() == {}
    for name in ORDER:
        mesh.simulation.crash(name)
        mesh.simulation.start(name)
        mesh.run_for(5)
    mesh.run_for(SETTLE_S)
    assert mesh.judge.placing(after=mark) == []
    assert mesh.judge.resting() == {}


@pytest.mark.parametrize("everything", [False, True])
def test_orders_of_others_go_only_when_a_person_asks_for_everything(everything: bool) -> None:
    """A plain halt leaves them alone; with everything they go by oid, after the canceller's restart too."""
    mesh = WholeMesh(19).run_for(30)
    ours = set(mesh.judge.resting())
    mesh.place_foreign("BTC", Ticks(500_000), Lots(1_000))
    mesh.run_for(1)
    (foreign,) = {oid for oid, order in mesh.judge.resting().items() if order.cloid is None}
    assert ours
    mesh.simulation.halt.append(HaltFile(name="0000", cause="operator", everything=everything))
    mesh.simulation.crash("canceller")
    mesh.simulation.start("canceller")
    mesh.run_for(6)
    assert set(mesh.judge.resting()) == (set() if everything else {foreign})


@pytest.mark.parametrize(("requests_left", "placing_max"), [(10_000, 1_000), (3_400, 20), (3_010, 0)])
def test_few_requests_left_slow_quotes_and_spare_cancels(requests_left: int, placing_max: int) -> None:
    """The fewer are left, the longer what rests stays; the last ones belong to cancels, and they pass."""
    mesh = WholeMesh(23, start=False)
    mesh.spend_requests(10_000 - requests_left)
    mesh.start().run_for(20)
    mark = mesh.judge.seq
    assert mesh.judge.resting()
    mesh.run_for(30)  # less than a minute from the start: risk has not read yet what our fills have earned
    placed = len(mesh.judge.placing(after=mark))
    assert placed <= placing_max
    assert placed > 40 or requests_left < 10_000, "without a shortage it requotes more than once a second"
    mesh.simulation.halt.append(HaltFile(name="0000", cause="operator"))
    mesh.run_for(6)
    assert mesh.judge.resting() == {}
    assert not mesh.refused("Too many cumulative requests")


@pytest.mark.truth
def test_what_happened_while_nobody_ran_is_explained() -> None:
    """A deposit between two processes: the second compares with the last state that the first one knew."""
    mesh = WholeMesh(29).run_for(20)
    mesh.simulation.crash("order_management")
    mesh.run_for(1)
    mesh.deposit_usd(250)
    mesh.simulation.start("order_management")
    mesh.run_for(25)
    said = [message for _, _, message in mesh.simulation.published if isinstance(message, LedgerCheck)]
    assert said[-1].since_ms == said[0].since_ms
    assert said[-1].transfers == 250
    assert abs(said[-1].residual) <= Decimal("0.000001")


def test_a_deposit_is_explained() -> None:
    """Equity moves by it, the books say so within the next reads, and there is nothing to find."""
    mesh = WholeMesh(29).run_for(12)
    mesh.deposit_usd(250)
    mesh.run_for(18)
    said = [message for _, _, message in mesh.simulation.published if isinstance(message, LedgerCheck)][-1]
    assert said.transfers == 250
    assert abs(said.residual) <= Decimal("0.000001")
    rows = mesh.simulation.seats["order_management"].records
    assert [row for row in rows if isinstance(row, FindingRecord)] == []
    assert mesh.judge.fills()
