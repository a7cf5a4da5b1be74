"""What is checked and written before anything starts."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from common import config, endpoints, keys
from common.config import Profile
from common.errors import ConfigFault
from common.home import SERVICES, Home
from common.limits_hash import limits_hash
from services.cli import launch
from services.cli.catalogue import CONTROLS
from services.cli.configuration import Overrides, effective, profile_file
from services.cli.drill.results import Drill, Result, store
from services.cli.exits import Refused
from services.cli.gather import is_held
from services.cli.supervision import Supervisor
from tests.services.cli.samples import ACCOUNT, CONFIG, settings

SIM = profile_file(Profile.SIM)
REAL = CONFIG.replace('profile = "sim"', 'profile = "testnet"').replace(
    'network = "testnet"', f'network = "testnet"\naccount = "{ACCOUNT}"'
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def real(tmp_path: Path) -> Path:
    path = tmp_path / "real.toml"
    path.write_text(REAL)
    return path


def test_one_run_at_a_time(home: Home) -> None:
    """The second is refused and named the holder; after the first has ended it may."""
    with launch.held_home(home):
        assert is_held(home.lock("up"))
        with (
            pytest.raises(Refused, match=f"already running .pid {os.getpid()}.*mm status.*mm down"),
            launch.held_home(home),
        ):
            pass
    with launch.held_home(home):
        pass


def test_a_look_at_the_lock_is_no_run(home: Home) -> None:
    """`mm status` of another terminal, or a scraper, must not refuse the start."""
    home.prepare()
    with home.lock("up").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        looked = threading.Timer(0.05, fcntl.flock, (lock, fcntl.LOCK_UN))
        looked.start()
        with launch.held_home(home):
            looked.join()


def test_an_heir_keeps_the_run_locked(home: Home) -> None:
    """What inherits the lock as its stdin, as supervisord does, keeps the run locked when `mm` is gone."""
    with launch.held_home(home) as lock:
        heir = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=lock)
    try:
        assert is_held(home.lock("up"))
    finally:
        heir.send_signal(signal.SIGKILL)
        heir.wait()
    assert not is_held(home.lock("up"))


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way is no traceback."""
    (tmp_path / "home").touch()
    with pytest.raises(ConfigFault, match="cannot be made"), launch.held_home(Home(tmp_path / "home")):
        pass


def test_a_home_keeps_its_profile(home: Home, real: Path) -> None:
    """The journal and keys of a real account are not mixed with those of the local venue, by forgetting an option."""
    home.prepare()
    home.config.write_text(CONFIG)
    with pytest.raises(ConfigFault, match=r"is a home of the sim profile; give testnet another one with --home"):
        launch.configure(home, real, Overrides())
    assert launch.configure(home, SIM, Overrides()).settings.profile is Profile.SIM


def test_a_real_profile_needs_its_keystores(home: Home, real: Path) -> None:
    """Each missing thing is named, in the order in which a person makes them."""
    home.prepare()
    with pytest.raises(ConfigFault, match=r"keys/risk\.json: no keystore of risk; make it with `mm keys init"):
        launch.configure(home, real, Overrides())
    for name in keys.NAMES:
        keys.keystore_path(home, name).touch()
    with pytest.raises(ConfigFault, match=r"passphrases/risk: no passphrase of risk"):
        launch.configure(home, real, Overrides())
    for name in ("risk", "canceller"):
        keys.passphrase_path(home, name).touch()
    with pytest.raises(ConfigFault, match=r"public\.json"):
        launch.configure(home, real, Overrides())


@pytest.mark.parametrize("account", [ACCOUNT, "0x" + "cd" * 20])
def test_the_keys_must_be_made_for_the_account(home: Home, real: Path, account: str) -> None:
    """Agents of one account sign nothing for another."""
    home.prepare()
    for name in keys.NAMES:
        keys.create(keys.keystore_path(home, name), "x")
        keys.passphrase_path(home, name).touch()
    keys.write_public(home, account)
    if account == ACCOUNT:
        with pytest.raises(ConfigFault, match=r"no complete drill; run `mm drill --config .*real\.toml --home "):
            launch.configure(home, real, Overrides())
        passed = tuple(Result(control=control.name, passed=True, evidence="") for control in CONTROLS)
        at_s = time.time_ns() // 1_000_000_000
        drill = Drill(at_s=at_s, limits_hash=limits_hash(config.load(real)), seconds=1.0, results=passed)
        store(home, drill)
        assert launch.configure(home, real, Overrides()).settings.venue.account == ACCOUNT
    else:
        with pytest.raises(ConfigFault, match=f"were made for {account}"):
            launch.configure(home, real, Overrides())


