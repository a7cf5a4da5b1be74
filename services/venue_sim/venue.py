"""The whole venue without sockets, files and clock: requests in, answers, messages, log lines out.

Rules
  1. An action waits for the next block; its answer leaves when the block is done. Everything else is answered at once.
  2. What a block did is told to the streams before or after its answers go out, as a seeded coin says: the venue
     promises no order between them.
  3. Every account that a query or subscription names is opened and funded, up to ACCOUNTS_MAX of them.
  4. The log has every action before its effects, whatever the answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from common.config import Network
from common.delays import UniformDelay
from common.instrument import Instrument
from common.units import Millis
from services.venue_sim import api, core, durable, payloads
from services.venue_sim.account_payloads import SPOT_PAIRS
from services.venue_sim.address_limits import LIMITS, AddressLimits, action_weight, info_weight, items_weight
from services.venue_sim.broadcast import CADENCES, Broadcast
from services.venue_sim.candles import Candles
from services.venue_sim.core import Exchange
from services.venue_sim.desk import Desk
from services.venue_sim.durable import Changes
from services.venue_sim.latency import Line, is_none
from services.venue_sim.leader import PATH, LeaderStream
from services.venue_sim.questions import Reply
from services.venue_sim.requests import Received, Reception, Refusal
from services.venue_sim.rules import ExchangeConfig
from services.venue_sim.streams import Answered, Drop, PostedAction, Say, Streams
from services.venue_sim.subscriptions import Subscription
from services.venue_sim.truth import Truth
from services.venue_sim.witness import Scribe

ACCOUNTS_MAX: Final = 10_000  # opened by being named; a scan of addresses must not eat the memory
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

_encode: Final = msgspec.json.Encoder().encode


class HttpAnswer(msgspec.Struct, frozen=True):
    """Answer the HTTP request that the shell gave this number."""

    ticket: int
    status: int
    body: bytes
    content_type: str = JSON
    about: Answered | None = None  # the action behind it


Effect: TypeAlias = HttpAnswer | Say | Drop


class Market(Protocol):
    """Whoever trades at the venue besides its clients."""

    def step(self, exchange: Exchange, now_ms: int) -> None:
        """Submit and feed what happens in the next block."""

    def take_leads(self) -> Mapping[str, float]:
        """Return what another venue says with this block: prices by coin, in ticks, ahead of our book."""
        return {}

    def truths(self, now_ms: int) -> Sequence[Truth]:  # noqa: ARG002  # of the markets that know some
        """Return what is true and worth a line in the log after the block of this time."""
        return ()


class Waiting(msgspec.Struct, frozen=True):
    """Whoever waits for the answer to an action: an HTTP ticket, or a post of a connection."""

    request: api.ActionRequest
    user: str = ""  # whose account acts
    ticket: int | None = None
    connection: int = 0
    post_id: int = 0


class Made(msgspec.Struct, frozen=True):
    """One block: what it changed for ever, and what is then to be sent."""

    number: int
    changes: Changes
    effects: list[Effect]


# Asked before an action goes to the exchange: an answer keeps it from there, and is given with the block.
Gate: TypeAlias = Callable[[api.ActionRequest, str, Millis], api.ActionAnswer | None]


def _open_gate(_request: api.ActionRequest, _user: str, _now: Millis) -> None:
    """Let everything pass."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How this venue behaves towards clients."""

    network: Network = Network.TESTNET
    cadence: str = "2025"
    data_age: UniformDelay = UniformDelay(least_ms=0, most_ms=0)  # of public messages
    abort_unknown: bool = True
    seed: int = 1
    block_ms: int = 70


