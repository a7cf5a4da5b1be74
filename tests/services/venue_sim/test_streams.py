"""WebSocket connections on virtual time: acknowledgements, errors, drops, limits, posts."""

import msgspec
import pytest

from common.delays import UniformDelay
from services.venue_sim.venue import Settings
from tests.services.venue_sim.door import ALICE, BOB, Door, limit, place, signed

USER = ALICE.address


@pytest.fixture
def door() -> Door:
    return Door().meet(ALICE, BOB).open(1)


@pytest.mark.parametrize(("cadence", "slow"), [("2025", {}), ("2026", {"fast": False})])
def test_acknowledged_before_the_first_message(cadence: str, slow: dict[str, bool]) -> None:
    """Rule 1: the normal form comes back as of its year, then the snapshot."""
    door = Door(Settings(cadence=cadence)).open(1)
    acknowledgement, book = door.subscribe(1, type="l2Book", coin="BTC").heard(1)
    normal = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, **slow}
    assert acknowledgement == {
        "channel": "subscriptionResponse",
        "data": {"method": "subscribe", "subscription": normal},
    }
    assert book["channel"] == "l2Book"
    assert book["data"]["levels"] == [[], []]
    (twice,) = door.subscribe(1, type="l2Book", coin="BTC", fast=False).heard(1)
    assert twice["data"].startswith("Already subscribed: ")


def test_twice_is_an_error(door: Door) -> None:
    """Rule 2: also when the second is written differently."""
    door.subscribe(1, type="userFills", user=USER).heard(1)
    (error,) = door.subscribe(1, type="userFills", user="0x" + USER[2:].upper(), aggregateByTime=False).heard(1)
    normal = f'{{"type":"userFills","user":"{USER}","aggregateByTime":false}}'
    assert error == {"channel": "error", "data": f"Already subscribed: {normal}"}


def test_unsubscribe(door: Door) -> None:
    """Rule 2: nothing is heard afterwards; a second time, or of what never was, is an error."""
    door.subscribe(1, type="bbo", coin="BTC").heard(1)
    frame = {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}}
    (acknowledgement,) = door.say(1, frame).heard(1)
    assert acknowledgement["data"] == {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}}
    door.rest(ALICE, limit("90000", "0.1"))
    assert door.heard(1) == []
    (error,) = door.say(1, frame).heard(1)
    assert error["data"] == 'Already unsubscribed: {"type":"bbo","coin":"BTC"}'


def test_senseless_frames_keep_the_connection(door: Door) -> None:
    """Rule 2: the error names the frame, and the connection goes on."""
    (error,) = door.say(1, '{"method":"dance"}').heard(1)
    assert error == {
        "channel": "error",
        "data": 'Error parsing JSON into valid websocket request: {"method":"dance"}',
    }
    assert door.say(1, {"method": "ping"}).heard(1) == [{"channel": "pong"}]


def test_unknown_coin_breaks_the_connection(door: Door) -> None:
    """Rule 3: no error, no close frame."""
    door.subscribe(1, type="trades", coin="btc")
    assert door.dropped == {1: 'unknown: {"type":"trades","coin":"btc"}'}
    assert door.heard(1) == []


def test_patient_with_the_unknown() -> None:
    """Rule 3: where it is set up so, an unknown coin is an error and the connection stays."""
    door = Door(Settings(abort_unknown=False)).open(1).subscribe(1, type="trades", coin="btc")
    assert door.heard(1) == [{"channel": "error", "data": 'Invalid subscription {"type":"trades","coin":"btc"}'}]
    assert door.dropped == {}
    assert door.say(1, {"method": "ping"}).heard(1) == [{"channel": "pong"}]


def test_unknown_exchange_is_invalid(door: Door) -> None:
    """Another exchange's name is an error."""
    (error,) = door.subscribe(1, type="allMids", dex="other").heard(1)
    assert error["data"] == 'Invalid subscription {"type":"allMids","dex":"other"}'


def test_connections_are_apart(door: Door) -> None:
    """Each hears what it asked for, until it closes."""
    door.open(2).subscribe(1, type="bbo", coin="BTC").subscribe(2, type="trades", coin="BTC")
    door.heard(1), door.heard(2)
    door.rest(ALICE, limit("90000", "0.1"))
    assert door.channels(1) == ["bbo"]
    assert door.channels(2) == []
    door.close(1).rest(ALICE, limit("90001", "0.1"))
    assert door.channels(1) == []
    assert door.say(1, {"method": "ping"}).heard(1) == []


