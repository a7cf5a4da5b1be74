"""Every history of a small world of two approvals, a kill, a crash, loss, repetition and expiry.

The proofs of a kill always hold. The world is explored breadth first until nothing new comes. Risk's memory
(decisions.py), its burning of nonces and its proof of containment (kill.py) are the real ones; around them stand a
venue that takes each nonce once and nothing expired, a network that loses and repeats, a signer that looks into the
halt directory, and a canceller.
A step of time is a second; an action expires after two, the margin is one more. Whatever may happen may also never
happen: bytes that are never delivered were lost, a dead canceller never cancels, a dead order_management never asks.
"""

from collections import Counter, deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Final

from common.cloid import house_tag, make_cloid
from common.messages import DecisionRecord, OrderIntent
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.risk.decisions import QUOTE_TAG, Decisions
from services.risk.kill import Burner, Containment

EXPIRY_MS: Final = 2_000
MARGIN_MS: Final = 1_000
APPROVALS: Final = 2
DEATHS: Final = 1
ASKED_UNTIL: Final = 1  # seconds; later approvals and kills are the same stories, told later
KILLED_UNTIL: Final = 2
SECONDS_MAX: Final = 7  # longer than the last expiry, its margin and three reads
TAG: Final = house_tag("0x" + "ab" * 20)


