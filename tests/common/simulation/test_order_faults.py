"""Orders under the venue's faults in the whole mesh, on a virtual clock: the venue's log judges.

The same faults strike real processes in tests/mesh/test_order_faults.py.

Rules
  1. No cloid is accepted twice, and no order of ours rests for 10 s without order_management naming it.
  2. When the fault is over, order_management, risk and the venue have the same positions, and the same fills as sets.
"""

from collections.abc import Callable
from decimal import Decimal
from math import inf

import pytest
from msgspec.structs import replace

from common import config
from common.messages import AddressBudget, Exposure, FillRecord, LiveOrders, Message, Position, QuoteTarget
from common.units import MILLISECOND, SECOND, Millis, Side
from common.witness_check import check
from services.order_management.requote import EXPOSED
from services.replay.venue_link import EPOCH_MS
from services.venue_sim.faulty_venue import FaultyVenue
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh
from tests.mesh.judge import Orphans

pytestmark = pytest.mark.truth

SETTLED_S = 30  # from the start until both coins are quoted on both sides
ORPHAN_MS_MAX = 10_000
FAST_S_MAX = 300
KILLS = 12
LEFT = 4_000  # of the requests that the venue lets us send: between two requotes are seven seconds then
PATIENCE_S = 40  # until all is equal again: the longest hold and a recovery
# what many requotes and many faults would set off, and what is not on trial here
PATIENT = replace(
    SETTINGS.monitors, troubles_max=10_000, flickers_max=100_000, fills_max=10_000, round_trips_max=10_000
)
PLAIN = replace(SETTINGS, monitors=PATIENT)
FAST = replace(
    PLAIN,
    orders=replace(SETTINGS.orders, price_tolerance=0.01, queue_tolerance=0.01),
    strategy=replace(SETTINGS.strategy, levels=5),
    venue_sim=replace(SETTINGS.venue_sim, trade_rate=3.0),
)


