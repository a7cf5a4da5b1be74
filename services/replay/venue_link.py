"""The local venue in the same process: venue_sim's pure `Venue` behind the wire of real services.

Requests are really signed, frames are really JSON, and the witness lines are kept for the judge. Only sockets, files
and time are missing.
"""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from common import witness
from common.actor import Ask, Post, Sign
from common.config import Settings
from common.errors import AbsurdNumber, PeerFault
from common.hyperliquid import wire
from common.hyperliquid.signing import SigningKey
from common.hyperliquid.stamp_pace import StampPace
from common.hyperliquid.subscriptions import market_subscriptions, risk_subscriptions, user_subscriptions
from common.keys import PublicKeys
from common.messages import (
    Message,
    Posted,
    PostFailed,
    QueryFailed,
    Signed,
    SignFailed,
    StreamDown,
    StreamUp,
    VenueTime,
)
from common.messages.venue import FillsQuery, FundingQuery
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.market_data.leader_wire import LOCAL, LeaderReader, stream_path
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble, plan_of
from services.venue_sim.faulty_venue import FaultyVenue
from services.venue_sim.streams import Drop, Say
from services.venue_sim.tape_market import TapeMarket
from services.venue_sim.venue import HttpAnswer, Venue

EPOCH_MS: Final = Millis(1_790_000_000_000)  # venue time at the start of the simulation
PATIENCE: Final = Nanos(5 * SECOND)  # of the real links, with an answer
RECONNECT: Final = Nanos(300 * MILLISECOND)  # from a lost socket to the next one
LATENCY_MS: Final = (5, 60)  # each way, drawn anew for each message
ACCOUNT: Final = "0x" + "ab" * 20
OPERATOR: Final = "0x" + "0e" * 20
LEADER: Final = "leader"  # the second socket of market_data
KEYS: Final = {"risk": SigningKey(b"\x01" * 32), "canceller": SigningKey(b"\x02" * 32)}
AGENTS: Final = {name: key.address for name, key in KEYS.items()}

Arrival = tuple[Nanos, str, Message]


