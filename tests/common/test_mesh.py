"""The mesh on real sockets: facts, requests, roles, malformed frames, restarts."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import monotonic_ns

import pytest
import zmq

from common import mesh, topology
from common.errors import PeerFault
from common.mesh import Mesh
from common.messages import (
    Approval,
    ApprovalRequest,
    FeedHealth,
    Heartbeat,
    Message,
    Missed,
    Posture,
    PostureLevel,
    SendFailed,
    Snapshot,
    Trade,
    Wake,
)
from common.sequences import Outbox
from common.units import Lots, Millis, Nanos, Side, Ticks

WAIT_S = 10.0  # a machine that needs longer for a local message is not measuring us


@pytest.fixture
def run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bl") as path:
        yield Path(path)


class Peer:
    """A service's mesh that remembers what it heard."""

    def __init__(self, run: Path, service: str, inbox: object, epoch: int = 1) -> None:
        self.heard: list[Message] = []
        self.mesh = Mesh(run=run, service=service, epoch=epoch, inbox=inbox, deliver=self.heard.append)
        self.mesh.start()

    async def until(self, condition: Callable[[], bool], nudge: Callable[[], None] | None = None) -> None:
        end = monotonic_ns() + int(WAIT_S * 1e9)
        while not condition():
            assert monotonic_ns() < end, self.heard
            if nudge:
                nudge()
            await asyncio.sleep(0.005)


def health(*, fresh: bool) -> FeedHealth:
    return FeedHealth(coin="BTC", fresh=fresh, reason="", book_age_ms=1, context_age_ms=1)


def trade(tid: int) -> Trade:
    return Trade(
        coin="BTC", venue_ms=Millis(1), side=Side.BUY, ticks=Ticks(1), lots=Lots(1), tid=tid, received_at=Nanos(1)
    )


def request(request_id: int) -> ApprovalRequest:
    return ApprovalRequest(request_id=request_id, epoch=1, deadline=Nanos(0), valid_until=Nanos(0))


def live(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]  # an async def is a coroutine function


def test_a_late_joiner_gets_the_present_by_snapshot(run: Path) -> None:
    """Facts published before a subscriber existed must reach it all the same."""

    async def story() -> None:
        producer = Peer(run, "market_data", Wake)
        producer.mesh.publish(health(fresh=True))
        consumer = Peer(run, "strategy", FeedHealth | Wake)
        await consumer.until(lambda: bool(consumer.heard), lambda: consumer.mesh.beat(Nanos(monotonic_ns())))
        assert consumer.heard == [health(fresh=True)]
        producer.mesh.close()
        consumer.mesh.close()

    live(story)


def test_waiting_facts_are_conflated_and_trades_are_not(run: Path) -> None:
    """A slow consumer sees the newest state and every event, never a stale state."""

    async def story() -> None:
        producer = Peer(run, "market_data", Wake)
        consumer = Peer(run, "estimation", FeedHealth | Trade | Missed | Wake)
        await consumer.until(lambda: bool(consumer.heard), lambda: producer.mesh.publish(health(fresh=False)))
        consumer.heard.clear()
        for number in range(50):
            producer.mesh.publish(trade(number))
            producer.mesh.publish(health(fresh=number % 2 == 1))
        await consumer.until(lambda: sum(isinstance(m, Trade) for m in consumer.heard) == 50)
        assert [m.tid for m in consumer.heard if isinstance(m, Trade)] == list(range(50))
        assert [m for m in consumer.heard if isinstance(m, FeedHealth)][-1] == health(fresh=True)
        producer.mesh.close()
        consumer.mesh.close()

    live(story)


def test_a_request_is_answered_and_a_dead_peer_fails_at_once(run: Path) -> None:
    """No answer must ever be waited for when nobody is there, and none may go to the wrong asker."""

    async def story() -> None:
        asker = Peer(run, "order_management", Approval | Posture | Wake)
        assert isinstance(asker.mesh.send(request(1), "risk"), SendFailed)
        risk = Peer(run, "risk", ApprovalRequest | Wake)

        def ask() -> None:
            if not risk.heard:
                asker.mesh.send(request(2), "risk")

        await risk.until(lambda: bool(risk.heard), ask)
        answer = Approval(
            request_id=2, epoch=1, risk_epoch=1, approval_id=1, body=b"x", nonce=1, expires_after=Millis(1), approved=()
        )
        assert risk.mesh.send(answer, "order_management") is None
        await asker.until(lambda: answer in asker.heard)
        assert isinstance(risk.mesh.send(answer, "strategy"), SendFailed)
        asker.mesh.close()
        risk.mesh.close()

    live(story)


def test_wrong_roles_and_malformed_frames_change_nothing(run: Path) -> None:
    """Whoever can reach a socket can send anything to it; the service counts it and goes on."""

    async def story() -> None:
        risk = Peer(run, "risk", ApprovalRequest | Posture | Wake)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        rogue = context.socket(zmq.DEALER)
        rogue.linger = 0
        rogue.connect(topology.requests_endpoint(run, "risk"))
        good = [Outbox("strategy", 1).envelope(1, Nanos(1)), b"ApprovalRequest", b"\x80"]
        storms = [[b""], [b"a", b"b"], [b"x"] * 100, [b"\xff", b"ApprovalRequest", b"\xc1"], good, [b"\0" * 70_000] * 3]
        for frames in storms:
            rogue.send_multipart(frames)
        await risk.until(lambda: risk.mesh.refused >= len(storms))
        assert risk.heard == []
        rogue.close(linger=0)
        context.term()
        risk.mesh.close()

    live(story)


def test_a_restarted_producer_is_heard_again(run: Path) -> None:
    """A new epoch starts its sequences at one and must not look like old news."""

    async def story() -> None:
        first = Peer(run, "risk", Wake, epoch=1)
        consumer = Peer(run, "strategy", Posture | Heartbeat | Wake)
        normal = Posture(level=PostureLevel.NORMAL, coins={}, causes=(), risk_epoch=1)
        await consumer.until(lambda: normal in consumer.heard, lambda: first.mesh.publish(normal))
        first.mesh.close()
        second = Peer(run, "risk", Wake, epoch=2)
        pulled = Posture(level=PostureLevel.PULL_QUOTES, coins={}, causes=("x",), risk_epoch=2)
        await consumer.until(lambda: pulled in consumer.heard, lambda: second.mesh.publish(pulled))
        assert consumer.mesh.gaps == 0
        second.mesh.close()
        consumer.mesh.close()

    live(story)


def test_the_command_line_asks_and_gives_up_in_time(run: Path) -> None:
    """`mm status` must not hang on a service that is down or wedged."""

    async def story() -> None:
        peer = Peer(run, "market_data", Wake)
        peer.mesh.publish(health(fresh=True))
        answer = await asyncio.to_thread(mesh.snapshot, run, "market_data", WAIT_S)
        assert answer == {("FeedHealth", "BTC"): health(fresh=True)}
        with pytest.raises(PeerFault, match="risk did not answer"):
            await asyncio.to_thread(mesh.snapshot, run, "risk", 0.05)
        peer.mesh.close()

    live(story)


def test_a_garbled_snapshot_is_the_peers_fault() -> None:
    """A snapshot is bytes from outside like any other."""
    with pytest.raises(PeerFault):
        list(mesh.unpack(Snapshot(request_id=1, frames=((b"Book\0\xc1", b""),))))
