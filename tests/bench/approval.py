"""One approval round trip: order_management's socket, risk in a process of its own, and back.

Real are the sockets, risk's shell, core, journal, signer and halt directory, and the heartbeats of all peers. Played
are the other cores, and the venue: healthy, and every order is cancelled a moment after it was signed, so that risk's
ledger holds about as much as in a mesh that trades.
"""

import asyncio
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from math import inf
from pathlib import Path
from time import monotonic_ns
from typing import Final, Self

import msgspec
import structlog
import uvloop

from common import curve
from common.actor import Ask, Boot, Effect, Post, Sign
from common.halt import HaltDir
from common.home import Home
from common.hyperliquid.signing import SigningKey
from common.hyperliquid.wire import Facts, FrameReader
from common.journal import Journal
from common.mesh import Mesh
from common.messages import (
    Approval,
    AssetContext,
    Book,
    CancellerStatus,
    Heartbeat,
    Message,
    OrderIntent,
    OrderUpdates,
    Posted,
    QuoteTarget,
    Reconciled,
    Signed,
    SignFailed,
    StreamUp,
    Trade,
    VenueTime,
    Wake,
)
from common.messages.venue import OrderUpdate, Place
from common.process import settle
from common.shell import Link, Parts, Shell
from common.units import SECOND, Nanos
from common.wiring import Wiring
from services.risk.core import Inbox, Risk
from services.risk.signer import OrderSigner
from tests.bench.report import Table, spread
from tests.services.risk import scene

REQUESTS: Final = {2: 2_000, 12: 500}  # orders in one request -> how often: a bid and an ask; two whole ladders
LOADS: Final = {
    0: REQUESTS,
    6_000: {2: 2_000},
}  # market messages a second that risk hears -> REQUESTS
FEED_S: Final = 0.002  # between two handfuls of them
HANDFUL_MAX: Final = 60  # a socket that is far behind is read in turn with the others too
SHARES: Final = (0.5, 0.99, 0.999)
PAUSE_S: Final = 0.005  # between an answer and the next request
REST_S: Final = 0.002  # from a signature to the end of its orders
UNIT_S: Final = 0.25
READY_S_MAX: Final = 30.0  # risk without a journal waits 4 s for what an earlier life may have signed
ANSWER_S_MAX: Final = 5.0
KEY: Final = SigningKey(b"\x01" * 32)
FREE: Final = 1e6  # a second: the limits of rate would measure themselves
SETTINGS: Final = msgspec.structs.replace(
    scene.SETTINGS,
    risk=msgspec.structs.replace(
        scene.SETTINGS.risk, max_orders_per_s=FREE, orders_burst=int(FREE), max_repeats=int(FREE)
    ),
    signer=msgspec.structs.replace(scene.SETTINGS.signer, max_signatures_per_s=FREE),
)


class World(scene.Scene):
    """Says what healthy peers and a healthy venue say; `hear` gets it instead of a risk."""

    def __init__(self, hear: Callable[[Message], None]) -> None:
        super().__init__(settings=SETTINGS)
        self._hear = hear
        self.look()

    def look(self) -> None:
        self.now = Nanos(monotonic_ns())

    def send(self, *messages: Message) -> list[Effect]:
        for message in messages:
            self._hear(message)
        return []


# --- the process of risk ---------------------------------------------------------------------------


