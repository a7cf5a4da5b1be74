"""The socket for faults from both ends: a real venue in this process, the link in a thread."""

import asyncio
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import time_ns

import pytest

from common import endpoints
from common.errors import ConfigFault, PeerFault
from common.home import Home
from common.units import Millis
from services.cli.venue_faults import FaultLink
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.control import LINE_BYTES_MAX, Control
from services.venue_sim.faulty_venue import FaultyVenue
from services.venue_sim.server import Server


@pytest.fixture
def path() -> Iterator[Path]:
    """Short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="bl") as folder:
        yield Path(folder) / "run" / "faults.sock"


def with_venue(path: Path, story: Callable[[FaultLink], None]) -> None:
    """Run a story beside a venue that listens for faults."""

    async def scene() -> None:
        plan = Plan(coins=universe.coins({}), seed=1)
        venue = FaultyVenue(assemble(plan, Millis(time_ns() // 1_000_000), None, last_sequence=0), Random(1))
        server = Server(venue, block_ms=plan.block_ms, log_files=None, store=None)
        control = Control(venue, server)
        await server.start(0)
        await control.start(path)
        try:
            await asyncio.wait_for(asyncio.to_thread(story, FaultLink(path)), 20)
        finally:
            control.stop(path)
            await server.stop()

    asyncio.run(scene())


def test_arm_list_and_clear(path: Path) -> None:
    """What was armed is listed with its parameters and how often it struck, and gone when it is cleared."""

    def story(link: FaultLink) -> None:
        first = link.fault("lose_ack", share=0.05)
        second = link.fault("late_ack", delay_ms="500")
        assert link.fault("maintenance", for_ms=1) == 0
        found = {each["number"]: (each["fault"]["fault"], each["struck"]) for each in link.armed()}
        assert found == {first: ("lose_ack", 0), second: ("late_ack", 0)}
        assert link.clear(first) == 1
        assert link.clear() == 1
        assert link.armed() == []

    with_venue(path, story)
    assert not path.exists()


def test_the_socket_is_private(path: Path) -> None:
    """Nobody else on the machine may break the venue."""

    def story(_: FaultLink) -> None:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    with_venue(path, story)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("lose_everything", {}, "lose_everything.*is unknown; there are lose_ack"),
        ("lose_ack", {"share": 0}, "share"),
        ("lose_ack", {"shares": 1}, "shares.*it takes for_ms, share, count, user"),
        ("delist", {"coin": "NOPE"}, "NOPE.*not listed; there are BTC"),
        ("manual_cancel", {}, "user: is needed"),
        ("manual_trade", {"coin": "BTC", "side": "buy", "size": "x", "user": "0x" + "1" * 40}, "size"),
        ("revoke_agent", {"name": "risk", "user": "0x" + "1" * 40}, "not approved"),
        ("transfer", {"usd": "NaN", "user": "0x" + "1" * 40}, "usd"),
    ],
)
def test_what_means_nothing_is_refused(path: Path, name: str, parameters: dict[str, object], said: str) -> None:
    """One clear error, and the venue goes on."""

    def story(link: FaultLink) -> None:
        with pytest.raises(PeerFault, match=said):
            link.fault(name, **parameters)
        assert link.armed() == []

    with_venue(path, story)


def test_senseless_lines(path: Path) -> None:
    """Lines that are no wish are answered, a line without end is cut off; others are served."""

    def story(link: FaultLink) -> None:
        for line in (b"\n", b"[]\n", b'{"do":"dance"}\n', b"\xff\n"):
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(path))
                raw.sendall(line)
                assert b'{"error":' in raw.recv(1_000)
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            raw.sendall(b"x" * (LINE_BYTES_MAX + 1))
            assert raw.recv(1_000) == b""
        assert link.armed() == []

    with_venue(path, story)


def test_no_venue(tmp_path: Path, path: Path) -> None:
    """Without a venue that was started for it there is one clear error."""
    home = Home(tmp_path)
    home.prepare()
    with pytest.raises(ConfigFault, match="mm venue serve --faults --home"):
        FaultLink.of_home(home)
    endpoints.write(home, endpoints.FAULTS, str(path))
    with pytest.raises(ConfigFault, match="no venue listens there"):
        FaultLink.of_home(home).armed()
