"""Requests that fail between the client and the venue: by HTTP, and as posts of a WebSocket. Pure.

Rules
  1. A fault that strikes before the venue keeps the request from it; one that strikes after replaces the answer.
  2. Every HTTP request is answered in the end: a gateway gives up after a minute.
  3. A post is answered by the error that it would have been by HTTP, by half a frame, or never.
"""

from typing import Any, Final

import msgspec

from common.errors import PeerFault
from common.units import Millis
from services.venue_sim import faults
from services.venue_sim import subscriptions as subs
from services.venue_sim.armoury import Armed, Armoury
from services.venue_sim.streams import Say, http_error, post_text
from services.venue_sim.venue import TEXT, Effect, HttpAnswer
from services.venue_sim.withheld import Later

GATEWAY_MS_MAX: Final = 60_000
HTML: Final = "text/html"
_PAGE: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)
_STATUSES: Final[dict[type[faults.RequestFault], int]] = {
    faults.Http429: 429,
    faults.Http500: 500,
    faults.Http502: 502,
    faults.Hang: 504,
}


class Kind(msgspec.Struct, frozen=True):
    """What a request is: info or exchange, and the type in it."""

    path: str
    type: str
    fields: dict[str, Any]  # JSON of the question or the action


class FailingRequests:
    def __init__(self, armoury: Armoury, later: Later) -> None:
        self._armoury = armoury
        self._later = later
        self._open: dict[int, Kind] = {}  # HTTP requests at the venue, by ticket

    # --- before the venue ---

    def arrive(self, ticket: int, path: str, body: bytes, now: Millis) -> list[Effect] | None:
        """Take an HTTP request; None lets it pass."""
        kind = _kind(path.strip("/"), body)
        armed = self._struck(kind, now, after=False)
        if armed is None:
            self._open[ticket] = kind
            return None
        return self._fail(armed, HttpAnswer(ticket, 200, b""), now)

    def post(self, connection: int, frame: str, now: Millis) -> list[Effect] | None:
        """Take a frame of a WebSocket; None lets it pass."""
        if not any(self._armoury.of(faults.RequestFault, now)):
            return None
        try:
            post = subs.parse(frame)
        except PeerFault:
            return None
        if not isinstance(post, subs.Post):
            return None
        action = post.request.type == "action"
        armed = self._struck(_kind("exchange" if action else "info", bytes(post.request.payload)), now, after=False)
        if armed is None:
            return None
        if isinstance(armed.fault, faults.Hang):
            return []
        status = _STATUSES[type(armed.fault)]  # type: ignore[index]  # TruncatedJson is never before
        return [Say(connection, post_text(post.id, "error", http_error(status, "null")))]

    # --- after it ---

    def leave(self, answer: HttpAnswer, now: Millis) -> tuple[Kind, list[Effect]]:
        """Take the venue's answer; return what it is to, and what is sent instead."""
        kind = self._open.pop(answer.ticket, Kind("", "", {}))
        armed = self._struck(kind, now, after=True)
        return kind, [answer] if armed is None else self._fail(armed, answer, now)

    def lose(self, answer: HttpAnswer, now: Millis) -> None:
        """Have a gateway answer instead, much later (rule 2)."""
        self._open.pop(answer.ticket, None)
        self._later.keep(_page(answer.ticket, 504), now + GATEWAY_MS_MAX)

    # --- parts ---

    def _struck(self, kind: Kind, now: Millis, *, after: bool) -> Armed | None:
        for armed, fault in self._armoury.of(faults.RequestFault, now):
            late = fault.after or isinstance(fault, faults.TruncatedJson)
            fits = fault.path in ("", kind.path) and fault.type in ("", kind.type) and kind.path
            if late is after and fits and self._armoury.strikes(armed):
                return armed
        return None

    def _fail(self, armed: Armed, answer: HttpAnswer, now: Millis) -> list[Effect]:
        match armed.fault:
            case faults.TruncatedJson():
                return [HttpAnswer(answer.ticket, answer.status, answer.body[: len(answer.body) // 2])]
            case faults.Hang(delay_ms=delay_ms):
                self._later.keep(_page(answer.ticket, 504), now + delay_ms)
                return []
            case faults.Http502():
                return [_page(answer.ticket, 502)]
            case faults.Http429():
                return [HttpAnswer(answer.ticket, 429, b"null")]
            case _:
                return [HttpAnswer(answer.ticket, 500, b"Internal Server Error", TEXT)]


def _kind(path: str, body: bytes) -> Kind:
    """Read what a request is, as far as it can be read."""
    try:
        tree = msgspec.json.decode(body)
        fields = tree["action"] if path == "exchange" and "action" in tree else tree
        return Kind(path, str(fields["type"]), fields)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return Kind(path, "", {})


def _page(ticket: int, status: int) -> HttpAnswer:
    title = {502: "502 Bad Gateway", 504: "504 Gateway Time-out"}[status]
    return HttpAnswer(ticket, status, _PAGE.format(title).encode(), HTML)
