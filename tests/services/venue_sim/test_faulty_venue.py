"""Every fault as a client meets it, on virtual time; the exchange stays sound each time."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from common import witness
from common.errors import PeerFault
from common.units import Millis
from services.venue_sim.faulty_venue import FaultyVenue
from tests.services.venue_sim.door import ALICE, BOB, CLOID, cancel, limit, place, signed
from tests.services.venue_sim.fault_stage import ALICE_EAR, BOB_EAR, FaultStage

GOOD = '{"status":"ok"'


@pytest.fixture
def stage() -> Iterator[FaultStage]:
    """Whatever a story does, the exchange agrees with itself at its end."""
    made = FaultStage()
    yield made
    made.check()


def status_of(stage: FaultStage, oid: object) -> str:
    found = stage.ask("orderStatus", user=ALICE.address, oid=oid)
    return str(found["order"]["status"] if found["status"] == "order" else found["status"])


# --- answers ---


def test_a_lost_ack_is_an_accepted_order(stage: FaultStage) -> None:
    """The order rests and its answer never comes; a gateway gives up after a minute, not a millisecond before."""
    stage.fault("lose_ack", count=1)
    ticket = stage.bid()
    stage.block()
    assert stage.open_orders() == 1
    assert stage.channels(ALICE_EAR) == ["orderUpdates"]
    assert not stage.wait(59_999).is_answered(ticket)  # type: ignore[attr-defined]  # a FaultStage returns itself
    stage.wait(1)
    assert stage.answer(ticket)[0] == 504
    second = stage.bid("98000")
    stage.block()
    assert stage.answer(second)[1].startswith(GOOD)


def test_a_lost_ack_of_a_post_never_comes(stage: FaultStage) -> None:
    """By WebSocket there is no gateway; other posts are answered."""
    stage.fault("lose_ack", action="order", coin="BTC", connection=ALICE_EAR)
    for number, action in enumerate((place(limit("99000", "0.1")), {"type": "noop"})):
        payload = msgspec.Raw(signed(ALICE, action, int(stage.now) + number))
        stage.say(ALICE_EAR, {"method": "post", "id": number, "request": {"type": "action", "payload": payload}})
    stage.block().wait(600_000)
    assert [each["data"]["id"] for each in stage.heard(ALICE_EAR) if each["channel"] == "post"] == [1]
    assert stage.open_orders() == 1


def test_refusals_are_told_as_they_are(stage: FaultStage) -> None:
    """Only what was accepted can lose its ack."""
    stage.fault("lose_ack")
    ticket = stage.bid(size="0.00001")
    stage.block()
    assert "minimum value" in stage.answer(ticket)[1]


@pytest.mark.parametrize(
    ("scope", "struck"),
    [
        ({"action": "cancel"}, False),
        ({"coin": "ETH"}, False),
        ({"user": "0x" + "0" * 40}, False),
        ({"user": ALICE.address.upper().replace("0X", "0x")}, True),
        ({"action": "order", "coin": "BTC"}, True),
    ],
)
def test_scopes(stage: FaultStage, scope: dict[str, str], struck: bool) -> None:
    """A fault outside of its scope does nothing."""
    stage.fault("error_after_accept", **scope)
    ticket = stage.bid()
    stage.block()
    assert (not stage.answer(ticket)[1].startswith(GOOD)) is struck
    assert stage.open_orders() == 1


def test_an_error_after_accepting(stage: FaultStage) -> None:
    """The client reads that nothing happened, and the order rests."""
    stage.fault("error_after_accept", text="Server error")
    assert stage.do(ALICE, place(limit("99000", "0.1"))) == {"status": "err", "response": "Server error"}
    assert stage.open_orders() == 1


def test_a_late_ack(stage: FaultStage) -> None:
    """Ten seconds after its block, not a millisecond before."""
    stage.fault("late_ack", count=1)
    ticket = stage.bid()
    stage.block().wait(9_999)
    assert not stage.is_answered(ticket)
    stage.wait(1)
    assert stage.answer(ticket)[1].startswith(GOOD)


def test_a_fill_before_the_ack(stage: FaultStage) -> None:
    """The answer to a resting order follows the news of its fill in one breath."""
    stage.fault("fill_before_ack", action="order", user=ALICE.address)
    ticket = stage.bid()
    stage.block()
    assert stage.open_orders() == 1
    assert not stage.is_answered(ticket)
    stage.hit()
    assert len(stage.fills()) == 1
    assert "resting" in stage.answer(ticket)[1]
    unfilled = stage.bid("98000")
    stage.block().wait(2_000)
    assert stage.is_answered(unfilled)


def test_a_fill_after_the_cancel_ack(stage: FaultStage) -> None:
    """An order fills, its cancel is refused, and only then the client hears of the fill."""
    (oid,) = stage.rest(ALICE, limit("99000", "0.1"))
    stage.fault("fill_after_cancel_ack", channel="userFills")
    stage.hit(size="0.04")
    assert stage.fills() == []
    stage.do(ALICE, cancel(oid))
    assert [fill["sz"] for fill in stage.fills()] == ["0.04"]
    stage.rest(ALICE, limit("99000", "0.1"))
    stage.hit().wait(2_999)
    assert stage.fills() == []
    stage.wait(1)
    assert len(stage.fills()) == 1


def test_cancels_that_fail(stage: FaultStage) -> None:
    """Each cancel is refused in the venue's own words, the orders stay; when it is over they go."""
    oids = stage.rest(ALICE, limit("99000", "0.1"), limit("98000", "0.1"))
    stage.fault("failed_cancels", for_ms=30_000)
    answer = stage.do(ALICE, cancel(*oids))
    assert (
        answer["response"]["data"]["statuses"]
        == [{"error": "Order was never placed, already canceled, or filled."}] * 2
    )
    assert stage.open_orders() == 2
    stage.wait(30_000)
    assert stage.do(ALICE, cancel(*oids))["response"]["data"]["statuses"] == ["success"] * 2


