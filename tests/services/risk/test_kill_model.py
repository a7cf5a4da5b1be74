"""Every history of a small world of approvals, a kill, a crash, loss, repetition and expiry.

What acts in it is the real risk (services/risk/core.py) and the real signer with a real halt directory (kill_world.py).
Around them stand a venue that takes a nonce once and nothing expired, a network that loses and repeats, a canceller,
and an order_management that posts what it was given at any time or never. A step of time is a second; an action
expires after two, the margin is one more. Explored breadth first until nothing new comes, with two approvals, and with
one and a crash of risk at any moment. Whatever may happen may also never happen: bytes that are never delivered were
lost, a dead canceller never cancels. An answer of the venue to a question, and a look into the halt directory, come
within a second: the venue link gives up by itself, and the directory is read at every heartbeat.
"""

from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.services.risk.kill_world import Cores, Placed, Told

KILLED_UNTIL: Final = 1  # seconds; later kills are the same stories, told later
SECONDS_MAX: Final = 6  # longer than the last expiry, its margin and three reads
NONE: Final[frozenset[Any]] = frozenset()


class World(NamedTuple):
    """One moment. Orders are known by their numbers, noops by their nonces."""

    core: bytes
    second: int = 0
    alive: bool = True
    deaths: int = 0
    killed_at: int | None = None  # since then the halt file is there
    asked: int = 0
    bytes_out: frozenset[Placed] = NONE  # signed, and not known to be gone
    noops: frozenset[int] = NONE  # on their way
    used: frozenset[int] = NONE  # nonces that the venue has taken
    resting: frozenset[int] = NONE
    cancelled: frozenset[int] = NONE
    listing: tuple[int, frozenset[int]] | None = None  # asked for in this second, and what the venue had then
    signed_before: frozenset[Placed] | None = None  # what was signed when LATCHED held for the first time

    @property
    def file(self) -> bool:
        return self.killed_at is not None


