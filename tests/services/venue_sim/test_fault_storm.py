"""Any faults at once, any traffic: the venue stays sound, and goes on when they are over."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue_sim import faults
from tests.services.venue_sim.door import ALICE, BOB, cancel, limit, place
from tests.services.venue_sim.fault_stage import ALICE_EAR, BOB_EAR, FaultStage

STEPS = 80
LASTING: list[str] = [str(kind.__struct_config__.tag) for kind in faults.AnyLasting.__args__]
DEEDS: list[tuple[str, dict[str, Any]]] = [
    ("maintenance", {"for_ms": 500}),
    ("change_tick", {"coin": "BTC", "multiple": 10}),
    ("delist", {"coin": "ETH"}),
    ("manual_trade", {"coin": "BTC", "side": "buy", "size": "0.02", "user": ALICE.address}),
    ("manual_trade", {"coin": "BTC", "side": "sell", "size": "0.03", "user": ALICE.address}),
    ("manual_cancel", {"user": ALICE.address}),
    ("pay_funding", {"coin": "BTC", "rate": "0.001"}),
    ("transfer", {"usd": "-500", "user": ALICE.address}),
    ("exhaust_budget", {"left": 3, "user": ALICE.address}),
]


def something(stage: FaultStage, chance: Random) -> None:
    """Arm a fault, do a deed, or go on with the traffic: one, one and eight of ten times."""
    kind = chance.random()
    if kind < 0.1:
        name = chance.choice(LASTING)
        share = {"share": chance.choice((0.2, 0.7, 1.0))} if "share" in faults.PARAMETERS[name] else {}
        stage.fault(name, for_ms=chance.randint(1, 5_000), **share)
    elif kind < 0.2:
        name, fields = chance.choice(DEEDS)
        stage.fault(name, **fields)
    else:
        act(stage, chance.choice(("trade", "trade", "trade", "cancel", "ask", "wait", "reconnect")), chance)


def act(stage: FaultStage, step: str, chance: Random) -> None:
    key = chance.choice((ALICE, BOB))
    match step:
        case "trade":
            coin, base = chance.choice(((0, 100_000), (1, 4_000)))
            price = base + chance.randint(-3, 3) * base // 1_000
            tif = chance.choice(("Alo", "Ioc", "Gtc"))
            stage.send(key, place(limit(str(price), "0.05", buy=chance.random() < 0.5, tif=tif, asset=coin)))
        case "cancel":
            oids = [order.oid for order in stage.exchange.info.open_orders(key.address) if order.coin == "BTC"]
            if oids:
                stage.send(key, cancel(*oids))
        case "ask":
            stage.post("/info", b'{"type":"l2Book","coin":"BTC"}')
        case "reconnect":
            number = chance.randint(3, 5)
            stage.close(number).open(number).subscribe(number, type="orderUpdates", user=key.address)
        case _:
            stage.wait(chance.randint(0, 3_000))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_storm_of_faults(seed: int) -> None:
    """When it is over everything that was withheld has left, new requests work, and exchange and log are sound."""
    stage, chance = FaultStage(), Random(seed)
    for _ in range(STEPS):
        something(stage, chance)
        if chance.random() < 0.7:
            stage.block(chance.choice((70, 70, 500)))
    stage.clear().wait(120_000).block()
    assert all(stage.is_answered(ticket) for ticket in range(1, stage.last_ticket + 1))
    stage.hush().say(ALICE_EAR, {"method": "ping"}).say(BOB_EAR, {"method": "ping"})
    assert (stage.channels(ALICE_EAR), stage.channels(BOB_EAR)) == (["pong"], ["pong"])
    stage.check()
