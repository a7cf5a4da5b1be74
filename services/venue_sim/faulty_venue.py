"""A venue on which faults can be asked for: the door of `Venue`, and faults before it. Pure.

Rules
  1. The venue behind knows nothing of it but a gate for cancels; what it holds and logs is the truth.
  2. Every fault that is armed or cleared, and every deed, is a line of the witness log (Connection, event "fault").
  3. What was withheld leaves by `release` and `step`; it is not struck a second time.
"""

from collections.abc import Iterable
from random import Random
from typing import Any, Final

import msgspec

from common.errors import PeerFault
from common.units import Millis
from services.venue_sim import faults
from services.venue_sim import subscriptions as subs
from services.venue_sim.armoury import Armoury
from services.venue_sim.core import Exchange
from services.venue_sim.deeds import Deeds, in_scope
from services.venue_sim.failing_answers import FailingAnswers
from services.venue_sim.failing_leader import FailingLeader
from services.venue_sim.failing_messages import FailingMessages
from services.venue_sim.failing_requests import FailingRequests, Kind
from services.venue_sim.skew import Skew
from services.venue_sim.streams import Answered, Led, Say, post_text
from services.venue_sim.venue import Effect, HttpAnswer, Made, Venue
from services.venue_sim.withheld import Later, Race, Stalls

