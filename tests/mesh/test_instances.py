"""One instance of a service and one `mm up` per home; bad input ends in a clear line, not in a death."""

import json
import socket
import stat
import subprocess
import sys

import httpx
import pytest
import zmq

from common import topology
from common.wiring import wiring
from services.cli.configuration import ROOT
from tests.mesh.live import LiveMesh, live_mesh

pytestmark = pytest.mark.mesh


@pytest.mark.parametrize("service", ["risk", "order_management"])
def test_a_second_instance_is_refused_by_name(mesh: LiveMesh, service: str) -> None:
    """A second risk would steal the approvals of the first."""
    second = subprocess.run(
        [sys.executable, "-m", f"services.{service}", "--home", str(mesh.home.path)],
        cwd=ROOT,
        env=mesh.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 78
    assert f"{service} is already running" in second.stdout
    assert mesh.status()["state"] == "READY"


def test_a_second_up_is_refused(mesh: LiveMesh) -> None:
    """Two runs on one home would fight over every lock."""
    second = mesh.up()
    assert second.returncode == 4
    assert "already running" in second.stderr


def test_malformed_frames_on_every_socket_kill_nobody(mesh: LiveMesh) -> None:
    """Anyone who reaches a socket can send anything; every process lives on, and quoting does."""
    before = {name: mesh.pid(name) for name in topology.ACTORS}
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        for service in topology.ACTORS:
            rogue = context.socket(zmq.DEALER)
            rogue.linger = 500
            wires = wiring(mesh.home, "cli")
            wires.certificate.present(rogue, service)
            rogue.connect(wires.requests(service))
            for frames in (
                [b""],
                [b"\xff\xfe"] * 3,
                [b"x", b"ApprovalRequest", b"\xc1"],
                [b"y" * 70_000],
                [b"z"] * 100,
            ):
                rogue.send_multipart(frames)
            rogue.send(b"h" * 300_000)  # over the limit: the socket is closed on us
            rogue.close()
    finally:
        context.term()
    assert httpx.post(f"{mesh.venue_url}/info", content=b"{", timeout=5).status_code in {400, 422}
    assert httpx.post(f"{mesh.venue_url}/exchange", content=b'{"action":1}', timeout=5).status_code in {400, 422}
    mark = mesh.judge.refresh().seq
    mesh.wait("still trading", lambda: len(mesh.judge.refresh().placing(after=mark)) > 2, 30)
    assert {name: mesh.pid(name) for name in topology.ACTORS} == before


def test_nothing_secret_leaves_the_keystores(mesh: LiveMesh) -> None:
    """The keys and passphrases are found in no other file of the home, no log, argv or environment."""
    secrets = [path.read_text().strip() for path in sorted(mesh.home.passphrases.iterdir())]
    assert len(secrets) == 3
    ciphers = [
        json.loads(path.read_text())["crypto"]["ciphertext"]
        for path in mesh.home.keys.glob("*.json")
        if "crypto" in path.read_text()
    ]
    private = unlocked(mesh)
    assert len(private) == 3
    for path in mesh.home.path.rglob("*"):
        if path.is_file() and path.parent not in {mesh.home.passphrases, mesh.home.keys}:
            text = path.read_bytes()
            for secret in [*secrets, *ciphers, *private]:
                assert secret.encode() not in text, path
                assert bytes.fromhex(secret) not in text, path
    for pid in mesh.processes():
        with open(f"/proc/{pid}/cmdline", "rb") as command, open(f"/proc/{pid}/environ", "rb") as environment:  # noqa: PTH123  # proc files
            text = command.read() + environment.read()
        for secret in [*secrets, *private]:
            assert secret.encode() not in text
    for path in (*mesh.home.passphrases.iterdir(), *mesh.home.keys.iterdir()):
        if path.name != "public.json":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def unlocked(mesh: LiveMesh) -> list[str]:
    """Return the private keys of the home as hex, as a thief would look for them."""
    code = (
        "import sys, json\nfrom eth_account import Account\nfrom pathlib import Path\n"
        "home = Path(sys.argv[1])\n"
        "for path in sorted((home / 'passphrases').iterdir()):\n"
        "    store = json.loads((home / 'keys' / (path.name + '.json')).read_text())\n"
        "    print(bytes(Account.decrypt(store, path.read_text().strip())).hex())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(mesh.home.path)], capture_output=True, text=True, check=True
    )
    return found.stdout.split()


def test_a_taken_port_and_bad_settings_are_one_clear_line() -> None:
    """What a person got wrong is named with its fix, and nothing is left running."""
    with live_mesh(start=False) as mesh, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        text = mesh.config.read_text()
        cases = {
            "port": (text, ("--venue-port", port, "--metrics-port", "0")),
            "unknown field": (text.replace("[risk]", "[risk]\nnonsense = 1"), ()),
            "max_order_usd": (text.replace("max_order_usd = 2000.0", "max_order_usd = 0.0"), ()),
            "NOSUCH": (text, ("--asset", "NOSUCH")),
            "no-such-tape": (text, ("--tape", "/no-such-tape")),
        }
        for expected, (config, words) in cases.items():
            mesh.config.write_text(config)
            done = mesh.mm("up", "--detach", "--config", str(mesh.config), *words)
            said = done.stdout + done.stderr
            assert done.returncode == 2, (expected, said)
            assert expected in said, said
            assert "Traceback" not in said
        assert mesh.processes() == []


def test_wrong_key_permissions_refuse_the_start() -> None:
    """A key that others may read is no key."""
    with live_mesh(start=False) as mesh:
        assert mesh.up().returncode == 0
        assert mesh.mm("down").returncode == 0
        (mesh.home.keys / "risk.json").chmod(0o644)
        done = mesh.up()
        assert done.returncode != 0
        assert "chmod 600" in done.stdout + done.stderr
        mesh.mm("down")
        assert not mesh.processes()
