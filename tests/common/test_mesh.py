"""The mesh on real sockets: facts, requests, roles, malformed frames, restarts."""

import asyncio
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import monotonic_ns
from typing import TypeAlias

import pytest
import zmq

from common import mesh
from common.errors import ConfigFault, PeerFault
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
    encode,
)
from common.sequences import Outbox
from common.units import Lots, Millis, Nanos, Side, Ticks
from common.wiring import Wiring
from tests.wires import certificates, free_ports, wirings

WAIT_S = 10.0  # a machine that needs longer for a local message is not measuring us


Wires: TypeAlias = dict[str, Wiring]


@pytest.fixture
def wires() -> Iterator[Wires]:
    with tempfile.TemporaryDirectory(prefix="bl") as path:
        yield wirings(Path(path))


class Peer:
    """A service's mesh that remembers what it heard."""

    def __init__(self, wires: Wires, service: str, inbox: object, epoch: int = 1) -> None:
        self.heard: list[Message] = []
        self.mesh = Mesh(wiring=wires[service], service=service, epoch=epoch, inbox=inbox, deliver=self.heard.append)
        self.mesh.start()

    def ask(self, request_id: int) -> None:
        self.mesh.send(request(request_id), "risk")  # fails until the handshake is done, as it should

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


def test_a_late_joiner_gets_the_present_by_snapshot(wires: Wires) -> None:
    """Facts published before a subscriber existed must reach it all the same."""

    async def story() -> None:
        producer = Peer(wires, "market_data", Wake)
        producer.mesh.publish(health(fresh=True))
        consumer = Peer(wires, "strategy", FeedHealth | Wake)
        await consumer.until(lambda: bool(consumer.heard), lambda: consumer.mesh.beat(Nanos(monotonic_ns())))
        assert consumer.heard == [health(fresh=True)]
        producer.mesh.close()
        consumer.mesh.close()

    live(story)


def test_waiting_facts_are_conflated_and_trades_are_not(wires: Wires) -> None:
    """A slow consumer sees the newest state and every event, never a stale state."""

    async def story() -> None:
        producer = Peer(wires, "market_data", Wake)
        consumer = Peer(wires, "estimation", FeedHealth | Trade | Missed | Wake)
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


def test_a_request_is_answered_and_a_dead_peer_fails_at_once(wires: Wires) -> None:
    """No answer must ever be waited for when nobody is there, and none may go to the wrong asker."""

    async def story() -> None:
        asker = Peer(wires, "order_management", Approval | Posture | Wake)
        assert isinstance(asker.mesh.send(request(1), "risk"), SendFailed)
        risk = Peer(wires, "risk", ApprovalRequest | Wake)

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


def test_wrong_roles_and_malformed_frames_change_nothing(wires: Wires) -> None:
    """Whoever can reach a socket can send anything to it; the service counts it and goes on."""

    async def story() -> None:
        risk = Peer(wires, "risk", ApprovalRequest | Posture | Wake)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        rogue = context.socket(zmq.DEALER)
        rogue.linger = 0
        wires["strategy"].certificate.present(rogue, "risk")
        rogue.connect(wires["risk"].requests("risk"))
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


@pytest.mark.parametrize("key", ["none", "made up", "of strategy", "of the command line, as order_management"])
def test_only_order_management_can_ask_for_a_signature(wires: Wires, key: str) -> None:
    """C20: no key, a wrong key, and a right key in the wrong role reach nothing; the right one does after them."""

    async def story() -> None:
        risk = Peer(wires, "risk", ApprovalRequest | Wake)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        rogue = context.socket(zmq.DEALER)
        rogue.linger = 0
        claimed = "order_management"
        match key:
            case "made up":
                stranger = certificates()["order_management"]
                stranger.public["risk"] = wires["risk"].certificate.public["risk"]
                stranger.present(rogue, "risk")
            case "of strategy":
                wires["strategy"].certificate.present(rogue, "risk")
                claimed = "strategy"
            case "of the command line, as order_management":
                wires["cli"].certificate.present(rogue, "risk")
            case _:
                assert key == "none"
        rogue.connect(wires["risk"].requests("risk"))
        frames = [Outbox(claimed, 1).envelope(1, Nanos(1)), b"ApprovalRequest", encode(request(1))]
        rogue.send_multipart(frames)
        if key != "none":  # who speaks without any key is not even counted: the library closes on him
            await risk.until(lambda: risk.mesh.refused > 0)
        honest = Peer(wires, "order_management", Approval | Wake)
        await risk.until(lambda: bool(risk.heard), lambda: honest.ask(2))
        assert {message.request_id for message in risk.heard if isinstance(message, ApprovalRequest)} == {2}
        rogue.close(linger=0)
        context.term()
        honest.mesh.close()
        risk.mesh.close()

    live(story)


