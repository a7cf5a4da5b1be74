"""Every permutation of what can happen to orders, chosen by hypothesis; the venue's truth judges.

A rule is one event: an answer of risk, of the venue or of the canceller, with one thing that goes wrong or none;
a fill, a word of the streams, a lost one, a market move, a pull, a reconnect, a restart, or time.
"""

from typing import Any, Final

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

from common.messages import StreamDown
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

    @invariant()
    def covers_the_truth(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    # --- risk, venue, canceller ----------------------------------------------------------------------

    @precondition(lambda self: self.world.requests)
    @rule(which=WHICH, fault=st.sampled_from(RISK), vetoed=st.sampled_from((0, 0, 0, 1, 2, 5, 255)))
    def risk_answers(self, which: int, fault: Fault | None, vetoed: int) -> None:
        """Approval, partial and whole veto, silence; noops are signed."""
        self.world.vetoed = vetoed
        self.world.take(self.world.requests, which, self.world._answer_request, fault)

    @precondition(lambda self: self.world.posts)
    @rule(which=WHICH, fault=st.sampled_from(VENUE), overtaken=st.booleans(), prompt=st.booleans())
    def venue_takes(self, which: int, fault: Fault | None, overtaken: bool, prompt: bool) -> None:
        """Acknowledged, refused, delivered twice; late, or its answer lost; a modify with its legs in either order.

        A trade may overtake a modify, and its answer may overtake every word of the streams.
        """
        posts, venue = self.world.posts, self.world.venue
        modifies = msgspec.json.decode(posts[which % len(posts)][1], type=Body).modifies
        if overtaken and modifies and venue.rests(modifies[0].old_cloid):
            oid = venue.by_cloid[modifies[0].old_cloid]
            venue.fill(oid, max(1, venue.orders[oid].left // 3))
        self.world.take(posts, which, self.world._arrive, fault)
        if prompt and self.world.answers:
            self.world.take(self.world.answers, -1, self.world.send)

    @precondition(lambda self: self.world.cancels)
    @rule(which=WHICH, fault=st.sampled_from(CANCELLER))
    def canceller_takes(self, which: int, fault: Fault | None) -> None:
        """Cancelled, refused, never arrived, or its answer lost."""
        self.world.take(self.world.cancels, which, self.world._cancel, fault)

    @precondition(lambda self: self.world.asks)
    @rule(which=WHICH, fault=st.sampled_from((None, None, None, Fault.QUERY_FAILED)))
    def venue_is_asked(self, which: int, fault: Fault | None) -> None:
        self.world.take(self.world.asks, which, self.world._answer_query, fault)

    @precondition(lambda self: self.world.answers)
    @rule(which=WHICH)
    def answer_comes(self, which: int) -> None:
        self.world.take(self.world.answers, which, self.world.send)

    # --- the streams ------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.venue.updates)
    @rule(fault=st.sampled_from((None, None, None, Fault.TOLD_TWICE)))
    def update_comes(self, fault: Fault | None) -> None:
        self.world.fault = fault
        self.world._tell_update()

    @precondition(lambda self: self.world.venue.fills_told)
    @rule(fault=st.sampled_from((None, None, None, Fault.TOLD_TWICE)))
    def fill_comes(self, fault: Fault | None) -> None:
        self.world.fault = fault
        self.world._tell_fill()

    @precondition(lambda self: self.world.venue.updates)
    @rule(which=WHICH)
    def update_is_lost(self, which: int) -> None:
        """One leg of a modify alone, or any other word; the audits find what it was."""
        self.world.venue.updates.pop(which % len(self.world.venue.updates))

    @precondition(lambda self: self.world.connected and self.blows)
    @rule()
    def stream_drops(self) -> None:
        self.blows -= 1
        self.world.connected = False
        self.world.send(StreamDown(connection=self.world.connection, reason="closed"))

    @precondition(lambda self: not self.world.connected)
    @rule()
    def stream_returns(self) -> None:
        """The newest fills are repeated as a snapshot, updates are not; then there are prompt answers for a while."""
        self.world.connect()
        self.world.soon(7)

    # --- the market and the house -----------------------------------------------------------------------

    @precondition(lambda self: self.world.venue.open())
    @rule(which=st.integers(0, 15), part=st.sampled_from((1, 1, 3)), changing=st.booleans())
    def trade(self, which: int, part: int, changing: bool) -> None:
        """A full or a partial fill, of an order that is being changed where there is one."""
        orders = self.world.core._desk.store.open
        resting = self.world.venue.open()
        if changing:
            moving = [one for one in resting if one.order.cloid in orders and not orders[one.order.cloid].modifiable]
            resting = moving or resting
        order = resting[which % len(resting)]
        self.world.venue.fill(order.oid, max(1, order.left // part))

    @precondition(lambda self: self.world.venue.open())
    @rule(which=st.integers(0, 15))
    def venue_cancels(self, which: int) -> None:
        resting = self.world.venue.open()
        self.world.venue.end(resting[which % len(resting)].oid, "marginCanceled")

    @rule(step=st.sampled_from((-1, 1)), fault=st.sampled_from(HANDED_OVER), prompt=st.booleans())
    def market_moves(self, step: int, fault: Fault | None, prompt: bool) -> None:
        """New targets: modifies, cancels and places are asked for; a message may not get out of the house."""
        self.world.shift += step
        self.world.fault = fault
        self.world.signals()
        while prompt and self.world.requests:
            self.world.take(self.world.requests, 0, self.world._answer_request, fault)
        self.world.fault = None

    @precondition(lambda self: self.blows or self.world.quiet_risk)
    @rule()
    def risk_pulls_or_allows(self) -> None:
        self.blows -= not self.world.quiet_risk
        self.world.quiet_risk = not self.world.quiet_risk
        self.world.signals()

    @rule()
    def a_good_while(self) -> None:
        """Peers are prompt until all is equal or for two seconds."""
        self.world.soon(2)

    @rule(ms=st.sampled_from(STEPS_MS), healthy=st.sampled_from((True, True, True, False)))
    def time_passes(self, ms: int, healthy: bool) -> None:
        self.world.fault = None
        self.world.advance(ms, healthy=healthy)

    @precondition(lambda self: self.world.ghosts)
    @rule()
    def late_bytes_arrive(self) -> None:
        self.world._ghost()

    @precondition(lambda self: self.blows)
    @rule(effects=st.integers(0, 8))
    def killed(self, effects: int) -> None:
        """At once, or after so many effects of what comes next."""
        self.blows -= 1
        if effects:
            self.world.crash_after = effects
        else:
            self.world.restart()

    @rule()
    def a_stranger_places(self) -> None:
        self.world._foreign()


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


@pytest.mark.parametrize("number", range(2))
def test_any_sequence_of_events(number: int) -> None:
    """Twice 250 sequences of 50 events."""
    run(250, number)


@pytest.mark.truth
@pytest.mark.parametrize("number", range(100, 110))
def test_many_sequences_of_events(number: int) -> None:
    """Ten times 500 sequences of 50 events."""
    run(500, number)
