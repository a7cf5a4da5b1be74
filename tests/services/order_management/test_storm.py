"""Storms: all faults of all wires at once; the venue's own log judges (singly: test_order_machine.py).

A failing storm says how to repeat it: `storm(seed, steps)`.
"""

from collections.abc import Callable

import pytest

from common.actor import Exit
from common.messages import encode
from tests.services.order_management.world import World, quoted

STEPS = 50
EFFECTS = 368  # one more than those of four requotes with fills, modifies among them


def storm(seed: int, steps: int = STEPS) -> World:
    """Three of four storms break loose while all quotes rest, the fourth during the start."""
    world = World(seed)
    if seed % 4:
        world.settle(7)
        world.faults = True
    else:
        world.connect()
    for _ in range(steps):
        world.step()
    return world


def judged(seed: int, steps: int, judge: Callable[[World], None]) -> None:
    try:
        judge(storm(seed, steps))
    except AssertionError as error:
        raise AssertionError(f"storm({seed}, {steps}): {error}") from error


def test_storms() -> None:
    """In 60 storms of 50 steps the worst case covers the truth at every step, and all is equal when they end."""
    for seed in range(60):
        judged(seed, STEPS, World.recover)


@pytest.mark.truth
@pytest.mark.parametrize("block", range(10))
def test_long_storms(block: int) -> None:
    """The same in 300 storms of 300 steps, and in each what comes later is waited for."""
    for seed in range(100_000 + block * 30, 100_000 + block * 30 + 30):
        judged(seed, 300, World.settle)


def test_storms_end_in_a_stop() -> None:
    """Asked to stop in the middle of anything, it ends with exit 0 and nothing of ours resting."""

    def stop(world: World) -> None:
        world.settle(15, stop=True)
        assert [end.code for end in world.exits] == [0]
        assert not [resting for resting in world.venue.open() if resting.order.cloid]

    for seed in range(40):
        judged(seed, 30, stop)


def test_storms_that_lose_the_home() -> None:
    """Without a journal, whatever rested or was on its way: cancelled, position adopted, and quoting resumes."""

    def lose(world: World) -> None:
        world.restart(lose_home=True)
        world.settle()

    for seed in range(1, 80, 2):
        judged(seed, 30, lose)


@pytest.mark.parametrize(
    "cut", [pytest.param(n, marks=[pytest.mark.truth] if n % 3 or n > 80 else []) for n in range(1, EFFECTS)]
)
def test_killed_after_every_effect(cut: int) -> None:
    """A requote with fills is killed after each of its effects in turn; the next process puts everything right."""
    world = quoted()
    world.crash_after = cut
    for turn in range(4):
        world.shift += turn % 2
        world.wider = 1 - turn % 2
        world.signals()
        world.venue.fill(world.venue.open()[turn % 2].oid, 100) if len(world.venue.open()) > 1 else None
        for _ in range(4):
            world._serve(world.cancels, world._cancel, first=True)
            world._serve(world.answers, world.send, first=True)
            for _ in range(3):
                world._tell_update()
            world._tell_fill()
            world._serve(world.requests, world._answer_request, first=True)
            world._serve(world.posts, world._arrive, first=True)
            world.check()
    assert world.epoch == 8, "it was killed"
    world.settle()


def test_equal_seeds_give_equal_journals() -> None:
    """The same storm twice is the same, byte for byte: nothing depends on anything but messages and time."""
    one, two = (storm(7, 200) for _ in range(2))
    assert [encode(row) for row in one.journal] == [encode(row) for row in two.journal]


def test_quiet_world() -> None:
    """Without faults the world comes up, quotes every level of both coins, and stops with nothing resting."""
    world = quoted()
    assert not world.findings
    world.settle(stop=True)
    assert world.exits == [Exit(0, "stopped as asked, nothing of ours rests")]
    assert not world.venue.open()


def test_storms_are_not_vacuous() -> None:
    """What the storms are about does happen in them."""
    seen: dict[str, int] = {}
    for seed in range(40):
        for name, times in storm(seed, 100).core._statements.counts().items():
            seen[name] = seen.get(name, 0) + times
    for name in (
        *("state.Unknown", "state.Rejected", "state.Vetoed", "state.FilledImmediately", "state.FilledDuringCancel"),
        *("state.ModifyPending", "requote.modify", "requote.replace", "requote.place", "requote.keep"),
        *("state.CancelConfirmed", "noops", "sweeps", "streams_down", "sends_failed", "queries_failed"),
        *("approvals_late", "finding.foreign fill", "refused_evidence"),
    ):
        assert seen.get(name, 0) >= 1, name