# --- requests ---


def test_unknown_oid_for_a_while(stage: FaultStage) -> None:
    """The venue does not know a young order, by HTTP and by post, by oid and by cloid."""
    stage.fault("unknown_oid", lag_ms=2_000)
    (oid,) = stage.rest(ALICE, limit("99000", "0.1", cloid=CLOID))
    placed = stage.exchange.info.open_orders(ALICE.address)[0].placed_ms
    stage.now = Millis(placed + 1_999)
    assert status_of(stage, oid) == status_of(stage, CLOID) == "unknownOid"
    payload = {"type": "orderStatus", "user": ALICE.address, "oid": oid}
    stage.hush().say(BOB_EAR, {"method": "post", "id": 7, "request": {"type": "info", "payload": payload}})
    (told,) = stage.heard(BOB_EAR)
    assert told["data"]["response"]["payload"]["data"] == {"status": "unknownOid"}
    stage.now = Millis(placed + 2_000)
    assert status_of(stage, oid) == status_of(stage, CLOID) == "open"


@pytest.mark.parametrize(
    ("name", "status", "start"),
    [("http_429", 429, "null"), ("http_500", 500, "Internal"), ("http_502", 502, "<html>"), ("hang", 504, "<html>")],
)
@pytest.mark.parametrize("after", [False, True])
def test_http_fails(stage: FaultStage, name: str, status: int, start: str, after: bool) -> None:
    """Before the venue nothing is executed, after it everything; other requests pass."""
    stage.fault(name, path="exchange", type="order", after=after, count=1)
    ticket = stage.bid()
    stage.block()
    if name == "hang":
        assert not stage.is_answered(ticket)
        stage.wait(60_000)
    found, text = stage.answer(ticket)
    assert (found, text.startswith(start)) == (status, True)
    assert stage.open_orders() == after
    assert stage.ask("openOrders", user=ALICE.address) == stage.ask("openOrders", user=ALICE.address)


def test_posts_fail(stage: FaultStage) -> None:
    """A post is answered by the error that HTTP would have given."""
    stage.fault("http_429", path="info", type="allMids")
    for number, kind in enumerate(("allMids", "meta")):
        stage.say(ALICE_EAR, {"method": "post", "id": number, "request": {"type": "info", "payload": {"type": kind}}})
    first, second = stage.heard(ALICE_EAR)
    assert first["data"] == {"id": 0, "response": {"type": "error", "payload": "429 Too Many Requests: null"}}
    assert second["data"]["response"]["type"] == "info"


def test_half_of_the_json(stage: FaultStage) -> None:
    """The answer ends in the middle; what was asked is done."""
    stage.fault("truncated_json", path="exchange")
    ticket = stage.bid()
    stage.block()
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(stage.answer(ticket)[1])
    assert stage.open_orders() == 1


# --- messages ---


