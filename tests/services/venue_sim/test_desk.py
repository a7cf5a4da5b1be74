"""POST /info: every type that clients ask for, and what is no question at all."""

from typing import Any

import msgspec
import pytest

from services.venue_sim import absent
from services.venue_sim.desk import FILLS_MAX
from services.venue_sim.schema import NO_JSON, NOT_UNDERSTOOD
from tests.services.venue_sim.door import ALICE, BOB, CLOID, Door, limit, place

STRANGER = "0x" + "99" * 20


@pytest.fixture
def door() -> Door:
    return Door().meet(ALICE, BOB)


def trade(door: Door, price: str = "100000", size: str = "0.5") -> None:
    """Let Alice buy from Bob; Bob is the maker."""
    door.rest(BOB, limit(price, size, buy=False))
    door.do(ALICE, place(limit(price, size, tif="Ioc")))


@pytest.mark.parametrize(
    "body",
    [
        {"type": "unheardOf"},
        {"type": "clearinghouseState"},
        {"type": "clearinghouseState", "user": "0x12"},
        {"type": "l2Book"},
        {"type": "orderStatus", "user": STRANGER},
        {"type": "userFillsByTime", "user": STRANGER},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0}},
        {"type": "candleSnapshot"},
        {},
        [],
    ],
)
def test_no_question(door: Door, body: object) -> None:
    """Rule 1: unknown types, missing and wrong fields are 422 and plain text."""
    status, text = door.answer(door.post("/info", msgspec.json.encode(body)))
    assert status == 422
    assert text.startswith(NOT_UNDERSTOOD)


def test_no_json(door: Door) -> None:
    """Rule 1: what is no JSON is 400."""
    assert door.answer(door.post("/info", b"{")) == (400, NO_JSON)


EVERY_TYPE = (
    *("meta", "allPerpMetas", "perpDexs", "metaAndAssetCtxs", "spotMeta", "spotMetaAndAssetCtxs", "allMids"),
    *("predictedFundings", "exchangeStatus", "clearinghouseState"),
    *("spotClearinghouseState", "openOrders", "frontendOpenOrders", "historicalOrders", "userFills", "userFees"),
    *("userRateLimit", "userRole", "extraAgents", "portfolio", "webData2", "subAccounts", "referral"),
    *absent.OF_USER,
    *absent.OF_VENUE,
    *("l2Book", "recentTrades", "fundingHistory", "activeAssetData", "userFillsByTime", "userFunding"),
    *("userNonFundingLedgerUpdates", "orderStatus", "candleSnapshot"),
)


