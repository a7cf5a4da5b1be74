"""From a request to a signature: the good part of a batch is signed, every refusal has a code.

Rules
  1. A request that is late, of an old or unreconciled epoch, or asked while nothing may be signed, is refused whole.
  2. Orders are judged one after the other, each with everything before it already counted.
  3. What passes is recorded before it is signed: nonce, expiry, and the hashes of limits and code that judged it. It
     counts from then on.
  4. Nothing passed: the answer goes out at once and no nonce is used.
  5. No signature: everything of the batch is a veto, and counts no longer.
  6. A signature made while a halt came up is not handed out; its orders still count.
"""

from collections import Counter
from typing import Final, TypeAlias

import msgspec

from common.actor import Effect, Record, Send, Sign
from common.messages import (
    Approval,
    ApprovalRequest,
    Approved,
    DecisionRecord,
    OrderIntent,
    Signed,
    SignFailed,
    Veto,
)
from common.messages.venue import Modify, Place
from common.rate import TokenBucket
from common.units import MILLISECOND, Millis, Nanos
from services.risk.controls import BY_POSTURE, CONTROL_OF_CODE
from services.risk.decisions import QUOTE_TAG
from services.risk.facts import Facts
from services.risk.gate import VetoCode, check
from services.risk.repeats import Repeats

ASKER: Final = "order_management"
BATCH_MAX: Final = 100  # half of what the venue takes in one action; a ladder has twenty
CLOCK_UNCERTAINTY_MS_MAX: Final = 1_500

