"""Getting rid of orders: cancels, noops for what is not acknowledged, until the venue proves it.

Rules
  1. A cancel is asked for once, and again only after a failure or a silence, later each time: never at every tick.
  2. Only the venue's "success" confirms a cancel. Any other text is asked about: "already cancelled, filled or never
     placed" may be an order that has not arrived yet.
  3. A cancel that is not proven within `stuck_cancel_ms` is a finding, and everything of ours is asked to be cancelled.
  4. What was posted and not acknowledged is cancelled, and its nonce is burned besides: an accepted noop proves that
     the order never arrives, a refused one proves nothing.
  5. The requotes of a coin have one cancel request in flight; a pull waits for nobody.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from common.actor import Effect, Post, Send
from common.messages import CancelAnswer, CancelRequest, NoopRequest, NoopSigned, Posted, PostFailed, SendFailed
from common.units import MILLISECOND, SECOND, Nanos
from services.order_management.desk import Desk, nonces
from services.order_management.facts import VenueFacts
from services.order_management.lifecycle import Evidence
from services.order_management.tracked_order import TrackedOrder

HAND_OVER: Final = Nanos(1 * SECOND)  # the canceller drops what is older
ANSWER_WAIT: Final = Nanos(2 * SECOND)  # then the venue is asked and the cancel repeated; p99 of the venue is 0.9 s
WAIT_DOUBLINGS_MAX: Final = 3
NOOP_AGAIN: Final = Nanos(1 * SECOND)
NOOP_TRIES_MAX: Final = 3  # the order expires by itself about then
SWEEP_WAIT: Final = Nanos(5 * SECOND)  # the canceller reads, cancels and reads again before it answers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    waiting: tuple[str, ...]  # cloids without an outcome
    until: Nanos
    requoted: str  # coin; "" when it is no requote
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noop:
    request_id: int
    tries: int
    again_at: Nanos


class Cancelling:
    """Owns what is being asked of the canceller, and the nonces that are being burned."""

    def __init__(self, desk: Desk, facts: VenueFacts) -> None:
        self._desk = desk
        self._facts = facts
        self._requests: dict[int, _Request] = {}
        self._noops: dict[int, _Noop] = {}  # by nonce
        self._noop_posts: dict[int, int] = {}  # post id -> nonce

    # --- asking ------------------------------------------------------------------------------------------

    def requoting(self, coin: str) -> bool:
        return any(request.requoted == coin for request in self._requests.values())

    @property
    def sweeping(self) -> bool:
        return any(request.everything for request in self._requests.values())

    def cancel(
        self, orders: Iterable[TrackedOrder], reason: str, now: Nanos, *, requoted: str = "", again: bool = False
    ) -> list[Effect]:
        """Ask for these cancels; those under way are left out unless `again`."""
        chosen = [order for order in orders if order.gone_at is None and (again or not order.being_cancelled)]
        if not chosen:
            return []
        effects: list[Effect] = []
        for order in chosen:
            order.cancel_asked_at = now if order.cancel_asked_at is None else order.cancel_asked_at
            order.cancel_tries += 1
            order.check_at = Nanos(now + (ANSWER_WAIT << min(order.cancel_tries - 1, WAIT_DOUBLINGS_MAX)))
            effects += self._desk.store.move(order, Evidence.CANCEL_ASKED, reason, now)
        self._desk.count("cancels", len(chosen))
        request = CancelRequest(
            request_id=self._desk.new_id(),
            sender="order_management",
            epoch=self._desk.epoch,
            deadline=Nanos(now + HAND_OVER),
            cancels=tuple(order.cancel() for order in chosen),
            reason=reason,
        )
        waiting = tuple(order.cloid for order in chosen)
        self._requests[request.request_id] = _Request(
            waiting=waiting, until=Nanos(now + ANSWER_WAIT), requoted=requoted
        )
        return [*effects, Send(request, to="canceller")]

    def everything(self, reason: str, now: Nanos) -> list[Effect]:
        """Ask for all of ours by the venue's own list; one such request at a time."""
        if self.sweeping:
            return []
        self._desk.count("sweeps")
        request = CancelRequest(
            request_id=self._desk.new_id(),
            sender="order_management",
            epoch=self._desk.epoch,
            deadline=Nanos(now + HAND_OVER),
            everything=True,
            reason=reason,
        )
        self._requests[request.request_id] = _Request(
            waiting=(), until=Nanos(now + SWEEP_WAIT), requoted="", everything=True
        )
        return [Send(request, to="canceller")]

    def burn(self, orders: Iterable[TrackedOrder], now: Nanos) -> list[Effect]:
        """Rule 4: ask risk for a noop with each nonce that may still bring an order."""
        effects: list[Effect] = []
        wanted = nonces(order for order in orders if not self._desk.past_arrival(order, now, now))
        alive = nonces(self._desk.store.unacknowledged())
        self._noops = {nonce: noop for nonce, noop in self._noops.items() if nonce in alive}
        for nonce in wanted:
            noop = self._noops.get(nonce, _Noop(request_id=0, tries=0, again_at=now))
            if noop.again_at > now or noop.tries >= NOOP_TRIES_MAX:
                continue
            request_id = self._desk.new_id()
            self._noops[nonce] = _Noop(request_id=request_id, tries=noop.tries + 1, again_at=Nanos(now + NOOP_AGAIN))
            self._desk.count("noops")
            deadline = Nanos(now + self._desk.settings.orders.approval_timeout_ms * MILLISECOND)
            request = NoopRequest(request_id=request_id, epoch=self._desk.epoch, deadline=deadline, nonce=nonce)
            effects.append(Send(request, to="risk"))
        return effects

    # --- answers -----------------------------------------------------------------------------------------

    def on_answer(self, answer: CancelAnswer, now: Nanos) -> list[Effect]:
        """Rule 2. An answer may come in parts."""
        request = self._requests.get(answer.request_id)
        effects: list[Effect] = []
        answered = set()
        for outcome in answer.outcomes:
            order = self._desk.store.find(outcome.cancel.cloid, outcome.cancel.oid)
            if order is None:
                continue
            answered.add(order.cloid)
            if outcome.status == "success":
                effects += self._facts.on_gone(order, None, "cancel success", now)
            elif not order.terminal:
                self._doubtful(order, now)
        if request is None:
            return effects
        waiting = tuple(cloid for cloid in request.waiting if cloid not in answered)
        if answer.error or request.everything or not waiting:
            self._finish(answer.request_id, waiting, now)
        else:
            self._requests[answer.request_id] = replace(request, waiting=waiting)
        return effects

    def on_send_failed(self, message: SendFailed, now: Nanos) -> list[Effect]:
        request = self._requests.get(message.request_id)
        if request is not None:
            self._finish(message.request_id, request.waiting, now)
        return []

    def on_time(self, now: Nanos) -> list[Effect]:
        for request_id in [one for one, request in self._requests.items() if now >= request.until]:
            self._finish(request_id, self._requests[request_id].waiting, now)
        return []

    def retry(self, orders: list[TrackedOrder], now: Nanos) -> list[Effect]:
        """Rules 1 and 3: these are still not proven cancelled and their wait is over."""
        effects: list[Effect] = []
        stuck_after = self._desk.settings.orders.stuck_cancel_ms * MILLISECOND
        for order in orders:
            self._desk.want_status(order, now)
            if order.cancel_asked_at is not None and now >= order.cancel_asked_at + stuck_after and not order.stuck:
                order.stuck = True
                effects += self._desk.finding("stuck cancel", order.coin, f"{order.cloid}: {order.cancel_tries} tries")
                effects += self.everything("stuck cancel", now)
        return effects + self.cancel(orders, "again", now, again=True)

    # --- noops -------------------------------------------------------------------------------------------

    def on_noop_signed(self, message: NoopSigned, now: Nanos) -> list[Effect]:
        noop = self._noops.get(message.nonce)
        if noop is None or noop.request_id != message.request_id or not message.body:
            return []
        post_id = self._desk.new_id()
        self._noop_posts[post_id] = message.nonce
        return [Post(post_id, message.body, Nanos(now + NOOP_AGAIN))]

    def on_noop_posted(self, message: Posted | PostFailed, now: Nanos) -> list[Effect]:
        """Accepted: whatever was signed with this nonce never arrives. Refused or unanswered: ask by cloid."""
        nonce = self._noop_posts.pop(message.post_id, None)
        effects: list[Effect] = []
        for order in self._desk.store.unacknowledged():
            if nonce is None or order.nonce != nonce:
                continue
            if isinstance(message, Posted) and not message.error:
                effects += self._facts.unplaced(order, f"noop {nonce} accepted", now)
            else:
                self._desk.want_status(order, now)
        return effects

    def deadline(self) -> Nanos | None:
        due = [request.until for request in self._requests.values()]
        return Nanos(min(due)) if due else None

    # --- parts -------------------------------------------------------------------------------------------

    def _finish(self, request_id: int, waiting: Iterable[str], now: Nanos) -> None:
        del self._requests[request_id]
        for cloid in waiting:
            order = self._desk.store.open.get(cloid)
            if order is not None:
                self._doubtful(order, now)

    def _doubtful(self, order: TrackedOrder, now: Nanos) -> None:
        """The cancel may have failed, or may not have been sent: ask the venue, and look again soon."""
        self._desk.want_status(order, now)
        if order.gone_at is None:
            wait = NOOP_AGAIN << min(max(0, order.cancel_tries - 1), WAIT_DOUBLINGS_MAX)
            order.check_at = Nanos(min(now + wait, order.check_at or now + wait))