@dataclass(slots=True)
class World:
    """One moment. Orders are named by their nonce; a nonce is venue time when it was decided, or one more."""

    second: int = 0
    rows: list[DecisionRecord] = field(default_factory=list)
    decisions: Decisions = field(default_factory=lambda: Decisions(MARGIN_MS))
    containment: Containment = field(init=False)
    burner: Burner = field(init=False)
    risk: bool = True
    deaths: int = 0
    file: bool = False
    halted: bool = False
    signing: int | None = None  # the signer has looked, and found no file
    bytes_out: frozenset[int] = frozenset()  # signed, and not known to be gone
    noops: frozenset[int] = frozenset()
    used: frozenset[int] = frozenset()  # nonces that the venue has taken
    resting: frozenset[int] = frozenset()
    answer: tuple[Nanos, bool] | None = None  # a list on its way: when it was asked for, and whether it shows ours
    signed_before: frozenset[int] | None = None  # what was signed when LATCHED held for the first time
    was_contained: bool = False

    def __post_init__(self) -> None:
        self.revive()

    @property
    def now(self) -> Nanos:
        return Nanos(self.second * SECOND)

    @property
    def venue_ms(self) -> Millis:
        return Millis(1_000_000 + self.second * 1_000)

    @property
    def latched(self) -> bool:
        """A durable file, and risk has confirmed it or is dead."""
        return self.file and (self.halted or not self.risk)

    def revive(self) -> None:
        """Risk's memory is its rows and nothing else."""
        self.decisions = Decisions(MARGIN_MS)
        for row in self.rows:
            self.decisions.restore(row)
        self.containment, self.burner = Containment(self.decisions), Burner(self.decisions)

    def key(self) -> tuple[object, ...]:
        seen = self.containment
        risk = (seen.contained, seen._empty, seen._settled_at, seen._read_at) if self.risk else ()
        return (
            *(self.second, self.risk, self.deaths, self.file, self.halted, self.signing, self.was_contained),
            *(self.bytes_out, self.noops, self.used, self.resting, self.answer, self.signed_before, risk),
            tuple(one.nonce for one in self.decisions.open()),
        )

    def copy(self) -> "World":
        world = copy(self)
        for name in ("decisions", "containment", "burner"):
            part = copy(getattr(self, name))
            for key, value in vars(part).items():
                if isinstance(value, dict):
                    setattr(part, key, value.copy())
            setattr(world, name, part)
        world.containment._decisions = world.burner._decisions = world.decisions
        return world

    # --- what may happen -------------------------------------------------------------------------------

    def moves(self) -> Iterator[str]:
        if self.second < SECONDS_MAX and self.signing is None:
            yield "tick"
        if self.risk:
            if not self.halted and self.signing is None and len(self.rows) < APPROVALS and self.second <= ASKED_UNTIL:
                yield "approve"
            if self.signing is not None:
                yield "sign"
            elif self.file and not self.halted:
                yield "look"
            if self.halted and self.answer is None and self.second < SECONDS_MAX:
                yield "ask"
            if self.answer is not None:
                yield "hear"
            if self.halted and self.resting:
                yield "risk cancels"
            if self.deaths < DEATHS:
                yield "risk dies"
        elif self.signing is None:
            yield "risk returns"
        if not self.file and self.second <= KILLED_UNTIL:
            yield "kill"
        if self.file and self.resting:
            yield "canceller cancels"
        for nonce in sorted(self.bytes_out):
            yield f"deliver {nonce}"  # and again: the bytes stay
        for nonce in sorted(self.noops):
            yield f"burn {nonce}"

    def after(self, move: str) -> "World":
        world = self.copy()
        name, _, nonce = move.partition(" ")
        match name:
            case "deliver":
                world.deliver(int(nonce))
            case "burn":
                world.burn(int(nonce))
            case _:
                getattr(world, "on_" + move.replace(" ", "_"))()
        if world.latched and world.signed_before is None:
            world.signed_before = world.bytes_out | world.used
        world.was_contained |= world.risk and world.containment.contained
        return world

    def on_tick(self) -> None:
        self.second += 1

    def on_approve(self) -> None:
        nonce = self.decisions.next_nonce(self.venue_ms)
        assert nonce is not None
        order = OrderIntent(cloid=make_cloid(TAG, 1, nonce, 0), coin="BTC", side=Side.BUY, ticks=Ticks(1), lots=Lots(1))
        row = DecisionRecord(
            approval_id=nonce,
            asker="order_management",
            epoch=1,
            nonce=nonce,
            expires_after=Millis(self.venue_ms + EXPIRY_MS),
            orders=(order,),
            vetoes=(),
            tag=QUOTE_TAG,
        )
        self.rows = [*self.rows, row]
        self.decisions.add(row)
        if self.file:
            self.decisions.settle(nonce)  # the signer's look: a veto
        else:
            self.signing = nonce

    def on_sign(self) -> None:
        assert not self.latched, "a placing action was signed after LATCHED"
        assert self.signing is not None
        self.bytes_out |= {self.signing}
        self.signing = None

    def on_kill(self) -> None:
        self.file = True

    def on_look(self) -> None:
        self.halted = True
        self.containment.begin()

    def on_ask(self) -> None:
        self.decisions.prune(self.venue_ms)
        self.noops |= frozenset(self.burner.due(self.now))
        if self.containment.wants_read(self.now, self.venue_ms):
            self.answer = (self.now, bool(self.resting))

    def on_hear(self) -> None:
        assert self.answer is not None
        asked_at, ours = self.answer
        self.answer = None
        self.containment.on_list(ours=ours, asked_at=asked_at, now=self.now)

    def on_risk_cancels(self) -> None:
        self.resting = frozenset()

    def on_canceller_cancels(self) -> None:
        self.resting = frozenset()

    def on_risk_dies(self) -> None:
        self.risk = self.halted = False
        self.deaths += 1
        self.signing = self.answer = None
        self.noops = frozenset()

    def on_risk_returns(self) -> None:
        """The directory is read before anything else."""
        self.revive()
        self.risk = True
        if self.file:
            self.on_look()

    # --- the venue -----------------------------------------------------------------------------------------

    def deliver(self, nonce: int) -> None:
        row = next(row for row in self.rows if row.nonce == nonce)
        if nonce in self.used or row.expires_after < self.venue_ms:
            return
        assert not (self.risk and self.containment.contained), "accepted after CONTAINED"
        assert self.signed_before is None or nonce in self.signed_before, "signed after LATCHED and accepted"
        self.used |= {nonce}
        self.resting |= {nonce}

    def burn(self, nonce: int) -> None:
        """A noop arrives; risk hears that it was taken, unless risk is dead."""
        self.noops -= {nonce}
        taken = nonce not in self.used
        self.used |= {nonce}
        if self.risk and taken:
            self.decisions.settle(nonce)


def explore() -> tuple[int, Counter[str]]:
    """Visit every world; return how many there are, and how often each kind of move was made."""
    first = World()
    seen = {first.key()}
    waiting = deque([first])
    made: Counter[str] = Counter()
    while waiting:
        world = waiting.popleft()
        for move in world.moves():
            after = world.after(move)
            made[move.split(" ", maxsplit=1)[0] if move[-1].isdigit() else move] += 1
            made["contained"] += after.was_contained and not world.was_contained
            assert not (after.risk and after.containment.contained and after.resting), move
            key = after.key()
            if key not in seen:
                seen.add(key)
                waiting.append(after)
    return len(seen), made


def test_every_history() -> None:
    """Nothing is signed after LATCHED, nothing accepted after CONTAINED, in between only what was signed before."""
    worlds, made = explore()
    assert worlds > 1_000
    assert made["contained"] > 10, "the proof is reached"
    assert all(made[name] for name in ("deliver", "burn", "risk returns", "canceller cancels", "hear", "sign"))
