"""What happens once on request, as clients meet it; the exchange and its log stay sound."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from common import witness
from common.errors import PeerFault
from common.hyperliquid.signing import user_signed_digest
from services.venue_sim.faulty_venue import FaultyVenue
from tests.services.venue_sim.door import AGENT, ALICE, BOB, limit, place
from tests.services.venue_sim.fault_stage import ALICE_EAR, FaultStage


@pytest.fixture
def stage() -> Iterator[FaultStage]:
    """Whatever a story does, the exchange agrees with itself at its end."""
    made = FaultStage()
    yield made
    made.check()


def statuses(answer: Any) -> Any:
    return answer["response"]["data"]["statuses"]


def position(stage: FaultStage) -> str:
    found = stage.ask("clearinghouseState", user=ALICE.address)["assetPositions"]
    return str(found[0]["position"]["szi"]) if found else "0.0"


def test_maintenance_takes_post_only_orders(stage: FaultStage) -> None:
    """For its time, to the millisecond, only Alo orders are taken."""
    stage.fault("maintenance", for_ms=10_000)
    (refused,) = statuses(stage.do(ALICE, place(limit("99000", "0.1"))))
    assert refused == {"error": "Only post-only orders allowed immediately after network upgrade"}
    stage.rest(ALICE, limit("99000", "0.1", tif="Alo"))
    stage.block(10_000)
    stage.rest(ALICE, limit("99000", "0.1"))


def test_a_change_of_tick(stage: FaultStage) -> None:
    """New orders must fit the coarser grid; an old one stays and trades."""
    (old,) = stage.rest(ALICE, limit("99003", "0.1"))
    stage.fault("change_tick", coin="BTC", multiple=100)  # 0.1 USD a tick
    stage.block()
    first, second = statuses(stage.do(ALICE, place(limit("98005", "0.1"), limit("98010", "0.1"))))
    assert first == {"error": "Price must be divisible by tick size. asset=0"}
    assert set(second) == {"resting"}
    assert stage.hit("99000").fills()[0]["oid"] == old
    stage.fault("change_tick", coin="BTC", multiple=1)
    stage.block()
    stage.rest(ALICE, limit("98005", "0.1"))


def test_a_delisting(stage: FaultStage) -> None:
    """Orders end, positions are settled at mark, the book is empty, new orders are refused, meta says it."""
    stage.bid()
    stage.block()
    stage.hit()
    oids = stage.rest(ALICE, limit("98000", "0.1"), limit("3900", "1", asset=1))
    mark = stage.exchange.info.mark("BTC")
    stage.hush().fault("delist", coin="BTC")
    stage.block()
    assert stage.exchange.info.mark("BTC") == mark
    heard = stage.heard(ALICE_EAR)
    updates = [update for each in heard if each["channel"] == "orderUpdates" for update in each["data"]]
    assert [(update["order"]["oid"], update["status"]) for update in updates] == [(oids[0], "delistedCanceled")]
    (fill,) = [fill for each in heard if each["channel"] == "userFills" for fill in each["data"]["fills"]]
    assert (fill["dir"], fill["sz"], fill["fee"]) == ("Settlement", "0.1", "0.0")
    assert Decimal(fill["px"]) == stage.exchange.info.instrument("BTC").price(mark)
    assert position(stage) == "0.0"
    (refused,) = statuses(stage.do(ALICE, place(limit("98000", "0.1"))))
    assert refused == {"error": "Asset is delisted."}
    assert stage.ask("l2Book", coin="BTC")["levels"] == [[], []]
    listed = {each["name"]: each.get("isDelisted") for each in stage.ask("meta")["universe"]}
    assert (listed["BTC"], listed["ETH"]) == (True, None)
    assert len(stage.ask("openOrders", user=ALICE.address)) == 1
    stage.fault("delist", coin="BTC")  # a second time changes nothing
    stage.block()


def approve(stage: FaultStage) -> None:
    action: dict[str, object] = {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": AGENT.address,
        "agentName": "risk",
        "nonce": int(stage.now),
    }
    signature = msgspec.to_builtins(ALICE.sign_digest(user_signed_digest(action)))
    stage.post("/exchange", msgspec.json.encode({"action": action, "nonce": int(stage.now), "signature": signature}))
    stage.block()


def test_a_revoked_agent(stage: FaultStage) -> None:
    """Its orders rest, its next action is a stranger's."""
    approve(stage)
    stage.rest(AGENT, limit("99000", "0.1"))
    stage.fault("revoke_agent", user=ALICE.address, name="risk")
    stage.block()
    answer = stage.do(AGENT, place(limit("98000", "0.1")))
    assert answer == {"status": "err", "response": f"User or API Wallet {AGENT.address} does not exist."}
    assert stage.open_orders() == 1
    assert stage.ask("extraAgents", user=ALICE.address) == []
    with pytest.raises(PeerFault, match="not approved; there are none"):
        stage.fault("revoke_agent", user=ALICE.address, name="risk")


