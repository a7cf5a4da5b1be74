"""A world: the wires in a storm. The same seed gives the same story.

`step` lets one thing happen; `settle` heals all wires, lets time pass, and judges (truth.py); `recover` waits no longer
than that takes.
"""

from collections.abc import Callable
from typing import Final

from common.messages import Stopping, StreamDown, Wake
from common.messages.orders import OrderIntent
from common.units import MILLISECOND, Lots, Nanos, Side, Ticks
from tests.services.order_management.faults import Fault
from tests.services.order_management.parts import seconds
from tests.services.order_management.truth import unsettled
from tests.services.order_management.wires import Act, Wires

STEPS_MS = (1, 5, 20, 60, 250, 900)
JUMPS: Final = 0.5  # of the moves of the market; at the others the spread changes
SIGNALS_EVERY: Final = Nanos(500 * MILLISECOND)


class World(Wires):
    """Everything that order_management can see, and everything it cannot."""

    # --- what may happen next --------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens, then time passes."""
        heard = self.connected
        moves: list[tuple[float, Act]] = [
            (20 * bool(self.requests), lambda: self._serve(self.requests, self._answer_request)),
            (10 * bool(self.posts), lambda: self._serve(self.posts, self._arrive)),
            (10 * bool(self.cancels), lambda: self._serve(self.cancels, self._cancel)),
            (10 * bool(self.asks), lambda: self._serve(self.asks, self._answer_query)),
            (15 * bool(self.answers), lambda: self._serve(self.answers, self.send)),
            (10 * bool(self.venue.updates), self._tell_update),
            (10 * bool(self.venue.fills_told), self._tell_fill),
            (3, self._trade),
            (1 * self.rough, self._venue_cancels),
            (3, self._move_market),
            (5 if self.quiet_risk else self.rough, self._toggle_posture),
            (1 * self.rough if heard else 5, self._toggle_stream),
            (2 * bool(self.ghosts), self._ghost),
            (0.5 * self.rough, self._crash),
            (0.5 * self.rough, self._foreign),
        ]
        weights, actions = zip(*moves, strict=True)
        self.chance.choices(actions, weights)[0]()
        while self.prompt and self.asks:
            self._serve(self.asks, self._answer_query)
            self._serve(self.answers, self.send)
        self.check()
        if self.chance.random() < self.pace:
            self.advance(self.chance.choice(STEPS_MS), healthy=not self.strikes(Fault.PEERS_SILENT))
            self.check()

    def _trade(self) -> None:
        resting = self.venue.open()
        if resting:
            order = self.chance.choice(resting)
            self.venue.fill(order.oid, self.chance.choice((order.left, max(1, order.left // 3))))

    def _venue_cancels(self) -> None:
        resting = self.venue.open()
        if resting and self.faults:
            self.venue.end(self.chance.choice(resting).oid, "marginCanceled")

    def _move_market(self) -> None:
        if self.chance.random() < JUMPS:
            self.shift += self.chance.choice((-1, 1))
        else:
            self.wider = 1 - self.wider

    def _toggle_posture(self) -> None:
        self.quiet_risk = not self.quiet_risk and self.faults

    def _toggle_stream(self) -> None:
        if not self.connected:
            self.connect()
        elif self.faults:
            self.connected = False
            self.send(StreamDown(connection=self.connection, reason="closed"))

    def _crash(self) -> None:
        if self.faults:
            self.crash_after = self.chance.randrange(1, 12)
            self.crash_on_post = self.chance.random() < 0.5
            if self.crash_on_post:
                self.crash_after = None

    def _foreign(self) -> None:
        if self.faults:
            order = OrderIntent(cloid="", coin="BTC", side=Side.BUY, ticks=Ticks(990_000), lots=Lots(70))
            self.venue.place_foreign(order)
            self.foreign.add(max(self.venue.orders))

    # --- the end -------------------------------------------------------------------------------------

    def settle(self, for_s: float = 25, *, stop: bool = False) -> None:
        """Heal everything, let time pass with prompt peers, then compare all that can be compared."""
        self._heal()
        if stop:
            self.send(Stopping())
        self._calm(Nanos(self.now + seconds(for_s)))
        if not stop:
            self.check()
            assert unsettled(self.core, self.venue) == ""

    def recover(self, within_s: float = 40) -> None:
        """Heal everything, and wait no longer than it takes until all is equal."""
        self._heal()
        self._calm(Nanos(self.now + seconds(within_s)), lambda: unsettled(self.core, self.venue) == "")
        self.check()
        assert unsettled(self.core, self.venue) == ""

    def _heal(self) -> None:
        self.faults = False
        self.crash_after, self.crash_on_post = None, False
        self.quiet_risk = False
        self.ghosts.clear()
        if not self.connected:
            self.connect()

    def _calm(self, until: Nanos, enough: Callable[[], bool] = lambda: False) -> None:
        """Peers speak every `SIGNALS_EVERY` and answer at once; in between the actor is woken when it is due."""
        speak_at = self.now
        self.drain()
        while self.now < until and not self.exits and not enough():
            due = self.core.deadline()
            if due is not None and due < speak_at:
                self.now = max(self.now, due)
                self.send(Wake())
            else:
                self.now, speak_at = speak_at, Nanos(speak_at + SIGNALS_EVERY)
                self.signals()
            self.drain()
            if not self.connected:
                self.connect()


def quoted() -> World:
    """A world without faults in which every level of both coins rests."""
    world = World(1, faults=False)
    world.settle(7)
    return world
