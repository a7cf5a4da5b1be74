"""What risk signs and posts by itself: cancels, noops, leverage while flat, a flatten when halted.

Rules
  1. A new nonce is recorded before it is signed; a noop uses the nonce that it burns.
  2. An accepted noop proves that what was signed with its nonce cannot arrive; "Invalid nonce" proves only that the
     nonce is used up, so every order of it is asked for by cloid.
  3. No answer proves nothing.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from common.actor import Effect, Post, Record, Send, Sign
from common.messages import (
    Cancel,
    DecisionRecord,
    NonceRecord,
    NoopRequest,
    NoopSigned,
    OrderIntent,
    Posted,
    Signed,
    SignFailed,
)
from common.messages.venue import Action, CancelOrders, Noop, Place, UpdateLeverage
from common.units import SECOND, Millis, Nanos
from services.risk.approvals import ASKER
from services.risk.decisions import FLATTEN_TAG
from services.risk.exposure_ledger import Finding
from services.risk.facts import Facts

CANCELS_MAX: Final = 100  # in one action; the venue takes 200
POST_LIFE: Final = Nanos(2 * SECOND)  # bytes that could not leave by then are made anew
NONCE_USED: Final = "Invalid nonce"


class Purpose(StrEnum):
    CANCEL = "cancel"
    NOOP = "noop"
    LEVERAGE = "leverage"
    FLATTEN = FLATTEN_TAG


class OwnAction(msgspec.Struct, frozen=True):
    """One action of ours between signature and answer."""

    purpose: Purpose
    nonce: int
    coin: str = ""


class OwnActions:
    """Numbers every signature of this process, and remembers what its own ones are for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._id = 0
        self._signing: dict[int, OwnAction | NoopRequest] = {}
        self._posting: dict[int, OwnAction] = {}

    def next_id(self) -> int:
        self._id += 1
        return self._id

    # --- asking for signatures -----------------------------------------------------------------------

    def cancel(self, cancels: Iterable[Cancel], venue_now: Millis | None) -> list[Effect]:
        """Cancel these; nothing while no nonce can be made, which the caller's next attempt mends."""
        wanted = list(cancels)
        effects: list[Effect] = []
        for start in range(0, len(wanted), CANCELS_MAX):
            action = CancelOrders(tuple(wanted[start : start + CANCELS_MAX]))
            effects += self._with_new_nonce(Purpose.CANCEL, action, venue_now)
        return effects

    def leverage(self, now: Nanos, venue_now: Millis | None) -> list[Effect]:
        """Set the configured leverage where it is due (leverages.py) and nothing is held or may fill."""
        effects: list[Effect] = []
        for coin in self._facts.leverages.due(now):
            if self._facts.ledger.position(coin).is_flat and not self._facts.ledger.entries(coin):
                action = UpdateLeverage(coin, self._facts.settings.coins[coin].leverage)
                effects += self._with_new_nonce(Purpose.LEVERAGE, action, venue_now, coin)
                self._facts.leverages.on_set(coin, now)
        return effects

    def flatten(
        self, orders: tuple[OrderIntent, ...], epoch: int, expires_after: Millis, venue_now: Millis
    ) -> list[Effect]:
        """Place these reduce-only orders in a halt."""
        nonce = self._facts.decisions.next_nonce(venue_now)
        assert nonce is not None, "venue time is known"
        record = DecisionRecord(
            approval_id=nonce,  # nobody asked, and no approval is answered by this number
            asker="risk",
            epoch=epoch,
            nonce=nonce,
            expires_after=expires_after,
            orders=orders,
            vetoes=(),
            tag=FLATTEN_TAG,
            limits=self._facts.limits_hash,
            build=self._facts.build,
        )
        self._facts.decisions.add(record)
        sign_id = self.next_id()
        self._signing[sign_id] = OwnAction(Purpose.FLATTEN, nonce, orders[0].coin)
        return [Record(record), Sign(sign_id, Place(orders), nonce, expires_after)]

    def burn(self, nonce: int) -> Effect:
        """Make a noop of ours with this nonce."""
        sign_id = self.next_id()
        self._signing[sign_id] = OwnAction(Purpose.NOOP, nonce)
        return Sign(sign_id, Noop(), nonce)

    def burn_for(self, request: NoopRequest, now: Nanos) -> Effect:
        """Make a noop for whoever posted with this nonce; refused for any nonce that no order was signed with."""
        if now > request.deadline:
            return _refused(request, "past its deadline")
        if not self._facts.decisions.signed_with(request.nonce):
            return _refused(request, "no order was signed with this nonce")
        sign_id = self.next_id()
        self._signing[sign_id] = request
        return Sign(sign_id, Noop(), request.nonce)

    # --- what came of them -----------------------------------------------------------------------------

    def on_signed(self, signed: Signed, now: Nanos) -> list[Effect]:
        """Post our own, hand out the other's."""
        asked = self._signing.pop(signed.sign_id, None)
        match asked:
            case NoopRequest():
                answer = NoopSigned(request_id=asked.request_id, nonce=signed.nonce, body=signed.body)
                return [Send(answer, to=ASKER)]
            case OwnAction():
                self._posting[signed.sign_id] = asked
                return [Post(signed.sign_id, signed.body, Nanos(now + POST_LIFE))]
            case None:
                return []

    def on_sign_failed(self, failed: SignFailed, now: Nanos) -> tuple[list[Effect], list[Finding]]:
        """Say so: to whoever asked, or as a finding."""
        asked = self._signing.pop(failed.sign_id, None)
        if isinstance(asked, NoopRequest):
            return [_refused(asked, failed.reason)], []
        if asked and asked.purpose is Purpose.FLATTEN and (decision := self._facts.decisions.settle(asked.nonce)):
            self._facts.ledger.retract(decision.orders, now, "no signature was made")
        coin = asked.coin if asked else ""
        return [], [Finding(kind="signature refused", coin=coin, evidence=failed.reason)]

    def on_posted(self, posted: Posted, now: Nanos) -> list[Finding]:
        """Take the venue's answer (rule 2)."""
        action = self._posting.pop(posted.post_id, None)
        if action is None:
            return []
        if action.purpose is Purpose.NOOP and (not posted.error or posted.error.startswith(NONCE_USED)):
            decision = self._facts.decisions.settle(action.nonce)
            orders = decision.orders if decision else ()
            if posted.error:
                self._facts.ledger.doubt(orders)
            else:
                self._facts.ledger.retract(orders, now, f"noop with its nonce {action.nonce} accepted")
            return []
        if action.purpose is Purpose.LEVERAGE and not posted.error:
            self._facts.leverages.on_accepted(action.coin)
        if posted.error:
            if action.purpose is Purpose.CANCEL:
                self._facts.on_failed_cancel(now)
            return [Finding(kind=f"{action.purpose.value} refused", coin=action.coin, evidence=posted.error)]
        return []

    def on_post_failed(self, post_id: int) -> None:
        """Rule 3: whoever needs it tries again."""
        self._posting.pop(post_id, None)

    def _with_new_nonce(
        self, purpose: Purpose, action: Action, venue_now: Millis | None, coin: str = ""
    ) -> list[Effect]:
        nonce = self._facts.decisions.next_nonce(venue_now)
        if nonce is None:
            return []
        self._facts.decisions.use(nonce)
        sign_id = self.next_id()
        self._signing[sign_id] = OwnAction(purpose, nonce, coin)
        return [Record(NonceRecord(nonce=nonce, tag=purpose.value)), Sign(sign_id, action, nonce)]


def _refused(request: NoopRequest, reason: str) -> Effect:
    return Send(NoopSigned(request_id=request.request_id, nonce=request.nonce, body=b"", reason=reason), to=ASKER)