class QuickVenue(Link):
    """Risk's link to a venue without sockets, and its signer: what is signed is cancelled a moment later."""

    def __init__(self, signer: OrderSigner, market_per_s: int) -> None:
        self._signer = signer
        self._market_per_s = market_per_s
        self._fed = 0
        self._began_at = monotonic_ns()
        self._reader = FrameReader(SETTINGS.instruments())
        self._world = World(self._on_news)
        self._oid = 0

    def connect(self, deliver: Callable[[Message], None]) -> Self:
        self._deliver = deliver
        return self

    def start(self) -> None:
        self._tell(StreamUp(connection=1))
        self._speak()
        if self._market_per_s:
            self._feed()

    def post(self, effect: Post) -> None:
        self._tell(Posted(post_id=effect.post_id))

    def ask(self, effect: Ask) -> None:
        self._world.look()
        self._tell(self._world._answer(effect))

    def reconnect(self, reason: str) -> None:
        raise AssertionError(f"risk finds a healthy venue stale: {reason}")

    async def close(self) -> None:
        """Nothing to close."""

    def sign(self, effect: Sign) -> Signed | SignFailed:
        answer = self._signer.sign(effect)
        if isinstance(answer, Signed) and isinstance(effect.action, Place):
            asyncio.get_running_loop().call_later(REST_S, self._end, effect.action.orders)
        return answer

    def _end(self, orders: tuple[OrderIntent, ...]) -> None:
        self._world.look()
        now_ms, updates = self._world.venue_ms, []
        for order in orders:
            self._oid += 1
            shown = scene.venue_order(order, self._oid, placed_ms=now_ms)
            updates.append(OrderUpdate(order=shown, status="canceled", status_ms=now_ms))
        self._tell(OrderUpdates(updates=tuple(updates), received_at=self._world.now))

    def _speak(self) -> None:
        self._world.look()
        self._world.live()
        asyncio.get_running_loop().call_later(UNIT_S, self._speak)

    def _feed(self) -> None:
        """Read as many frames of best bid and offer as are due: a quiet market that speaks a lot."""
        self._world.look()
        due = (monotonic_ns() - self._began_at) * self._market_per_s // SECOND
        for number in range(max(self._fed, due - HANDFUL_MAX), due):
            size = 1 + number % 7
            levels = [{"px": str(price), "sz": str(size), "n": 1} for price in (59_999, 60_001)]
            data = {"coin": "BTC", "time": self._world.venue_ms, "bbo": levels}
            frame = self._reader.read(msgspec.json.encode({"channel": "bbo", "data": data}), self._world.now)
            assert isinstance(frame, Facts)
            for message in frame.messages:
                self._tell(message)
        self._fed = due
        asyncio.get_running_loop().call_later(FEED_S, self._feed)

    def _on_news(self, message: Message) -> None:
        if isinstance(message, VenueTime | Book | AssetContext | Trade):
            self._tell(message)

    def _tell(self, message: Message) -> None:
        self._signer.observe(message)
        self._deliver(message)


def _wires(folder: Path) -> dict[str, Wiring]:
    return {name: Wiring(run=folder, certificate=curve.load(Home(folder), name)) for name in curve.NAMES}


def serve_risk(folder: Path, market_per_s: int) -> None:
    """Be risk until somebody ends this process."""
    wires = _wires(folder)
    halt = HaltDir(folder / "halt")
    boot = Boot(epoch=7, started_at=Nanos(monotonic_ns()), build="b", pid=os.getpid())
    venue = QuickVenue(OrderSigner(SETTINGS, KEY, halt, lambda: Nanos(monotonic_ns())), market_per_s)
    journal = Journal(folder / "risk.sqlite", SETTINGS.journal.sync)

    settle()

    async def live() -> int:
        shell = Shell(
            service="risk",
            inbox=Inbox,
            parts=Parts(
                actor=Risk(SETTINGS, boot, scene.ACCOUNT, (), scene.Scene.verify, agents={}),
                link=venue.connect,
                signer=venue,
            ),
            boot=boot,
            wiring=wires["risk"],
            unit=SETTINGS.liveness.units(1),
            halt=halt,
            journal=journal,
            tape=None,
            log=structlog.get_logger(),
        )
        return await shell.run()

    uvloop.run(live())


# --- everybody else --------------------------------------------------------------------------------