class Venue:
    """`exchange` may have been restored; `last_sequence` is the witness log's."""

    def __init__(
        self, settings: Settings, config: ExchangeConfig, exchange: Exchange, market: Market, last_sequence: int = 0
    ) -> None:
        self.exchange: Final = exchange
        self._market = market
        self._settings = settings
        self._random = Random(f"{settings.seed}/delivery")
        instruments = {coin.instrument.coin: coin.instrument for coin in config.coins}
        self._instruments = instruments
        self._candles = Candles(tuple(instruments))
        self._desk = Desk(config, exchange.info, self._candles)
        self._reception = Reception(tuple(instruments.values()), settings.network)
        self._address = AddressLimits(LIMITS[settings.cadence])
        self._streams = Streams(
            desk=self._desk,
            broadcast=Broadcast(self._desk, CADENCES[settings.cadence]),
            coins=frozenset((*instruments, *SPOT_PAIRS)),
            address=self._address,
            abort_unknown=settings.abort_unknown,
            slow_is_said=settings.cadence != "2025",
            hold_back=Line(settings.data_age, Random(f"{settings.seed}/age")),
            sight=self._sight,
            noted=lambda number, event, detail: self._scribe.connection(self._now, number, event, detail),
        )
        self._leader = LeaderStream(instruments)
        self._scribe = Scribe(config, last_sequence)
        self._waiting: dict[int, Waiting] = {}  # by request; bounded by connections and posts in flight
        self._sighted: set[str] = set()  # only asked whether it contains one
        self._last_request = last_sequence  # so that no number comes twice in the log; the market's own are negative
        self._now = exchange.info.time_ms
        self.gate: Gate = _open_gate
        self._kept_out: list[api.ActionAnswer] = []  # by the gate, since the last block
        self._last_by_hand = 0  # nonce
        self._scribe.block = exchange.info.block + 1

    def start(self, now: Millis, *, restored: bool) -> None:
        """Write the log's first line of this run."""
        settings = self._settings
        self._scribe.start(
            now, seed=settings.seed, block_ms=settings.block_ms, network=settings.network.value, restored=restored
        )
        self.open_log()

    def open_log(self) -> None:
        """Write the whole state to the log: it must be possible to judge every file on its own."""
        self._scribe.opening(self.exchange.info)

    def clock(self, host: Millis) -> Millis:
        """Return venue time at a time of the host's."""
        return host

    def take_log(self) -> bytes:
        """Return the witness lines since the last call."""
        return self._scribe.take()

    # --- HTTP ---

    def request(self, ticket: int, method: str, path: str, body: bytes, now: Millis) -> list[Effect]:
        """Take one HTTP request; its answer comes now or with a later block."""
        self._now = now
        if path not in {"/info", "/exchange"}:
            return [_plain(ticket, 404, "Not Found")]
        if method != "POST":
            return [_plain(ticket, 405, "Method Not Allowed")]
        return self._info(ticket, body) if path == "/info" else self._exchange(ticket, body)

    def _info(self, ticket: int, body: bytes) -> list[Effect]:
        question = self._desk.read(body)
        if isinstance(question, Reply):
            return [_plain(ticket, question.http, str(question.data))]
        if not self._address.weight.take(info_weight(question.type), self._now):
            return [self._too_many(ticket, question.type)]
        if question.user is not None and question.type != "userRole":
            self._sight(question.user.lower())
        reply = self._desk.answer(question, self._now)
        self._address.weight.add(items_weight(reply.kind, reply.items), self._now)
        if reply.http != 200:
            return [_plain(ticket, reply.http, str(reply.data))]
        return [HttpAnswer(ticket, 200, _encode(reply.data))]

    def _exchange(self, ticket: int, body: bytes) -> list[Effect]:
        received = self._reception.receive(body, self._next_request())
        items = 1 if isinstance(received, Refusal) else core.items(received.request)
        if not self._address.weight.take(action_weight(items), self._now):
            return [self._too_many(ticket, "exchange")]
        if isinstance(received, Refusal):
            self._scribe.connection(self._now, 0, "http", f"{received.http} {received.text}")
            return [_refused(ticket, received)]
        self._submit(received, "http", ticket=ticket)
        return []

    def _too_many(self, ticket: int, kind: str) -> HttpAnswer:
        self._scribe.connection(self._now, 0, "http", f"429 {kind}")
        return HttpAnswer(ticket, 429, b"null")

    # --- WebSocket ---

    @property
    def connections(self) -> Mapping[int, Iterable[Subscription]]:
        """Return every open connection with its subscriptions."""
        return self._streams.connections

    def open(self, connection: int, now: Millis, target: str = "") -> list[Effect]:
        """Take a new connection to the venue, or to the leader where the target says so; or drop it."""
        self._now = now
        if target.startswith(PATH):
            return [] if self._leader.open(connection, target) else [Drop(connection, "too many connections")]
        if not self._address.connect(now):
            self._scribe.connection(now, connection, "drop", "too many connections")
            return [Drop(connection, "too many connections")]
        self._streams.open(connection)
        self._scribe.connection(now, connection, "open", "")
        return []

    def close(self, connection: int, reason: str, now: Millis) -> None:
        self._now = now
        self._leader.close(connection)
        if self._streams.close(connection):
            self._address.disconnect()
            self._scribe.connection(now, connection, "close", reason)

    def text(self, connection: int, text: str, now: Millis) -> list[Effect]:
        """Take one frame."""
        self._now = now
        effects: list[Effect] = []
        for effect in self._streams.receive(connection, text, now):
            if isinstance(effect, PostedAction):
                effects += self._posted(effect)
                continue
            if isinstance(effect, Drop):
                self._scribe.connection(now, connection, "drop", effect.reason)
            effects.append(effect)
        return effects

    def _posted(self, posted: PostedAction) -> Iterable[Effect]:
        received = self._reception.receive(posted.body, self._next_request())
        if isinstance(received, Refusal):
            self._scribe.connection(self._now, posted.connection, "post", f"{received.http} {received.text}")
            payload = payloads.refusal(received.text) if received.http == 200 else received.text
            return self._streams.answered(posted.connection, posted.id, payload, http=received.http)
        self._submit(received, f"ws-{posted.connection}", connection=posted.connection, post_id=posted.id)
        return []

    # --- actions ---

    def _next_request(self) -> int:
        self._last_request += 1
        return self._last_request

    def act(self, user: str, action: dict[str, Any], now: Millis) -> None:
        """Have an account's owner act by hand, elsewhere, with a key of its own."""
        self._now = now
        self._last_by_hand = max(self._last_by_hand + 1, int(now))
        received = self._reception.by_hand(user, action, self._last_by_hand, self._next_request())
        self._submit(received, "owner")

    def note(self, connection: int, event: str, detail: str, now: Millis) -> None:
        """Write a line about a connection (0: HTTP) into the log."""
        self._scribe.connection(now, connection, event, detail)

    def _submit(self, received: Received, via: str, **whom: int) -> None:
        """Log an action and queue it for the next block; `whom` is who waits, as in Waiting."""
        request = received.request
        role = self.exchange.info.role(request.signer)
        user = {"agent": role.master, "user": request.signer}.get(role.role) or ""
        if user and request.vault is not None:
            owner = self.exchange.info.role(request.vault)
            user = request.vault if (owner.role, owner.master) == ("subAccount", user) else ""
        self._scribe.action(self._now, request, user=user, via=via, action=received.action)
        self._waiting[request.request_id] = Waiting(request, user, **whom)
        refusal = self.gate(request, user, self._now)
        if refusal is None:
            self.exchange.submit(request)
        else:
            self._kept_out.append(refusal)

    def _items(self, request: api.ActionRequest) -> tuple[Instrument, ...]:
        """Return the instrument of each item that an answer will speak of."""
        match request.action:
            case api.PlaceOrders(orders=orders):
                coins = [order.coin for order in orders]
            case api.CancelOrders(cancels=cancels):
                coins = [cancel.coin for cancel in cancels]
            case api.ModifyOrders(modifies=modifies):
                coins = [modify.order.coin for modify in modifies]
            case _:
                coins = []
        return tuple(self._instruments[coin] for coin in coins)

    # --- blocks ---

    def step(self, now: Millis) -> Made:
        """Make one block; the caller stores what it changed before it performs the effects."""
        self._now = now
        self._market.step(self.exchange, now)
        block = self.exchange.step(now)
        self._scribe.block = block.number
        answers: list[Effect] = []
        requests = [self._waiting[answer.request_id].request for answer in block.answers if self._awaits(answer)]
        changes = durable.changes(self.exchange, block, requests)
        for answer in self._in_order([*filter(self._awaits, block.answers), *self._kept_out]):
            answers += self._answer(answer)
        self._kept_out.clear()
        for event in block.events:
            if isinstance(event, api.TradeEvent):
                self._candles.add(event)
        self._scribe.events(block, self.exchange.info)
        for truth in self._market.truths(now):
            self._scribe.truth(truth, now)
        self._scribe.block = block.number + 1
        news: list[Effect] = [*self._streams.follow(block)]
        news += self._leader.follow(self._market.take_leads(), now)
        effects = [*news, *answers] if self._random.random() < 0.5 else [*answers, *news]
        return Made(block.number, changes, effects)

    @property
    def holds_back(self) -> bool:
        """Say whether `release` will ever have anything."""
        return not is_none(self._settings.data_age)

    def release(self, now: Millis) -> list[Effect]:
        """Let go the public messages that were held back until now."""
        return [*self._streams.release(now)]

    def _in_order(self, answers: list[api.ActionAnswer]) -> list[api.ActionAnswer]:
        """Put what the gate kept out where it would have run."""
        if not self._kept_out:
            return answers
        return sorted(answers, key=lambda each: (core.urgency(self._waiting[each.request_id].request), each.request_id))

    def _awaits(self, answer: api.ActionAnswer) -> bool:
        """Say whether somebody waits for this answer; nobody does for the market's own."""
        return answer.request_id in self._waiting

    def _answer(self, answer: api.ActionAnswer) -> Iterable[Effect]:
        waiting = self._waiting.pop(answer.request_id)
        statuses = payloads.statuses(answer, self._items(waiting.request))
        body = payloads.answer(answer, statuses)
        self._scribe.verdict(self._now, answer.request_id, answer.error, statuses)
        about = Answered(waiting.request, answer, waiting.user)
        if waiting.ticket is not None:
            return [HttpAnswer(waiting.ticket, 200, _encode(body), about=about)]
        if not waiting.connection:
            return []  # an owner, by hand
        return self._streams.answered(waiting.connection, waiting.post_id, body, about=about)

    def _sight(self, user: str) -> None:
        """Open an account the first time that it is named (rule 3)."""
        if user not in self._sighted and len(self._sighted) < ACCOUNTS_MAX:
            self._sighted.add(user)
            self.exchange.sight(user)


def _plain(ticket: int, status: int, text: str) -> HttpAnswer:
    return HttpAnswer(ticket, status, text.encode(), TEXT)


def _refused(ticket: int, refusal: Refusal) -> HttpAnswer:
    if refusal.http != 200:
        return _plain(ticket, refusal.http, refusal.text)
    return HttpAnswer(ticket, 200, _encode(payloads.refusal(refusal.text)))