def test_port_zero_becomes_a_free_one() -> None:
    """Both are chosen once and written down, so a service that restarts is found where it was."""
    wanted = Overrides(venue_port=0, metrics_port=0)
    found = launch.with_free_ports(SIM, wanted, effective(SIM, wanted).settings).settings
    assert found.venue_sim.port != 0
    assert found.metrics.port not in (0, found.venue_sim.port)
    assert found.venue.url == f"http://127.0.0.1:{found.venue_sim.port}"


@pytest.mark.parametrize("option", ["--venue-port", "--metrics-port"])
def test_a_taken_port_is_named(option: str) -> None:
    """The line says which port and which option."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wanted = (
            Overrides(venue_port=port, metrics_port=0)
            if option == "--venue-port"
            else Overrides(venue_port=0, metrics_port=port)
        )
        with pytest.raises(ConfigFault, match=f"port {port} is taken .*{option}"):
            launch.with_free_ports(SIM, wanted, effective(SIM, wanted).settings)


def test_a_home_is_written_whole(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services find configuration, private sockets, URLs and the keys of the local venue; again changes no key."""
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        _write_twice(home, Path(short))


def _write_twice(home: Home, parent: Path) -> None:
    home.prepare()
    wanted = Overrides(venue_port=4001, metrics_port=4002)
    launch.write_home(home, effective(SIM, wanted))
    public = keys.read_public(home)
    launch.write_home(home, effective(SIM, wanted))
    assert keys.read_public(home) == public
    assert config.load(home.config).venue.url == "http://127.0.0.1:4001"
    assert home.run().parent == parent
    assert stat.S_IMODE(home.run().stat().st_mode) == 0o700
    assert endpoints.read(home) == {"venue": "http://127.0.0.1:4001", "metrics": "http://127.0.0.1:4002/metrics"}


def test_a_directory_of_others_is_refused(tmp_path: Path) -> None:
    """A link or a file in the place of the run directory could be somebody's trap."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigFault, match="belongs to somebody else"):
        launch.private_directory(tmp_path / "link")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigFault, match="cannot be made"):
        launch.private_directory(tmp_path / "file")
    (tmp_path / "open").mkdir(mode=0o755)
    assert stat.S_IMODE(launch.private_directory(tmp_path / "open").stat().st_mode) == 0o700


def test_the_local_venue_is_a_service_of_the_sim_profile() -> None:
    """With a real venue there is one service less to wait for."""
    assert launch.services_of(settings()) == SERVICES
    assert launch.services_of(settings(REAL)) == tuple(name for name in SERVICES if name != "venue_sim")


def test_a_supervisord_that_dies_is_told(home: Home) -> None:
    """Its last words are in the line; nobody waits for services that will never come."""
    home.prepare()
    (home.logs / "supervisord.out").write_text("first\nError: no such thing\n")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"]) as dead:
        dead.wait()
        run = launch.Run(home=home, settings=settings(), supervisord=dead, supervisor=Supervisor(home.path))
        assert launch.await_services(run, lambda: False) == "supervisord ended with 2: Error: no such thing"


def test_waiting_ends_with_its_time_or_a_signal(home: Home) -> None:
    """Who is missing is named; an interrupted start is no fault of theirs."""
    home.prepare()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        run = launch.Run(home=home, settings=settings(REAL), supervisord=alive, supervisor=Supervisor(home.path))
        told = launch.await_services(run, lambda: False, seconds_max=0.01)
        assert told.startswith("risk, canceller, order_management")
        assert told.endswith("did not start; see `mm logs risk`")
        assert launch.await_services(run, lambda: True) == ""
        alive.communicate(b"\n")
