"""The mesh over tcp between two network namespaces: nothing crosses without a key."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import curve
from common.home import Home

pytestmark = pytest.mark.mesh

RISK_IP, ASKER_IP = "10.213.7.1", "10.213.7.2"  # of a virtual cable that leads nowhere else
PORT = 7001  # free: each namespace is empty
ANSWER_S_MAX = 60.0

PEER = """
import asyncio, sys
from pathlib import Path
from common import curve
from common.home import Home
from common.mesh import Mesh
from common.messages import Approval, ApprovalRequest, Posture, PostureLevel, Wake
from common.units import Millis, Nanos
from common.wiring import Wiring

name, home, role, host, port = sys.argv[1:]
wires = Wiring(run=Path(home), certificate=curve.load(Home(Path(home)), name), tcp={"risk": (host, int(port))})

async def risk():
    def on_request(message):
        mesh.send(Approval(request_id=message.request_id, epoch=1, risk_epoch=1, approval_id=1, body=b"signed",
                           nonce=1, expires_after=Millis(1), approved=()), "order_management")
    mesh = Mesh(wiring=wires, service="risk", epoch=1, inbox=ApprovalRequest | Wake, deliver=on_request)
    mesh.start()
    print("up", flush=True)
    while True:
        mesh.publish(Posture(level=PostureLevel.NORMAL, coins={}, causes=(), risk_epoch=1))
        await asyncio.sleep(0.05)

async def ask():
    heard = set()
    mesh = Mesh(wiring=wires, service="order_management", epoch=1, inbox=Approval | Posture | Wake,
                deliver=lambda message: heard.add(type(message).__name__))
    mesh.start()
    number = 0
    while heard != {"Approval", "Posture"}:
        number += 1
        mesh.send(ApprovalRequest(request_id=number, epoch=1, deadline=Nanos(0), valid_until=Nanos(0)), "risk")
        await asyncio.sleep(0.05)
    print("approved", flush=True)

asyncio.run(risk() if role == "risk" else ask())
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """Two namespaces with a cable between them; skips where this machine does not allow any."""
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need the command ip (iproute2)")
    names = (f"bl{os.getpid()}a", f"bl{os.getpid()}b")
    with contextlib.ExitStack() as made:
        for name in names:
            try:
                ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
            made.callback(ip, "netns", "del", name)
        a, b = names
        ip("link", "add", a, "netns", a, "type", "veth", "peer", "name", b, "netns", b)
        for name, address in ((a, RISK_IP), (b, ASKER_IP)):
            ip("-n", name, "addr", "add", f"{address}/30", "dev", name)
            ip("-n", name, "link", "set", name, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names


def start(namespace: str, name: str, home: Home, role: str) -> "subprocess.Popen[str]":
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", PEER]
    return subprocess.Popen(
        [*command, name, str(home.path), role, RISK_IP, str(PORT)], stdout=subprocess.PIPE, text=True
    )


def test_approvals_and_facts_cross_namespaces_and_a_stranger_does_not() -> None:
    """A desk that keeps risk in a container of its own loses neither its veto nor its keys."""
    with namespaces() as (inside, outside), tempfile.TemporaryDirectory(prefix="bl") as folder:
        homes = [Home(Path(folder) / name) for name in ("ours", "strangers")]
        for home in homes:
            home.prepare()
            curve.prepare(home)
        ours, strangers = homes
        # the stranger knows where risk is, and even its public key, but has a key pair of its own
        text = (strangers.curve / "public.json").read_text()
        theirs = curve.load(strangers, "risk").public["risk"].decode()
        (strangers.curve / "public.json").write_text(
            text.replace(theirs, curve.load(ours, "risk").public["risk"].decode())
        )
        with start(inside, "risk", ours, "risk") as risk:
            try:
                assert risk.stdout
                assert risk.stdout.readline() == "up\n"
                with start(outside, "order_management", strangers, "ask") as stranger:
                    try:
                        with start(outside, "order_management", ours, "ask") as asker:
                            said, _ = asker.communicate(timeout=ANSWER_S_MAX)
                            assert said == "approved\n"
                    finally:
                        stranger.kill()
                    assert stranger.stdout
                    assert stranger.stdout.read() == ""
            finally:
                risk.kill()