@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_strangers_are_answered(kind: str) -> None:
    """Rule 2: every type has an answer for an account that was never seen, with `dex` empty."""
    door = Door()
    door.ask(
        kind,
        user=STRANGER,
        dex="",
        coin="BTC",
        oid=1,
        startTime=0,
        endTime=None,
        req={"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 1},
    )


@pytest.mark.parametrize("kind", sorted(absent.OF_USER))
def test_what_nobody_has_is_still_of_somebody(door: Door, kind: str) -> None:
    """Rule 1: a question about a user's stakes or vaults names the user."""
    assert door.answer(door.post("/info", msgspec.json.encode({"type": kind})))[0] == 422


def test_unnamed_agent_is_in_the_aggregate(door: Door) -> None:
    """The web pages' aggregate names the unnamed agent; extraAgents does not list it."""
    door.exchange.floor.agents.approve(ALICE.address, STRANGER, "", door.now, is_account=False)
    assert door.ask("webData2", user=ALICE.address)["agentAddress"] == STRANGER
    assert door.ask("webData2", user=BOB.address)["agentValidUntil"] is None
    assert door.ask("extraAgents", user=ALICE.address) == []


def test_ranges_may_lack_their_start(door: Door) -> None:
    """Payments and transfers are listed from the beginning when no start is named."""
    assert [each["delta"]["type"] for each in door.ask("userNonFundingLedgerUpdates", user=ALICE.address)] == [
        "deposit"
    ]
    assert door.ask("userFunding", user=ALICE.address, startTime=None) == []


def test_unknown_coins_and_exchanges(door: Door) -> None:
    """Rule 2: null, not an error."""
    assert door.ask("l2Book", coin="btc") is None
    assert door.ask("fundingHistory", coin="NOPE", startTime=0) is None
    assert door.ask("activeAssetData", coin="NOPE", user=STRANGER) is None
    assert door.ask("meta", dex="other") is None
    assert door.ask("recentTrades", coin="NOPE") == []


@pytest.mark.parametrize(("figures", "mantissa"), [(1, None), (6, None), (4, 2), (None, 2), (5, 3)])
def test_impossible_books(door: Door, figures: int | None, mantissa: int | None) -> None:
    """Figures or mantissa that do not exist are HTTP 500, as at the venue."""
    body = {"type": "l2Book", "coin": "BTC", "nSigFigs": figures, "mantissa": mantissa}
    assert door.answer(door.post("/info", msgspec.json.encode(body))) == (500, "null")


def test_universe(door: Door) -> None:
    """Assets stand in the order of their ids, contexts in the same order."""
    meta, contexts = door.ask("metaAndAssetCtxs")
    assert [(coin["name"], coin["szDecimals"], coin["maxLeverage"]) for coin in meta["universe"]] == [
        ("BTC", 5, 40),
        ("ETH", 4, 25),
    ]
    assert [context["oraclePx"] for context in contexts] == ["100000.0", "4000.0"]
    assert contexts[0]["midPx"] is None
    assert contexts[0]["impactPxs"] is None
    assert door.ask("perpDexs") == [None]


def test_spot_pairs_resolve(door: Door) -> None:
    """The official client looks every pair's tokens up by index."""
    spot = door.ask("spotMeta")
    tokens = {token["index"]: token for token in spot["tokens"]}
    assert all(index in tokens for pair in spot["universe"] for index in pair["tokens"])
    assert [pair["name"] for pair in spot["universe"]] == ["PURR/USDC", "@1"]


def test_mids(door: Door) -> None:
    """The mid of both sides; the last trade when one is missing; the mark before any trade."""
    assert door.ask("allMids")["BTC"] == "100000.0"
    trade(door, "100010")
    assert door.ask("allMids")["BTC"] == "100010.0"
    door.rest(ALICE, limit("99990", "0.1"), limit("99997", "0.1", buy=False, tif="Alo"))
    assert door.ask("allMids")["BTC"] == "99993.5"


def test_account(door: Door) -> None:
    """Rule 3: any case of an address is one account; a position is shown at mark, and money adds up."""
    trade(door)
    upper = "0x" + ALICE.address[2:].upper()
    state = door.ask("clearinghouseState", user=upper, dex="")
    assert state == door.ask("clearinghouseState", user=ALICE.address)
    (position,) = state["assetPositions"]
    assert position["type"] == "oneWay"
    held = position["position"]
    assert (held["coin"], held["szi"], held["entryPx"]) == ("BTC", "0.5", "100000.0")
    assert held["leverage"] == {"type": "cross", "value": 20}
    assert (held["positionValue"], held["marginUsed"]) == ("50000.0", "2500.0")
    fee = 0.5 * 100_000 * 0.00045
    assert float(state["marginSummary"]["accountValue"]) == pytest.approx(100_000 - fee)
    assert state["marginSummary"]["totalNtlPos"] == "50000.0"
    assert float(state["marginSummary"]["totalRawUsd"]) == pytest.approx(50_000 - fee)


def test_orders(door: Door) -> None:
    """Open orders in both forms, and the record of one of them."""
    (oid,) = door.rest(ALICE, limit("90000", "0.5", cloid=CLOID))
    (short,) = door.ask("openOrders", user=ALICE.address, dex="")
    assert (short["oid"], short["cloid"], short["limitPx"]) == (oid, CLOID, "90000.0")
    (long,) = door.ask("frontendOpenOrders", user=ALICE.address, dex="")
    record = door.ask("orderStatus", user=ALICE.address, oid=oid)["order"]
    assert (record["order"], record["status"]) == (long, "open")


def test_order_status_by_cloid(door: Door) -> None:
    """A cloid in any case finds the order that had it last, also when it is gone; others' are unknown."""
    (oid,) = door.rest(ALICE, limit("90000", "0.5", cloid=CLOID))
    door.do(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
    found = door.ask("orderStatus", user=ALICE.address, oid="0x" + CLOID[2:].upper())
    assert (found["order"]["status"], found["order"]["order"]["oid"]) == ("canceled", oid)
    assert door.ask("orderStatus", user=BOB.address, oid=CLOID) == {"status": "unknownOid"}
    (history,) = door.ask("historicalOrders", user=ALICE.address)
    assert history == found["order"]


def test_fills(door: Door) -> None:
    """Newest first without a time range, oldest first with one; both ends belong to the range."""
    times = []
    for price in ("100000", "100001", "100002"):
        trade(door, price)
        times.append(door.now)
    newest = door.ask("userFills", user=ALICE.address)
    assert [fill["px"] for fill in newest] == ["100002.0", "100001.0", "100000.0"]

    def within(start: int, end: int | None, **fields: Any) -> list[str]:
        found = door.ask("userFillsByTime", user=ALICE.address, startTime=start, endTime=end, **fields)
        return [fill["px"] for fill in found]

    assert within(0, None) == ["100000.0", "100001.0", "100002.0"]
    assert within(times[1], times[1]) == ["100001.0"]
    assert within(times[0] + 1, times[2] - 1) == ["100001.0"]
    assert within(0, None, reversed=True) == ["100002.0", "100001.0", "100000.0"]
    assert FILLS_MAX == 2_000


def test_aggregated_fills(door: Door) -> None:
    """With aggregateByTime: merges a taker's fills of one block."""
    door.rest(BOB, limit("100000", "0.1", buy=False), limit("100010", "0.1", buy=False))
    door.do(ALICE, place(limit("100010", "0.2", tif="Ioc")))
    assert len(door.ask("userFills", user=ALICE.address)) == 2
    (merged,) = door.ask("userFills", user=ALICE.address, aggregateByTime=True)
    assert (merged["px"], merged["sz"]) == ("100005.0", "0.2")


def test_recent_trades(door: Door) -> None:
    """Newest first, with buyer and seller."""
    trade(door, "100000")
    trade(door, "100001")
    newest, oldest = door.ask("recentTrades", coin="BTC")
    assert (newest["px"], oldest["px"]) == ("100001.0", "100000.0")
    assert newest["users"] == [ALICE.address, BOB.address]
    assert newest["side"] == "B"


def test_candles(door: Door) -> None:
    """Trades make candles, asked for under `req`."""
    trade(door)
    request = {"coin": "BTC", "interval": "1h", "startTime": door.now, "endTime": door.now}
    (candle,) = door.ask("candleSnapshot", req=request)
    assert (candle["s"], candle["i"], candle["o"], candle["v"], candle["n"]) == ("BTC", "1h", "100000.0", "0.5", 1)
    assert candle["T"] - candle["t"] == 3_600_000 - 1


def test_rights(door: Door) -> None:
    """Budget, fees and role of an account."""
    trade(door)
    limits = door.ask("userRateLimit", user=ALICE.address)
    assert limits == {"cumVlm": "50000.0", "nRequestsUsed": 1, "nRequestsCap": 60_000, "nRequestsSurplus": 0}
    fees = door.ask("userFees", user=ALICE.address)
    assert (fees["userCrossRate"], fees["userAddRate"]) == ("0.00045", "0.00015")
    assert door.ask("userRole", user=ALICE.address) == {"role": "user"}
    assert door.ask("userRole", user=STRANGER) == {"role": "missing"}


def test_asking_for_money_opens_an_account(door: Door) -> None:
    """A faucet: whoever asks for an account's state is funded; asking for a role changes nothing."""
    door.ask("userRole", user=STRANGER)
    assert door.ask("userRole", user=STRANGER) == {"role": "missing"}
    assert door.ask("clearinghouseState", user=STRANGER)["withdrawable"] == "100000.0"
    assert door.ask("userRole", user=STRANGER) == {"role": "user"}
    door.block()
    (deposit,) = door.ask("userNonFundingLedgerUpdates", user=STRANGER, startTime=0)
    assert deposit["delta"] == {"type": "deposit", "usdc": "100000.0"}
