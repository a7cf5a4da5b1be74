"""Storms: every fault of every wire, in any order; the venue's own log judges."""

import pytest

from common.actor import Exit
from tests.services.order_management.world import World

STEPS = 50


def storm(seed: int, steps: int = STEPS) -> World:
    """Three of four storms break loose while all quotes rest, the fourth during the start."""
    world = World(seed)
    if seed % 4:
        world.settle()
        world.faults = True
    else:
        world.connect()
    for _ in range(steps):
        world.step()
    return world


@pytest.mark.parametrize("block", range(10))
def test_storms(block: int) -> None:
    """In 500 storms of 50 steps the worst case covers the truth at every step, and all is equal when they end."""
    for seed in range(block * 50, block * 50 + 50):
        world = storm(seed)
        try:
            world.settle()
        except AssertionError as error:
            raise AssertionError(f"storm({seed}): {error}") from error


def test_quiet_world() -> None:
    """Without faults the world comes up, quotes every level of both coins, and stops with nothing resting."""
    world = World(1, faults=False)
    world.connect()
    world.settle()
    world.settle(stop=True)
    assert world.exits == [Exit(0, "stopped as asked, nothing of ours rests")]
    assert not world.venue.open()