class Asker:
    """The sockets of all of risk's peers; asks as order_management does."""

    def __init__(self, run: Path) -> None:
        wires = _wires(run)
        self._meshes = {
            name: Mesh(
                wiring=wires[name],
                service=name,
                epoch=scene.ASKER_EPOCH,
                inbox=Approval | Wake,
                deliver=self._on_answer,
            )
            for name in scene.PEERS
        }
        self._world = World(self._publish)
        self._sequence = 0
        self._arrived_at = 0
        self._answer: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
        for mesh in self._meshes.values():
            mesh.start()
        self._speak()

    async def ready(self) -> None:
        """Ask until risk approves."""
        approved = None
        while approved is None:
            await asyncio.sleep(UNIT_S)
            approved = await self.ask(2)

    async def ask(self, orders: int) -> float | None:
        """Ask once; return how long it took in us (inf: no answer), None when not everything was approved."""
        self._world.look()
        batch = [self._order(place) for place in range(orders)]
        request = self._world.request(*batch)
        self._answer = asyncio.get_running_loop().create_future()
        began = monotonic_ns()
        if self._meshes["order_management"].send(request, "risk"):
            return None
        try:
            answer = await asyncio.wait_for(self._answer, ANSWER_S_MAX)
        except TimeoutError:
            return inf
        return None if answer.vetoes else (self._arrived_at - began) / 1_000

    def close(self) -> None:
        self._timer.cancel()
        for mesh in self._meshes.values():
            mesh.close()

    def _order(self, place: int) -> OrderIntent:
        """Bids and asks in turn, each level ten ticks further out."""
        self._sequence += 1
        away = 100 + place // 2 * 10
        mark = int(scene.MARK)
        return scene.ask(self._sequence, mark + away) if place % 2 else scene.bid(self._sequence, mark - away)

    def _on_answer(self, message: Message) -> None:
        self._arrived_at = monotonic_ns()
        if isinstance(message, Approval) and not self._answer.done():
            self._answer.set_result(message)

    def _publish(self, message: Message) -> None:
        match message:
            case Heartbeat(service=name):
                self._meshes[name].publish(message)
            case Reconciled():
                self._meshes["order_management"].publish(message)
            case CancellerStatus():
                self._meshes["canceller"].publish(message)
            case QuoteTarget():
                self._meshes["strategy"].publish(message)
            case _:
                pass  # the venue's word: risk has its own

    def _speak(self) -> None:
        self._world.look()
        self._world.live()
        for mesh in self._meshes.values():
            mesh.beat(self._world.now)
        self._timer = asyncio.get_running_loop().call_later(UNIT_S, self._speak)


async def round_trips(run: Path, requests: Mapping[int, int]) -> dict[int, tuple[list[float], int]]:
    """Return by size of the request how long approvals took, in us, and how many orders were refused."""
    asker = Asker(run)
    await asyncio.wait_for(asker.ready(), READY_S_MAX)
    found: dict[int, tuple[list[float], int]] = {}
    for orders, count in requests.items():
        times: list[float] = []
        refused = 0
        for _ in range(count):
            await asyncio.sleep(PAUSE_S)
            took_us = await asker.ask(orders)
            if took_us is None:
                refused += 1
            else:
                times.append(took_us)
        found[orders] = (times, refused)
    asker.close()
    return found


def under_load(market_per_s: int) -> dict[int, tuple[list[float], int]]:
    """Measure with a risk that hears so much of the market."""
    with tempfile.TemporaryDirectory(prefix="bl") as name:
        folder = Path(name)
        Home(folder).prepare()
        curve.prepare(Home(folder))
        risk = multiprocessing.get_context("spawn").Process(target=serve_risk, args=(folder, market_per_s))
        risk.start()
        try:
            return uvloop.run(round_trips(folder, LOADS[market_per_s]))
        finally:
            risk.terminate()
            risk.join()


def measure() -> Iterator[Table]:
    rows, refused = [], 0
    late_us = SETTINGS.orders.approval_timeout_ms * 1_000
    for market_per_s in LOADS:
        for orders, (times, vetoed) in under_load(market_per_s).items():
            late = sum(time > late_us for time in times) / len(times)
            rows.append((f"{orders} orders, {market_per_s:,} market messages/s", *spread(times, SHARES), f"{late:.2%}"))
            refused += vetoed
    notes = (
        "order_management's send -> answer decoded for its core; risk judges, journals (sync normal), signs, answers",
        f"two processes, a request {PAUSE_S * 1_000:.0f} ms after each answer; rate limits lifted; the venue is played",
        "market messages are frames of best bid and offer, read and judged by risk; targets 1, 10, 25 ms",
        f"{refused} requests with a refusal are not in the figures; late: after {late_us // 1_000} ms, then a veto",
    )
    columns = ("one approval, us", "count", "p50", "p99", "p99.9", "max", "late")
    yield Table(title="Approval round trip over ZeroMQ", columns=columns, rows=rows, notes=notes)