def test_a_manual_trade(stage: FaultStage) -> None:
    """The owner's fill comes like any other, with no cloid; the log says by whom."""
    stage.rest(BOB, limit("101000", "0.2", buy=False), limit("99000", "0.2"))
    stage.log()
    stage.fault("manual_trade", user=ALICE.address, coin="BTC", side="buy", size="0.1")
    stage.block()
    (fill,) = stage.fills()
    assert (fill["side"], fill["px"], fill["sz"], fill.get("cloid")) == ("B", "101000.0", "0.1", None)
    assert position(stage) == "0.1"
    (action,) = [each for each in stage.log() if isinstance(each, witness.Action)]
    assert (action.user, action.via) == (ALICE.address, "owner")
    stage.fault("manual_trade", user=ALICE.address, coin="BTC", side="sell", size="0.1")
    stage.block()
    assert position(stage) == "0.0"


def test_a_manual_cancel(stage: FaultStage) -> None:
    """Everything of the account goes, in as many actions as it takes; others' orders stay."""
    stage.rest(BOB, limit("98000", "0.1"))
    for start in (90_000, 80_000):
        stage.rest(ALICE, *[limit(str(start + n), "0.001") for n in range(120)])
    stage.hush().fault("manual_cancel", user=ALICE.address)
    stage.block()
    assert stage.open_orders() == 0
    assert len(stage.ask("openOrders", user=BOB.address)) == 1


def test_funding_out_of_turn(stage: FaultStage) -> None:
    """Longs pay shorts the given rate on oracle notional, and the history knows."""
    stage.bid()
    stage.block()
    stage.hit()
    stage.fault("pay_funding", coin="BTC", rate="0.001")
    stage.block()
    oracle = stage.exchange.info.instrument("BTC").price(stage.exchange.info.oracle("BTC"))
    (paid,) = stage.ask("userFunding", user=ALICE.address, startTime=0)
    assert (Decimal(paid["delta"]["usdc"]), paid["delta"]["fundingRate"]) == (-oracle / 10_000, "0.001")
    (received,) = stage.ask("userFunding", user=BOB.address, startTime=0)
    assert Decimal(received["delta"]["usdc"]) == oracle / 10_000
    assert [each["fundingRate"] for each in stage.ask("fundingHistory", coin="BTC", startTime=0)] == ["0.001"]


@pytest.mark.parametrize(("usd", "kind"), [("250.5", "deposit"), ("-250.5", "withdraw")])
def test_money_comes_and_goes(stage: FaultStage, usd: str, kind: str) -> None:
    """The balance moves by the amount, and the ledger names it."""
    before = Decimal(stage.ask("clearinghouseState", user=ALICE.address)["withdrawable"])
    stage.fault("transfer", user=ALICE.address, usd=usd)
    stage.block()
    assert Decimal(stage.ask("clearinghouseState", user=ALICE.address)["withdrawable"]) == before + Decimal(usd)
    last = stage.ask("userNonFundingLedgerUpdates", user=ALICE.address, startTime=0)[-1]
    assert (last["delta"]["type"], last["delta"]["usdc"]) == (kind, "250.5")


def test_an_exhausted_budget(stage: FaultStage) -> None:
    """With nothing left one request passes every ten seconds; cancels pass."""
    (oid,) = stage.rest(ALICE, limit("99000", "0.1"))
    stage.fault("exhaust_budget", user=ALICE.address, left=1)
    stage.block()
    answers = [stage.do(ALICE, place(limit("98000", "0.1"))) for _ in range(3)]
    assert [each["status"] for each in answers] == ["ok", "ok", "err"]
    assert "Too many cumulative requests" in answers[2]["response"]
    cancelled = stage.do(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
    assert statuses(cancelled) == ["success"]


def test_clock_skew(stage: FaultStage) -> None:
    """Forward at once; backward at half speed, and never back."""
    venue, host = stage.front, stage.now
    assert isinstance(venue, FaultyVenue)
    assert venue.clock(host) == host
    stage.fault("clock_skew", ms=2_000)
    assert venue.clock(host) == host + 2_000
    stage.fault("clock_skew", ms=-500)
    times = [venue.clock(type(host)(host + passed)) - host for passed in range(0, 6_001, 3)]
    assert times == sorted(times)
    assert times[1_000] == 3_000 + 500  # after 3 s: 1.5 s of the 2.5 s are made up
    assert times[-1] == 6_000 - 500
