"""supervisord.conf, as supervisord itself reads it: every service, its order, and what is restarted."""

from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from common.home import SERVICES
from services.cli.configuration import ROOT
from services.cli.stopping import STOP_ORDER


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ServerOptions:
    """The file read with a home and an interpreter whose names have spaces."""
    home = tmp_path / "a home"
    (home / "logs").mkdir(parents=True)
    monkeypatch.setenv("BALLAST_HOME", str(home))
    monkeypatch.setenv("BALLAST_RUN", str(tmp_path))
    monkeypatch.setenv("BALLAST_PYTHON", "/opt/some python/bin/python")
    monkeypatch.setenv("BALLAST_VENUE_SIM", "false")
    found = ServerOptions()
    found.realize(["-c", str(ROOT / "supervisord.conf")])
    return found


def test_every_service_has_a_program_in_order(options: ServerOptions) -> None:
    """Started in the order of SERVICES; the reverse is the order of a bare SIGTERM."""
    groups = sorted(options.process_group_configs, key=lambda group: group.priority)
    assert [group.name for group in groups] == list(SERVICES)
    assert [group.process_configs[0].name for group in groups] == list(SERVICES)


def test_commands_survive_spaces(options: ServerOptions) -> None:
    """Home and interpreter are one word each, whatever their names."""
    from shlex import split  # noqa: PLC0415  # as supervisor does it

    for group in options.process_group_configs:
        python, *arguments, home = split(group.process_configs[0].command)
        assert python == "/opt/some python/bin/python"
        assert arguments == ["-m", f"services.{group.name}", "--home"]
        assert home.endswith("/a home")


def test_only_78_stays_down(options: ServerOptions) -> None:
    """A crash, and a SIGTERM that nobody asked supervisord for, are restarted; halted by design is not."""
    from supervisor.datatypes import RestartWhenExitUnexpected  # noqa: PLC0415  # its own word for "unexpected"

    for group in options.process_group_configs:
        config = group.process_configs[0]
        assert config.startsecs == 0
        assert config.autorestart is RestartWhenExitUnexpected
        assert config.exitcodes == [78]
        assert config.stopasgroup
        assert config.killasgroup


def test_the_local_venue_runs_in_the_sim_profile_only(options: ServerOptions) -> None:
    """Everything else always starts."""
    started = {group.name: group.process_configs[0].autostart for group in options.process_group_configs}
    assert started == {name: name != "venue_sim" for name in SERVICES}


def test_order_management_has_time_to_cancel(options: ServerOptions) -> None:
    """It cancels and verifies for up to 15 s; SIGKILL comes after that, for the others earlier."""
    waits = {group.name: group.process_configs[0].stopwaitsecs for group in options.process_group_configs}
    assert waits == {name: 20 if name == "order_management" else 8 for name in SERVICES}


def test_nobody_else_reaches_supervisord(options: ServerOptions) -> None:
    """One unix socket for this user, no inet server, in the foreground (where its own umask would change nothing)."""
    (server,) = options.server_configs
    assert server["section"] == "unix_http_server"
    assert server["file"].endswith("/supervisor.sock")
    assert server["chmod"] == 0o700
    assert options.nodaemon


def test_the_file_holds_no_secret_and_no_environment() -> None:
    """What supervisord knows, every process of this user can read."""
    text = (ROOT / "supervisord.conf").read_text()
    assert "environment=" not in text
    assert "user=" not in text
    assert "passphrase" not in text


def test_stopping_names_every_service() -> None:
    """The order of `mm` leaves nobody out; the local venue comes last, by a step of its own."""
    assert sorted((*STOP_ORDER, "venue_sim")) == sorted(SERVICES)
    assert STOP_ORDER.index("strategy") < STOP_ORDER.index("order_management") < STOP_ORDER.index("risk")
    assert STOP_ORDER.index("risk") < STOP_ORDER.index("canceller")
