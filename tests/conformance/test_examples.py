"""The request sequences of the official client's own examples, with its unmodified classes."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid

from tests.conformance.process import venue

pytestmark = pytest.mark.conformance

COIN = "ETH"
GTC = {"limit": {"tif": "Gtc"}}
PATIENCE_S = 30


class Client(NamedTuple):
    """What an example's setup returns."""

    address: str  # in checksum case, as the client sends it
    info: Info
    exchange: Exchange


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with venue(boundless=True) as (found, _):
        yield found


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., Client]]:
    """Return the examples' setup: a wallet, both classes, and a look at the account, which must have money."""
    opened: list[Client] = []

    def setup(wallet: Any = None, *, address: str = "", skip_ws: bool = True) -> Client:
        signer = wallet or Account.create()
        owner = address or signer.address
        info = Info(url, skip_ws)
        state, spot = info.user_state(owner), info.spot_user_state(owner)
        assert float(state["marginSummary"]["accountValue"]) > 0 or spot["balances"]
        client = Client(owner, info, Exchange(signer, url, account_address=owner))
        opened.append(client)
        return client

    yield setup
    for client in opened:
        if client.info.ws_manager is not None:
            client.info.disconnect_websocket()
        for session in (client.info.session, client.exchange.session, client.exchange.info.session):
            session.close()


def only(answer: Any) -> Any:
    """Return the one status of an answer that is ok."""
    assert answer["status"] == "ok", answer
    (found,) = answer["response"]["data"]["statuses"]
    return found


def test_basic_order(connect: Callable[..., Client]) -> None:
    """Look at the positions, rest a bid, query it by its oid, cancel it."""
    me, info, exchange = connect()
    assert info.user_state(me)["assetPositions"] == []
    oid = only(exchange.order(COIN, True, 0.2, 1100, GTC))["resting"]["oid"]
    found = info.query_order_by_oid(me, oid)
    assert (found["status"], found["order"]["order"]["limitPx"], found["order"]["order"]["sz"]) == (
        *("order", "1100.0"),
        "0.2",
    )
    assert only(exchange.cancel(COIN, oid)) == "success"


def test_basic_order_modify(connect: Callable[..., Client]) -> None:
    """Modify by oid with a cloid, then by that cloid without one: each makes a new order."""
    me, info, exchange = connect()
    cloid = Cloid.from_str("0x00000000000000000000000000000001")
    oid = only(exchange.order(COIN, True, 0.2, 1100, GTC, cloid=cloid))["resting"]["oid"]
    assert info.query_order_by_oid(me, oid)["order"]["order"]["cloid"] == cloid.to_raw()
    second = only(exchange.modify_order(oid, COIN, True, 0.1, 1105, GTC, cloid=cloid))["resting"]
    third = only(exchange.modify_order(cloid, COIN, True, 0.1, 1105, GTC))["resting"]
    assert second["cloid"] == cloid.to_raw()
    assert len({oid, second["oid"], third["oid"]}) == 3
    (left,) = info.open_orders(me)
    assert (left["oid"], left["limitPx"], left["sz"]) == (third["oid"], "1105.0", "0.1")


def test_basic_order_with_cloid(connect: Callable[..., Client]) -> None:
    """Query by cloid, by one that nobody used, and cancel by cloid."""
    me, info, exchange = connect()
    cloid = Cloid.from_str("0x00000000000000000000000000000001")
    assert only(exchange.order(COIN, True, 0.2, 1100, GTC, cloid=cloid))["resting"]["cloid"] == cloid.to_raw()
    assert info.query_order_by_cloid(me, cloid)["order"]["status"] == "open"
    assert info.query_order_by_cloid(me, Cloid.from_int(2)) == {"status": "unknownOid"}
    assert only(exchange.cancel_by_cloid(COIN, cloid)) == "success"


def test_basic_market_order(connect: Callable[..., Client]) -> None:
    """Sell at market, then close: both statuses are filled with size, average price and oid."""
    me, info, exchange = connect()
    for answer in (exchange.market_open(COIN, False, 0.05, None, 0.01), exchange.market_close(COIN)):
        filled = only(answer)["filled"]
        assert filled["totalSz"] == "0.05"
        assert float(filled["avgPx"]) > 0
        assert isinstance(filled["oid"], int)
    assert info.user_state(me)["assetPositions"] == []


