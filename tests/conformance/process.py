"""A venue as a process of its own, on a free port, as other people's clients meet it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
# One process is one client address; tests of many requests lift its limits.
BOUNDLESS = """
import os
from services.venue_sim import __main__, address_limits
address_limits.LIMITS["2025"] = address_limits.Limits(
    weight_per_minute=10**9, messages_per_minute=10**9, connections=10**4, users=10**4
)
os._exit(__main__.main())
"""


@contextmanager
def venue(*, boundless: bool = False) -> Iterator[tuple[str, int]]:
    """Yield URL and process id; the venue must end in order."""
    started = ["-c", BOUNDLESS] if boundless else ["-m", "services.venue_sim"]
    with subprocess.Popen(
        [sys.executable, *started, "--port", "0", "--seed", "5"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield msgspec.json.decode(process.stdout.readline())["url"], process.pid
            process.terminate()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
