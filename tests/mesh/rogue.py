"""An arbitrary program in the place of a service, with its key, directory and files.

`python -m tests.mesh.rogue NAME HOME SECONDS` asks for everything that could do harm, as fast as it can, posts whatever
it is given, again and changed, and ends after its time.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import zmq

from common import config
from common.cloid import house_tag, make_cloid
from common.home import Home
from common.mesh import Mesh
from common.messages import (
    Approval,
    ApprovalRequest,
    ArmRequest,
    Book,
    Cancel,
    CancelAnswer,
    CancelRequest,
    Heartbeat,
    Message,
    ModifyIntent,
    OrderIntent,
    PendingExposure,
    QuoteTarget,
    Reconciled,
    ServiceState,
    TimeInForce,
    encode,
)
from common.messages.market import QuoteLevel
from common.process import build_hash
from common.units import MILLISECOND, SECOND, Lots, Micros, Millis, Nanos, Side, Ticks
from common.wiring import wiring

BURST: Final = 40  # messages between two turns of the loop
BATCH_MAX: Final = 8
HUGE: Final = 1 << 60


class Rogue:
    """Beats like the service that it replaces; a subclass says what it does besides."""

    inbox: object = Book | Approval | CancelAnswer

    def __init__(self, name: str, home: Home, seed: int = 1) -> None:
        self.name = name
        self.chance = random.Random(seed)
        self.settings = config.load(home.config)
        self.epoch = int(home.lock(name).stat().st_mtime) + 1  # above that of the real one, below its next
        self.tag = house_tag(json.loads((home.keys / "public.json").read_text())["account"])
        self.venue = json.loads(home.endpoints.read_text())["venue"]
        self.mids: dict[str, int] = {}
        self.bodies: deque[bytes] = deque(maxlen=200)
        self.build = build_hash(home.config.read_bytes())
        wires = wiring(home, name, self.settings)
        self.mesh = Mesh(wiring=wires, service=name, epoch=self.epoch, inbox=self.inbox, deliver=self.take)
        self._beat_at = 0

    def take(self, message: Message) -> None:
        match message:
            case Book(coin=coin, bids=bids, asks=asks) if bids and asks:
                self.mids[coin] = (bids[0][0] + asks[0][0]) // 2
            case Approval(body=body) if body:
                self.bodies.append(body)
            case _:
                pass

    async def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.mesh.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.post(until))
            while time.monotonic() < until:
                self.beat()
                for _ in range(BURST):
                    self.harm()
                await asyncio.sleep(0.002)
        self.mesh.close()

    def beat(self) -> None:
        now = time.monotonic_ns()
        if now < self._beat_at:
            return
        self._beat_at = now + self.settings.liveness.unit_ms * MILLISECOND
        self.mesh.publish(
            Heartbeat(
                service=self.name,
                epoch=self.epoch,
                state=ServiceState.READY,
                build=self.build,
                pid=os.getpid(),
                sequences=self.mesh.sequences(),
            )
        )
        self.speak()

    def speak(self) -> None:
        """Say what the peers need in order to trust."""

    def harm(self) -> None:
        raise NotImplementedError

    async def post(self, until: float) -> None:
        """Post what was signed: as it is, again, and changed."""
        async with httpx.AsyncClient(base_url=self.venue, timeout=2) as client:
            while time.monotonic() < until:
                await asyncio.sleep(0.01)
                if not self.bodies:
                    continue
                body = self.bodies[-1] if self.chance.random() < 0.7 else self.chance.choice(self.bodies)
                if self.chance.random() < 0.2:
                    body = self.changed(body)
                await client.post("/exchange", content=body, headers={"content-type": "application/json"})

    def changed(self, body: bytes) -> bytes:
        """Ten times the size, under the same signature."""
        request = json.loads(body)
        for order in request["action"].get("orders", []):
            order["s"] = str(float(order["s"]) * 10)
        return json.dumps(request).encode()

    def ticks(self, coin: str) -> Ticks:
        mid = self.mids.get(coin, 600_000)
        near = mid + self.chance.randint(-mid // 2_000, mid // 2_000)
        wild = self.chance.choice([1, 0, -5, mid // 2, mid * 2, mid * 97 // 100, mid * 103 // 100, HUGE])
        return Ticks(near - near % 10 if self.chance.random() < 0.5 else wild)

    def lots(self, coin: str) -> Lots:
        mid = self.mids.get(coin, 600_000)
        most = int(self.settings.coins["BTC"].max_order_usd * 1_000_000) // mid
        return Lots(self.chance.choice([most, most, most - 1, most + 1, most * 10, 0, -most, HUGE, 1]))

    def coin(self) -> str:
        return self.chance.choice(["BTC", "BTC", "ETH", "ETH", "DOGE", "", "BTC\0", "btc"])


class RogueOrderManagement(Rogue):
    """Asks risk for signatures and the canceller for cancels."""

    def __init__(self, name: str, home: Home) -> None:
        super().__init__(name, home)
        self._number = 0
        self._cloids: deque[str] = deque(maxlen=500)

    def speak(self) -> None:
        self.mesh.publish(Reconciled(epoch=self.epoch, done=True, detail=""))
        for coin in self.settings.coins:
            none = Lots(0)
            self.mesh.publish(
                PendingExposure(
                    coin=coin,
                    pending_bid=none,
                    pending_ask=none,
                    net_pending_change=none,
                    worst_case_max_position=none,
                    worst_case_min_position=none,
                    resting_bid_notional=Micros(0),
                    resting_ask_notional=Micros(0),
                )
            )

    def harm(self) -> None:
        draw = self.chance.random()
        if draw < 0.75:
            self.mesh.send(self.request(), "risk")
        elif draw < 0.85:
            self.raw(self.chance.choice(["ApprovalRequest", "ArmRequest", "Approval", "CancelRequest", "Nothing"]))
        elif draw < 0.9:
            forged = ArmRequest(request_id=self.number(), command=b'{"reason":"x"}', signature=bytes(65))
            self.throw("ArmRequest", encode(forged))
        else:
            self.mesh.send(self.cancel(), "canceller")

    def request(self) -> ApprovalRequest:
        now, count = time.monotonic_ns(), self.chance.randint(1, BATCH_MAX)
        orders = tuple(self.order() for _ in range(count))
        modifies = tuple(ModifyIntent(old_cloid=self.cloid(), order=order) for order in orders)
        replaces = self.chance.random() < 0.3
        later = Nanos(now + self.chance.choice([SECOND, SECOND, -SECOND, HUGE]))
        return ApprovalRequest(
            request_id=self.number(),
            epoch=self.epoch - self.chance.choice([0, 0, 0, 0, 1, 1_000, -5]),
            places=() if replaces else orders,
            modifies=modifies if replaces else (),
            deadline=later,
            valid_until=later,
        )

    def order(self) -> OrderIntent:
        coin = self.coin()
        return OrderIntent(
            cloid=self.cloid(),
            coin=coin,
            side=self.chance.choice(list(Side)),
            ticks=self.ticks(coin),
            lots=self.lots(coin),
            tif=self.chance.choice([TimeInForce.ALO, TimeInForce.ALO, *TimeInForce]),
            reduce_only=self.chance.random() < 0.2,
        )

    def cloid(self) -> str:
        """Return a new name, or one that was used, or one that is none."""
        draw = self.chance.random()
        if draw < 0.7 or not self._cloids:
            self._cloids.append(make_cloid(self.tag, self.epoch, self.number(), 0))
            return self._cloids[-1]
        return self.chance.choice(self._cloids) if draw < 0.9 else self.chance.choice(["", "0x", "0x" + "11" * 16, "é"])

    def cancel(self) -> CancelRequest:
        cancels = tuple(Cancel(coin="BTC", cloid=self.cloid()) for _ in range(self.chance.randint(1, 50)))
        return CancelRequest(
            request_id=self.number(),
            sender=self.chance.choice(["order_management", "risk"]),
            epoch=self.epoch,
            deadline=Nanos(time.monotonic_ns() + SECOND),
            cancels=cancels,
            reason="rogue",
        )

    def raw(self, name: str) -> None:
        """Send what is no such message: cut off, no number where one must be, or noise."""
        whole: Any = msgspec.to_builtins(self.request())
        for order in whole["places"]:
            order |= {"ticks": float("nan"), "lots": float("inf")}
        body = msgspec.msgpack.encode(whole)
        cut = body[: self.chance.randint(0, len(body))]
        noise = self.chance.randbytes(self.chance.randint(0, 300))
        self.throw(name, self.chance.choice([body, cut, noise]))

    def throw(self, name: str, body: bytes) -> None:
        """Send bytes to risk under any name; a full queue takes nothing."""
        envelope = self.mesh._outbox.envelope(self.number(), Nanos(time.monotonic_ns()))
        with contextlib.suppress(zmq.Again):
            self.mesh._dealers["risk"].send_multipart([envelope, name.encode(), body], zmq.NOBLOCK)

    def number(self) -> int:
        self._number += 1
        return self._number


class RogueStrategy(Rogue):
    """Wants the absurd; the real order_management and risk hear it."""

    def harm(self) -> None:
        if self.chance.random() > 0.05:
            return
        coin, wild = self.chance.choice(["BTC", "ETH"]), self.chance.choice([float("nan"), float("inf"), -1.0, 6e5])
        ladders = [
            tuple(
                QuoteLevel(ticks=self.ticks(coin), lots=self.lots(coin), reduce_only=self.chance.random() < 0.2)
                for _ in range(self.chance.choice([0, 1, 3, 60]))
            )
            for _ in range(2)
        ]
        now = time.monotonic_ns()
        self.mesh.publish(
            QuoteTarget(
                coin=coin if self.chance.random() < 0.9 else "DOGE",
                bids=ladders[0],
                asks=ladders[1],
                reason_bid="",
                reason_ask="",
                fair_ticks=wild,
                mid_ticks=wild,
                components_bps={"bid.x": wild},
                book_venue_ms=Millis(self.chance.choice([0, HUGE, -1])),
                book_received_at=Nanos(now),
                valid_until=Nanos(now + self.chance.choice([SECOND, HUGE])),
            )
        )


ROGUES: Final[dict[str, type[Rogue]]] = {"order_management": RogueOrderManagement, "strategy": RogueStrategy}


async def main(name: str, home: Home, seconds: float) -> None:
    await ROGUES[name](name, home).run(seconds)


if __name__ == "__main__":
    chosen, folder, seconds = sys.argv[1:]
    asyncio.run(main(chosen, Home(Path(folder)), float(seconds)))
