"""What each channel says, and how often."""

import base64
import json
import zlib
from typing import Any

import pytest

from services.venue_sim.api import OracleUpdate
from services.venue_sim.venue import Settings
from tests.services.venue_sim.door import AGENT, ALICE, BOB, CLOID, Door, cancel, limit, place
from tests.services.venue_sim.stage import BLOCK_MS, BTC, config

USER = ALICE.address


@pytest.fixture
def door() -> Door:
    return Door().meet(ALICE, BOB).open(1)


def trade(door: Door, price: str = "100000", size: str = "0.5") -> None:
    door.rest(BOB, limit(price, size, buy=False))
    door.do(ALICE, place(limit(price, size, tif="Ioc")))


def told(door: Door, channel: str) -> list[Any]:
    return [message["data"] for message in door.heard(1) if message["channel"] == channel]


def test_bbo_speaks_only_of_changes(door: Door) -> None:
    """Rule 1: the current state first, then at most once a block and only when best prices or sizes change."""
    door.subscribe(1, type="bbo", coin="BTC")
    assert told(door, "bbo") == [{"coin": "BTC", "time": door.now, "bbo": [None, None]}]
    door.rest(ALICE, limit("90000", "0.1"), limit("90001", "0.2"))
    (best,) = told(door, "bbo")
    assert best["bbo"] == [{"px": "90001.0", "sz": "0.2", "n": 1}, None]
    door.rest(ALICE, limit("89999", "0.1"))
    door.block(count=5)
    assert told(door, "bbo") == []
    door.rest(ALICE, limit("90001", "0.1"))
    assert told(door, "bbo")[0]["bbo"][0] == {"px": "90001.0", "sz": "0.3", "n": 2}


def test_trades_replay(door: Door) -> None:
    """Rule 1: old trades come first and unmarked, at most thirty; then each block's, oldest first."""
    for _ in range(31):
        trade(door, size="0.001")
    door.subscribe(1, type="trades", coin="BTC")
    (replay,) = told(door, "trades")
    assert len(replay) == 30
    assert [each["time"] for each in replay] == sorted(each["time"] for each in replay)
    door.rest(BOB, limit("100000", "0.1", buy=False), limit("100010", "0.1", buy=False))
    door.do(ALICE, place(limit("100010", "0.2", tif="Ioc")))
    (news,) = told(door, "trades")
    assert [(each["px"], each["side"], each["users"]) for each in news] == [
        ("100000.0", "B", [ALICE.address, BOB.address]),
        ("100010.0", "B", [ALICE.address, BOB.address]),
    ]


def test_no_trades_no_replay(door: Door) -> None:
    """Rule 1: an empty replay is not sent."""
    assert door.subscribe(1, type="trades", coin="BTC").channels(1) == ["subscriptionResponse"]


