"""The venue as a process: with and without a home, killed, stopped, and refused a port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common import endpoints, keys, witness
from common.home import Home
from common.hyperliquid.signing import SigningKey
from tests.services.venue_sim.door import ALICE, limit, place, signed

ROOT = Path(__file__).parents[3]


class Running:
    """One process of the venue, and a client of it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.venue_sim", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.http = httpx.Client(timeout=10)

    def open(self) -> "Running":
        self.http.base_url = httpx.URL(json.loads(self.first_line)["url"])
        return self

    def ask(self, **question: object) -> Any:
        answer = self.http.post("/info", json=question)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self, number: signal.Signals) -> int:
        """Send a signal; return how the process ended."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        self.http.close()
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture
def running() -> Iterator[list[Running]]:
    """Whatever a test starts ends with it."""
    started: list[Running] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.wait()


def start(running: list[Running], *arguments: str) -> Running:
    running.append(Running(*arguments))
    return running[-1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home as `mm up` leaves it."""
    prepared = Home(tmp_path)
    prepared.prepare()
    text = (ROOT / "deploy" / "sim.toml").read_text()
    prepared.config.write_text(f"{text}\n[venue_sim]\nport = 0\n")
    keys.prepare_sim(prepared)
    return prepared


def test_without_a_home(running: list[Running]) -> None:
    """A port and a seed are enough; it stops as asked with 0."""
    venue = start(running, "--port", "0", "--seed", "7").open()
    assert [coin["name"] for coin in venue.ask(type="meta")["universe"]] == ["BTC", "ETH", "SOL"]
    assert venue.http.get("/health").json()["pid"] == venue.process.pid
    assert venue.end(signal.SIGTERM) == os.EX_OK


def test_a_taken_port_is_one_line(running: list[Running]) -> None:
    """Somebody else's port: one line that names it, exit 78."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = start(running, "--port", str(port))
        assert refused.first_line == f"venue_sim: port {port} is in use; choose another, 0 for a free one\n"
        assert refused.wait() == 78


def test_a_home_without_configuration(running: list[Running], tmp_path: Path) -> None:
    """What is missing is named, exit 78."""
    refused = start(running, "--home", str(tmp_path))
    assert "config.toml" in refused.first_line
    assert refused.wait() == 78


def test_killed_and_back(running: list[Running], home: Home) -> None:
    """After kill -9 the account has its position, its orders and its fills; the log goes on counting."""
    account = keys.read_public(home).account
    venue = start(running, "--home", str(home.path)).open()
    assert endpoints.read(home)["venue"] == str(venue.http.base_url).rstrip("/")
    roles = [venue.ask(type="userRole", user=agent) for agent in keys.read_public(home).agents.values()]
    assert roles == [{"role": "agent", "data": {"user": account}}] * 2
    assert {agent["name"] for agent in venue.ask(type="extraAgents", user=account)} == {"canceller", "risk"}
    before = trade_something(venue, ALICE)
    assert venue.end(signal.SIGKILL) == -signal.SIGKILL
    again = start(running, "--home", str(home.path)).open()
    assert picture(again) == before
    assert again.end(signal.SIGTERM) == os.EX_OK
    lines = list(witness.read(home.witness))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert [line.restored for line in lines if isinstance(line, witness.Start)] == [False, True]
    fills = [line for line in lines if isinstance(line, witness.Fill)]
    assert sorted(fill.tid for fill in fills) == sorted(fill["tid"] for fill in before["userFills"])


def trade_something(venue: Running, key: SigningKey) -> dict[str, Any]:
    """Buy a little, leave an order, return the account's picture."""
    picture(venue)
    nonce = time.time_ns() // 1_000_000
    mid = float(venue.ask(type="allMids")["BTC"])
    orders = (limit(str(round(mid * 1.05)), "0.01", tif="Ioc"), limit(str(round(mid * 0.8)), "0.02"))
    answer = venue.http.post("/exchange", content=signed(key, place(*orders), nonce)).json()
    filled, resting = answer["response"]["data"]["statuses"]
    assert filled["filled"]["totalSz"] == "0.01"
    assert resting["resting"]["oid"]
    return picture(venue)


def picture(venue: Running) -> dict[str, Any]:
    kinds = ("openOrders", "userFills", "historicalOrders")
    found = {kind: venue.ask(type=kind, user=ALICE.address) for kind in kinds}
    state = venue.ask(type="clearinghouseState", user=ALICE.address)
    return {**found, "positions": [each["position"]["szi"] for each in state["assetPositions"]]}


def test_one_venue_per_home(running: list[Running], home: Home) -> None:
    """A second process on the same home is refused and says who is there."""
    first = start(running, "--home", str(home.path)).open()
    second = start(running, "--home", str(home.path))
    assert f"pid {first.process.pid}" in second.first_line
    assert second.wait() == 78
    assert first.http.get("/health").status_code == 200
