"""`mm arm`: who is started, what is asked for, and when it is refused before risk is."""

from pathlib import Path

import pytest

from common import keys
from common.config import Profile
from common.errors import ConfigFault, PeerFault
from common.halt import HaltDir
from common.home import Home
from common.messages import HaltFile
from common.units import Millis
from services.cli import clearing
from services.cli.supervision import ProcessInfo
from tests.services.cli.samples import made_home, settings


def process(name: str, exitstatus: int, statename: str = "EXITED") -> tuple[str, ProcessInfo]:
    return name, ProcessInfo(name=name, statename=statename, pid=0, exitstatus=exitstatus)


def nobody() -> str:
    raise AssertionError("no passphrase is asked for")


def test_risk_is_started_first() -> None:
    """Whoever ended with 78 is started, risk before all others; what crashed or was stopped is not."""
    found = dict(
        [
            process("venue_sim", 78),
            process("order_management", 78),
            process("risk", 78),
            process("strategy", 0),
            process("metrics", 78, "STOPPED"),
            process("canceller", 0, "RUNNING"),
        ]
    )
    assert clearing.to_start(found) == ["risk", "venue_sim", "order_management"]


def test_a_cause_for_people() -> None:
    """When, who, what and why, on one line."""
    file = HaltFile(name="x", cause="operator", evidence="drill", by="mm", at_ms=Millis(86_400_000))
    assert clearing.cause(file) == "1970-01-02 00:00:00 UTC  mm: operator (drill)"
    assert clearing.cause(HaltFile(name="x", cause="?")) == "1970-01-01 00:00:00 UTC  unknown: ?"


def test_without_a_run_there_is_nothing_to_arm(tmp_path: Path) -> None:
    """The line says how to start one."""
    with pytest.raises(ConfigFault, match="start with `mm up"):
        clearing.arm(Home(tmp_path), "fixed", nobody)


@pytest.mark.parametrize("reason", ["", "   ", "x" * (clearing.REASON_MAX + 1)])
def test_a_reason_is_needed(tmp_path: Path, reason: str) -> None:
    """It goes into risk's journal, so it says something and is not a book."""
    with pytest.raises(ConfigFault, match="--reason"):
        clearing.arm(made_home(tmp_path / "home"), reason, nobody)


def test_a_halted_home_that_does_not_run_stays_halted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only risk removes halt files; the causes are shown all the same."""
    home = made_home(tmp_path / "home", public=False)
    keys.prepare_sim(home)
    HaltDir(home.halt).add("operator", "drill", "mm")
    with pytest.raises(PeerFault, match="nothing runs on"):
        clearing.arm(home, "x" * clearing.REASON_MAX, nobody)
    assert "mm: operator (drill)" in capsys.readouterr().out
    assert HaltDir(home.halt).read().halted


def test_the_operators_key_opens_with_its_file(tmp_path: Path) -> None:
    """In the sim profile the passphrase lies in the home: nobody is asked."""
    home = made_home(tmp_path / "home", public=False)
    public = keys.prepare_sim(home)
    assert clearing.operator_key(home, settings(), nobody).address == public.operator


def test_without_a_terminal_nobody_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gets a line instead of a prompt that waits for ever."""
    home = made_home(tmp_path / "home", public=False)
    keys.prepare_sim(home)
    keys.passphrase_path(home, "operator").unlink()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(ConfigFault, match="no terminal to ask"):
        clearing.operator_key(home, settings(), nobody)


def test_a_typed_passphrase_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept nowhere, asked for on the terminal; a wrong one is told without being shown."""
    home = made_home(tmp_path / "home", public=False)
    address = keys.create(keys.keystore_path(home, "operator"), "open sesame")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert settings().profile is Profile.SIM
    assert clearing.operator_key(home, settings(), lambda: "open sesame").address == address
    with pytest.raises(ConfigFault, match="this passphrase does not open it") as fault:
        clearing.operator_key(home, settings(), lambda: "open barley")
    assert "barley" not in str(fault.value)
