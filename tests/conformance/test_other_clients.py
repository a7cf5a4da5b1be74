"""The manners of other people's clients: posts for everything, absent keys, any case, any method."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection

from common.config import Network
from common.hyperliquid.signing import SigningKey, user_signed_digest
from tests.conformance.process import venue
from tests.services.venue_sim.door import CLOID, limit, place
from tests.services.venue_sim.live_server import hear, now_ms, raw, socket, subscribe

pytestmark = pytest.mark.conformance

Story = Callable[[httpx.AsyncClient, int], Awaitable[None]]
ETH = 1


class Wallet:
    """A key of one test; its nonces are the clock's, counted up."""

    def __init__(self, secret: bytes) -> None:
        self.key = SigningKey(secret * 32)
        self.user = self.key.address
        self.checksum = "0x" + self.user[2:].upper()  # some case or other: no client's checksum is ever checked
        self._nonce = now_ms()

    def nonce(self) -> int:
        self._nonce = max(self._nonce + 1, now_ms())
        return self._nonce

    def body(self, action: Mapping[str, object]) -> dict[str, Any]:
        """Sign like NautilusTrader: keys without a value are absent, not null."""
        nonce = self.nonce()
        signature = msgspec.to_builtins(self.key.sign_l1(action, nonce, Network.TESTNET))
        return {"action": action, "nonce": nonce, "signature": signature}


