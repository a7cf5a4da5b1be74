"""`mm record`: the market facts of a running mesh, whole, and the tape is closed however it ends."""

import contextlib
import fcntl
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns

import pytest
import zmq  # market_data in these tests

from common.errors import ConfigFault
from common.home import Home
from common.messages import Heartbeat, Message, ServiceState, Trade
from common.sequences import Outbox
from common.tape import read
from common.units import Lots, Millis, Nanos, Side, Ticks
from common.wiring import wiring
from services.cli import exits
from services.cli.recording import TOPICS, record
from tests.services.cli.samples import made_home

BEAT = Heartbeat(service="market_data", epoch=7, state=ServiceState.READY)
PAUSE_S = 0.001
TRADES_MAX = 20_000  # some 20 s; a chunk is written after one
EMPTY_BYTES = 64  # of a tape; more means that a chunk was written


def trade(tid: int) -> Trade:
    return Trade(
        coin="BTC", side=Side.BUY, ticks=Ticks(1), lots=Lots(1), venue_ms=Millis(1), tid=tid, received_at=Nanos(0)
    )


@pytest.fixture
def home() -> Iterator[Home]:
    """A home with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="bl") as path:
        yield made_home(Path(path))


@contextlib.contextmanager
def held(home: Home) -> Iterator[None]:
    with home.lock("market_data").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def market_data(home: Home, speak: Callable[[Callable[[Message], None]], None]) -> Iterator[None]:
    """A service that speaks once somebody has subscribed to all topics of a recording."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)  # a recording that never subscribes fails the test
    socket.bind(wiring(home, "market_data").facts("market_data"))
    outbox = Outbox("market_data", 7)

    def say(message: Message) -> None:
        socket.send_multipart(outbox.frames(message, Nanos(monotonic_ns())))

    def play() -> None:
        for _ in TOPICS:
            socket.recv()
        speak(say)

    player = threading.Thread(target=play)
    with held(home):
        player.start()
        try:
            yield
        finally:
            player.join()
            socket.close(linger=0)
            context.term()


def test_facts_of_the_market_are_recorded_in_order(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything on its topics, nothing else that the same service says."""
    out = home.tapes / "x.tape"

    def speak(say: Callable[[Message], None]) -> None:
        for message in (trade(1), BEAT, trade(2)):
            say(message)

    with market_data(home, speak):
        assert record(home, 1.0, out) == exits.OK
    assert [message for _, message in read(out)] == [trade(1), trade(2)]
    assert capsys.readouterr().out == f"2 messages in {out}\n"


def test_an_interrupted_tape_is_whole(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A person who has enough loses nothing of it."""
    out = home.tapes / "x.tape"

    def speak(say: Callable[[Message], None]) -> None:
        pause = threading.Event()
        for tid in range(1, TRADES_MAX):
            say(trade(tid))
            if out.stat().st_size > EMPTY_BYTES:  # the recording is under way, so the interrupt ends it and no more
                os.kill(os.getpid(), signal.SIGINT)
                return
            pause.wait(PAUSE_S)

    with market_data(home, speak):
        assert record(home, 60.0, out) == exits.OK
    tids = [message.tid for _, message in read(out) if isinstance(message, Trade)]
    assert tids == list(range(1, len(tids) + 1))
    assert "interrupted" in capsys.readouterr().err


def test_silence_is_not_a_recording(home: Home) -> None:
    """Exit 3 when the mesh runs and says nothing; the tape is empty and whole."""
    out = home.tapes / "x.tape"
    with held(home):
        assert record(home, 0.05, out) == exits.NOT_YET
    assert list(read(out)) == []


def test_without_a_mesh_no_tape_is_made(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3, at once, with what to do."""
    out = home.tapes / "x.tape"
    assert record(home, 60.0, out) == exits.NOT_YET
    assert not out.exists()
    assert "start with `mm up`" in capsys.readouterr().err


def test_an_old_tape_is_not_overwritten(home: Home) -> None:
    """It is refused before anything is heard."""
    out = home.tapes / "x.tape"
    out.write_text("old")
    with held(home), pytest.raises(ConfigFault, match="move an old one away"):
        record(home, 60.0, out)
    assert out.read_text() == "old"