def test_posted_info(door: Door) -> None:
    """Rule 4: the answer is wrapped once more than over HTTP; an unknown coin is null."""

    def post(number: int, payload: object) -> object:
        frame = {"method": "post", "id": number, "request": {"type": "info", "payload": payload}}
        (answer,) = door.say(1, frame).heard(1)
        assert answer["channel"] == "post"
        assert answer["data"]["id"] == number
        return answer["data"]["response"]

    assert post(256, {"type": "l2Book", "coin": "ETH", "nSigFigs": 5, "mantissa": None}) == {
        "type": "info",
        "payload": {"type": "l2Book", "data": door.ask("l2Book", coin="ETH", nSigFigs=5)},
    }
    assert post(257, {"type": "l2Book", "coin": "NOPE"}) == {
        "type": "info",
        "payload": {"type": "l2Book", "data": None},
    }
    assert post(258, {"type": "dance"}) == {
        "type": "error",
        "payload": (
            "422 Unprocessable Entity: Failed to deserialize the JSON body into the target type: "
            "unknown variant `dance`"
        ),
    }


def test_posted_action_is_answered_by_its_block(door: Door) -> None:
    """Rule 4: nothing before the block, then the very body that HTTP would have carried."""
    body = msgspec.Raw(signed(ALICE, place(limit("90000", "0.1")), door.now))
    door.say(1, {"method": "post", "id": 9, "request": {"type": "action", "payload": body}})
    assert door.heard(1) == []
    (answer,) = door.block().heard(1)
    (status,) = answer["data"]["response"]["payload"]["response"]["data"]["statuses"]
    assert status["resting"]["oid"] > 0
    assert answer["data"]["response"]["type"] == "action"


def test_posted_action_that_is_refused_at_the_door(door: Door) -> None:
    """Rule 4: a bad body is an error answer at once; a wrong signature a refusal."""
    door.say(1, {"method": "post", "id": 9, "request": {"type": "action", "payload": {"action": 1}}})
    (answer,) = door.heard(1)
    assert answer["data"]["response"]["type"] == "error"
    assert answer["data"]["response"]["payload"].startswith("422 Unprocessable Entity: Failed to deserialize")
    body = msgspec.json.decode(signed(ALICE, place(limit("90000", "0.1")), door.now))
    body["signature"]["r"] = "0x0"
    (answer,) = door.say(1, {"method": "post", "id": 9, "request": {"type": "action", "payload": body}}).heard(1)
    assert answer["data"]["response"] == {
        "type": "action",
        "payload": {"status": "err", "response": "Unable to recover signer."},
    }


def test_hundred_posts_in_flight(door: Door) -> None:
    """Rule 5: the hundred and first is refused by its id; the block makes room."""
    noop = {"type": "noop"}

    def post(number: int) -> None:
        body = msgspec.Raw(signed(ALICE, noop, door.now + number))
        door.say(1, {"method": "post", "id": number, "request": {"type": "action", "payload": body}})

    for number in range(100):
        post(number)
    assert door.heard(1) == []
    post(100)
    assert door.heard(1) == [{"channel": "error", "data": "too many pending post requests id=100"}]
    assert len(door.block().heard(1)) == 100
    post(101)
    assert door.block().channels(1) == ["post"]


def test_users_are_limited(door: Door) -> None:
    """Rule 5: ten accounts over all connections; the same ones again are free, so are coins."""
    for number in range(10):
        door.subscribe(1, type="orderUpdates", user=f"0x{number:040x}")
    assert set(door.channels(1)) == {"subscriptionResponse"}
    door.open(2)
    (error,) = door.subscribe(2, type="orderUpdates", user=f"0x{10:040x}").heard(2)
    assert error["data"] == "Cannot track more than 10 total users."
    assert door.subscribe(2, type="userEvents", user=f"0x{9:040x}").channels(2) == ["subscriptionResponse"]
    assert "bbo" in door.subscribe(2, type="bbo", coin="BTC").channels(2)


def test_messages_are_limited(door: Door) -> None:
    """Rule 5: past two thousand a minute a frame is refused, not read."""
    for _ in range(2_000):
        door.say(1, {"method": "ping"})
    assert door.channels(1) == ["pong"] * 2_000
    assert door.say(1, {"method": "ping"}).channels(1) == ["error"]
    assert door.wait(60_000).say(1, {"method": "ping"}).channels(1) == ["pong"]


def test_connections_are_limited() -> None:
    """In 2026 the eleventh connection is dropped; a place that was left is free again."""
    door = Door(Settings(cadence="2026"))
    for number in range(1, 12):
        door.open(number)
    assert set(door.dropped) == {11}
    door.close(11).close(3).open(12)
    assert set(door.dropped) == {11}


def test_held_back() -> None:
    """Public messages come late with their true times; acknowledgements and the account's own at once."""
    door = Door(Settings(data_age=UniformDelay(least_ms=400, most_ms=400))).meet(ALICE).open(1)
    door.subscribe(1, type="bbo", coin="BTC").subscribe(1, type="orderUpdates", user=USER)
    assert door.channels(1) == ["subscriptionResponse"] * 2
    door.wait(400).heard(1)
    door.rest(ALICE, limit("90000", "0.1"))
    made = door.now
    assert door.channels(1) == ["orderUpdates"]
    assert door.wait(399).heard(1) == []
    (bbo,) = door.wait(1).heard(1)
    assert bbo["data"]["time"] == made
