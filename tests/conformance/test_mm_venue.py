"""`mm venue` in real processes: served, listed, broken on request, judged, stopped."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange

pytestmark = pytest.mark.conformance

ROOT = Path(__file__).parents[2]
WORDS = [sys.executable, "-m", "services.cli.main", "venue"]
USER = "0x" + "77" * 20


class Venues:
    """Starts venues in the foreground of nobody, and runs commands beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "COLUMNS": "80"}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> tuple[subprocess.Popen[str], str, str]:
        """Return the process, its URL and all that it said."""
        process = subprocess.Popen([*WORDS, *words], cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        found = re.search(r"http://\S+", said)
        assert found, said
        return process, found[0], said

    def mm(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*WORDS, *words], cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def venues() -> Iterator[Venues]:
    """In a short directory, for the sockets; whatever was started ends."""
    with tempfile.TemporaryDirectory(prefix="bl") as folder:
        made = Venues(Path(folder))
        yield made
        for process in made.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def ask(url: str, **question: object) -> object:
    return httpx.post(f"{url}/info", json=question, timeout=10).json()


def test_a_venue_with_a_home(venues: Venues) -> None:
    """Funded as told, broken and mended, stopped by Ctrl-C, judged, and found again as it was left."""
    home = str(venues.folder / "home")
    words = ("serve", "--venue-port", "0", "--home", home, "--seed", "3")
    process, url, said = venues.start(*words, "--equity", "5000", "--faults", "--scenario", "calm")
    assert "5,000.00 USD" in said
    wallet = Account.create()
    client = Exchange(wallet, url)
    mid = float(client.info.all_mids()["BTC"])
    assert client.info.user_state(wallet.address)["marginSummary"]["accountValue"] == "5000.0"
    armed = venues.mm("fault", "error_after_accept", "count=1", "text=gone", "--home", home)
    assert (armed.returncode, armed.stdout) == (0, "armed as number 1\n"), armed.stderr
    listed = venues.mm("fault", "--home", home).stdout
    assert listed == "  1  struck      0  error_after_accept share=1.0 count=1 text=gone\n"
    answer = client.order("BTC", True, 0.01, float(f"{mid * 0.9:.4g}"), {"limit": {"tif": "Gtc"}})
    assert answer == {"status": "err", "response": "gone"}
    standing = venues.mm("accounts", "--home", home).stdout
    assert re.search(rf"{wallet.address.lower()}.*5000\.0.* 1 ", standing), standing
    wrong = venues.mm("fault", "lose_ack", "share=2", "--home", home)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    second = venues.mm(*words)
    assert (second.returncode, "already running" in second.stderr) == (2, True)
    client.session.close()
    client.info.session.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    judged = venues.mm("verify", home)
    assert (judged.returncode, "the rules hold" in judged.stdout) == (0, True), judged.stdout
    process, url, _ = venues.start(*words)
    assert len(ask(url, type="openOrders", user=wallet.address)) == 1  # type: ignore[arg-type]  # JSON
    process.terminate()
    assert process.wait(timeout=20) == 0


def test_a_venue_without_a_home(venues: Venues) -> None:
    """A named market on a free port; its port is taken, its socket is found by it; it keeps nothing."""
    process, url, said = venues.start("scenario", "thin", "--venue-port", "0", "--faults")
    assert "scenario thin" in said
    port = url.rpartition(":")[2]
    taken = venues.mm("serve", "--venue-port", port)
    assert (taken.returncode, taken.stderr) == (2, f"mm: port {port} is in use; choose another, 0 for a free one\n")
    ask(url, type="clearinghouseState", user=USER)
    sent = venues.mm("fault", "transfer", f"user={USER}", "usd=-1", "--venue-port", port)
    assert (sent.returncode, sent.stdout) == (0, "done\n")
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert not list(venues.folder.glob("*/faults.sock"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scenario", "boom"), "no scenario 'boom'; choose one of calm"),
        (("serve", "--tape", "nowhere"), "nowhere: cannot be read"),
        (("serve", "--tape", "nowhere", "--scenario", "calm"), "choose one"),
        (("serve", "--equity", "0"), "--equity 0.0"),
    ],
)
def test_bad_words(venues: Venues, words: tuple[str, ...], said: str) -> None:
    """One line, exit code 2."""
    found = venues.mm(*words, "--venue-port", "0")
    assert found.returncode == 2
    (line,) = found.stderr.splitlines()
    assert said in line


def test_scenarios_are_listed(venues: Venues) -> None:
    """Name and description, a line each."""
    found = venues.mm("scenario")
    assert found.returncode == 0
    assert {line.split()[0] for line in found.stdout.splitlines()} >= {"calm", "volatile", "trend", "thin", "halted"}
