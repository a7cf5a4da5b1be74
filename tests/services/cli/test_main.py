"""The command line as a person meets it: exit codes, one line a mistake, no traceback."""

import fcntl
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.halt import HaltDir
from common.home import Home
from services.cli import exits
from services.cli.main import app
from tests.services.cli.samples import CONFIG, FakeVenue, cloid, made_home, wire_order


def mm(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def line(result: Result) -> str:
    """The one line on stderr."""
    (only,) = result.stderr.strip().splitlines()
    return str(only)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path / "home")


@pytest.fixture
def running(home: Home) -> Iterator[Home]:
    """A home whose run somebody else holds."""
    with home.lock("up").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        yield home


def test_help_is_fast_and_complete() -> None:
    """Every command is named, and asking for help loads neither the mesh nor the keys."""
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from services.cli.main import app\n"
        "print(CliRunner().invoke(app, ['--help']).stdout)\n"
        "assert not {'zmq', 'eth_keyfile', 'httpx', 'uvloop', 'supervisor'} & set(sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    for command in (
        "up",
        "down",
        "status",
        "restart",
        "logs",
        "halt",
        "arm",
        "orders",
        "fills",
        "decisions",
        "fates",
        "why",
        "doctor",
        "record",
        "keys",
    ):
        assert f" {command} " in found.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["up", "--asset", "DOGE"], "unknown asset DOGE"),
        (["up", "--tape", "/nonexistent"], "tape /nonexistent: cannot be read"),
        (["up", "--config", "/nonexistent"], "/nonexistent: cannot be read"),
        (["up", "--profile", "mainnet"], "venue.account: is empty"),
        (["up", "--log-level", "LOUD"], "log.level"),
        (["restart", "nobody"], "unknown service nobody"),
        (["logs", "nobody"], "unknown service nobody"),
        (["keys", "init", "--account", "0x12"], "is no address"),
        (["keys", "show"], "public.json: cannot be read"),
        (["why"], "nothing has run here yet"),
        (["halt", "--reason", "x"], "no such home"),
        (["arm", "--reason", "x"], "there is no run here yet"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, words: list[str], told: str) -> None:
    """Exit code 2, the thing named, nothing made."""
    found = mm(*words, "--home", str(tmp_path / "home"))
    assert found.exit_code == exits.USAGE
    assert told in line(found)
    assert line(found).startswith("mm: ")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "words",
    [["up", "--bogus"], ["up", "--profile", "moon"], ["halt"], ["up", "--venue-port", "-1"], ["record"], ["nothing"]],
)
def test_a_wrong_word_is_usage(words: list[str]) -> None:
    """The same exit code as every other mistake."""
    assert mm(*words).exit_code == exits.USAGE