class LocalVenue:
    """Delays every message to and from the venue by a time drawn from the seed."""

    def __init__(
        self, settings: Settings, chance: random.Random, venue: Venue, latency_ms: tuple[int, int] = LATENCY_MS
    ) -> None:
        self.venue: Venue | FaultyVenue = venue
        self.lines: list[witness.AnyLine] = []
        self.lost_orders = 0.0  # share of order_management's posts that never arrive
        self.lost_answers = 0.0  # share of the answers to posts that never arrive
        self._settings = settings
        self._chance = chance
        self._latency_ms = latency_ms
        self._instruments = settings.instruments()
        self._leader = LeaderReader({})
        self._readers = {name: wire.FrameReader(self._instruments) for name in self._subscriptions}
        self._stamps = {name: StampPace() for name in self._subscriptions}
        self._connections: dict[int, str] = {}
        self._current: dict[str, int] = {}
        self._heard_at: dict[int, Nanos] = {}
        self._asks: dict[int, tuple[str, Ask, Nanos]] = {}
        self._posts: dict[tuple[str, int], tuple[Nanos, wire.PostedItems]] = {}  # with the time of sending
        self._later: list[tuple[Nanos, int, str, Post | Ask]] = []
        self._arrivals: list[Arrival] = []
        self._ticket = 0

    @property
    def _subscriptions(self) -> dict[str, tuple[dict[str, object], ...]]:
        coins = tuple(self._settings.coins)
        return {
            "market_data": market_subscriptions(coins),
            "risk": risk_subscriptions(coins, ACCOUNT),
            "order_management": user_subscriptions(ACCOUNT),
            "canceller": (),
        }

    # --- what the driver asks ------------------------------------------------------------------------------

    def sign(self, service: str, effect: Sign) -> Signed | SignFailed:
        action = wire.encode_action(effect.action, self._instruments)
        signature = KEYS[service].sign_l1(
            action, effect.nonce, self._settings.venue.network, expires_after=effect.expires_after
        )
        body = wire.request_body(action, effect.nonce, signature, expires_after=effect.expires_after)
        return Signed(sign_id=effect.sign_id, nonce=effect.nonce, body=body)

    def post(self, service: str, effect: Post, now: Nanos) -> None:
        self._send(service, effect, now)

    def ask(self, service: str, effect: Ask, now: Nanos) -> None:
        self._send(service, effect, now)

    def restarted(self, service: str, now: Nanos) -> Iterable[Arrival]:
        """Close the old socket, open a new one, subscribe; the first words come with the next block."""
        if service == "market_data":
            self._follow_leader(now)
        return self._open(service, now, Nanos(now + MILLISECOND))

    def _follow_leader(self, now: Nanos) -> None:
        leader = self._settings.leader
        if leader is None:
            return
        connection = self._connection(LEADER, now)
        self._leader = LeaderReader(leader.symbols)
        self._take(self.venue.open(connection, self._venue_ms(now), LOCAL + stream_path(leader)), now)

    def _connection(self, owner: str, now: Nanos) -> int:
        """Give this owner a new socket's number in the place of the old one's."""
        old = self._current.pop(owner, None)
        if old is not None:
            self._connections.pop(old, None)
            self.venue.close(old, "restarted", self._venue_ms(now))
        self._ticket += 1
        self._current[owner] = self._ticket
        self._connections[self._ticket] = owner
        return self._ticket

    def _open(self, service: str, now: Nanos, up_at: Nanos) -> list[Arrival]:
        if service not in self._subscriptions:
            return []
        connection = self._connection(service, now)
        self._heard_at[connection] = up_at
        self._take(self.venue.open(connection, self._venue_ms(now)), now)
        for subscription in self._subscriptions[service]:
            frame = msgspec.json.encode({"method": "subscribe", "subscription": subscription}).decode()
            self._take(self.venue.text(connection, frame, self._venue_ms(now)), now)
        return [(up_at, service, StreamUp(connection=connection))]

    def reconnect(self, service: str, now: Nanos) -> None:
        self.drop(service, now)

    def drop(self, service: str, now: Nanos) -> None:
        """Lose this service's socket and what it waits for; another is up a while later."""
        for owner, post_id in list(self._posts):
            if owner == service:
                self._fail_post(service, post_id, "connection lost", now)
        self._arrivals.append((now, service, StreamDown(connection=self._current[service], reason="dropped")))
        self._arrivals += self._open(service, now, Nanos(now + RECONNECT))

    def step(self, now: Nanos) -> Iterable[Arrival]:
        """Hand over what has reached the venue, and make one block."""
        due = sorted((entry for entry in self._later if entry[0] <= now), key=lambda entry: entry[:2])
        self._later = [entry for entry in self._later if entry[0] > now]
        for _, _, service, effect in due:
            if isinstance(effect, Post):
                self._on_post(service, effect, now)
            else:
                self._on_ask(service, effect, now)
        self._take(self.venue.step(self._venue_ms(now)).effects, now)
        self._give_up(now)
        self.lines += [witness.decode(line + b"\n") for line in self.venue.take_log().splitlines()]
        arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def fault(self, name: str, now: Nanos, /, **parameters: object) -> int:
        """Ask the venue for a fault (services/venue_sim/faults.py); return its number, 0 for a deed."""
        if not isinstance(self.venue, FaultyVenue):
            self.venue = FaultyVenue(self.venue, random.Random(self._chance.getrandbits(64)), ACCOUNT)
        number, effects = self.venue.arm(name, parameters, self._venue_ms(now))
        self._take(effects, now)
        return number

    def clear_faults(self, now: Nanos) -> None:
        assert isinstance(self.venue, FaultyVenue)
        self.venue.clear(None, self._venue_ms(now))

    # --- parts -----------------------------------------------------------------------------------------------

    def _venue_ms(self, now: Nanos) -> Millis:
        return self.venue.clock(Millis(EPOCH_MS + now // MILLISECOND))

    def _delay(self, now: Nanos) -> Nanos:
        return Nanos(now + self._chance.randint(*self._latency_ms) * MILLISECOND)

    def _send(self, service: str, effect: Post | Ask, now: Nanos) -> None:
        self._ticket += 1
        self._later.append((self._delay(now), self._ticket, service, effect))

    def _on_post(self, service: str, post: Post, now: Nanos) -> None:
        if service == "order_management" and self._chance.random() < self.lost_orders:
            lost = PostFailed(post_id=post.post_id, sent=True, reason="lost")
            self._arrivals.append((Nanos(now + 2_000 * MILLISECOND), service, lost))
            return
        self._posts[service, post.post_id] = now, wire.posted_items(post.body)
        frame = wire.post_frame(post.post_id, post.body).decode()
        self._take(self.venue.text(self._current[service], frame, self._venue_ms(now)), now)

    def _give_up(self, now: Nanos) -> None:
        """Fail what was not answered in time, as the real links do."""
        for (service, post_id), (sent_at, _) in list(self._posts.items()):
            if now - sent_at > PATIENCE:
                self._fail_post(service, post_id, "no answer in time", now)
        for ticket, (service, ask, asked_at) in list(self._asks.items()):
            if now - asked_at > PATIENCE:
                del self._asks[ticket]
                self._arrivals.append((now, service, QueryFailed(query_id=ask.query_id, reason="no answer in time")))

    def _fail_post(self, service: str, post_id: int, reason: str, now: Nanos) -> None:
        del self._posts[service, post_id]
        self._arrivals.append((now, service, PostFailed(post_id=post_id, sent=True, reason=reason)))

    def _on_ask(self, service: str, ask: Ask, now: Nanos) -> None:
        self._ticket += 1
        self._asks[self._ticket] = (service, ask, now)
        body = msgspec.json.encode(wire.query_body(ask.query, ACCOUNT))
        self._take(self.venue.request(self._ticket, "POST", "/info", body, self._venue_ms(now)), now)

    def _take(self, effects: Iterable[object], now: Nanos) -> None:
        for effect in effects:
            if isinstance(effect, Say):
                self._on_frame(effect, now)
            elif isinstance(effect, HttpAnswer):
                self._on_answer(effect, now)
            elif isinstance(effect, Drop) and effect.connection in self._connections:
                self.drop(self._connections[effect.connection], now)

    def _on_frame(self, say: Say, now: Nanos) -> None:
        service = self._connections.get(say.connection)
        if service is None:
            return
        at = max(self._delay(now), self._heard_at.get(say.connection, now))  # a socket keeps its order
        self._heard_at[say.connection] = at
        try:
            if service == LEADER:
                self._arrivals.append((at, "market_data", self._leader.read(say.text, at)))
                return
            frame = self._readers[service].read(say.text, at)
        except PeerFault:
            return  # as the real links do
        match frame:
            case wire.Facts(channel=channel, messages=messages, stamp_ms=stamp_ms):
                if stamp_ms is not None and self._stamps[service].passes(channel, at):
                    self._arrivals.append((at, service, VenueTime(venue_ms=stamp_ms, resolution_ms=1)))
                self._arrivals += [(at, service, message) for message in messages]
            case wire.PostAnswer(id=post_id, response=response):
                if (service, post_id) not in self._posts:
                    return  # given up
                _, items = self._posts.pop((service, post_id))
                answer: Posted | PostFailed = wire.decode_post_answer(post_id, response, items, self._instruments)
                if self._chance.random() < self.lost_answers:
                    at, answer = (
                        Nanos(now + 2_000 * MILLISECOND),
                        PostFailed(post_id=post_id, sent=True, reason="no answer"),
                    )
                self._arrivals.append((at, service, answer))
            case _:
                pass

    def _on_answer(self, answer: HttpAnswer, now: Nanos) -> None:
        if answer.ticket not in self._asks:
            return  # given up
        service, ask, asked_at = self._asks.pop(answer.ticket)
        try:
            message = self._read(answer, ask, asked_at)
        except PeerFault as fault:
            absurd = isinstance(fault, AbsurdNumber)
            message = QueryFailed(query_id=ask.query_id, reason=str(fault), absurd=absurd)
        self._arrivals.append((self._delay(now), service, VenueTime(venue_ms=self._venue_ms(now), resolution_ms=1)))
        self._arrivals.append((self._delay(now), service, message))

    def _read(self, answer: HttpAnswer, ask: Ask, asked_at: Nanos) -> Message:
        if answer.status != 200:
            return QueryFailed(query_id=ask.query_id, reason=f"HTTP {answer.status}")
        if isinstance(ask.query, FillsQuery | FundingQuery):
            pages = wire.Pages(ask.query)
            pages.take(wire.decode_page(ask.query, answer.body, self._instruments))
            return pages.answer(ask.query_id, asked_at)
        return wire.decode_answer(
            ask.query, answer.body, query_id=ask.query_id, asked_at=asked_at, instruments=self._instruments
        )


def synthetic(settings: Settings, chance: random.Random) -> LocalVenue:
    """Return a venue with the synthetic market of the configuration."""
    venue = assemble(_plan(settings, chance), EPOCH_MS, None, last_sequence=0)
    return LocalVenue(settings, chance, venue)


def recorded(
    settings: Settings, chance: random.Random, path: Path, say: Callable[[str], None], *, skip_s: float = 0.0
) -> LocalVenue:
    """Return a venue that plays a recording once, at its own pace; ConfigFault when it holds none of the coins."""
    instruments = tuple(settings.instruments().values())
    market = TapeMarket(path, instruments, speed=1.0, loop=False, say=say, skip_s=skip_s)
    plan = _plan(settings, chance)
    plan = msgspec.structs.replace(plan, coins=universe.recorded(plan.coins, market.first_oracles()))
    venue = assemble(plan, EPOCH_MS, None, last_sequence=0, recording=market)
    return LocalVenue(settings, chance, venue)


def _plan(settings: Settings, chance: random.Random) -> Plan:
    public = PublicKeys(account=ACCOUNT, agents=AGENTS, operator=OPERATOR)
    return plan_of(settings, public, seed=chance.getrandbits(16))