UNKNOWN: Final = {"status": "unknownOid"}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An armed fault as it is listed."""

    number: int
    fault: dict[str, Any]
    struck: int


class FaultyVenue:
    """`dice` is seeded by the caller; `owner` is the home's account, empty when there is none."""

    def __init__(self, venue: Venue, dice: Random, owner: str = "") -> None:
        self._venue = venue
        self._armoury = Armoury(dice)
        self._deeds = Deeds(venue, owner)
        self._later = Later()
        self._acks, self._fills = Race(), Race()
        self._stalls = Stalls()
        self._skew = Skew()
        self._requests = FailingRequests(self._armoury, self._later)
        self._messages = FailingMessages(self._armoury, self._later, acks=self._acks, fills=self._fills)
        self._answers = FailingAnswers(
            self._armoury, self._later, acks=self._acks, fills=self._fills, lose=self._requests.lose
        )
        self._leader = FailingLeader(self._armoury)
        venue.gate = self._answers.gate

    # --- faults ---

    def arm(self, name: str, parameters: dict[str, Any], now: Millis) -> tuple[int, list[Effect]]:
        """Arm a fault, or do a deed (number 0); PeerFault when it means nothing."""
        fault = faults.parse(name, parameters)
        number, effects = 0, list[Effect]()
        if isinstance(fault, faults.Lasting):
            number = self._armoury.arm(fault, now)
        elif isinstance(fault, faults.ClockSkew):
            self._skew.aim(fault.ms)
        else:
            effects = self._deeds.do(fault, now)
        self._venue.note(0, "fault", f"{number} {msgspec.json.encode(fault).decode()}", now)
        return number, [*effects, *self._settle_stalls(now)]

    def clear(self, number: int | None, now: Millis) -> int:
        """Disarm one fault, or all; return how many."""
        cleared = self._armoury.clear(number)
        self._venue.note(0, "fault", f"{'all' if number is None else number} cleared", now)
        return cleared

    def armed(self, now: Millis) -> list[View]:
        """List what is armed."""
        return [
            View(number=each.number, fault=msgspec.to_builtins(each.fault), struck=each.struck)
            for each in self._armoury.live(now)
        ]

    # --- the door of Venue ---

    @property
    def exchange(self) -> Exchange:
        return self._venue.exchange

    def clock(self, host: Millis) -> Millis:
        return self._skew.time(host)

    def open_log(self) -> None:
        self._venue.open_log()

    def take_log(self) -> bytes:
        return self._venue.take_log()

    def request(self, ticket: int, method: str, path: str, body: bytes, now: Millis) -> list[Effect]:
        failed = self._requests.arrive(ticket, path, body, now)
        return self._out(self._venue.request(ticket, method, path, body, now) if failed is None else failed, now)

    def open(self, connection: int, now: Millis, target: str = "") -> list[Effect]:
        return self._out(self._venue.open(connection, now, target), now)

    def close(self, connection: int, reason: str, now: Millis) -> None:
        self._stalls.end(connection)
        self._messages.forget(connection)
        self._venue.close(connection, reason, now)

    def text(self, connection: int, text: str, now: Millis) -> list[Effect]:
        if self._stalls.is_stalled(connection):
            return self._stalls.keep(connection, text)
        failed = self._requests.post(connection, text, now)
        if failed is None:
            failed = self._unknown_by_post(connection, text, now)
        if failed is not None:
            return failed
        self._note_subscription(connection, text, now)
        return self._out(self._venue.text(connection, text, now), now)

    def step(self, now: Millis) -> Made:
        made = self._venue.step(now)
        effects = [*self._out(made.effects, now), *self.release(now)]
        return msgspec.structs.replace(made, effects=effects)

    @property
    def holds_back(self) -> bool:
        return True

    def release(self, now: Millis) -> list[Effect]:
        """Let go what was withheld until now."""
        fresh = self._out(self._venue.release(now), now)
        due = [*self._later.due(now), *self._acks.due(now), *self._fills.due(now)]
        return [*fresh, *self._unstalled(due), *self._settle_stalls(now)]

    # --- out ---

    def _out(self, effects: Iterable[Effect], now: Millis) -> list[Effect]:
        return self._unstalled(sent for effect in effects for sent in self._alter(effect, now))

    def _alter(self, effect: Effect, now: Millis) -> list[Effect]:
        match effect:
            case HttpAnswer(about=Answered()):
                sent = self._answers.take(effect, now)
                return [last for each in sent for last in self._leave(each, now)]
            case HttpAnswer():
                return self._leave(effect, now)
            case Say(about=Answered()):
                return self._answers.take(effect, now)
            case Say(about=subs.Channel()):
                return self._messages.take(effect, now)
            case Say(about=Led()):
                return self._leader.take(effect, now)
            case _:
                return [effect]

    def _leave(self, effect: Effect, now: Millis) -> list[Effect]:
        if not isinstance(effect, HttpAnswer):
            return [effect]
        kind, sent = self._requests.leave(effect, now)
        if sent == [effect] and effect.status == 200:
            return [self._spoilt(effect, kind, now)]
        return sent

    def _spoilt(self, answer: HttpAnswer, kind: Kind, now: Millis) -> HttpAnswer:
        """Change an answer to a question about a book, an account or an order that a fault concerns."""
        if kind.type == "l2Book" and answer.body != b"null":
            body = self._messages.book(answer.body, str(kind.fields.get("coin")), now)
            return msgspec.structs.replace(answer, body=body)
        if kind.type == "clearinghouseState":
            return msgspec.structs.replace(answer, body=self._account(answer.body, kind.fields, now))
        if kind.type == "orderStatus" and self._is_young(kind.fields, now):
            return msgspec.structs.replace(answer, body=msgspec.json.encode(UNKNOWN))
        return answer

    def _account(self, body: bytes, fields: dict[str, Any], now: Millis) -> bytes:
        for armed, fault in self._armoury.of(faults.AbsurdAccount, now):
            if fault.user in ("", str(fields.get("user")).lower()) and self._armoury.strikes(armed):
                state = msgspec.json.decode(body)
                state["marginSummary"]["accountValue"] = fault.value
                return msgspec.json.encode(state)
        return body

    # --- unknownOid ---

    def _is_young(self, question: dict[str, Any], now: Millis) -> bool:
        user, ref = str(question.get("user", "")).lower(), question.get("oid")
        for armed, fault in self._armoury.of(faults.UnknownOid, now):
            record = self._venue.exchange.info.order_status(
                user, ref.lower() if isinstance(ref, str) else int(ref or 0)
            )
            if fault.user in ("", user) and record is not None and now < record.order.placed_ms + fault.lag_ms:
                return self._armoury.strikes(armed)
        return False

    def _unknown_by_post(self, connection: int, text: str, now: Millis) -> list[Effect] | None:
        if not any(self._armoury.of(faults.UnknownOid, now)):
            return None
        try:
            frame = subs.parse(text)
        except PeerFault:
            return None
        if not isinstance(frame, subs.Post) or frame.request.type != "info":
            return None
        question = msgspec.json.decode(frame.request.payload)
        if not isinstance(question, dict) or question.get("type") != "orderStatus" or not self._is_young(question, now):
            return None
        return [Say(connection, post_text(frame.id, "info", {"type": "orderStatus", "data": UNKNOWN}))]

    # --- sockets ---

    def _note_subscription(self, connection: int, text: str, now: Millis) -> None:
        if '"orderUpdates"' in text:
            try:
                frame = subs.parse(text)
            except PeerFault:
                return
            if isinstance(frame, subs.Subscribe):
                self._messages.subscribed(connection, frame.subscription, now)

    def _unstalled(self, effects: Iterable[Effect]) -> list[Effect]:
        """Keep what goes to a stalled socket."""
        sent: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Say) and self._stalls.is_stalled(effect.connection):
                sent += self._stalls.keep(effect.connection, effect)
            else:
                sent.append(effect)
        return sent

    def _settle_stalls(self, now: Millis) -> list[Effect]:
        """Begin the stalls that are asked for, end those that are over: what was kept passes now."""
        stalled = {
            connection
            for _, fault in self._armoury.of(faults.StallSocket, now)
            for connection in in_scope(fault, self._venue.connections)
        }
        for connection in sorted(stalled):
            self._stalls.begin(connection)
        effects: list[Effect] = []
        for connection in self._stalls.connections:
            if connection not in stalled:
                said, heard = self._stalls.end(connection)
                effects += said
                for text in heard:
                    effects += self.text(connection, text, now)
        return effects
