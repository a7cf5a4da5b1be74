"""Halted or not: the directory, the operator's command, and proof that nothing of ours is left.

Rules
  1. A file in the halt directory, or a directory that cannot be read, halts; so does a notice, until the directory
     has been looked at.
  2. A cause of our own latches once between two armings, durably before anything else happens.
  3. Halted: ours are cancelled by this key and by the canceller, then contained (kill.py).
  4. Only a command signed by the operator ends a halt: exactly the files that it names, and only once contained.
     What the person has looked at is not judged again; what still holds (a daily loss) latches at once anew.
  5. Files that vanish without such a command latch anew.
  6. A file may name a coin: this one is halted alone, its orders are cancelled, and it is armed once none may fill.
     A file that names a coin nobody trades is a mistake, and halts all.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from common.actor import Effect, Latch, Record, Send, Unlatch
from common.arming import ArmCommand
from common.messages import (
    Ack,
    ArmAnswer,
    ArmRecord,
    ArmRequest,
    Cancel,
    CancelRequest,
    HaltDirectory,
    HaltFile,
    HaltNotice,
    NonceRecord,
    PostureLevel,
)
from common.units import Millis, Nanos
from services.risk.decisions import ARM_TAG
from services.risk.facts import Facts
from services.risk.kill import Containment
from services.risk.own_actions import OwnActions
from services.risk.posture import Cause

NOTICE_UNITS: Final = 2  # the shell reads the directory at every heartbeat, so by then it has been looked at
NOTICE_SENDERS: Final = ("canceller", "order_management", "market_data", "estimation", "strategy", "metrics")

VerifyArm: TypeAlias = Callable[[bytes, bytes, Millis], str | ArmCommand]  # command, signature, venue time


class Halting:
    """Knows whether placing actions may be signed."""

    def __init__(self, facts: Facts, own: OwnActions, verify_arm: VerifyArm, epoch: int) -> None:
        liveness = facts.settings.liveness
        self._facts = facts
        self._own = own
        self._verify_arm = verify_arm
        self._epoch = epoch
        self._request_id = 0
        self._notice_until = Nanos(0)
        self._notice_life = liveness.units(NOTICE_UNITS)
        self._request_life = liveness.units(liveness.canceller_silence)
        self._latched: set[str] = set()
        self._unlatching = False
        self._coins: tuple[str, ...] = ()  # halted alone
        self.directory: HaltDirectory | None = None  # None before the first look
        self.halted = False
        self.containment = Containment(facts.decisions)

    def closed(self, now: Nanos) -> bool:
        """Say whether no placing action may be signed now."""
        return self.halted or self.directory is None or now < self._notice_until

    @property
    def coins(self) -> tuple[str, ...]:
        """Return the coins that are halted, for whatever reason."""
        return tuple(self._facts.limits) if self.halted else self._coins

    @property
    def contained(self) -> bool:
        """Say whether nothing of what is halted can arrive or rest; of a single coin its ledger says it."""
        return self.containment.contained if self.halted else not self._open()

    def causes(self) -> list[Cause]:
        """Say which coins are halted alone."""
        return [Cause(PostureLevel.HALTED, "risk: halted", coin, hold=Nanos(0)) for coin in self._coins]

    # --- into a halt -----------------------------------------------------------------------------------

    def on_directory(self, directory: HaltDirectory, now: Nanos) -> tuple[list[Effect], bool]:
        """Take a look into the directory; returns what to do, and whether a halt has just ended."""
        before, self.directory = self.directory, directory
        self._notice_until = Nanos(0)
        allowed, self._unlatching = self._unlatching, False
        effects = self._halt_coins(directory, now)
        if directory.halted:
            return effects + self._halt(now), False
        left = {file.name for file in directory.files}
        vanished = [file.name for file in before.files if file.name not in left] if before else []
        if (self.halted or vanished) and not allowed:
            return [Latch("halt files vanished", f"only `mm arm` may clear them: {' '.join(vanished)}")], False
        if not self.halted:
            return effects, False
        self.halted = False
        self.containment.end()
        return effects, True

    def on_notice(self, notice: HaltNotice, now: Nanos) -> list[Effect]:
        """Halt until the directory has been looked at; the acknowledgement says that nothing more is signed."""
        self._notice_until = Nanos(now + self._notice_life)
        to = notice.by if notice.by in NOTICE_SENDERS else "cli"
        return [Send(Ack(request_id=notice.request_id), to=to)]

    def kill(self, cause: str, evidence: str, now: Nanos) -> list[Effect]:
        """Latch a cause of our own (rule 2)."""
        if cause in self._latched:
            return []
        self._latched.add(cause)
        return [Latch(cause, evidence), *self._halt(now)]

    def on_list(self, *, ours: bool, asked_at: Nanos, now: Nanos) -> bool:
        """Take a list of open orders; return whether to cancel now what it shows."""
        return self.halted and self.containment.on_list(ours=ours, asked_at=asked_at, now=now)

    def ask_canceller(self, now: Nanos, cancels: tuple[Cancel, ...] = ()) -> Effect:
        """Have these cancelled by the other key as well, or else everything of ours."""
        self._request_id += 1
        request = CancelRequest(
            request_id=self._request_id,
            sender="risk",
            epoch=self._epoch,
            deadline=Nanos(now + self._request_life),
            cancels=cancels,
            everything=not cancels,
            reason="halted",
        )
        return Send(request, to="canceller")

    def cancel_known(self, now: Nanos) -> list[Effect]:
        """Cancel everything of ours that may still fill."""
        cancels = [Cancel(coin=entry.order.coin, cloid=entry.order.cloid) for entry in self._facts.ledger.entries()]
        return self._own.cancel(cancels, self._facts.clock.venue_now(now))

    def _halt_coins(self, directory: HaltDirectory, now: Nanos) -> list[Effect]:
        """Rule 6."""
        before, self._coins = self._coins, tuple(coin for coin in directory.coins if coin in self._facts.limits)
        if directory.halted:
            return []
        if strange := [coin for coin in directory.coins if coin not in self._coins]:
            return [Latch("halt of an unknown coin", ", ".join(strange))]
        cancels = tuple(cancel for cancel in self._open() if cancel.coin not in before)
        if not cancels:
            return []
        return [*self._own.cancel(cancels, self._facts.clock.venue_now(now)), self.ask_canceller(now, cancels)]

    def _open(self) -> list[Cancel]:
        """Return what may still fill in the coins that are halted alone."""
        entries = [entry.order for coin in self._coins for entry in self._facts.ledger.entries(coin)]
        return [Cancel(coin=order.coin, cloid=order.cloid) for order in entries]

    def _halt(self, now: Nanos) -> list[Effect]:
        """Rule 3; nothing new when already halted."""
        if self.halted:
            return []
        self.halted = True
        self.containment.begin()
        self.containment.may_cancel(now)
        return [*self.cancel_known(now), self.ask_canceller(now)]

    # --- out of it -------------------------------------------------------------------------------------

    def on_arm(self, request: ArmRequest, now: Nanos) -> list[Effect]:
        """Clear what a verified command names (rule 4)."""
        venue_now = self._facts.clock.venue_now(now)
        verdict = self._verdict(request, venue_now)
        if isinstance(verdict, str):
            return [Send(ArmAnswer(request_id=request.request_id, ok=False, reason=verdict), to="cli")]
        files = self._files()
        cleared = tuple(files[name] for name in dict.fromkeys(verdict.names))
        nonce = self._facts.decisions.next_nonce(venue_now)
        assert nonce is not None, "venue time is known"
        self._facts.decisions.use(nonce)
        self._facts.decisions.begin_at(Millis(nonce))
        for coin in self._facts.limits:
            self._facts.ledger.position(coin).rebase(now)
        self._facts.earnings.rebase()
        for activity in self._facts.activity.values():
            activity.forgive()
        self._latched.clear()
        self._unlatching = True
        row = ArmRecord(reason=verdict.reason, cleared=cleared, at_ms=venue_now or Millis(0))
        self._facts.ramp.restore(row)
        marks = self._facts.losses.forgive_drawdown() if any(file.cause == "drawdown" for file in cleared) else None
        answer = ArmAnswer(request_id=request.request_id, ok=True, reason=verdict.reason, cleared=cleared)
        return [
            Record(row),
            *([Record(marks)] if marks else []),
            Record(NonceRecord(nonce=nonce, tag=ARM_TAG)),
            Unlatch(tuple(file.name for file in cleared)),
            Send(answer, to="cli"),
        ]

    def _verdict(self, request: ArmRequest, venue_now: Millis | None) -> str | ArmCommand:
        if venue_now is None:
            return "venue time is unknown"
        if not self.coins:
            return "not halted"
        if not self.contained:
            return "not contained yet: orders of ours may still rest or arrive"
        verdict = self._verify_arm(request.command, request.signature, venue_now)
        if isinstance(verdict, ArmCommand) and not (verdict.names and set(verdict.names) <= set(self._files())):
            return "names no cause, or one that is not there"
        return verdict

    def _files(self) -> dict[str, HaltFile]:
        return {file.name: file for file in self.directory.files} if self.directory else {}