def test_basic_leverage_adjustment(connect: Callable[..., Client]) -> None:
    """Cross, then isolated, then more margin: refused without a position, done with one."""
    me, info, exchange = connect()
    assert info.user_state(me)["assetPositions"] == []
    done = {"status": "ok", "response": {"type": "default"}}
    assert exchange.update_leverage(21, COIN) == done
    assert exchange.update_leverage(21, COIN, False) == done
    refused = exchange.update_isolated_margin(1, COIN)
    assert refused == {"status": "err", "response": "Position does not use isolated margin."}
    only(exchange.market_open(COIN, True, 0.05))
    assert exchange.update_isolated_margin(1, COIN) == done
    (position,) = info.user_state(me)["assetPositions"]
    leverage = position["position"]["leverage"]
    assert (leverage["type"], leverage["value"], leverage.keys() >= {"rawUsd"}) == ("isolated", 21, True)


@pytest.mark.parametrize("is_buy", [True, False])
def test_basic_tpsl(connect: Callable[..., Client], *, is_buy: bool) -> None:
    """An entry, a stop and a take-profit that rest and are cancelled, then all three as one bracket."""
    _, info, exchange = connect()
    mid = float(info.all_mids()[COIN])
    sign = 1 if is_buy else -1

    def price(percent: float) -> float:
        return float(f"{mid * (1 + sign * percent / 100):.4g}")

    def trigger(kind: str, percent: float) -> dict[str, Any]:
        return {"trigger": {"triggerPx": price(percent), "isMarket": True, "tpsl": kind}}

    assert "filled" in only(exchange.order(COIN, is_buy, 0.02, price(2), GTC))
    for kind, percent in (("sl", -5), ("tp", 5)):
        answer = exchange.order(COIN, not is_buy, 0.02, price(percent), trigger(kind, percent), reduce_only=True)
        assert only(exchange.cancel(COIN, only(answer)["resting"]["oid"])) == "success"
    legs = [(is_buy, price(-3), GTC, False)]
    legs += [(not is_buy, price(percent), trigger(kind, percent), True) for kind, percent in (("tp", 5), ("sl", -5))]
    orders = [
        {"coin": COIN, "is_buy": side, "sz": 0.02, "limit_px": limit, "order_type": kind, "reduce_only": reduces}
        for side, limit, kind, reduces in legs
    ]
    statuses = exchange.bulk_orders(orders, grouping="normalTpsl")["response"]["data"]["statuses"]
    assert "resting" in statuses[0]
    assert statuses[1:] == ["waitingForFill", "waitingForFill"]
    tree = {order["oid"]: order for order in info.frontend_open_orders(exchange.account_address)}
    parent = tree[statuses[0]["resting"]["oid"]]
    assert [child["orderType"] for child in parent["children"]] == ["Take Profit Market", "Stop Market"]


def test_basic_agent(connect: Callable[..., Client]) -> None:
    """An unnamed agent, then a named one: each places and cancels for the account that approved it."""
    me, info, exchange = connect()
    for name in (None, "persist"):
        answer, key = exchange.approve_agent(name)
        assert answer == {"status": "ok", "response": {"type": "default"}}
        wallet = Account.from_key(key)
        _, _, agent = connect(wallet, address=me)
        oid = only(agent.order(COIN, True, 0.2, 1000, GTC))["resting"]["oid"]
        assert [order["oid"] for order in info.open_orders(me)] == [oid]
        assert info.user_role(wallet.address) == {"role": "agent", "data": {"user": me.lower()}}
        assert only(agent.cancel(COIN, oid)) == "success"


def test_cancel_open_orders(connect: Callable[..., Client]) -> None:
    """List what is open and cancel it one by one."""
    me, info, exchange = connect()
    only(exchange.order(COIN, True, 0.2, 1100, GTC))
    only(exchange.order("BTC", True, 0.01, 30_000, GTC))
    for order in info.open_orders(me):
        assert only(exchange.cancel(order["coin"], order["oid"])) == "success"
    assert info.open_orders(me) == []


