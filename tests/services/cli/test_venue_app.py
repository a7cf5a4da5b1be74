"""The words of `mm venue` without a venue; tests/conformance/test_mm_venue.py has one."""

from pathlib import Path

from typer.testing import CliRunner, Result

from common import endpoints
from common.home import Home
from services.cli.main import app


def mm(*words: str) -> Result:
    return CliRunner().invoke(app, ["venue", *words])


def test_accounts_need_a_venue(tmp_path: Path) -> None:
    """No venue, a silent one, and one that is no local venue are told apart."""
    home = Home(tmp_path)
    home.prepare()
    none = mm("accounts", "--home", str(tmp_path))
    assert (none.exit_code, "mm venue serve --home" in none.stderr) == (2, True)
    endpoints.write(home, endpoints.VENUE, "http://127.0.0.1:1")
    silent = mm("accounts", "--home", str(tmp_path))
    assert (silent.exit_code, "does not answer" in silent.stderr) == (1, True)
    assert mm("accounts", "--url", "ftp://x").exit_code == 2


def test_faults_need_a_venue(tmp_path: Path) -> None:
    """However it is named, a venue without a socket is exit code 2."""
    for words in (("--socket", str(tmp_path / "s")), ("--home", str(tmp_path)), ("--venue-port", "1")):
        found = mm("fault", "lose_ack", *words)
        assert found.exit_code == 2
        assert "start" in found.stderr


def test_help_names_every_command() -> None:
    """A person finds them."""
    found = mm("--help").stdout
    assert all(command in found for command in ("serve", "scenario", "accounts", "verify", "fault"))
