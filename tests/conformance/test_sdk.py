"""The venue's official Python client works on the local venue as it does on the real one."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

pytestmark = pytest.mark.conformance

ROOT = Path(__file__).parents[2]
COIN = "ETH"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A venue of its own, on a free port."""
    with subprocess.Popen(
        [sys.executable, "-m", "services.venue_sim", "--port", "0", "--seed", "5"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield msgspec.json.decode(process.stdout.readline())["url"]
        process.terminate()
        assert process.wait(timeout=20) == 0


@pytest.fixture(scope="module")  # its questions at the start are a good part of a minute's weight
def info(url: str) -> Iterator[Info]:
    """A client that only asks."""
    client = Info(url, skip_ws=True)
    yield client
    client.session.close()


@pytest.fixture
def exchange(url: str, info: Info) -> Iterator[Exchange]:
    """A client with a key of its own, funded by the first question about it."""
    wallet = Account.create()
    assert float(info.user_state(wallet.address)["marginSummary"]["accountValue"]) > 0
    client = Exchange(wallet, url)
    yield client
    client.session.close()
    client.info.session.close()


def far_below(info: Info) -> float:
    """Return a bid that rests: ten percent below mid, four figures."""
    return float(f"{float(info.all_mids()[COIN]) * 0.9:.4g}")


def status(answer: Any) -> Any:
    assert answer["status"] == "ok", answer
    (only,) = answer["response"]["data"]["statuses"]
    return only


def test_place_query_cancel(exchange: Exchange, info: Info) -> None:
    """An order rests, is found by its oid, is cancelled, and is gone."""
    me = exchange.wallet.address
    oid = status(exchange.order(COIN, True, 0.2, far_below(info), {"limit": {"tif": "Gtc"}}))["resting"]["oid"]
    assert info.query_order_by_oid(me, oid)["order"]["status"] == "open"
    assert [order["oid"] for order in info.open_orders(me)] == [oid]
    assert status(exchange.cancel(COIN, oid)) == "success"
    assert info.open_orders(me) == []
    assert info.query_order_by_oid(me, oid)["order"]["status"] == "canceled"
    assert status(exchange.cancel(COIN, oid))["error"].startswith("Order was never placed")


def test_cloids_and_modify(exchange: Exchange, info: Info) -> None:
    """An order with a cloid is modified and cancelled by it; an unknown cloid is unknownOid."""
    me, cloid, price = exchange.wallet.address, Cloid.from_int(1), far_below(info)
    limit = {"limit": {"tif": "Alo"}}
    first = status(exchange.order(COIN, True, 0.2, price, limit, cloid=cloid))["resting"]
    assert first["cloid"] == cloid.to_raw()
    second = status(exchange.modify_order(first["oid"], COIN, True, 0.1, price - 1, limit, cloid=cloid))["resting"]
    assert second["oid"] != first["oid"]
    found = info.query_order_by_cloid(me, cloid)["order"]
    assert (found["order"]["oid"], found["order"]["sz"]) == (second["oid"], "0.1")
    assert info.query_order_by_cloid(me, Cloid.from_int(2)) == {"status": "unknownOid"}
    assert status(exchange.cancel_by_cloid(COIN, cloid)) == "success"


def test_market_order_and_position(exchange: Exchange, info: Info) -> None:
    """A market order fills, the position and its fill are told, and closing makes the account flat."""
    me = exchange.wallet.address
    filled = status(exchange.market_open(COIN, True, 0.05, None, 0.01))["filled"]
    assert filled["totalSz"] == "0.05"
    (held,) = info.user_state(me)["assetPositions"]
    assert (held["position"]["coin"], held["position"]["szi"]) == (COIN, "0.05")
    assert {fill["oid"] for fill in info.user_fills(me)} == {filled["oid"]}
    assert status(exchange.market_close(COIN))["filled"]["totalSz"] == "0.05"
    assert info.user_state(me)["assetPositions"] == []


def test_leverage_triggers_and_schedule(exchange: Exchange, info: Info) -> None:
    """Settings answer default; a stop rests and is cancelled; the dead man's switch is set and removed."""
    assert exchange.update_leverage(21, COIN)["status"] == "ok"
    assert exchange.update_leverage(21, COIN, is_cross=False)["status"] == "ok"
    assert exchange.market_open(COIN, True, 0.05)["status"] == "ok"
    assert exchange.update_isolated_margin(1, COIN)["status"] == "ok"
    price = far_below(info)
    stop = {"trigger": {"triggerPx": price, "isMarket": True, "tpsl": "sl"}}
    oid = status(exchange.order(COIN, False, 0.05, price, stop, reduce_only=True))["resting"]["oid"]
    (order,) = info.frontend_open_orders(exchange.wallet.address)
    assert (order["oid"], order["orderType"], order["isTrigger"]) == (oid, "Stop Market", True)
    assert status(exchange.cancel(COIN, oid)) == "success"
    assert exchange.schedule_cancel(None)["status"] == "ok"
    assert exchange.market_close(COIN)["status"] == "ok"


def test_agents(exchange: Exchange, info: Info, url: str) -> None:
    """An unnamed and a named agent are approved and trade for their master."""
    for name in (None, "persist"):
        answer, key = exchange.approve_agent(name)
        assert answer["status"] == "ok"
        agent = Exchange(Account.from_key(key), url, account_address=exchange.wallet.address)
        resting = status(agent.order(COIN, True, 0.2, far_below(info), {"limit": {"tif": "Gtc"}}))["resting"]
        assert [order["oid"] for order in info.open_orders(exchange.wallet.address)] == [resting["oid"]]
        assert status(agent.cancel(COIN, resting["oid"])) == "success"
        agent.session.close()
        agent.info.session.close()
    assert [agent["name"] for agent in info.extra_agents(exchange.wallet.address)] == ["persist"]


def test_transfer(exchange: Exchange, info: Info) -> None:
    """Money sent arrives."""
    there = Account.create().address
    before = float(info.user_state(there)["withdrawable"])
    assert exchange.usd_transfer(1.0, there)["status"] == "ok"
    assert float(info.user_state(there)["withdrawable"]) == before + 1


def test_refusals_are_errors_of_the_client(exchange: Exchange, url: str) -> None:
    """A stranger's signature, and an order that is too small, come back as the client expects them."""
    stranger = Exchange(Account.create(), url)
    refused = stranger.order(COIN, True, 0.2, 1_000, {"limit": {"tif": "Gtc"}})
    assert refused["status"] == "err"
    assert "does not exist" in refused["response"]
    small = status(exchange.order(COIN, True, 0.0001, 1_000, {"limit": {"tif": "Gtc"}}))
    assert small["error"].startswith("Order must have minimum value of $10.")
    stranger.session.close()
    stranger.info.session.close()


def test_streams(exchange: Exchange, url: str) -> None:
    """Every subscription of the client's own example is heard, and an order's life arrives in it."""
    me = exchange.wallet.address
    listener = Info(url)
    heard: dict[str, Any] = {}
    complete = threading.Condition()

    def hear(message: Any) -> None:
        with complete:
            heard[message["channel"]] = message["data"]
            complete.notify_all()

    subscriptions: list[dict[str, str]] = [
        {"type": "allMids"},
        {"type": "l2Book", "coin": COIN},
        {"type": "trades", "coin": "PURR/USDC"},
        {"type": "trades", "coin": COIN},
        {"type": "userEvents", "user": me},
        {"type": "userFills", "user": me},
        {"type": "candle", "coin": COIN, "interval": "1m"},
        {"type": "orderUpdates", "user": me},
        {"type": "userFundings", "user": me},
        {"type": "userNonFundingLedgerUpdates", "user": me},
        {"type": "webData2", "user": me},
        {"type": "bbo", "coin": COIN},
        {"type": "activeAssetCtx", "coin": "BTC"},
        {"type": "activeAssetCtx", "coin": "@1"},
        {"type": "activeAssetData", "user": me, "coin": "BTC"},
    ]
    for subscription in subscriptions:
        listener.subscribe(subscription, hear)
    exchange.market_open(COIN, True, 0.05)
    expected = {each["type"] for each in subscriptions} - {"userEvents"} | {"user", "activeSpotAssetCtx"}
    with complete:
        assert complete.wait_for(lambda: expected <= heard.keys(), timeout=30), expected - heard.keys()
    listener.disconnect_websocket()
    listener.session.close()
    assert heard["user"]["fills"][0]["coin"] == COIN
    assert heard["userFills"]["user"] == me.lower()
