"""A disk that takes nothing more: what rests goes all the same, and a person must look."""

import resource
import stat
from pathlib import Path

import pytest

from tests.mesh.live import LiveMesh
from tests.mesh.test_silence import CANCELLER_S, CHANGES, cancelled_by, nothing_rests

pytestmark = pytest.mark.mesh

KEEPERS = ("risk", "order_management", "canceller")  # who write before they act
__all__ = ["CHANGES"]  # the fixture reads them here


def test_what_services_write_is_their_owners_alone(mesh: LiveMesh) -> None:
    """Logs and tapes tell positions, whoever may enter the directories above them."""
    written = [path for folder in ("logs", "lock", "data") for path in (mesh.home.path / folder).iterdir()]
    open_to_others = [path.name for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077]
    mine = {Path(mesh.home.lock(name)).name for name in ("up", "endpoints")} | {"supervisord.out"}  # of `mm` itself
    assert set(open_to_others) <= mine


def test_without_a_disk_what_rests_is_cancelled(mesh: LiveMesh) -> None:
    """None of the three can write down a nonce; the canceller cancels, and the mesh is halted until it is mended."""
    mark = mesh.judge.refresh().seq
    for name in KEEPERS:
        resource.prlimit(mesh.pid(name), resource.RLIMIT_FSIZE, (0, 0))
    mesh.wait("nothing rests", lambda: nothing_rests(mesh), 10 + CANCELLER_S)
    assert cancelled_by(mesh, "canceller", mark)
    assert mesh.status()["halted"] is True
    assert mesh.mm("halt", "--reason", "the disk").returncode == 0
    assert mesh.mm("restart", "canceller").returncode == 0
    armed = mesh.mm("arm", "--reason", "the disk takes files again")
    assert armed.returncode == 0, armed.stdout + armed.stderr
    mesh.wait_quoting(40)