def test_delayed_messages_keep_their_order(stage: FaultStage) -> None:
    """An account hears late and in order, also what comes when the fault is over; nobody else does."""
    stage.fault("delay_messages", user=ALICE.address, delay_ms=1_000, for_ms=100)
    stage.bid()
    stage.block()
    stage.hit()
    assert stage.heard(ALICE_EAR) == []
    assert "userFills" in stage.channels(BOB_EAR)
    stage.wait(1_000)
    updates = [each["data"][0]["status"] for each in stage.heard(ALICE_EAR) if each["channel"] == "orderUpdates"]
    assert updates == ["open", "filled"]


def test_reordered_messages_all_arrive(stage: FaultStage) -> None:
    """Nothing is lost, and the order is another."""
    stage.fault("reorder_messages", channel="orderUpdates", connection=ALICE_EAR, window_ms=5_000)
    oids = stage.rest(ALICE, limit("98000", "0.1")) + stage.rest(
        ALICE, *[limit(str(97_000 - n), "0.1") for n in range(3)]
    )
    for oid in oids:
        stage.do(ALICE, cancel(oid))
    for _ in range(60):
        stage.wait(100)
    heard = [(update["order"]["oid"], update["status"]) for each in stage.heard(ALICE_EAR) for update in each["data"]]
    truth = sorted((oid, status) for oid in oids for status in ("canceled", "open"))
    assert sorted(heard) == truth
    assert heard != sorted(heard, key=lambda each: each[1] == "canceled")


def test_doubled_messages(stage: FaultStage) -> None:
    """The same fill is told twice, the second time a second later; the position is that of one."""
    stage.fault("duplicate_messages", channel="userFills", after_ms=1_000)
    stage.bid()
    stage.block()
    stage.hit()
    (first,) = stage.fills()
    stage.wait(1_000)
    assert stage.fills() == [first]
    assert stage.exchange.info.position(ALICE.address, "BTC") == 10_000


def test_order_updates_are_skipped_on_resubscribe(stage: FaultStage) -> None:
    """The new subscription is acknowledged and silent; the old one, and other channels, go on."""
    stage.fault("skip_order_updates", user=ALICE.address)
    stage.open(3).subscribe(3, type="orderUpdates", user=ALICE.address).subscribe(
        3, type="userFills", user=ALICE.address
    )
    assert stage.channels(3) == ["subscriptionResponse", "subscriptionResponse", "userFills"]
    stage.bid()
    stage.block()
    stage.hit()
    assert "orderUpdates" in stage.channels(ALICE_EAR)
    assert stage.channels(3) == ["userFills"]
    stage.clear().say(3, {"method": "unsubscribe", "subscription": {"type": "orderUpdates", "user": ALICE.address}})
    stage.subscribe(3, type="orderUpdates", user=ALICE.address)
    stage.bid("98000")
    stage.block()
    assert "orderUpdates" in stage.channels(3)


def test_old_fills_are_replayed(stage: FaultStage) -> None:
    """They come again as if they were new, on both channels, the latest ones only."""
    for size in ("0.01", "0.02", "0.03"):
        stage.bid(size=size)
        stage.block()
        stage.hit(size=size)
    old = stage.fills()
    stage.fault("replay_fills", user=ALICE.address, fills=2)
    messages = stage.heard(ALICE_EAR)
    assert [each["channel"] for each in messages] == ["user", "userFills"]
    assert [each["data"]["fills"] for each in messages] == [old[1:], old[1:]]
    with pytest.raises(PeerFault, match="no fills"):
        stage.fault("replay_fills", user="0x" + "9" * 40)


def test_one_stream_freezes_while_pings_go_on(stage: FaultStage) -> None:
    """No book of this coin comes any more; pongs and other coins' books do."""
    for coin in ("BTC", "ETH"):
        stage.subscribe(ALICE_EAR, type="l2Book", coin=coin)
    stage.hush().fault("freeze_stream", channel="l2Book", coin="BTC")
    stage.block(1_000).say(ALICE_EAR, {"method": "ping"})
    messages = stage.heard(ALICE_EAR)
    assert [each["data"]["coin"] for each in messages if each["channel"] == "l2Book"] == ["ETH"]
    assert messages[-1] == {"channel": "pong"}


