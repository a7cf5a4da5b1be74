"""A venue that is killed after any block comes back with the clients' accounts as they were."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.hyperliquid.signing import user_signed_digest
from tests.services.venue_sim.door import AGENT, ALICE, BOB, CLOID, Door, cancel, limit, place
from tests.services.venue_sim.keeper import USERS, Keeper

OF_A_USER = (
    *("clearinghouseState", "openOrders", "frontendOpenOrders", "historicalOrders", "userFills", "userRateLimit"),
    *("extraAgents", "userRole", "spotClearinghouseState"),
)


def picture(door: Door) -> dict[str, Any]:
    """Return everything a client can learn of the accounts."""
    found: dict[str, Any] = {}
    for key in USERS:
        for kind in OF_A_USER:
            answer = door.ask(kind, user=key.address)
            found[f"{key.address} {kind}"] = {**answer, "time": 0} if kind == "clearinghouseState" else answer
        for kind in ("userFunding", "userNonFundingLedgerUpdates"):
            found[f"{key.address} {kind}"] = door.ask(kind, user=key.address, startTime=0)
    return found


def trigger(price: str) -> dict[str, Any]:
    order = {**limit(price, "0.1", buy=False), "r": True}
    return {**order, "t": {"trigger": {"isMarket": True, "triggerPx": price, "tpsl": "sl"}}}


def test_a_whole_life_comes_back(tmp_path: Path) -> None:
    """Rule 1: positions, resting, trigger and bracket orders, fills, funding, leverage, agents, budgets."""
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    keeper.do(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 7})
    keeper.do(BOB, place(limit("100000", "0.5", buy=False, cloid=CLOID)))
    keeper.do(ALICE, place(limit("100000", "0.3", tif="Ioc"), limit("90000", "0.1"), trigger("95000")))
    bracket = [limit("91000", "0.1"), trigger("80000")]
    keeper.do(ALICE, {"type": "order", "orders": bracket, "grouping": "normalTpsl"})
    approval: dict[str, object] = {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": AGENT.address,
        "agentName": "risk",
        "nonce": int(keeper.door.now),
    }
    signature = msgspec.to_builtins(ALICE.sign_digest(user_signed_digest(approval)))
    body = {"action": approval, "nonce": int(keeper.door.now), "signature": signature}
    keeper.door.post("/exchange", msgspec.json.encode(body))
    keeper.block()
    keeper.block(after_ms=3_600_000)
    before = picture(keeper.door)
    assert len(before[f"{ALICE.address} frontendOpenOrders"]) == 4
    assert len(before[f"{ALICE.address} userFunding"]) == 1
    after = keeper.killed()
    assert picture(after) == before
    assert after.do(AGENT, {"type": "noop"}) == {"status": "ok", "response": {"type": "default"}}


def test_a_family_comes_back(tmp_path: Path) -> None:
    """Rule 1: sub-accounts, spot money, reserved requests and builders."""
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    sub = keeper.do(ALICE, {"type": "createSubAccount", "name": "maker"})["response"]["data"]
    keeper.do(ALICE, {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 50_000_000})
    keeper.do(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 3}, vault=sub)
    keeper.do(ALICE, {"type": "reserveRequestWeight", "weight": 500})
    places = {"sourceDex": "", "destinationDex": "spot", "token": "USDC", "fromSubAccount": sub}
    for kind, fields in (
        ("usdClassTransfer", {"amount": "7", "toPerp": False}),
        ("sendAsset", {"destination": BOB.address, "amount": "2", **places}),
        ("approveBuilderFee", {"maxFeeRate": "0.05%", "builder": BOB.address}),
    ):
        keeper.door.do_signed(ALICE, kind, **fields)
        keeper.keep()
    before = picture(keeper.door)
    before["sub"] = family(keeper.door, sub)
    assert before[f"{BOB.address} spotClearinghouseState"]["balances"][0]["total"] == "2.0"
    after = keeper.killed()
    assert {**picture(after), "sub": family(after, sub)} == before
    assert "resting" in after.do(ALICE, place(limit("90000", "0.001")), vault=sub)["response"]["data"]["statuses"][0]


def family(door: Door, sub: str) -> list[Any]:
    (listed,) = door.ask("subAccounts", user=ALICE.address)
    rate = door.ask("maxBuilderFee", user=ALICE.address, builder=BOB.address)
    leverage = door.ask("activeAssetData", user=sub, coin="BTC")["leverage"]
    return [{**listed, "clearinghouseState": {**listed["clearinghouseState"], "time": 0}}, rate, leverage]


def test_orders_live_on(tmp_path: Path) -> None:
    """Rule 1: a restored order is matched, cancelled by cloid, and its oid is never given again."""
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    keeper.do(BOB, place(limit("100000", "0.5", buy=False, cloid=CLOID), limit("100001", "0.5", buy=False)))
    old = [order["oid"] for order in keeper.door.ask("openOrders", user=BOB.address)]
    door = keeper.killed()
    filled = door.do(ALICE, place(limit("100000", "0.2", tif="Ioc")))["response"]["data"]["statuses"][0]["filled"]
    assert filled["totalSz"] == "0.2"
    assert filled["oid"] > max(old)
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}
    assert door.do(BOB, by_cloid)["response"]["data"]["statuses"] == ["success"]
    (left,) = door.ask("openOrders", user=BOB.address)
    assert left["oid"] == old[1]
    found = door.ask("orderStatus", user=BOB.address, oid=CLOID)
    assert found["order"]["status"] == "canceled"


def test_used_nonces_stay_used(tmp_path: Path) -> None:
    """Rule 1: a request that was answered before the kill is a duplicate after it."""
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    keeper.do(ALICE, {"type": "noop"})
    door = keeper.killed()
    door.nonce = keeper.door.nonce - 1
    assert "duplicate nonce" in door.do(ALICE, {"type": "noop"})["response"]


def test_armed_dead_man_fires_after_the_kill(tmp_path: Path) -> None:
    """Rule 1: scheduleCancel is kept; when its time passed meanwhile, the first block cancels."""
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    keeper.do(ALICE, place(limit("90000", "0.1")))
    keeper.do(ALICE, {"type": "scheduleCancel", "time": int(keeper.door.now) + 10_000})
    door = keeper.killed()
    assert len(door.ask("openOrders", user=ALICE.address)) == 1
    assert door.block(after_ms=10_000).ask("openOrders", user=ALICE.address) == []


def test_revoked_agents_stay_revoked(tmp_path: Path) -> None:
    """Rule 1: approvals and removals are kept."""
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    for agent in (AGENT.address, "0x" + "0" * 40):
        keeper.block()
        approval: dict[str, object] = {
            "type": "approveAgent",
            "signatureChainId": "0x66eee",
            "hyperliquidChain": "Testnet",
            "agentAddress": agent,
            "agentName": "risk",
            "nonce": int(keeper.door.now),
        }
        signature = msgspec.to_builtins(ALICE.sign_digest(user_signed_digest(approval)))
        body = {"action": approval, "nonce": int(keeper.door.now), "signature": signature}
        keeper.door.post("/exchange", msgspec.json.encode(body))
        keeper.block()
    door = keeper.killed()
    assert door.ask("userRole", user=AGENT.address) == {"role": "missing"}
    assert door.exchange.floor.agents.approve(ALICE.address, AGENT.address, "risk", int(door.now), is_account=False)


steps = st.lists(
    st.tuples(
        st.sampled_from(USERS),
        st.booleans(),
        st.integers(-3, 3),
        st.integers(1, 4),
        st.sampled_from(["Gtc", "Alo", "Ioc"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_killed_after_any_story(tmp_path_factory: pytest.TempPathFactory, story: list[Any]) -> None:
    """Rule 1: whatever was traded and cancelled, the picture after the kill is the picture before it."""
    keeper = Keeper(tmp_path_factory.mktemp("venue") / "venue.sqlite").meet()
    for key, buy, offset, lots, tif, cancels in story:
        resting = keeper.door.ask("openOrders", user=key.address)
        if cancels and resting:
            keeper.do(key, cancel(resting[0]["oid"]))
        else:
            keeper.do(key, place(limit(str(100_000 + offset), f"0.{lots}", buy=buy, tif=tif)))
        keeper.door.wait(60_000)  # for the weight of the questions
    before = picture(keeper.door)
    assert picture(keeper.killed()) == before
