"""Every permutation of what can happen to orders, chosen by hypothesis; the venue's truth judges.

A rule is one event: an answer of risk, of the venue or of the canceller, with one thing that goes wrong or none;
a fill, a word of the streams, a lost one, a market move, a pull, a reconnect, a restart, or time.
"""

from collections import Counter
from typing import Any, ClassVar, Final

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from common.messages import OrderState, StreamDown, TransitionRecord
from common.units import Nanos
from tests.services.order_management.faults import Fault
from tests.services.order_management.model_venue import Body
from tests.services.order_management.parts import seconds
from tests.services.order_management.truth import unsettled
from tests.services.order_management.wires import Act, Waiting
from tests.services.order_management.world import STEPS_MS, World

STEPS: Final = 50
WHICH: Final = st.integers(0, 3)  # of what waits; nothing promises an order
RISK: Final = (None, None, None, Fault.RISK_SILENT)
VENUE: Final = (
    *(None, None, None, Fault.NEW_LEG_FIRST, Fault.REFUSED, Fault.ARRIVES_TWICE),
    *(Fault.POST_LATE, Fault.ANSWER_LOST),
)
VETOES: Final = st.sampled_from((0, 0, 0, 1, 2, 5, 255))
RACES: Final = st.sampled_from(("", "", "answer first", "old trades", "new trades"))
CANCELLER: Final = (None, None, None, Fault.CANCEL_LOST, Fault.CANCEL_FAILED, Fault.CANCEL_ANSWER_LOST)
HANDED_OVER: Final = (None, None, None, Fault.REQUEST_NOT_HANDED_OVER, Fault.POST_NOT_SENT)


class Scripted(World):
    """A world in which exactly one thing goes wrong at a time: the one that a rule names."""

    fault: Fault | None = None
    vetoed: int = 0  # one bit for each order of the next request

    def strikes(self, fault: Fault) -> bool:
        if fault is Fault.VETO:
            self.vetoed, vetoed = divmod(self.vetoed, 2)
            return self.faults and bool(vetoed)
        return self.faults and fault is self.fault

    def take(self, queue: Waiting, which: int, act: Act, fault: Fault | None = None) -> None:
        """Let one of what waits happen."""
        self.fault = fault
        item: Any = queue.pop(which % len(queue))
        act(*item) if isinstance(item, tuple) else act(item)
        self.fault = None

    def soon(self, for_s: float) -> None:
        """Nothing goes wrong for a while."""
        self.fault = None
        self._calm(Nanos(self.now + seconds(for_s)), lambda: unsettled(self.core, self.venue) == "")


