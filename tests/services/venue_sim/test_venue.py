"""The venue as a whole on virtual time: answers, agents, limits, determinism."""

from random import Random

import msgspec
import pytest

from common.hyperliquid.signing import user_signed_digest
from common.units import Millis
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.streams import Say
from services.venue_sim.venue import HttpAnswer
from tests.services.venue_sim.door import AGENT, ALICE, BOB, CLOID, Door, cancel, limit, place, signed

START = Millis(1_700_000_000_000)


@pytest.fixture
def door() -> Door:
    return Door().meet(ALICE, BOB)


def test_answers_wait_for_the_block(door: Door) -> None:
    """Rule 1: no answer before the block, one in it."""
    ticket = door.send(ALICE, place(limit("90000", "0.1", cloid=CLOID)))
    with pytest.raises(KeyError):
        door.answer(ticket)
    status, text = door.block().answer(ticket)
    (found,) = msgspec.json.decode(text)["response"]["data"]["statuses"]
    assert status == 200
    assert found == {"resting": {"oid": found["resting"]["oid"], "cloid": CLOID}}


def test_three_layers_of_refusals(door: Door) -> None:
    """Of one item, of the whole payload, of the whole action, and of HTTP."""
    small = door.do(ALICE, place(limit("90000", "0.00001"), limit("90000", "0.1")))
    assert [set(status) for status in small["response"]["data"]["statuses"]] == [{"error"}, {"resting"}]
    digits = door.do(ALICE, place(limit("90000", "0.1"), limit("90000", "0.000001")))
    assert digits["response"]["data"]["statuses"] == [{"error": "Order has invalid size."}]
    crowd = door.do(ALICE, cancel(*range(201)))
    assert crowd == {"status": "err", "response": "Signed action over weight limit of 200."}
    status, _ = door.answer(door.post("/exchange", b"[]"))
    assert status == 422


def test_nonces(door: Door) -> None:
    """A nonce serves once, also for a noop; a late action is refused."""
    body = signed(ALICE, {"type": "noop"}, int(door.now))
    first, second = door.post("/exchange", body), door.post("/exchange", body)
    door.block()
    assert door.answer(first)[1] == '{"status":"ok","response":{"type":"default"}}'
    assert "duplicate nonce" in door.answer(second)[1]
    late = door.do(ALICE, {"type": "noop"}, expires_after=int(door.now) - 1)
    assert late["status"] == "err"
    assert "expired" in late["response"]


def test_agents_sign_for_their_master(door: Door) -> None:
    """An approved agent's order belongs to the master; its address owns nothing, whatever is asked about it."""
    action: dict[str, object] = {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": AGENT.address,
        "agentName": "risk",
        "nonce": int(door.now),
    }
    signature = msgspec.to_builtins(ALICE.sign_digest(user_signed_digest(action)))
    door.post("/exchange", msgspec.json.encode({"action": action, "nonce": int(door.now), "signature": signature}))
    door.block()
    assert door.ask("userRole", user=AGENT.address) == {"role": "agent", "data": {"user": ALICE.address}}
    (agent,) = door.ask("extraAgents", user=ALICE.address)
    assert (agent["name"], agent["address"]) == ("risk", AGENT.address)
    assert door.ask("clearinghouseState", user=AGENT.address)["withdrawable"] == "0.0"
    (oid,) = door.rest(AGENT, limit("90000", "0.1"))
    assert [order["oid"] for order in door.ask("openOrders", user=ALICE.address)] == [oid]
    assert door.ask("openOrders", user=AGENT.address) == []


def test_weight_is_limited(door: Door) -> None:
    """Past 1,200 a minute everything over HTTP is 429; a minute later it is not."""
    body = msgspec.json.encode({"type": "userRole", "user": ALICE.address})
    statuses = [door.answer(door.post("/info", body))[0] for _ in range(21)]
    assert set(statuses[:19]) == {200}
    assert statuses[-1] == 429
    for _ in range(60):
        door.post("/exchange", b"")
    assert door.answer(door.post("/exchange", signed(ALICE, {"type": "noop"}, int(door.now)))) == (429, "null")
    door.block(after_ms=60_000)
    assert door.answer(door.post("/info", body))[0] == 200


def test_long_answers_weigh_more(door: Door) -> None:
    """Forty fills make userFills cost two more: so many fewer fit into the minute."""
    door.rest(BOB, *(limit(str(100_000 + i), "0.001", buy=False) for i in range(40)))
    door.do(ALICE, place(limit("100040", "0.04", tif="Ioc")))
    door.block(after_ms=60_000)
    body = msgspec.json.encode({"type": "userFills", "user": ALICE.address})
    statuses = [door.answer(door.post("/info", body))[0] for _ in range(60)]
    assert statuses.count(200) == 54  # at 22 each, instead of 60 at 20


def test_other_paths_and_methods(door: Door) -> None:
    """Only POST /info and POST /exchange exist."""
    assert door.answer(door.post("/other", b""))[0] == 404
    (answer,) = door.venue.request(77, "GET", "/info", b"", door.now)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 405


def test_no_order_between_answers_and_news() -> None:
    """Rule 2: over many blocks the answer comes sometimes before, sometimes after the streams."""
    door = Door().meet(ALICE).open(1).subscribe(1, type="orderUpdates", user=ALICE.address)
    firsts = set()
    for price in range(90_000, 90_030):
        door.send(ALICE, place(limit(str(price), "0.1")))
        door.block()
        assert door.made is not None
        firsts.add(type(door.made.effects[0]))
    assert firsts == {HttpAnswer, Say}


def run(seed: int, *, blocks: int = 300) -> bytes:
    """Live a seeded day: a client that posts and subscribes at random, on a synthetic market; return its log."""
    plan = Plan(coins=universe.coins({}), seed=seed, data_age_ms=(100, 300))
    venue = assemble(plan, START, None, last_sequence=0)
    chance, now, effects, heard = Random(5), START, [], []
    venue.open(1, now)
    for channel in ("bbo", "trades", "l2Book"):
        frame = msgspec.json.encode({"method": "subscribe", "subscription": {"type": channel, "coin": "BTC"}})
        effects += venue.text(1, frame.decode(), now)
    venue.request(1, "POST", "/info", msgspec.json.encode({"type": "openOrders", "user": ALICE.address}), now)
    for number in range(blocks):
        if chance.random() < 0.2:
            price = str(113_000 + chance.randrange(-40, 40))
            body = signed(ALICE, place(limit(price, "0.01", buy=chance.random() < 0.5)), START + number)
            effects += venue.request(number + 2, "POST", "/exchange", body, now)
        now = Millis(now + 70)
        effects += venue.step(now).effects
        heard += venue.release(now)
    assert any(b'"trades"' in effect.text for effect in heard if isinstance(effect, Say))
    return venue.take_log() + msgspec.json.encode([effects, heard])


def test_same_seed_same_bytes() -> None:
    """Equal inputs and seeds give the same log and the same messages, byte for byte; another seed does not."""
    assert run(1) == run(1)
    assert run(1) != run(2)
