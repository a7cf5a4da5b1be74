"""Single instances, and the hash that keeps mixed versions from trading together."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import ConfigFault
from common.halt import HaltDir
from common.process import build_hash, is_locked, only_instance, orphaned, pin, settle
from services.cli.configuration import ROOT
from tests.services.cli.samples import CONFIG, made_home

HOLDER = (
    "import sys; from pathlib import Path; from common.process import only_instance\n"
    "with only_instance(Path(sys.argv[1]), 'risk'): print('held', flush=True); sys.stdin.read()"
)


def test_a_second_instance_is_refused_by_name(tmp_path: Path) -> None:
    """Two risks would answer the same approvals; a second bind of an ipc path steals it silently."""
    path = tmp_path / "risk.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        assert is_locked(path)
        with (
            pytest.raises(ConfigFault, match=f"risk is already running on this home \\(pid {holder.pid}\\)"),
            only_instance(path, "risk", wait_s=0.1),
        ):
            pass
        holder.kill()
    assert not is_locked(path)
    with only_instance(path, "risk", wait_s=0.1) as lock:
        lock.seek(0)
        assert lock.read() == str(os.getpid())


def test_an_absent_lock_is_free(tmp_path: Path) -> None:
    """A home that never ran is DOWN, not an error."""
    assert not is_locked(tmp_path / "none")


@pytest.mark.parametrize(
    ("pidfile", "supervised", "alone"),
    [("77", True, False), ("78", True, True), ("", True, True), (None, True, True), (None, False, False)],
)
def test_a_service_that_lost_its_supervisor_while_it_started_does_not_live(
    tmp_path: Path, pidfile: str | None, supervised: bool, alone: bool
) -> None:
    """Whose parent died before it asked for a signal at that death would quote for ever, with nobody above it."""
    if pidfile is not None:
        (tmp_path / "supervisord.pid").write_text(pidfile)
    environment = {"BALLAST_RUN": str(tmp_path), **({"SUPERVISOR_ENABLED": "1"} if supervised else {})}
    assert orphaned(environment, parent=77) is alone


@pytest.mark.parametrize("cores", [[10_000], [-1], [1 << 70]])
def test_cores_that_are_not_there_are_named(cores: list[int]) -> None:
    """The configuration came from another machine: one line says so."""
    with pytest.raises(ConfigFault, match=r"cpu\.affinity\.risk: .* are no cores of this machine"):
        pin(cores, "risk")


def test_the_build_depends_on_the_configuration() -> None:
    """Services with different limits must not trade together."""
    assert build_hash(b"a") == build_hash(b"a")
    assert build_hash(b"a") != build_hash(b"b")


def test_what_lives_for_good_is_not_looked_at_again() -> None:
    """A full collection in the middle of a day would hold up an approval."""
    try:
        settle()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


@pytest.mark.mesh
@pytest.mark.parametrize(("service", "halts"), [("strategy", True), ("metrics", False)])
def test_a_crash_loop_ends_in_a_halt(tmp_path: Path, service: str, halts: bool) -> None:
    """Past its budget a member of the roster halts the mesh and runs; who is no member stays down, with 78."""
    home = made_home(tmp_path / "home", text=f"{CONFIG}[crash_budget]\nstarts = 1\nthrottle_max_s = 0\n")
    command = [sys.executable, "-m", f"services.{service}", "--home", str(home.path)]
    for _ in range(2):
        crash(command)
        assert not HaltDir(home.halt).read().halted
    if halts:
        crash(command)
        assert [file.cause for file in HaltDir(home.halt).read().files] == ["crash budget"]
    else:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 78
        assert "crash budget spent: metrics stays down" in ended.stdout
        assert not HaltDir(home.halt).read().halted


def crash(command: list[str]) -> None:
    """Kill a service once it says that it starts."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any('"starting"' in line for line in process.stdout)
        process.kill()