@pytest.mark.parametrize(("cadence", "books", "fast"), [("2025", 20, 18), ("2026", 2, 18)])
def test_book_clocks(cadence: str, books: int, fast: int) -> None:
    """Rule 2: within 10 s, unchanged books too; the fast one has five levels and says so."""
    door = Door(Settings(cadence=cadence), now=1_700_000_000_000 // 27_000 * 27_000).meet(ALICE).open(1)
    door.rest(ALICE, *(limit(str(90_000 + i), "0.1") for i in range(7)))
    door.subscribe(1, type="l2Book", coin="BTC").subscribe(1, type="l2Book", coin="BTC", fast=True).heard(1)
    door.block(count=10_000 // BLOCK_MS)
    found = told(door, "l2Book")
    whole = [book for book in found if "fast" not in book]
    quick = [book for book in found if book.get("fast") is True]
    assert len(whole) in {books, books + 1}
    assert len(quick) in {fast, fast + 1}
    assert {len(book["levels"][0]) for book in whole} == {7}
    assert {len(book["levels"][0]) for book in quick} == {5}


def test_books_of_all_coins_share_one_clock(door: Door) -> None:
    """Rule 2: both coins' books leave in the same blocks."""
    door.subscribe(1, type="l2Book", coin="BTC").block(count=3)
    door.subscribe(1, type="l2Book", coin="ETH").heard(1)
    door.block(count=50)
    times: dict[str, list[int]] = {}
    for book in told(door, "l2Book"):
        times.setdefault(book["coin"], []).append(book["time"])
    assert times["BTC"] == times["ETH"]


def test_coarse_books_say_the_spread(door: Door) -> None:
    """Rule 2: a book with fewer figures carries the true spread."""
    door.rest(ALICE, limit("90001", "0.1"), limit("90003", "0.1", buy=False))
    door.subscribe(1, type="l2Book", coin="BTC", nSigFigs=2)
    (book,) = told(door, "l2Book")
    assert book["spread"] == "2.0"
    assert book["levels"] == [[{"px": "90000.0", "sz": "0.1", "n": 1}], [{"px": "91000.0", "sz": "0.1", "n": 1}]]


def test_contexts_and_mids(door: Door) -> None:
    """Rule 2: once a second each; a spot pair's context has a channel of its own."""
    door.subscribe(1, type="activeAssetCtx", coin="BTC").subscribe(1, type="activeAssetCtx", coin="@1")
    door.subscribe(1, type="allMids").heard(1)
    door.block(after_ms=100, count=30)
    channels = [message["channel"] for message in door.heard(1)]
    assert {channel: channels.count(channel) for channel in channels} == {
        "activeAssetCtx": 3,
        "activeSpotAssetCtx": 3,
        "allMids": 3,
    }


def test_order_updates(door: Door) -> None:
    """Rule 3: no snapshot; open, the rest of a partial fill, the end, each in its block."""
    (old,) = door.rest(ALICE, limit("80000", "0.1"))
    door.subscribe(1, type="orderUpdates", user=USER)
    assert door.channels(1) == ["subscriptionResponse"]
    (oid,) = door.rest(ALICE, limit("90000", "0.5", cloid=CLOID))
    door.do(BOB, place(limit("90000", "0.2", buy=False, tif="Ioc")))
    door.do(ALICE, cancel(old))
    door.do(BOB, place(limit("90000", "0.3", buy=False, tif="Ioc")))
    updates = told(door, "orderUpdates")
    assert all(len(batch) == 1 for batch in updates)
    found = [(each["order"]["oid"], each["status"], each["order"]["sz"]) for (each,) in updates]
    assert found == [(oid, "open", "0.5"), (oid, "open", "0.3"), (old, "canceled", "0.1"), (oid, "filled", "0.0")]
    assert updates[0][0]["order"]["cloid"] == CLOID


def test_user_fills(door: Door) -> None:
    """Rule 3: a snapshot that says so, newest first; later messages are unmarked."""
    trade(door, "100000")
    trade(door, "100001")
    door.subscribe(1, type="userFills", user=USER)
    (snapshot,) = told(door, "userFills")
    assert snapshot["isSnapshot"] is True
    assert [fill["px"] for fill in snapshot["fills"]] == ["100001.0", "100000.0"]
    trade(door, "100002")
    (news,) = told(door, "userFills")
    assert set(news) == {"user", "fills"}
    assert [fill["px"] for fill in news["fills"]] == ["100002.0"]


def test_user_events(door: Door) -> None:
    """Rule 3: no snapshot; fills come on channel `user`, cancels by the venue as nonUserCancel."""
    trade(door)
    door.subscribe(1, type="userEvents", user=USER)
    assert door.channels(1) == ["subscriptionResponse"]
    trade(door)
    (fills,) = told(door, "user")
    assert set(fills) == {"fills"}
    (oid,) = door.rest(ALICE, limit("90000", "0.1"))
    door.do(ALICE, {"type": "scheduleCancel", "time": door.now + 6_000})
    door.block(after_ms=6_000)
    assert told(door, "user") == [{"nonUserCancel": [{"coin": "BTC", "oid": oid}]}]


def test_whole_states_follow_changes(door: Door) -> None:
    """Rule 4: orders and account are sent at once, when they changed, and every 5 s."""
    door.subscribe(1, type="openOrders", user=USER).subscribe(1, type="clearinghouseState", user=USER)
    assert door.channels(1) == ["subscriptionResponse", "openOrders", "subscriptionResponse", "clearinghouseState"]
    door.rest(ALICE, limit("90000", "0.1"))
    (state,) = told(door, "openOrders")
    assert [order["limitPx"] for order in state["orders"]] == ["90000.0"]
    door.do(BOB, place(limit("90000", "0.1", buy=False, tif="Ioc")))
    channels = door.channels(1)
    assert "openOrders" in channels
    assert "clearinghouseState" in channels
    door.block(after_ms=1, count=1).heard(1)
    assert sorted(door.block(after_ms=5_000).channels(1)) == ["clearinghouseState", "openOrders"]


def test_funding_and_ledger(door: Door) -> None:
    """Rule 3: snapshots first; a payment is news on both channels of its account."""
    trade(door)
    door.subscribe(1, type="userFundings", user=USER).subscribe(1, type="userNonFundingLedgerUpdates", user=USER)
    door.subscribe(1, type="userEvents", user=USER)
    fundings, ledger = (message["data"] for message in door.heard(1) if "isSnapshot" in message["data"])
    assert fundings == {"isSnapshot": True, "user": USER, "fundings": []}
    assert [each["delta"]["type"] for each in ledger["nonFundingLedgerUpdates"]] == ["deposit"]
    door.block(after_ms=3_600_000)
    messages = {message["channel"]: message["data"] for message in door.heard(1)}
    (payment,) = messages["userFundings"]["fundings"]
    assert payment == messages["user"]["funding"]
    assert payment["usdc"].startswith("-")


def test_aggregates(door: Door) -> None:
    """Big aggregates, account data and candles speak on their clocks."""
    trade(door)
    door.subscribe(1, type="webData2", user=USER).subscribe(1, type="activeAssetData", user=USER, coin="BTC")
    door.subscribe(1, type="candle", coin="BTC", interval="1m")
    door.subscribe(1, type="userHistoricalOrders", user=USER).subscribe(1, type="notification", user=USER)
    first = [channel for channel in door.channels(1) if channel != "subscriptionResponse"]
    assert first == ["webData2", "activeAssetData", "candle", "userHistoricalOrders"]
    door.block(after_ms=100, count=20)
    channels = door.channels(1)
    assert {channel: channels.count(channel) for channel in channels} == {
        "webData2": 1,
        "activeAssetData": 2,
        "candle": 4,
    }


def test_spot_pairs_are_there_and_empty(door: Door) -> None:
    """Examples of other people subscribe to them; nothing trades there, but for the one old trade."""
    door.subscribe(1, type="trades", coin="PURR/USDC").subscribe(1, type="l2Book", coin="@1")
    door.subscribe(1, type="bbo", coin="@1").subscribe(1, type="candle", coin="@1", interval="1m")
    door.subscribe(1, type="spotAssetCtxs")
    first = [message for message in door.heard(1) if message["channel"] != "subscriptionResponse"]
    assert [message["channel"] for message in first] == ["trades", "l2Book", "bbo", "spotAssetCtxs"]
    assert first[0]["data"] == door.ask("recentTrades", coin="PURR/USDC")
    assert first[3]["data"] == door.ask("spotMetaAndAssetCtxs")[1]
    door.block(count=20)
    assert set(door.channels(1)) == {"l2Book", "spotAssetCtxs"}


def test_contexts_of_all_coins(door: Door) -> None:
    """Rule 2: what metaAndAssetCtxs answers, in the shapes of three channels; all dexes on a slow clock."""
    for kind in ("assetCtxs", "allDexsAssetCtxs", "fastAssetCtxs"):
        door.subscribe(1, type=kind)
    contexts = door.ask("metaAndAssetCtxs")[1]
    whole, of_all, fast = (message["data"] for message in door.heard(1) if "method" not in message["data"])
    assert whole == {"dex": "", "ctxs": contexts}
    assert of_all == {"ctxs": [["", contexts]]}
    assert unpacked(fast)["BTC"] == {"markPx": contexts[0]["markPx"], "midPx": None}
    door.block(after_ms=1_000, count=14)
    channels = door.channels(1)
    assert channels.count("assetCtxs") == 14
    assert channels.count("allDexsAssetCtxs") in {1, 2}


def test_fast_contexts_speak_of_changes(door: Door) -> None:
    """Rule 5: once a second at most, changed fields of changed coins alone."""
    door.subscribe(1, type="fastAssetCtxs").block(after_ms=1_000).heard(1)
    door.rest(ALICE, limit("99990", "0.1"), limit("100010", "0.1", buy=False))
    door.block(after_ms=1_000)
    (news,) = told(door, "fastAssetCtxs")
    assert unpacked(news) == {"BTC": {"midPx": "100000.0"}}
    door.block(after_ms=1_000)
    assert told(door, "fastAssetCtxs") == []


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text), wbits=-15))


