"""A webhook and a command of the operator: told safely, in bounded time, and honest about failure."""

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from common.sections import Alerts
from services.metrics.receivers import Command, Webhook, receivers

WICKED = "\"; touch {path}; $(touch {path}) `touch {path}` \n{path} \x00 'é"


class Receiving(ThreadingHTTPServer):
    """Remembers what was posted, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.bodies: list[bytes] = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}/alerts"


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiving)
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Receiving]:
    server = Receiving()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook(server: Receiving) -> None:
    """Rules 1 and 3: the line is the body; refused and absent are said."""
    assert asyncio.run(Webhook(server.url).tell(b"{}")) == ""
    assert server.bodies == [b"{}"]
    server.status = 500
    assert asyncio.run(Webhook(server.url).tell(b"{}")) == "answered 500"
    assert "Connect" in asyncio.run(Webhook("http://127.0.0.1:1/").tell(b"{}"))


def python(code: str, *words: str, seconds_max: float = 10.0) -> Command:
    return Command((sys.executable, "-c", code, *words), seconds_max)


def test_an_address_that_cannot_be_is_told() -> None:
    """Rule 3: the pattern of the setting lets it through, and the path must not die of it."""
    assert "InvalidURL" in asyncio.run(Webhook("http://127.0.0.1/\x00").tell(b"{}"))


def test_nothing_of_an_alert_reaches_a_shell(tmp_path: Path) -> None:
    """Rule 1: what the text says is data, and so are the operator's own words, however they look."""
    out, trap = tmp_path / "out", tmp_path / "trap"
    line = json.dumps({"text": WICKED.format(path=trap)}).encode()
    code = (
        "import json, os, sys; json.dump([sys.argv[2:], sys.stdin.read(), sorted(os.environ)], open(sys.argv[1], 'w'))"
    )
    words = (f"$(touch {trap})", "; true", "{text}", "*")
    assert asyncio.run(python(code, str(out), *words).tell(line)) == ""
    argued, read, environment = json.loads(out.read_text())
    assert argued == list(words)
    assert read.encode() == line
    assert "PATH" in environment
    assert not {"HOME", "USER", "XDG_RUNTIME_DIR"} & set(environment)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "ended with 3"),
        (("/nonexistent/pager",), "cannot be started: No such file or directory"),
        (("/etc/passwd",), "cannot be started: Permission denied"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "ended with -9"),
        ((sys.executable, "-c", ""), ""),  # stdin is not read at all
    ],
)
def test_a_failure_says_why(words: tuple[str, ...], fault: str) -> None:
    """Rule 3."""
    assert asyncio.run(Command(words, 10.0).tell(b"x" * 60_000)) == fault


def test_a_slow_command_is_killed_with_its_children(tmp_path: Path) -> None:
    """Rule 2: at its time, not later, and nothing of it lives on."""
    path = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    began = time.monotonic()
    assert asyncio.run(python(code, str(path), seconds_max=1.0).tell(b"{}")) == "killed after 1 s"
    assert time.monotonic() - began < 3
    child, until = int(path.read_text()), time.monotonic() + 3
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        while Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
            assert time.monotonic() < until, "the child of a killed command lives on"
            os.sched_yield()


def test_those_that_are_configured() -> None:
    """None, one or both."""
    assert receivers(Alerts()) == []
    found = receivers(Alerts(webhook="http://127.0.0.1:9/", command=("/bin/true",)))
    assert [receiver.name for receiver in found] == ["webhook", "command"]