class Heard:
    """Counts what a subscription's callback is called with."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._news = threading.Condition()

    def __call__(self, message: Any) -> None:
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    def wait(self, count: int = 1) -> bool:
        with self._news:
            return self._news.wait_for(lambda: len(self.messages) >= count, PATIENCE_S)


def test_basic_schedule_cancel(connect: Callable[..., Client]) -> None:
    """What rests is gone when the time has come, and its status says why."""
    me, info, exchange = connect(skip_ws=False)
    updates = Heard()
    info.subscribe({"type": "orderUpdates", "user": me}, updates)
    oid = only(exchange.order(COIN, True, 0.2, 1100, GTC))["resting"]["oid"]
    assert info.query_order_by_oid(me, oid)["order"]["status"] == "open"
    early = exchange.schedule_cancel(get_timestamp_ms() + 1_000)
    assert early["response"].startswith("Scheduled cancel time too early")
    at = get_timestamp_ms() + 5_500
    assert exchange.schedule_cancel(at)["status"] == "ok"
    assert [order["oid"] for order in info.open_orders(me)] == [oid]
    assert updates.wait(2)
    (last,) = updates.messages[1]["data"]
    assert (last["order"]["oid"], last["status"]) == (oid, "scheduledCancel")
    assert last["statusTimestamp"] >= at
    assert info.open_orders(me) == []
    assert info.query_order_by_oid(me, oid)["order"]["status"] == "scheduledCancel"


def test_basic_ws(connect: Callable[..., Client]) -> None:
    """Each of the example's subscriptions is heard by its own callback."""
    me, info, exchange = connect(skip_ws=False)
    subscriptions: list[dict[str, str]] = [
        {"type": "allMids"},
        {"type": "l2Book", "coin": "ETH"},
        {"type": "trades", "coin": "PURR/USDC"},
        {"type": "userEvents", "user": me},
        {"type": "userFills", "user": me},
        {"type": "candle", "coin": "ETH", "interval": "1m"},
        {"type": "orderUpdates", "user": me},
        {"type": "userFundings", "user": me},
        {"type": "userNonFundingLedgerUpdates", "user": me},
        {"type": "webData2", "user": me},
        {"type": "bbo", "coin": "ETH"},
        {"type": "activeAssetCtx", "coin": "BTC"},
        {"type": "activeAssetCtx", "coin": "@1"},
        {"type": "activeAssetData", "user": me, "coin": "BTC"},
    ]
    heard = [Heard() for _ in subscriptions]
    numbers = [info.subscribe(each, callback) for each, callback in zip(subscriptions, heard, strict=True)]
    only(exchange.market_open("BTC", True, 0.01))
    silent = [each for each, callback in zip(subscriptions, heard, strict=True) if not callback.wait()]
    assert silent == []
    assert info.unsubscribe(subscriptions[1], numbers[1])


def test_basic_adding(connect: Callable[..., Client]) -> None:
    """Follow the book with post-only orders on both sides; a fill comes as a user event."""
    me, info, exchange = connect(skip_ws=False)
    books, events = Heard(), Heard()
    info.subscribe({"type": "l2Book", "coin": COIN}, books)
    info.subscribe({"type": "userEvents", "user": me}, events)
    assert info.open_orders(me) == []
    assert info.user_state(me)["assetPositions"] == []
    for _ in range(2):
        assert books.wait(len(books.messages) + 1)
        resting = {}
        for side, is_buy in ((0, True), (1, False)):
            best = float(books.messages[-1]["data"]["levels"][side][0]["px"])
            price = float(f"{best * (0.997 if is_buy else 1.003):.5g}")
            status = only(exchange.order(COIN, is_buy, 0.01, price, {"limit": {"tif": "Alo"}}))
            resting[status["resting"]["oid"]] = price
        assert {order["oid"] for order in info.open_orders(me)} == resting.keys()
        for oid in resting:
            assert only(exchange.cancel(COIN, oid)) == "success"
    only(exchange.market_open(COIN, True, 0.01))
    assert events.wait()
    assert events.messages[0]["data"]["fills"][0]["coin"] == COIN
