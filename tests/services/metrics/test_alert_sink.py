"""The way out: lines in a file, posts to a receiver of this machine, and what is known of failures."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic_ns

import pytest

from common.units import SECOND, Nanos
from services.metrics.alert_sink import HEARTBEAT, AlertSink
from services.metrics.core import MetricsCore
from tests.services.metrics.test_alerts import halt

ALERT_MAX = Nanos(5 * SECOND)
FAILURES = "mm_alert_failures_total"
AGE = "mm_alert_path_age_seconds"


class Receiver(ThreadingHTTPServer):
    """Remembers what was posted, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.bodies: list[dict[str, object]] = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}/alerts"


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(core: MetricsCore, path: Path, webhook: str, done: Callable[[], bool]) -> None:
    """Let the sink work until the condition holds."""

    async def start() -> None:
        AlertSink(core, path, webhook, lambda: Nanos(monotonic_ns())).start()

    until = monotonic_ns() + ALERT_MAX
    with asyncio.Runner() as runner:
        runner.run(start())
        while not done():
            assert monotonic_ns() < until
            runner.run(asyncio.sleep(0.01))


def core_with_a_halt() -> MetricsCore:
    core = MetricsCore({})
    core.handle(halt("a"), Nanos(monotonic_ns()))
    return core


def test_an_event_is_one_line_and_the_path_beats(tmp_path: Path) -> None:
    """Rules 1 and 2: without any receiver the file is the whole path."""
    core, path = core_with_a_halt(), tmp_path / "alerts.jsonl"
    run(core, path, "", lambda: len(lines(path)) == 2)
    first, second = lines(path)
    assert (first["name"], first["severity"], first["text"]) == ("halt", "critical", "halted by risk: loss; 9 USD")
    assert second["name"] == HEARTBEAT
    assert core.gauges["mm_alerts_total"] == {("critical",): 1.0}
    assert monotonic_ns() - core.seen_at[AGE][()] < 5 * SECOND


def test_a_receiver_gets_the_same(tmp_path: Path, receiver: Receiver) -> None:
    """Rule 1: in the same order, and the heartbeat counts once it is answered."""
    core, path = core_with_a_halt(), tmp_path / "alerts.jsonl"
    run(core, path, receiver.url, lambda: AGE in core.seen_at)
    assert receiver.bodies == lines(path)
    assert [body["name"] for body in receiver.bodies] == ["halt", HEARTBEAT]


def test_a_receiver_that_refuses_is_a_failure(tmp_path: Path, receiver: Receiver) -> None:
    """Rule 2: counted, and the path's age says nothing good of it."""
    receiver.status = 500
    core = core_with_a_halt()
    run(core, tmp_path / "alerts.jsonl", receiver.url, lambda: core.gauges.get(FAILURES) == {(): 2.0})
    assert AGE not in core.seen_at


@pytest.mark.parametrize("webhook", ["", "http://127.0.0.1:1/"])
def test_a_dead_end_kills_nobody(tmp_path: Path, webhook: str) -> None:
    """Rule 3: no directory, or nobody who listens."""
    core = core_with_a_halt()
    path = tmp_path / "alerts.jsonl" if webhook else tmp_path / "absent" / "alerts.jsonl"
    run(core, path, webhook, lambda: core.gauges.get(FAILURES) == {(): 2.0})
    assert AGE not in core.seen_at