def test_states_of_an_account(door: Door) -> None:
    """Rule 4: spot, TWAPs and all dexes' states, and the successor of the big aggregate."""
    for kind in ("webData3", "spotState", "twapStates", "allDexsClearinghouseState"):
        door.subscribe(1, type=kind, user=USER)
    for kind in ("userTwapHistory", "userTwapSliceFills"):
        door.subscribe(1, type=kind, user=USER)
    first = {message["channel"]: message["data"] for message in door.heard(1)}
    assert first["webData3"]["userState"]["user"] == USER
    assert first["webData3"]["perpDexStates"][0]["totalVaultEquity"] == "0.0"
    assert first["spotState"] == {"user": USER, "spotState": {"balances": []}}
    assert first["twapStates"] == {"dex": "", "user": USER, "states": []}
    state = door.ask("clearinghouseState", user=USER)
    assert first["allDexsClearinghouseState"] == {"user": USER, "clearinghouseStates": [["", state]]}
    assert first["userTwapHistory"] == {"isSnapshot": True, "user": USER, "history": []}
    assert first["userTwapSliceFills"] == {"isSnapshot": True, "user": USER, "twapSliceFills": []}
    trade(door)
    assert "allDexsClearinghouseState" in door.channels(1)
    assert {*door.block(after_ms=5_000).channels(1)} == {
        *("webData3", "spotState", "twapStates", "allDexsClearinghouseState")
    }


def test_liquidations_are_notified() -> None:
    """Rule 5: who is liquidated reads of it, others do not."""
    door = Door(exchange_config=config(equity_usd=10_000)).meet(ALICE, BOB, AGENT).open(1)
    for key in (ALICE, BOB):
        door.subscribe(1, type="notification", user=key.address)
    door.rest(BOB, limit("100000", "0.5", buy=False))
    door.do(ALICE, place(limit("100000", "0.5", tif="Ioc")))
    door.rest(AGENT, limit("81000", "1"))
    door.heard(1)
    door.exchange.feed(OracleUpdate("BTC", BTC.ticks("81000")))
    door.block(after_ms=3_000)
    (notice,) = told(door, "notification")
    assert notice == {"notification": "Your positions of 40500.0 USD were liquidated."}