class Trial:
    """One mesh that quotes, looked at once a second."""

    def __init__(self, settings: config.Settings, seed: int) -> None:
        self.mesh = WholeMesh(seed, settings=settings)
        self.orphans = Orphans(self.mesh.judge)
        self.run_for(SETTLED_S)
        self.run_until(self.quotes, "no quotes")

    def run_for(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.mesh.run_for(1)
            self.orphans.look(self._named())
        self.mesh.run_for(seconds % 1)

    def run_until(self, condition: Callable[[], bool], what: str) -> None:
        for _ in range(PATIENCE_S):
            if condition():
                return
            self.run_for(1)
        raise AssertionError(f"{what}: {self.mesh.states()}")

    def fault(self, name: str, **parameters: object) -> None:
        self.mesh.venue.fault(name, self.mesh.simulation.now, **parameters)

    def end_faults(self) -> None:
        if isinstance(self.mesh.venue.venue, FaultyVenue):
            self.mesh.venue.clear_faults(self.mesh.simulation.now)

    def struck(self) -> int:
        """Return how often faults struck that are armed."""
        venue = self.mesh.venue.venue
        assert isinstance(venue, FaultyVenue)
        return sum(each.struck for each in venue.armed(Millis(EPOCH_MS + self.mesh.simulation.now // MILLISECOND)))

    def last(self, kind: type[Message], coin: str) -> Message:
        return next(
            said for _, _, said in reversed(self.mesh.simulation.published) if isinstance(said, kind)
            and getattr(said, "coin", coin) == coin
        )  # fmt: skip

    def quotes(self) -> bool:
        """Say whether something rests in every coin; one side may be at its limit."""
        return {order.coin for order in self.mesh.judge.resting().values()} == set(SETTINGS.coins)

    def exposed(self) -> set[int]:
        """Return the oids that rest nearer to fair than the innermost wanted order of their side should, by far."""
        found = set()
        for oid, order in self.mesh.judge.resting().items():
            target = self.last(QuoteTarget, order.coin)
            assert isinstance(target, QuoteTarget)
            side = Side.BUY if order.side == "B" else Side.SELL
            levels = target.bids if side is Side.BUY else target.asks
            wanted = min((abs(level.ticks - target.fair_ticks) for level in levels), default=inf)
            ticks = SETTINGS.instrument(order.coin).ticks(Decimal(order.px))
            if (target.fair_ticks - ticks) * side.sign < EXPOSED * wanted:
                found.add(oid)
        return found

    def accepted(self) -> int:
        return len({order.oid for order in self.mesh.judge.orders()})

    def check(self) -> None:
        """Both rules, and that quoting is back."""
        self.end_faults()
        self.run_until(lambda: self.quotes() and self._agrees(), "not settled")
        assert self.mesh.simulation.halt == []
        assert self.mesh.judge.duplicates() == []
        assert self.orphans.longest_ms <= ORPHAN_MS_MAX
        report = check(self.mesh.venue.lines)
        assert report.ok, report.findings[:3]

    # --- parts -------------------------------------------------------------------------------------

    def _named(self) -> set[str]:
        if self.mesh.simulation.seats["order_management"].actor is None:
            return set()
        named: set[str] = set()
        for coin in SETTINGS.coins:
            said = self.last(LiveOrders, coin)
            assert isinstance(said, LiveOrders)
            named |= {order.cloid for order in said.orders}
        return named

    def _agrees(self) -> bool:
        fills = {(fill.coin, fill.tid) for fill in self.mesh.judge.fills()}
        rows = [
            row.fill for row in self.mesh.simulation.seats["order_management"].records if isinstance(row, FillRecord)
        ]
        assert len({(fill.coin, fill.tid) for fill in rows}) == len(rows), "a fill is counted twice"
        if {(fill.coin, fill.tid) for fill in rows} != fills:
            return False
        held = self.mesh.judge.positions()
        for coin in held:
            ours, risks = self.last(Position, coin), self.last(Exposure, coin)
            assert isinstance(ours, Position)
            assert isinstance(risks, Exposure)
            size = SETTINGS.instrument(coin).size
            if not (size(ours.lots) == size(risks.position) == held[coin] and ours.proven):
                return False
        return True


@pytest.fixture(scope="module")
def plain() -> Trial:
    """Give one mesh for all tests that need no speed; each leaves it quoting."""
    return Trial(PLAIN, 32)


def test_lost_acks() -> None:
    """5 % of the answers to orders never come, over 2,000 orders and until 50 are lost."""
    trial = Trial(FAST, 31)
    for action in ("order", "modify", "cancel"):
        trial.fault("lose_ack", share=0.05, action=action)
    before = trial.accepted()
    while trial.accepted() < before + 2_000 or trial.struck() < 50:
        trial.run_for(5)
        assert trial.mesh.simulation.now < FAST_S_MAX * SECOND, trial.mesh.states()
    trial.check()


def test_silent_user_stream(plain: Trial) -> None:
    """Posts are answered, and order_management's streams say nothing: pulled eight units after the first new order."""
    mesh = plain.mesh
    mark = mesh.judge.seq
    plain.fault("freeze_stream", connection=mesh.venue._current["order_management"])
    plain.run_until(lambda: mesh.judge.resting() == {}, "not pulled")
    unit_ms = PLAIN.liveness.unit_ms
    later = mesh.judge.orders(after=mark)
    first = next(order for order in later if order.status == "open")
    assert later[-1].t - first.t <= 8 * unit_ms
    plain.check()


def test_dropped_sockets(plain: Trial) -> None:
    """All sockets of the account are aborted every 5 s for 30 s."""
    for _ in range(6):
        plain.fault("drop_socket")
        plain.run_for(5)
    plain.check()


def test_replayed_duplicated_and_reordered_messages(plain: Trial) -> None:
    """Old fills are told as if they were new; every message twice, and they overtake each other."""
    plain.fault("duplicate_messages", channel="userFills", after_ms=300)
    plain.fault("duplicate_messages", channel="orderUpdates", after_ms=300)
    plain.fault("reorder_messages", channel="userFills", window_ms=1_000)
    plain.fault("reorder_messages", channel="orderUpdates", window_ms=1_000)
    for _ in range(6):
        plain.run_for(5)
        plain.fault("replay_fills", fills=50)
    assert plain.struck() >= 100
    plain.check()


def test_failing_cancels(plain: Trial) -> None:
    """No cancel succeeds for 30 s: what rests goes on counting, nothing is placed on top of it, then it goes."""
    plain.fault("failed_cancels")
    for _ in range(30):
        plain.run_for(1)
        resting = plain.mesh.judge.resting().values()
        for coin in SETTINGS.coins:
            for side in "AB":
                rests = [order for order in resting if (order.coin, order.side) == (coin, side)]
                assert len(rests) <= PLAIN.strategy.levels
    assert plain.struck() >= 10
    plain.check()


def test_fill_before_ack(plain: Trial) -> None:
    """The answer to an order waits until we have heard of a fill of it."""
    plain.fault("fill_before_ack", delay_ms=2_000)
    plain.run_for(30)
    assert plain.struck() >= 1
    plain.check()


def test_a_pause_exposes_nothing() -> None:
    """With few requests left requotes pause for seconds; what the market comes to meet is cancelled all the same."""
    trial = Trial(replace(PLAIN, venue_sim=replace(PLAIN.venue_sim, scenario="volatile")), 34)
    exposed: set[int] = set()
    times = 0
    while trial.mesh.simulation.now < 150 * SECOND:
        trial.mesh.leave_requests(LEFT)
        trial.mesh.run_for(0.5)
        said = trial.last(AddressBudget, "")
        assert isinstance(said, AddressBudget)
        if said.cap - said.used > LEFT:  # risk reads it once a minute
            continue
        before, exposed = exposed, trial.exposed()
        assert not before & exposed, trial.mesh.states()
        times += len(exposed)
    assert times >= 1
    trial.check()


def test_killed_again_and_again() -> None:
    """`kill -9` of order_management at random moments of quoting and of its own recovery."""
    trial = Trial(PLAIN, 33)
    for kill in range(KILLS):
        trial.mesh.simulation.crash("order_management")
        trial.run_for(0.5)
        trial.mesh.simulation.start("order_management")
        trial.run_for(trial.mesh.chance.uniform(0.1, 4.0) if kill % 2 else 12)
    trial.check()
