"""Passphrases typed once: risk killed with -9 is READY again without a person, and nothing leaks."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import keys
from services.cli.configuration import ROOT
from tests.mesh.live import LiveMesh, live_mesh

pytestmark = pytest.mark.mesh

TYPED = ("risk", "canceller")
CHANGES = {"keys": {name: {"passphrase": {"prompt": True}} for name in TYPED}}


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Give both ends of a terminal: the person's and the program's."""
    ends = pty.openpty()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def up(mesh: LiveMesh, *words: str) -> tuple[int, str]:
    """`mm up --detach` on a terminal of its own, where somebody types when asked; without words on none."""
    command = [sys.executable, "-m", "services.cli.main", "up", "--home", str(mesh.home.path), "--detach"]
    command += ["--config", str(mesh.config), "--venue-port", "0", "--metrics-port", "0"]
    with (
        terminal() as (person, program),
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=mesh.environment,
            stdin=program if words else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        said = b""
        for word in words:
            while not said.endswith(b": ") and (letter := process.stdout.read(1)):
                said += letter
            os.write(person, f"{word}\n".encode())
            said += b"\n"
        said += process.stdout.read()
    return process.returncode, said.decode()


def words_taken_from(mesh: LiveMesh) -> tuple[str, ...]:
    """Make the keys of a home, and keep what opens them nowhere but in a head."""
    mesh.home.prepare()
    keys.prepare_sim(mesh.home)
    paths = [keys.passphrase_path(mesh.home, name) for name in TYPED]
    words = tuple(path.read_text().strip() for path in paths)
    for path in paths:
        path.unlink()
    return words


def leaks(mesh: LiveMesh, words: tuple[str, ...]) -> list[str]:
    """Name every file of the home, and every process's arguments or environment, that has one of these words."""
    files = [path for path in mesh.home.path.rglob("*") if path.is_file()]
    files += [Path(f"/proc/{pid}/{part}") for pid in mesh.processes() for part in ("cmdline", "environ")]
    found = []
    for path in files:
        with contextlib.suppress(OSError):  # a hardened process shows its environment to nobody
            text = path.read_bytes()
            found += [str(path) for word in words if word.encode() in text]
    return found


def holder(mesh: LiveMesh) -> int:
    """Return the process that keeps the passphrases."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in mesh.processes()}
    (found,) = [pid for pid, command in commands.items() if b"services.cli.holder" in command]
    return found


def test_a_typed_passphrase_outlives_its_service() -> None:
    """One error for a wrong word or no terminal; then typed once, killed twice; without the holder it ends with 78."""
    with live_mesh(CHANGES, start=False) as mesh:
        words = words_taken_from(mesh)
        code, said = up(mesh)
        assert (code, said.count("needs a terminal")) == (2, 1), said
        code, said = up(mesh, "open barley")
        assert (code, said.count("risk.json: this passphrase does not open it")) == (2, 1), said
        assert not mesh.home.lock("risk").exists()
        code, said = up(mesh, *words)
        assert code == 0, said
        assert not any(word in said for word in words)
        mesh.wait_ready()
        for service in TYPED:
            mesh.wait_restarted(service, mesh.kill(service))
        mesh.wait_ready()
        mesh.wait_quoting()
        assert mesh.status()["halted"] is False
        assert leaks(mesh, words) == []
        (holder,) = [
            pid for pid in mesh.processes() if b"services.cli.holder" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(holder, 9)
        mesh.kill("risk")
        log = mesh.home.logs / "risk.log"
        mesh.wait("risk says why", lambda: "the holder of passphrases is gone" in log.read_text(), 10)
        assert mesh.mm("down").returncode == 0
