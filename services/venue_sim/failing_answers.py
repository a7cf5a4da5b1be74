"""Answers to actions that are lost, late or untrue, and cancels that fail. Pure.

Only answers to what the exchange accepted are touched: a refusal is told as it is.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from common.units import Millis
from services.venue_sim import api, faults, payloads
from services.venue_sim.armoury import Armoury
from services.venue_sim.streams import Answered, Say
from services.venue_sim.venue import Effect, HttpAnswer
from services.venue_sim.withheld import Later, Race, Ref, Sent

_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (api.PlaceOrders, "order"),
    (api.CancelOrders, "cancel"),
    (api.ModifyOrders, "modify"),
)


class FailingAnswers:
    """`acks` waits for fills; `fills` is told of every cancel; `lose` is told of HTTP answers that never come."""

    def __init__(
        self, armoury: Armoury, later: Later, *, acks: Race, fills: Race, lose: Callable[[HttpAnswer, Millis], None]
    ) -> None:
        self._armoury = armoury
        self._later = later
        self._acks = acks
        self._fills = fills
        self._lose = lose

    def gate(self, request: api.ActionRequest, user: str, now: Millis) -> api.ActionAnswer | None:
        """Refuse cancels that shall fail."""
        if not isinstance(request.action, api.CancelOrders):
            return None
        coins = _coins(request.action)
        for armed, fault in self._armoury.of(faults.FailedCancels, now):
            if fault.user in ("", user) and (not fault.coin or fault.coin in coins) and self._armoury.strikes(armed):
                statuses = tuple(api.Refused(fault.text) for _ in request.action.cancels)
                return api.ActionAnswer(request_id=request.request_id, kind=api.AnswerKind.CANCEL, statuses=statuses)
        return None

    def take(self, answer: Sent, now: Millis) -> list[Effect]:
        """Take an answer of the venue; return what is sent now."""
        about = answer.about
        assert isinstance(about, Answered)
        sent = self._alter(answer, about, now)
        return [*sent, *self._fills.passed(_cancelled(about.request.action))] if self._fills and sent else sent

    def _alter(self, answer: Sent, about: Answered, now: Millis) -> list[Effect]:
        if not _accepted(about.answer):
            return [answer]
        for armed, fault in self._armoury.of(faults.AnswerFault, now):
            refs = _oids(about.answer)
            if not _fits(fault, answer, about) or (isinstance(fault, faults.FillBeforeAck) and not refs):
                continue
            if not self._armoury.strikes(armed):
                continue
            match fault:
                case faults.LoseAck():
                    if isinstance(answer, HttpAnswer):
                        self._lose(answer, now)
                    return []
                case faults.ErrorAfterAccept(text=text):
                    return [_instead(answer, text)]
                case faults.LateAck(delay_ms=delay_ms):
                    self._later.keep(answer, now + delay_ms)
                    return []
                case faults.FillBeforeAck(delay_ms=delay_ms):
                    self._acks.wait(refs, answer, now + delay_ms)
                    return []
                case _:
                    raise AssertionError(fault)
        return [answer]


def _fits(fault: faults.AnswerFault, answer: Sent, about: Answered) -> bool:
    action = about.request.action
    kind = next((name for each, name in _KINDS if isinstance(action, each)), "other")
    connection = answer.connection if isinstance(answer, Say) else None
    return (
        fault.user in ("", about.user)
        and fault.connection in (None, connection)
        and fault.action in ("", kind)
        and (not fault.coin or fault.coin in _coins(action))
    )


def _accepted(answer: api.ActionAnswer) -> bool:
    """Say whether the exchange did anything of what was asked."""
    return answer.ok and not (answer.statuses and all(isinstance(each, api.Refused) for each in answer.statuses))


def _coins(action: api.Action) -> set[str]:
    match action:
        case api.PlaceOrders(orders=parts) | api.CancelOrders(cancels=parts):
            return {part.coin for part in parts}
        case api.ModifyOrders(modifies=modifies):
            return {modify.order.coin for modify in modifies}
        case _:
            return set()


def _oids(answer: api.ActionAnswer) -> set[Ref]:
    return {each.oid for each in answer.statuses if isinstance(each, api.Resting | api.Filled)}


def _cancelled(action: api.Action) -> list[Ref]:
    match action:
        case api.CancelOrders(cancels=cancels):
            return [cancel.ref for cancel in cancels]
        case api.ModifyOrders(modifies=modifies):
            return [modify.ref for modify in modifies]
        case _:
            return []


def _instead(answer: Sent, text: str) -> Effect:
    """Return the same answer, refusing the whole action."""
    refusal = payloads.refusal(text)
    if isinstance(answer, HttpAnswer):
        return HttpAnswer(answer.ticket, 200, msgspec.json.encode(refusal))
    tree = msgspec.json.decode(answer.text)
    tree["data"]["response"]["payload"] = refusal
    return Say(answer.connection, msgspec.json.encode(tree))