def test_a_crossed_book(stage: FaultStage) -> None:
    """Book, best prices and /info show the bid above the ask; the book behind does not."""
    stage.rest(ALICE, limit("99000", "0.1"))
    stage.rest(ALICE, limit("101000", "0.2", buy=False))
    stage.fault("crossed_book", coin="BTC")
    stage.hush().subscribe(ALICE_EAR, type="l2Book", coin="BTC").subscribe(ALICE_EAR, type="bbo", coin="BTC")
    data = [each["data"] for each in stage.heard(ALICE_EAR) if each["channel"] in {"l2Book", "bbo"}]
    sides = [[side[0] for side in each["levels"]] if "levels" in each else each["bbo"] for each in data]
    sides.append([side[0] for side in stage.ask("l2Book", coin="BTC")["levels"]])
    assert [[side["px"] for side in each] for each in sides] == [["101000.0", "99000.0"]] * 3


def test_an_absurd_book(stage: FaultStage) -> None:
    """Ten times the price, no size; other coins are as they are."""
    stage.rest(ALICE, limit("99000", "0.1"), limit("3900", "1", asset=1))
    stage.fault("absurd_book", coin="BTC", price_factor="10", size_factor="0")
    (bid,), _ = stage.ask("l2Book", coin="BTC")["levels"]
    assert (bid["px"], bid["sz"]) == ("990000.0", "0.0")
    (other,), _ = stage.ask("l2Book", coin="ETH")["levels"]
    assert (other["px"], other["sz"]) == ("3900.0", "1.0")


def test_an_absurd_account(stage: FaultStage) -> None:
    """Its value is no number; nobody else's is touched, and neither is the rest of it."""
    stage.fault("absurd_account", user=ALICE.address)
    alice, bob = (stage.ask("clearinghouseState", user=who.address) for who in (ALICE, BOB))
    assert alice["marginSummary"].pop("accountValue") == "NaN"
    assert Decimal(bob["marginSummary"].pop("accountValue")) > 0
    assert {key: alice[key] for key in alice if key != "time"} == {key: bob[key] for key in bob if key != "time"}


# --- sockets ---


def test_a_dropped_socket(stage: FaultStage) -> None:
    """Only the sockets in scope, at once."""
    stage.subscribe(BOB_EAR, type="bbo", coin="BTC")
    stage.fault("drop_socket", channel="bbo")
    assert stage.dropped == {BOB_EAR: "fault"}
    stage.fault("drop_socket", user=ALICE.address)
    assert set(stage.dropped) == {ALICE_EAR, BOB_EAR}


def test_a_stalled_socket(stage: FaultStage) -> None:
    """Nothing passes either way; when it is over everything comes in order."""
    stage.fault("stall_socket", connection=ALICE_EAR, for_ms=5_000)
    stage.bid()
    stage.block()
    stage.hit()
    payload = msgspec.Raw(signed(ALICE, place(limit("98000", "0.1")), int(stage.now)))
    stage.say(ALICE_EAR, {"method": "post", "id": 5, "request": {"type": "action", "payload": payload}}).block()
    assert stage.open_orders() == 0
    assert stage.heard(ALICE_EAR) == []
    assert stage.channels(BOB_EAR) != []
    stage.wait(5_000)
    heard = stage.channels(ALICE_EAR)
    assert heard[0] == "orderUpdates"
    assert heard.count("userFills") == 1
    stage.block()
    assert "post" in stage.channels(ALICE_EAR)
    assert stage.open_orders() == 1


# --- the machine ---


def test_share_and_count_and_time(stage: FaultStage) -> None:
    """A share strikes about that often; a count and a time end it; clearing disarms it."""
    stage.fault("http_500", path="info", type="allMids", share=0.3)
    struck = sum(stage.answer(stage.post("/info", b'{"type":"allMids"}'))[0] == 500 for _ in range(300))
    assert 60 < struck < 120
    stage.clear().fault("http_500", path="info", count=2, for_ms=1_000)
    assert [stage.answer(stage.post("/info", b'{"type":"meta"}'))[0] for _ in range(3)] == [500, 500, 200]
    stage.fault("http_500", path="info", for_ms=1_000)
    stage.wait(999)
    assert stage.answer(stage.post("/info", b'{"type":"meta"}'))[0] == 500
    stage.wait(1)
    assert stage.ask("meta")
    assert isinstance(stage.front, FaultyVenue)
    assert stage.front.armed(stage.now) == []


def test_every_fault_is_in_the_log(stage: FaultStage) -> None:
    """A judge knows from the witness log what was asked for."""
    stage.log()
    number = stage.fault("lose_ack", count=1)
    stage.clear(number)
    lines = [each for each in stage.log() if isinstance(each, witness.Connection)]
    assert [(each.event, each.detail.split(" ", 1)[0]) for each in lines] == [("fault", "1"), ("fault", "1")]
    assert '"fault":"lose_ack"' in lines[0].detail
