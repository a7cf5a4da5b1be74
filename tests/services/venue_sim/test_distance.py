"""A venue far away, on virtual time: when orders and answers arrive, and in which order."""

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common import witness
from common.delays import ConstantDelay, Delay, Latency, LognormalDelay
from common.units import Millis
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.distance import DistantVenue, at_distance
from services.venue_sim.streams import Say
from services.venue_sim.venue import Effect, HttpAnswer
from tests.services.venue_sim.door import AGENT, ALICE, limit, place, signed

START = 1_700_000_000_000
BLOCK_MS = 70
PLAN = Plan(coins=universe.coins({}), seed=3, account=ALICE.address, agents={"risk": AGENT.address})


class Far:
    """A venue at a distance, and all that has arrived at its clients: (ms since the start, what)."""

    def __init__(self, to_venue: Delay, to_client: Delay, seed: int = 1) -> None:
        self.venue = assemble(PLAN, Millis(START), None, last_sequence=0)
        self.door = DistantVenue(self.venue, Latency(to_venue=to_venue, to_client=to_client), Random(seed))
        self.now = 0
        self.heard: list[tuple[int, Effect]] = []
        self.lines: list[witness.AnyLine] = []

    def hear(self, effects: list[Effect]) -> None:
        self.heard += [(self.now, effect) for effect in effects]

    def until(self, ms: int) -> None:
        """Let time pass: every millisecond is looked at, a block each 70."""
        while self.now < ms:
            self.now += 1
            now = Millis(START + self.now)
            self.hear(self.door.release(now))
            if self.now % BLOCK_MS == 0:
                self.hear(self.door.step(now).effects)
        self.lines += [witness.decode(line) for line in self.door.take_log().splitlines(keepends=True)]

    def order(self, ticket: int) -> None:
        body = signed(AGENT, place(limit("90000", "0.01")), START + ticket)
        self.hear(self.door.request(ticket, "POST", "/exchange", body, Millis(START + self.now)))

    def say(self, text: str) -> None:
        self.hear(self.door.text(1, text, Millis(START + self.now)))


def test_an_order_arrives_after_its_delay() -> None:
    """Rule 2: sent at 100 with 200 on the way it is logged at 300, in the block at 350, and answered 30 later."""
    far = Far(ConstantDelay(ms=200), ConstantDelay(ms=30))
    far.until(100)
    far.order(1)
    far.until(600)
    (action,) = [line for line in far.lines if isinstance(line, witness.Action)]
    (verdict,) = [line for line in far.lines if isinstance(line, witness.Verdict)]
    assert action.t - START == 300
    assert (verdict.t - START, action.block) == (350, verdict.block)
    assert [(ms, effect.ticket) for ms, effect in far.heard if isinstance(effect, HttpAnswer)] == [(380, 1)]


def test_an_arrival_at_the_blocks_own_time_is_in_it() -> None:
    """Rule 2: at or after; a millisecond later is the next block."""
    blocks = []
    for sent in (40, 41):
        far = Far(ConstantDelay(ms=30), ConstantDelay())
        far.until(sent)
        far.order(1)
        far.until(200)
        blocks.append([line.t - START for line in far.lines if isinstance(line, witness.Verdict)])
    assert blocks == [[70], [140]]


def test_messages_arrive_late_with_their_true_times() -> None:
    """A bbo is heard 250 ms after the block that its time names; so is everything on the socket."""
    far = Far(ConstantDelay(), ConstantDelay(ms=250))
    far.hear(far.door.open(1, Millis(START)))
    far.say('{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}')
    far.until(1_500)
    heard = [(ms, msgspec.json.decode(effect.text)) for ms, effect in far.heard if isinstance(effect, Say)]
    assert (heard[0][0], heard[0][1]["channel"]) == (250, "subscriptionResponse")
    lags = {START + ms - message["data"]["time"] for ms, message in heard if message["channel"] == "bbo" and ms > 320}
    assert lags == {250}


@given(st.integers(0, 1_000), st.lists(st.integers(0, 40), min_size=2, max_size=25))
@settings(max_examples=15, deadline=None)
def test_a_connection_keeps_its_order(seed: int, pauses: list[int]) -> None:
    """Rule 1: questions posted one after the other are answered in that order, however the delays fall."""
    far = Far(LognormalDelay(median_ms=80.0, sigma=1.0), LognormalDelay(median_ms=80.0, sigma=1.0), seed)
    far.door.open(1, Millis(START))
    for number, pause in enumerate(pauses):
        far.until(far.now + pause)
        far.say(f'{{"method":"post","id":{number},"request":{{"type":"info","payload":{{"type":"allMids"}}}}}}')
    far.until(far.now + 8_000)
    messages = [msgspec.json.decode(effect.text) for _, effect in far.heard if isinstance(effect, Say)]
    assert [each["data"]["id"] for each in messages if each["channel"] == "post"] == list(range(len(pauses)))


def test_what_was_sent_before_a_close_arrives() -> None:
    """Rule 3: a frame, then the close: the venue has both, in this order, and nobody hears an answer any more."""
    far = Far(ConstantDelay(ms=100), ConstantDelay(ms=100))
    far.door.open(1, Millis(START))
    far.say('{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}')
    far.door.close(1, "client", Millis(START))
    far.until(400)
    told = [(line.t - START, line.event) for line in far.lines if isinstance(line, witness.Connection)]
    assert told == [(0, "open"), (100, "subscribe"), (100, "close")]
    assert far.heard == []


def test_no_latency_is_no_distance() -> None:
    """The venue itself is served where nothing is late."""
    venue = assemble(PLAN, Millis(START), None, last_sequence=0)
    assert at_distance(venue, Latency(), Random(1)) is venue
    assert at_distance(venue, Latency(to_client=ConstantDelay(ms=1)), Random(1)) is not venue
