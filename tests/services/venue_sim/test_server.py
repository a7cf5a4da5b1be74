"""The server in this process: one port, the clock of blocks, patience, bugs."""

import asyncio
import errno
import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from common.units import Millis
from services.venue_sim import server, universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.durable import Changes
from services.venue_sim.server import Server
from services.venue_sim.venue import Market
from tests.services.venue_sim.door import ALICE, limit, place, signed
from tests.services.venue_sim.live_server import hear, live, now_ms, socket, subscribe


def test_place_fill_and_cancel() -> None:
    """Over HTTP and WebSocket posts: an order rests, another trades, the streams tell, the cancel succeeds."""

    async def story(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, socket(port) as opened:
            await subscribe(opened, type="orderUpdates", user=ALICE.address)
            await subscribe(opened, type="userFills", user=ALICE.address)
            assert (await hear(opened, "userFills"))["isSnapshot"] is True
            mid = float((await http.post("/info", json={"type": "allMids"})).json()["BTC"])
            low, high = str(round(mid * 0.9)), str(round(mid * 1.05))
            nonce = now_ms()
            answer = await http.post("/exchange", content=signed(ALICE, place(limit(low, "0.01")), nonce))
            oid = answer.json()["response"]["data"]["statuses"][0]["resting"]["oid"]
            (update,) = await hear(opened, "orderUpdates")
            assert (update["order"]["oid"], update["status"]) == (oid, "open")
            body = json.loads(signed(ALICE, place(limit(high, "0.01", tif="Ioc")), nonce + 1))
            await opened.send(json.dumps({"method": "post", "id": 7, "request": {"type": "action", "payload": body}}))
            kinds: dict[str, Any] = {}
            while {"post", "userFills"} - kinds.keys():
                message = json.loads(await opened.recv())
                kinds[message["channel"]] = message["data"]
            filled = kinds["post"]["response"]["payload"]["response"]["data"]["statuses"][0]["filled"]
            assert filled["totalSz"] == "0.01"
            assert {fill["oid"] for fill in kinds["userFills"]["fills"]} == {filled["oid"]}
            action = {"type": "cancel", "cancels": [{"a": 0, "o": oid}]}
            answer = await http.post("/exchange", content=signed(ALICE, action, nonce + 2))
            assert answer.json()["response"] == {"type": "cancel", "data": {"statuses": ["success"]}}
            orders = await http.post("/info", json={"type": "openOrders", "user": ALICE.address, "dex": ""})
            assert orders.json() == []

    live(story)


def test_health_and_date() -> None:
    """Who asks how the venue is learns its process and block; every answer is stamped with venue time."""

    async def story(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            answer = await http.get("/health")
            assert set(answer.json()) == {"pid", "uptime_s", "block", "epoch"}
            assert answer.headers["date"].endswith("GMT")
            refused = await http.post("/info", json={"type": "dance"})
            assert refused.status_code == 422
            assert refused.headers["content-type"].startswith("text/plain")
            assert (await http.get("/info")).status_code == 405

    live(story)


def test_unknown_coin_aborts() -> None:
    """The client sees the connection end without a close frame."""

    async def story(port: int) -> None:
        async with socket(port) as opened:
            await subscribe(opened, type="bbo", coin="NOPE")
            with pytest.raises(ConnectionClosed) as lost:
                await opened.recv()
            assert lost.value.rcvd is None

    live(story)


def test_silence_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that hears nothing for the venue's patience is closed; one that pings is not."""
    monkeypatch.setattr(server, "IDLE_S_MAX", 0.6)

    async def story(port: int) -> None:
        async with socket(port) as silent, socket(port) as lively:
            closing = asyncio.ensure_future(silent.wait_closed())
            while not closing.done():
                await lively.send('{"method":"ping"}')
                await hear(lively, "pong")
                await asyncio.wait({closing}, timeout=0.2)
            assert silent.close_code == 1000
            await lively.send('{"method":"ping"}')
            await hear(lively, "pong")

    live(story)


def test_data_age() -> None:
    """Public messages arrive late by the configured age, with the time of their block."""

    async def story(port: int) -> None:
        async with socket(port) as opened:
            await subscribe(opened, type="l2Book", coin="BTC", fast=True)
            for _ in range(3):
                book = await hear(opened, "l2Book")
                assert now_ms() - book["time"] >= 300

    live(story, data_age_ms=(300, 400))


def test_a_bug_ends_the_server() -> None:
    """A bug in a block is not survived: the server says that it failed."""

    class Broken(Market):
        """Breaks at the third block."""

        def __init__(self) -> None:
            self.blocks = 0

        def step(self, *_: object) -> None:
            self.blocks += 1
            if self.blocks == 3:
                raise ValueError("broken market")

    async def scene() -> None:
        venue = assemble(Plan(coins=universe.coins({}), seed=1), Millis(now_ms()), None, last_sequence=0)
        venue._market = Broken()
        served = Server(venue, block_ms=10, log_files=None, store=None)
        await served.start(0)
        with pytest.raises(ValueError, match="broken market"):
            await asyncio.wait_for(served.failed, 10)
        await served.stop()

    asyncio.run(scene())


def test_nobody_hears_of_what_is_not_stored() -> None:
    """When the durable state takes a block no more, its answers never leave and the server ends."""

    class Full:
        """A disk that is full as soon as an account changes."""

        def save(self, changes: Changes) -> None:
            if changes.accounts:
                raise OSError(errno.ENOSPC, "full")

        def close(self) -> None:
            """Hold nothing."""

    async def scene() -> None:
        venue = assemble(Plan(coins=universe.coins({}), seed=1), Millis(now_ms()), None, last_sequence=0)
        served = Server(venue, block_ms=10, log_files=None, store=Full())
        port = await served.start(0)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, socket(port) as opened:
            await subscribe(opened, type="userNonFundingLedgerUpdates", user=ALICE.address)
            assert (await hear(opened, "userNonFundingLedgerUpdates"))["isSnapshot"] is True
            with pytest.raises(OSError, match="full"):
                await asyncio.wait_for(served.failed, 10)
            await served.stop()
            with pytest.raises(ConnectionClosed):
                await hear(opened, "userNonFundingLedgerUpdates")
            with pytest.raises(httpx.HTTPError):
                await http.get("/health")

    asyncio.run(scene())