def test_over_tcp_facts_need_a_key_as_well() -> None:
    """Whoever reaches a port must not even listen; those who belong to the mesh hear and ask as over ipc."""

    async def story(wires: Wires) -> None:
        risk = Peer(wires, "risk", ApprovalRequest | Wake)
        consumer = Peer(wires, "order_management", Posture | Approval | Wake)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stranger = context.socket(zmq.SUB)
        stranger.linger = 0
        stranger.subscribe(b"")
        stranger.connect(wires["risk"].facts("risk"))
        normal = Posture(level=PostureLevel.NORMAL, coins={}, causes=(), risk_epoch=1)
        await consumer.until(lambda: normal in consumer.heard, lambda: risk.mesh.publish(normal))
        await risk.until(lambda: bool(risk.heard), lambda: consumer.ask(1))
        for _ in range(20):
            risk.mesh.publish(normal)
            await asyncio.sleep(0.005)
        assert not stranger.poll(0)
        stranger.close(linger=0)
        context.term()
        consumer.mesh.close()
        risk.mesh.close()

    with tempfile.TemporaryDirectory(prefix="bl") as path:
        live(lambda: story(wirings(Path(path), {"risk": ("127.0.0.1", free_ports(2))})))


def test_a_taken_port_is_named() -> None:
    """A port of somebody else is a mistake of the configuration, not a bug."""

    async def story(wires: Wires) -> None:
        with socket.socket() as other:
            other.bind(wires["risk"].tcp["risk"])
            other.listen()
            with pytest.raises(ConfigFault, match=r"tcp://.* cannot be listened on .*; see mesh\.tcp\.risk"):
                Peer(wires, "risk", ApprovalRequest | Wake)

    with tempfile.TemporaryDirectory(prefix="bl") as path:
        live(lambda: story(wirings(Path(path), {"risk": ("127.0.0.1", free_ports(2))})))


def test_a_restarted_producer_is_heard_again(wires: Wires) -> None:
    """A new epoch starts its sequences at one and must not look like old news."""

    async def story() -> None:
        first = Peer(wires, "risk", Wake, epoch=1)
        consumer = Peer(wires, "strategy", Posture | Heartbeat | Wake)
        normal = Posture(level=PostureLevel.NORMAL, coins={}, causes=(), risk_epoch=1)
        await consumer.until(lambda: normal in consumer.heard, lambda: first.mesh.publish(normal))
        first.mesh.close()
        second = Peer(wires, "risk", Wake, epoch=2)
        pulled = Posture(level=PostureLevel.PULL_QUOTES, coins={}, causes=("x",), risk_epoch=2)
        await consumer.until(lambda: pulled in consumer.heard, lambda: second.mesh.publish(pulled))
        assert consumer.mesh.gaps == 0
        second.mesh.close()
        consumer.mesh.close()

    live(story)


def test_the_command_line_asks_and_gives_up_in_time(wires: Wires) -> None:
    """`mm status` must not hang on a service that is down or wedged."""

    async def story() -> None:
        peer = Peer(wires, "market_data", Wake)
        peer.mesh.publish(health(fresh=True))
        answer = await asyncio.to_thread(mesh.snapshot, wires["cli"], "market_data", WAIT_S)
        assert answer == {("FeedHealth", "BTC"): health(fresh=True)}
        with pytest.raises(PeerFault, match="risk did not answer"):
            await asyncio.to_thread(mesh.snapshot, wires["cli"], "risk", 0.05)
        peer.mesh.close()

    live(story)


def test_a_garbled_snapshot_is_the_peers_fault() -> None:
    """A snapshot is bytes from outside like any other."""
    with pytest.raises(PeerFault):
        list(mesh.unpack(Snapshot(request_id=1, frames=((b"Book\0\xc1", b""),))))


def test_a_peer_that_answers_garbage_ends_nobody(wires: Wires) -> None:
    """Rule 5: a snapshot that cannot be read is counted like any other wrong bytes."""

    async def story() -> None:
        peer = Peer(wires, "risk", ApprovalRequest | FeedHealth)
        garbled = encode(Snapshot(request_id=1, frames=((b"FeedHealth\0\xc1", b""),)))
        peer.mesh._on_answer("market_data", [b"", b"Snapshot", garbled])
        assert (peer.mesh.refused, peer.heard) == (1, [])
        peer.mesh.close()

    live(story)