async def ask(http: httpx.AsyncClient, kind: str, **fields: object) -> Any:
    answer = await http.post("/info", json={"type": kind, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(opened: ClientConnection, number: int, kind: str, payload: object) -> Any:
    """Post a request over the WebSocket; return the response of the same number."""
    await opened.send(json.dumps({"method": "post", "id": number, "request": {"type": kind, "payload": payload}}))
    while (data := await hear(opened, "post"))["id"] != number:
        pass
    return data["response"]


@pytest.fixture(scope="module")
def url() -> Any:
    with venue(boundless=True) as (found, _):
        yield found


def tell(url: str, story: Story) -> None:
    async def scene() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=20) as http, asyncio.timeout(40):
            await story(http, int(url.rpartition(":")[2]))

    asyncio.run(scene())


def test_orders_of_every_age(url: str) -> None:
    """As ccxt asks for all orders: one list of what is open and what has ended, the newest first."""
    wallet = Wallet(b"\x25")

    async def story(http: httpx.AsyncClient, _: int) -> None:
        await ask(http, "clearinghouseState", user=wallet.user)
        orders = (limit(price, "0.2", asset=ETH) for price in ("1100", "1101"))
        answer = (await http.post("/exchange", json=wallet.body(place(*orders)))).json()
        gone, stays = (status["resting"]["oid"] for status in answer["response"]["data"]["statuses"])
        await http.post("/exchange", json=wallet.body({"type": "cancel", "cancels": [{"a": ETH, "o": gone}]}))
        history = await ask(http, "historicalOrders", user=wallet.user)
        assert [(each["order"]["oid"], each["status"]) for each in history] == [(gone, "canceled"), (stays, "open")]

    tell(url, story)


def test_everything_over_posts(url: str) -> None:
    """As NautilusTrader trades: subscribe, post orders, modifies and fast cancels, hear of each on the stream."""
    wallet = Wallet(b"\x21")

    async def story(http: httpx.AsyncClient, port: int) -> None:
        await ask(http, "clearinghouseState", user=wallet.user)
        async with socket(port) as opened, socket(port) as stream:
            await subscribe(stream, type="orderUpdates", user=wallet.checksum)
            await subscribe(stream, type="userEvents", user=wallet.checksum)
            order = limit("1100", "0.2", asset=ETH, cloid=CLOID)
            answer = await post(opened, 1, "action", wallet.body(place(order)))
            (status,) = answer["payload"]["response"]["data"]["statuses"]
            assert status["resting"]["cloid"] == CLOID
            modify = {"type": "modify", "oid": CLOID, "order": {**order, "p": "1105"}}
            answer = await post(opened, 2, "action", wallet.body(modify))
            assert answer == {"type": "action", "payload": {"status": "ok", "response": {"type": "default"}}}
            cancel = {"type": "cancelByCloid", "cancels": [{"asset": ETH, "cloid": CLOID}], "f": True}
            answer = await post(opened, 3, "action", wallet.body(cancel))
            assert answer["payload"]["response"] == {"type": "cancel", "data": {"statuses": ["success"]}}
            heard: list[tuple[str, str]] = []
            while len(heard) < 4:
                updates = await hear(stream, "orderUpdates")
                heard += [(update["status"], update["order"]["limitPx"]) for update in updates]
            assert heard == [("open", "1100.0"), ("canceled", "1100.0"), ("open", "1105.0"), ("canceled", "1105.0")]
            book = await post(opened, 4, "info", {"type": "l2Book", "coin": "ETH", "nSigFigs": 5, "mantissa": None})
            assert book["payload"]["type"] == "l2Book"
            assert book["payload"]["data"]["coin"] == "ETH"
            unknown = await post(opened, 5, "info", {"type": "l2Book", "coin": "NOPE"})
            assert unknown["payload"] == {"type": "l2Book", "data": None}
            error = await post(opened, 6, "info", {"type": "unheardOf"})
            assert error["type"] == "error"
            assert error["payload"].startswith("422 Unprocessable Entity: Failed to deserialize")
            error = await post(opened, 7, "action", {"action": {"type": "noop"}})
            assert error["payload"].startswith("422 Unprocessable Entity: Failed to deserialize")

    tell(url, story)


def test_flags_and_order_of_keys(url: str) -> None:
    """The flag `a` is signed where it is set; JSON in any order and with trailing zeros is what was signed."""
    wallet = Wallet(b"\x22")

    async def story(http: httpx.AsyncClient, _: int) -> None:
        await ask(http, "clearinghouseState", user=wallet.user)
        dead = {"type": "batchModify", "modifies": [{"oid": 7, "order": limit("1100", "0.2", asset=ETH)}]}
        answer = (await http.post("/exchange", json=wallet.body(dead))).json()
        text = "Cannot modify canceled or filled order"
        assert answer["response"]["data"]["statuses"][0]["error"].startswith(text)
        answer = (await http.post("/exchange", json=wallet.body({**dead, "a": True}))).json()
        assert "resting" in answer["response"]["data"]["statuses"][0]
        body = wallet.body(place(limit("1100", "0.2", asset=ETH)))
        (order,) = body["action"]["orders"]
        body["action"]["orders"] = [dict(reversed({**order, "p": "1100.00", "s": "0.200"}.items()))]
        answer = (await http.post("/exchange", content=json.dumps(dict(reversed(body.items())), indent=4))).json()
        assert "resting" in answer["response"]["data"]["statuses"][0]

    tell(url, story)


def test_markets_are_loaded(url: str) -> None:
    """As ccxt and NautilusTrader load markets: dexes, metas, contexts and spot fit together."""

    async def story(http: httpx.AsyncClient, _: int) -> None:
        assert await ask(http, "perpDexs") == [None]
        meta = await ask(http, "meta")
        assert await ask(http, "allPerpMetas") == [meta]
        both = await ask(http, "metaAndAssetCtxs", dex="")
        assert both[0] == meta
        assert len(both[1]) == len(meta["universe"])
        tables = dict(meta["marginTables"])
        for coin in meta["universe"]:
            assert coin["marginTableId"] < 50 or coin["marginTableId"] in tables
        spot, contexts = await ask(http, "spotMetaAndAssetCtxs")
        assert [context["coin"] for context in contexts] == [pair["name"] for pair in spot["universe"]]
        mids = await ask(http, "allMids")
        assert mids.keys() == {each["name"] for each in (*meta["universe"], *spot["universe"])}
        fundings = dict(await ask(http, "predictedFundings"))
        assert fundings.keys() == {coin["name"] for coin in meta["universe"]}

    tell(url, story)


def test_the_echo_is_what_was_sent(url: str) -> None:
    """As nktkas before mid-2026 waits: only an acknowledgement equal to its own request, null keys included, counts."""

    async def story(_: httpx.AsyncClient, port: int) -> None:
        user = Wallet(b"\x24").user
        async with socket(port) as opened:
            for sent in (
                {"type": "l2Book", "coin": "ETH", "nSigFigs": None, "mantissa": None},
                *({"type": kind, "coin": "ETH"} for kind in ("trades", "bbo", "activeAssetCtx")),
                {"type": "candle", "coin": "ETH", "interval": "1m"},
                {"type": "userFills", "user": user, "aggregateByTime": False},
                *({"type": kind, "user": user} for kind in ("orderUpdates", "userEvents", "userFundings")),
            ):
                await opened.send(json.dumps({"method": "subscribe", "subscription": sent}))
                answer = await hear(opened, "subscriptionResponse")
                assert answer == {"method": "subscribe", "subscription": sent}

    tell(url, story)


def test_accounts_in_any_case(url: str) -> None:
    """As hummingbot and nktkas ask: addresses in any case, agents by role and by name."""
    wallet = Wallet(b"\x23")
    agent = "0x" + "AB" * 20

    async def story(http: httpx.AsyncClient, _: int) -> None:
        await ask(http, "clearinghouseState", user=wallet.checksum)
        assert await ask(http, "userRole", user=wallet.checksum) == {"role": "user"}
        nonce = wallet.nonce()
        chain = {"signatureChainId": "0xa4b1", "hyperliquidChain": "Testnet"}
        action = {"type": "approveAgent", **chain, "agentAddress": agent, "agentName": "bot", "nonce": nonce}
        signature = msgspec.to_builtins(wallet.key.sign_digest(user_signed_digest(action)))
        body = {"action": action, "nonce": nonce, "signature": signature}
        assert (await http.post("/exchange", json=body)).json()["status"] == "ok"
        assert await ask(http, "userRole", user=agent) == {"role": "agent", "data": {"user": wallet.user}}
        (listed,) = await ask(http, "extraAgents", user=wallet.checksum)
        assert (listed["name"], listed["address"]) == ("bot", agent.lower())

    tell(url, story)


def test_http_manners(url: str) -> None:
    """Kept-alive connections, charsets, preflights, heads, wrong methods and paths; errors are plain text."""

    async def story(http: httpx.AsyncClient, port: int) -> None:
        for kind in ("application/json", "application/json; charset=utf-8"):
            answer = await http.post("/info", content=b'{"type":"allMids"}', headers={"Content-Type": kind})
            assert answer.status_code == 200
        preflight = await http.options(
            "/info", headers={"Origin": "https://x", "Access-Control-Request-Method": "POST"}
        )
        assert preflight.headers["access-control-allow-origin"] == "*"
        for method, path, expected in (
            *(("HEAD", "/info", 405), ("GET", "/info", 405), ("GET", "/", 404), ("POST", "/other", 404)),
            *(("PUT", "/exchange", 405), ("GET", "/ws", 404), ("HEAD", "/health", 200)),
        ):
            answer = await http.request(method, path)
            assert answer.status_code == expected, (method, path)
        broken = await http.post("/info", content=b"{")
        assert (broken.status_code, broken.headers["content-type"]) == (400, "text/plain; charset=utf-8")
        one = b'POST /info HTTP/1.0\r\nContent-Length: 19\r\n\r\n{"type":"perpDexs"}'
        assert (await raw(port, one)).endswith(b"[null]")

    tell(url, story)


def test_wrong_words_on_the_socket(url: str) -> None:
    """What makes no sense is an error and the socket stays; twice and never are errors that name the normal form."""

    async def story(_: httpx.AsyncClient, port: int) -> None:
        async with socket(port) as opened:
            for frame in ("nonsense", '{"method":"dance"}', '{"method":"subscribe"}', '{"method":"post","request":{}}'):
                await opened.send(frame)
                text = f"Error parsing JSON into valid websocket request: {frame}"
                assert await hear(opened, "error") == text
            await subscribe(opened, type="bbo", coin="BTC", unknown=1)
            await subscribe(opened, coin="BTC", type="bbo")
            assert await hear(opened, "error") == 'Already subscribed: {"type":"bbo","coin":"BTC"}'
            await opened.send('{"method":"unsubscribe","subscription":{"type":"trades","coin":"BTC"}}')
            assert await hear(opened, "error") == 'Already unsubscribed: {"type":"trades","coin":"BTC"}'
            await opened.send('{"method":"ping"}')
            await hear(opened, "pong")

    tell(url, story)