Refusal: TypeAlias = tuple[VetoCode, str]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose signature is being made."""

    request: ApprovalRequest
    approval_id: int
    nonce: int
    expires_after: Millis
    orders: tuple[OrderIntent, ...]
    vetoes: tuple[Veto, ...]


class Approvals:
    """Judges requests of order_management."""

    def __init__(self, facts: Facts, risk_epoch: int) -> None:
        risk = facts.settings.risk
        self._facts = facts
        self._risk_epoch = risk_epoch
        self._repeats = Repeats(risk.max_repeats, Nanos(risk.repeat_window_ms * MILLISECOND))
        self._rate = TokenBucket(per_second=risk.max_orders_per_s, burst=risk.orders_burst)
        self._approval_id = risk_epoch << 32  # unique across restarts: the epoch grows with each
        self.approvals = 0
        self.signatures = 0
        self.blocks: Counter[str] = Counter()  # refused orders by control

    def refusal(self, request: ApprovalRequest, now: Nanos) -> Refusal | None:
        """Say why nothing of this request can pass, whoever asks (rule 1)."""
        facts = self._facts
        uncertainty = facts.clock.uncertainty_ms(now)
        if now > request.deadline:
            return VetoCode.LATE, "past its deadline"
        if request.epoch < facts.roster.asker_epoch:
            return VetoCode.OLD_EPOCH, f"epoch {request.epoch}, {facts.roster.asker_epoch} is alive"
        if not facts.roster.reconciled(request.epoch):
            return VetoCode.NOT_RECONCILED, f"epoch {request.epoch} has not reconciled"
        if facts.clock.venue_now(now) is None or uncertainty is None or uncertainty > CLOCK_UNCERTAINTY_MS_MAX:
            return VetoCode.VENUE_CLOCK, f"venue time is uncertain by {uncertainty} ms"
        if now >= request.valid_until:
            return VetoCode.TARGET_LAPSED, "the target that these serve has lapsed"
        count = len(request.places) + len(request.modifies)
        if count > BATCH_MAX or (request.places and request.modifies):
            return VetoCode.BATCH, f"{len(request.places)} places and {len(request.modifies)} modifies in one action"
        if len({modify.old_cloid for modify in request.modifies}) < len(request.modifies):
            return VetoCode.BATCH, "an order is replaced twice in one action"
        return None

    def decide(
        self, request: ApprovalRequest, refusal: Refusal | None, sign_id: int, now: Nanos
    ) -> tuple[list[Effect], Waiting | None]:
        """Judge a request; returns what to do, and what waits for its signature."""
        self._facts.roster.on_epoch(request.epoch)
        batch: list[tuple[OrderIntent, str | None]] = [(order, None) for order in request.places]
        batch += [(modify.order, modify.old_cloid) for modify in request.modifies]
        venue_now = self._facts.clock.venue_now(now)
        expires_after = Millis((venue_now or 0) + self._facts.settings.orders.order_expiry_ms)
        approved: list[OrderIntent] = []
        vetoes: list[Veto] = []
        for order, replaces in batch:
            veto = _refuse(order, refusal) if refusal else self._judge(order, replaces, request.epoch, now)
            if veto is None:
                self._facts.ledger.reserve(order, expires_after, now)
                approved.append(order)
            else:
                vetoes.append(veto)
                self._count(veto, order.coin)
        if not approved:
            return [self._empty(request, tuple(vetoes))], None
        nonce = self._facts.decisions.next_nonce(venue_now)
        assert nonce is not None, "nothing passes while the venue's time is unknown"
        self._approval_id += 1
        waiting = Waiting(
            request=request,
            approval_id=self._approval_id,
            nonce=nonce,
            expires_after=expires_after,
            orders=tuple(approved),
            vetoes=tuple(vetoes),
        )
        record = DecisionRecord(
            approval_id=waiting.approval_id,
            asker=ASKER,
            epoch=request.epoch,
            nonce=nonce,
            expires_after=expires_after,
            orders=waiting.orders,
            vetoes=waiting.vetoes,
            tag=QUOTE_TAG,
            limits=self._facts.limits_hash,
            build=self._facts.build,
        )
        self._facts.decisions.add(record)
        return [Record(record), Sign(sign_id, _action(waiting), nonce, expires_after)], waiting

    def on_signed(self, waiting: Waiting, signed: Signed, *, halted: bool) -> list[Effect]:
        """Hand out the signature (rule 6)."""
        self.signatures += 1
        self._facts.budget.on_signed(len(waiting.orders))
        if halted:
            return [self._veto_all(waiting, VetoCode.HALTED, "halted while it was signed")]
        self.approvals += 1
        approved = tuple(order.cloid for order in waiting.orders)
        answer = Approval(
            request_id=waiting.request.request_id,
            epoch=waiting.request.epoch,
            risk_epoch=self._risk_epoch,
            approval_id=waiting.approval_id,
            body=signed.body,
            nonce=waiting.nonce,
            expires_after=waiting.expires_after,
            approved=approved,
            vetoes=waiting.vetoes,
        )
        return [Send(answer, to=ASKER), Send(Approved(approval_id=waiting.approval_id, cloids=approved))]

    def on_sign_failed(self, waiting: Waiting, failed: SignFailed, now: Nanos) -> list[Effect]:
        """Rule 5."""
        self._facts.decisions.settle(waiting.nonce)
        self._facts.ledger.retract(waiting.orders, now, "no signature was made")
        return [self._veto_all(waiting, VetoCode.SIGNER, failed.reason)]

    def _judge(self, order: OrderIntent, replaces: str | None, epoch: int, now: Nanos) -> Veto | None:
        veto = check(order, self._facts.view(order, replaces, epoch, now))
        if veto is not None:
            return veto
        if not self._rate.take(1, now):
            return Veto(cloid=order.cloid, code=VetoCode.RATE.value, detail="too many orders a second")
        if not self._repeats.take(order, now):
            return Veto(cloid=order.cloid, code=VetoCode.REPEAT.value, detail="the same order too often in a while")
        return None

    def _count(self, veto: Veto, coin: str) -> None:
        """Count a refusal under its control; what only the posture refuses, under the control behind it."""
        code = VetoCode(veto.code)
        control = self._facts.board.control(coin) if code in BY_POSTURE else CONTROL_OF_CODE[code].value
        self.blocks[control] += 1

    def _veto_all(self, waiting: Waiting, code: VetoCode, detail: str) -> Effect:
        vetoes = tuple(_refuse(order, (code, detail)) for order in waiting.orders)
        for order, veto in zip(waiting.orders, vetoes, strict=True):
            self._count(veto, order.coin)
        return self._empty(waiting.request, waiting.vetoes + vetoes)

    def _empty(self, request: ApprovalRequest, vetoes: tuple[Veto, ...]) -> Effect:
        answer = Approval(
            request_id=request.request_id,
            epoch=request.epoch,
            risk_epoch=self._risk_epoch,
            approval_id=0,
            body=b"",
            nonce=0,
            expires_after=Millis(0),
            approved=(),
            vetoes=vetoes,
        )
        return Send(answer, to=ASKER)


def _refuse(order: OrderIntent, refusal: Refusal) -> Veto:
    return Veto(cloid=order.cloid, code=refusal[0].value, detail=refusal[1])


def _action(waiting: Waiting) -> Place | Modify:
    if waiting.request.places:
        return Place(waiting.orders)
    passed = {order.cloid for order in waiting.orders}
    return Modify(tuple(modify for modify in waiting.request.modifies if modify.order.cloid in passed))