class Story:
    """The rules of the world; `cores` knows what risk does."""

    def __init__(self, folder: Path, approvals: int, deaths: int) -> None:
        self.cores = Cores(folder)
        self._approvals = approvals
        self._deaths = deaths

    def explore(self) -> tuple[int, Counter[str]]:
        """Visit every world; return how many there are, and how often each kind of move was made."""
        first = World(self.cores.first)
        seen, waiting, made = {first}, deque([first]), Counter[str]()
        while waiting:
            for move, after in self._moves(waiting.popleft()):
                made[move] += 1
                made["contained"] += self._contained(after)
                world = self._checked(after)
                if world not in seen:
                    seen.add(world)
                    waiting.append(world)
        return len(seen), made

    # --- what must hold --------------------------------------------------------------------------------

    def _latched(self, world: World) -> bool:
        """A durable file, and risk has confirmed it or is dead."""
        return world.file and (not world.alive or self.cores[world.core].halted)

    def _contained(self, world: World) -> bool:
        return world.alive and self.cores[world.core].contained

    def _checked(self, world: World) -> World:
        assert not (self._contained(world) and world.resting), "rests while CONTAINED"
        if self._latched(world) and world.signed_before is None:
            return world._replace(signed_before=world.bytes_out)
        return world

    def _step(self, world: World, *move: Any) -> World:
        """Tell risk something."""
        venue = [(number, "open") for number in sorted(world.resting)]
        venue += [(number, "canceled") for number in sorted(world.cancelled)]
        core, told = self.cores.step(world.core, move, world.second, file=world.file, venue=tuple(venue))
        assert not (told.signed and world.file), "signed with the halt file there"
        assert not (told.signed and self._latched(world)), "signed after LATCHED"
        after = self._with(world._replace(core=core), told)
        if self.cores[core].halted:
            assert not self.cores[core].waiting, "halted, and about to sign an order"
        return after

    @staticmethod
    def _with(world: World, told: Told) -> World:
        listing = (world.second, world.resting) if told.listing else world.listing
        return world._replace(
            bytes_out=world.bytes_out | set(told.placed), noops=world.noops | told.noops, listing=listing
        )

    # --- what may happen -------------------------------------------------------------------------------

    def _moves(self, world: World) -> Iterator[tuple[str, World]]:
        if self._may_wait(world):
            later = world._replace(second=world.second + 1)
            yield "tick", self._step(later, "tick") if world.alive else later
        if world.alive:
            yield from self._moves_of_risk(world)
        else:
            yield "risk returns", self._probed(self._step(world._replace(alive=True), "returns"))
        if not world.file and world.second <= KILLED_UNTIL:
            yield "kill", world._replace(killed_at=world.second)
        if world.file and world.resting:
            yield "canceller cancels", world._replace(resting=NONE, cancelled=world.cancelled | world.resting)
        yield from self._arrivals(world)

    def _may_wait(self, world: World) -> bool:
        seen = self.cores[world.core]
        listing = world.listing is not None and world.listing[0] < world.second
        look = world.killed_at is not None and world.killed_at < world.second and not seen.halted
        return world.second < SECONDS_MAX and not (world.alive and (seen.waiting or listing or look))

    def _moves_of_risk(self, world: World) -> Iterator[tuple[str, World]]:
        seen = self.cores[world.core]
        if seen.waiting:
            yield "sign", self._step(world, "sign")
        else:
            if world.asked < self._approvals and world.second == 0:
                asked = self._step(world._replace(asked=world.asked + 1), "approve", world.asked + 1)
                if self.cores[asked.core].waiting:
                    yield "approve", asked
            if world.file and not seen.halted:
                yield "look", self._probed(self._step(world, "look"))
            if world.listing is not None:
                yield "hear", self._step(world._replace(listing=None), "hear", *world.listing)
        if world.deaths < self._deaths:
            grave = self.cores.buried(world.core)
            yield (
                "risk dies",
                world._replace(core=grave, alive=False, deaths=world.deaths + 1, listing=None, noops=NONE),
            )

    def _probed(self, world: World) -> World:
        """Ask a halted risk for an order: `_step` fails when it wants to sign it."""
        if self.cores[world.core].halted:
            self._step(world, "approve", self._approvals + 1)
        return world

    def _arrivals(self, world: World) -> Iterator[tuple[str, World]]:
        """The bytes of an order arrive, and may again: they stay; a noop arrives once."""
        for placed in sorted(world.bytes_out):
            if placed.nonce in world.used or placed.expires_ms < self.cores.venue_ms(world.second):
                continue
            assert not self._contained(world), "accepted after CONTAINED"
            assert world.signed_before is None or placed in world.signed_before, "signed after LATCHED and accepted"
            used, resting = world.used | {placed.nonce}, world.resting | {placed.number}
            yield "deliver", world._replace(used=used, resting=resting)
        if world.alive and self.cores[world.core].waiting:
            return  # it hears nothing between a decision and its signature
        for nonce in sorted(world.noops):
            after = world._replace(noops=world.noops - {nonce}, used=world.used | {nonce})
            taken = nonce not in world.used
            yield "burn", self._step(after, "burned", nonce, taken) if world.alive else after


@pytest.mark.parametrize(("approvals", "deaths"), [(2, 0), (1, 1)])
def test_every_history(tmp_path: Path, approvals: int, deaths: int) -> None:
    """Nothing is signed after LATCHED, nothing accepted after CONTAINED, in between only what was signed before."""
    story = Story(tmp_path, approvals, deaths)
    worlds, made = story.explore()
    assert worlds > 5_000
    assert len(story.cores) > 500
    assert made["contained"] > 100, "the proof is reached"
    moves = {"tick", "approve", "sign", "kill", "look", "hear", "deliver", "burn", "canceller cancels"}
    assert moves | ({"risk dies", "risk returns"} if deaths else set()) <= {move for move in made if made[move]}
