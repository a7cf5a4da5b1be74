"""Killed right before and after every kind of row, post and request: the next process mends it."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from common.actor import Ask, Effect, Post, Record, Send
from common.messages import (
    BootRecord,
    CheckpointRecord,
    FillRecord,
    FindingRecord,
    FundingPayments,
    FundingRecord,
    IntentRecord,
    LedgerRecord,
    Message,
    TransitionRecord,
)
from common.messages.orders import OrderState
from common.messages.venue import FundingPayment
from common.units import Millis
from services.order_management import core as core_module
from tests.services.order_management.wires import Crash
from tests.services.order_management.world import World

SEEDS = 40  # storms until the moment comes; the rarest state needs a few
STEPS = 300
ROWS: tuple[type[Message], ...] = (
    *(BootRecord, IntentRecord, FillRecord, FundingRecord, LedgerRecord, CheckpointRecord, FindingRecord),
)
# a state that is only ever passed through with another row, or entered in memory alone, has no row of its own
STATES = tuple(state for state in OrderState if state not in {OrderState.INTENT, OrderState.APPROVED})
Moment = Callable[[Effect], bool]


def row(kind: type[Message]) -> Moment:
    return lambda effect: isinstance(effect, Record) and isinstance(effect.row, kind)


def state(reached: OrderState) -> Moment:
    def comes(effect: Effect) -> bool:
        return isinstance(effect, Record) and isinstance(effect.row, TransitionRecord) and effect.row.state is reached

    return comes


def other(kind: type[Post | Ask | Send]) -> Moment:
    return lambda effect: isinstance(effect, kind) and (not isinstance(effect, Send) or bool(effect.to))


MOMENTS = {
    **{kind.__name__: row(kind) for kind in ROWS},
    **{reached.value: state(reached) for reached in STATES},
    **{kind.__name__: other(kind) for kind in (Post, Ask, Send)},
}


class Killed(World):
    """A storm whose process dies once, right before or right after a moment comes."""

    moment: Moment | None = None
    before = False

    def _perform(self, effect: Effect) -> None:
        if self.moment is None or not self.moment(effect):
            super()._perform(effect)
            return
        self.moment = None
        if not self.before:
            super()._perform(effect)
        raise Crash


def killed(seed: int, moment: Moment, *, before: bool) -> World | None:
    """Return the world after the kill; None when the moment did not come in this storm."""
    world = Killed(seed)
    world.before = before
    if seed % 4:
        world.settle(7)
        world.faults = True
    world.moment = moment
    if not seed % 4:
        world.restart()  # the first words of a process, too
        world.connect()
    for step in range(STEPS):
        world.step()
        if step == STEPS // 4:
            paid = FundingPayment(coin="BTC", usd=Decimal("0.5"), venue_ms=Millis(world.venue.ms))
            world.venue.cash += paid.usd
            world.venue.paid.append(paid)
            world.send(FundingPayments(payments=(paid,), snapshot=False))
        if world.moment is None:
            return world
    return None


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("name", MOMENTS)
def test_killed_at(name: str, before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, doubled or left behind, whatever was written last."""
    monkeypatch.setattr(core_module, "CHECKPOINT_ROWS", 200)
    worlds = (killed(seed, MOMENTS[name], before=before) for seed in range(1, SEEDS))
    world = next((one for one in worlds if one is not None), None)
    assert world is not None, f"{name} never came"
    assert world.epoch > 7, "it was killed"
    world.check()
    world.settle()