def test_a_broken_configuration_is_one_line(home: Home) -> None:
    """Also for the commands that only read it."""
    home.config.write_text(CONFIG.replace("[risk]", "[risk]\nunknown = 1"))
    for words in (["status", "--json"], ["orders"], ["fills"]):
        found = mm(*words, "--home", str(home.path))
        assert found.exit_code == exits.USAGE
        assert "unknown" in line(found)


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    """Exit code 2 before anything starts, and the home is free again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = ["up", "--venue-port", port, "--metrics-port", "0", "--home", str(tmp_path)]
        for _ in range(2):
            found = mm(*words)
            assert found.exit_code == exits.USAGE
            assert f"port {port} is taken" in line(found)
    assert not (tmp_path / "config.toml").exists()


def test_a_second_up_is_refused_by_name(running: Home) -> None:
    """Exit code 4, who runs, and what to do."""
    found = mm("up", "--home", str(running.path))
    assert found.exit_code == exits.REFUSED
    assert "already running (pid 4711)" in line(found)


def test_a_latched_home_does_not_start_for_a_while(home: Home) -> None:
    """With --seconds a halt is the end at once: causes and the exact command, exit code 4, nothing started."""
    HaltDir(home.halt).add("operator", "drill", "mm")
    words = ["up", "--seconds", "5", "--venue-port", "0", "--metrics-port", "0", "--home", str(home.path)]
    found = mm(*words)
    assert found.exit_code == exits.REFUSED
    assert "HALTED: operator: drill" in found.stderr
    assert f'mm arm --reason "..." --home {home.path}' in found.stderr
    assert "nothing was started" in found.stderr


def test_status_of_nothing_is_json(tmp_path: Path) -> None:
    """A tool that polls gets valid JSON before the first run as well."""
    found = mm("status", "--json", "--home", str(tmp_path))
    assert found.exit_code == exits.OK
    assert json.loads(found.stdout)["state"] == "DOWN"
    assert mm("status", "--home", str(tmp_path)).exit_code == exits.OK


def test_down_of_nothing_is_fine(home: Home) -> None:
    """It says so."""
    found = mm("down", "--home", str(home.path))
    assert found.exit_code == exits.OK
    assert "nothing runs on" in found.stdout


def test_down_without_an_answer_fails(running: Home) -> None:
    """Somebody holds the run, and its supervisord does not answer: that is not "stopped"."""
    found = mm("down", "--home", str(running.path))
    assert found.exit_code == exits.FAILED
    assert "does not answer" in line(found)


def test_restart_of_nothing_is_not_yet(home: Home) -> None:
    """There is nothing to restart it in."""
    found = mm("restart", "risk", "--home", str(home.path))
    assert found.exit_code == exits.NOT_YET
    assert "nothing runs on" in line(found)


def test_record_needs_a_running_mesh(home: Home, tmp_path: Path) -> None:
    """Exit code 3, and no empty tape is left."""
    out = tmp_path / "day.tape"
    found = mm("record", "--seconds", "1", "--out", str(out), "--home", str(home.path))
    assert found.exit_code == exits.NOT_YET
    assert "market_data does not run" in line(found)
    assert not out.exists()


def test_orders_by_the_venues_word(tmp_path: Path, venue: FakeVenue) -> None:
    """Ours, proven; the others' only when asked for."""
    home = made_home(tmp_path / "home", url=venue.url)
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1), oid=5), wire_order(None, oid=6, coin="ETH")]
    found = mm("orders", "--json", "--home", str(home.path))
    assert found.exit_code == exits.OK
    (order,) = json.loads(found.stdout)
    assert (order["oid"], order["px"], order["sz"], order["unproven"]) == (5, "99999.0", "0.00500", False)
    found = mm("orders", "--json", "--all", "--home", str(home.path))
    assert [(order["oid"], order["ours"], order["sz"]) for order in json.loads(found.stdout)] == [
        (5, True, "0.00500"),
        (6, False, "0.0050"),
    ]
    assert mm("orders", "--home", str(home.path)).exit_code == exits.OK


def test_orders_without_the_venue_are_not_proven(home: Home) -> None:
    """An empty list from a silent venue is exit code 3, never "no orders"."""
    home.config.write_text(CONFIG.replace(":3001", ":1"))
    found = mm("orders", "--json", "--home", str(home.path))
    assert (found.exit_code, json.loads(found.stdout)) == (exits.NOT_YET, [])
    assert "from the journal, unproven" in line(found)


def test_fills_of_a_new_home_are_none(home: Home) -> None:
    """The journal comes with the first run."""
    found = mm("fills", "--json", "--home", str(home.path))
    assert (found.exit_code, json.loads(found.stdout)) == (exits.OK, [])


def test_keys_are_made_once_and_never_shown(tmp_path: Path) -> None:
    """Addresses to approve, the same ones again, and no secret in the output."""
    account = "0x" + "AB" * 20
    words = ["keys", "init", "--account", account, "--home", str(tmp_path)]
    made = mm(*words)
    assert made.exit_code == exits.OK
    assert f"account   {account.lower()}" in made.stdout
    again = mm(*words)
    assert again.stdout == made.stdout
    shown = mm("keys", "show", "--home", str(tmp_path))
    assert shown.stdout.splitlines() == made.stdout.splitlines()[:-1]
    secrets = [path.read_text().strip() for path in (tmp_path / "passphrases").iterdir()]
    assert len(secrets) == 3
    assert not any(secret in made.stdout + again.stdout + shown.stdout for secret in secrets)


def test_a_typed_passphrase_is_kept_nowhere(tmp_path: Path) -> None:
    """With --ask the operator's passphrase exists only in a person's head."""
    words = ["keys", "init", "--ask", "--account", "0x" + "ab" * 20, "--home", str(tmp_path)]
    made = CliRunner().invoke(app, words, input="open sesame\nopen sesame\n")
    assert made.exit_code == exits.OK
    assert not (tmp_path / "passphrases" / "operator").exists()
    assert (tmp_path / "keys" / "operator.json").exists()
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