class OrderMachine(RuleBasedStateMachine):
    """Starts while twelve orders rest, or before anything was heard of the venue."""

    seen: ClassVar[Counter[str]] = Counter()  # states recorded, over all sequences

    @initialize(quoted=st.sampled_from((True, True, True, False)), blows=st.integers(0, 3))
    def begin(self, quoted: bool, blows: int) -> None:
        self.world = Scripted(1)
        self.blows = blows  # of those that end all quoting for a while
        if quoted:
            self.world.recover(10)
            self.world.faults = True
        else:
            self.world.connect()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.recover()
            rows = [row for row in self.world.journal if isinstance(row, TransitionRecord)]
            self.seen.update(row.state.value for row in rows)
            self.seen.update(row.evidence.split(" 0x")[0] for row in rows if " replaced by" in f" {row.evidence}")

    @invariant()
    def covers_the_truth(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    # --- what waits is served: three rules of eight, or nothing would ever come to its end -----------------

    @rule(which=WHICH, asked=st.sampled_from(RISK), sent=st.sampled_from(VENUE), vetoed=VETOES, race=RACES)
    def risk_or_venue(self, which: int, asked: Fault | None, sent: Fault | None, vetoed: int, race: str) -> None:
        """Approval, partial and whole veto, silence; acknowledged, refused, delivered twice, late, answer lost."""
        world = self.world
        if world.posts and (race or not world.requests):
            self._venue_takes(which, sent, race)
        elif world.requests:
            world.vetoed = vetoed
            world.take(world.requests, which, world._answer_request, asked)
        else:
            self._pass(20)

    @rule(which=WHICH, lane=WHICH, cancel=st.sampled_from(CANCELLER), failed=st.booleans())
    def others_answer(self, which: int, lane: int, cancel: Fault | None, failed: bool) -> None:
        """Cancels succeed, fail, or are never heard of again; questions are answered late, out of order, or not."""
        world = self.world
        lanes: list[tuple[Waiting, Act, Fault | None]] = [
            (world.cancels, world._cancel, cancel),
            (world.asks, world._answer_query, Fault.QUERY_FAILED if failed and lane == 0 else None),
            (world.answers, world.send, None),
            (world.answers, world.send, None),
        ]
        waiting = [one for one in lanes if one[0]]
        if waiting:
            queue, act, fault = waiting[lane % len(waiting)]
            world.take(queue, which, act, fault)
        else:
            self._pass(60)

    @rule(fills=st.booleans(), twice=st.booleans(), lost=st.integers(0, 7))
    def streams_speak(self, fills: bool, twice: bool, lost: int) -> None:
        """A fill or an update comes, once or twice; or an update is lost, so that one leg of a modify comes alone."""
        world = self.world
        if lost == 0 and world.venue.updates:
            world.venue.updates.pop()
            return
        world.fault = Fault.TOLD_TWICE if twice else None
        if world.venue.fills_told and (fills or not world.venue.updates):
            world._tell_fill()
        elif world.venue.updates:
            world._tell_update()
        elif not world.connected:
            world.connect()
            world.soon(7)  # without it a sequence would end before quoting resumes
        else:
            self._pass(5)
        world.fault = None

    def _venue_takes(self, which: int, fault: Fault | None, race: str) -> None:
        """Take an action; the old order of a modify may trade just before it, a new order at once."""
        posts, venue = self.world.posts, self.world.venue
        body = msgspec.json.decode(posts[which % len(posts)][1], type=Body)
        if race == "old trades" and body.modifies and venue.rests(body.modifies[0].old_cloid):
            self._fill(body.modifies[0].old_cloid, 3)
        self.world.take(posts, which, self.world._arrive, fault)
        if race == "new trades" and body.new and venue.rests(body.new[0].cloid):
            self._fill(body.new[0].cloid, 1)
            while venue.fills_told:
                self.world._tell_fill()
        if race == "answer first" and self.world.answers:
            self.world.take(self.world.answers, -1, self.world.send)

    # --- the market and the house -----------------------------------------------------------------------

    @precondition(lambda self: self.world.venue.open())
    @rule(which=st.integers(0, 15), part=st.sampled_from((1, 3, 3, 0)), changing=st.booleans())
    def market_takes(self, which: int, part: int, changing: bool) -> None:
        """A full or a partial fill, or the venue's own cancel; of an order that is being changed where there is one."""
        orders = self.world.core._desk.store.open
        resting = self.world.venue.open()
        if changing:
            moving = [one for one in resting if one.order.cloid in orders and not orders[one.order.cloid].modifiable]
            resting = moving or resting
        order = resting[which % len(resting)]
        if part:
            self.world.venue.fill(order.oid, max(1, order.left // part))
        else:
            self.world.venue.end(order.oid, "marginCanceled")

    @rule(step=st.sampled_from((-1, 0, 0, 1)), fault=st.sampled_from(HANDED_OVER), prompt=st.booleans())
    def market_moves(self, step: int, fault: Fault | None, prompt: bool) -> None:
        """New targets: modifies, cancels and places are asked for; a message may not get out of the house."""
        self.world.shift += step
        self.world.wider ^= not step
        self.world.fault = fault
        self.world.signals()
        while prompt and self.world.requests:
            self.world.take(self.world.requests, 0, self.world._answer_request, fault)
        self.world.fault = None

    @precondition(lambda self: self.blows)
    @rule(kind=st.sampled_from(("drop", "pull", "kill", "stranger")), effects=st.integers(0, 8))
    def blow(self, kind: str, effects: int) -> None:
        """The stream drops, risk pulls, the process is killed at once or after some effects, a stranger places."""
        self.blows -= 1
        world = self.world
        if kind == "drop" and world.connected:
            world.connected = False
            world.send(StreamDown(connection=world.connection, reason="closed"))
        elif kind == "pull":
            world.quiet_risk = True
            world.signals()
        elif kind == "kill" and effects:
            world.crash_after = effects
        elif kind == "kill":
            world.restart()
        elif kind == "stranger":
            world._foreign()

    @rule(ms=st.sampled_from(STEPS_MS), healthy=st.sampled_from((True, True, True, False)))
    def time_passes(self, ms: int, healthy: bool) -> None:
        """Late bytes arrive, a pull ends."""
        self.world.quiet_risk = False
        self.world._ghost()
        self._pass(ms, healthy=healthy)

    @rule()
    def a_good_while(self) -> None:
        """Peers are prompt until all is equal, or for two seconds: what is quoted can be changed again."""
        self.world.quiet_risk = False
        self.world.soon(2)

    def _fill(self, cloid: str, part: int) -> None:
        oid = self.world.venue.by_cloid[cloid]
        self.world.venue.fill(oid, max(1, self.world.venue.orders[oid].left // part))

    def _pass(self, ms: int, *, healthy: bool = True) -> None:
        self.world.fault = None
        self.world.advance(ms, healthy=healthy)


def run(sequences: int, number: int) -> None:
    """Run so many of them; the same `number` gives the same ones."""
    chosen = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(OrderMachine), settings=chosen)


def test_any_sequence_of_events() -> None:
    """Twice 250 sequences of 50 events; every state that is recorded occurs, and both ends of a modify."""
    OrderMachine.seen.clear()
    for number in range(2):
        run(250, number)
    unrecorded = {OrderState.INTENT, OrderState.APPROVED}
    assert {state.value for state in OrderState} - set(OrderMachine.seen) == {state.value for state in unrecorded}
    assert OrderMachine.seen["replaced by"] >= 100
    assert OrderMachine.seen["not replaced by"] >= 10


@pytest.mark.truth
@pytest.mark.parametrize("number", range(100, 110))
def test_many_sequences_of_events(number: int) -> None:
    """Ten times 500 sequences of 50 events."""
    run(500, number)
