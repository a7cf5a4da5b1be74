"""Same seed, same bytes in the witness log, whatever the order of Python's sets of strings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BLOCKS = 400
LIFE = f"""
import sys
from hashlib import sha256
from common.units import Millis
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from tests.common.witness_check.story import told
from common import witness

start = 1_700_000_000_000
plan = Plan(coins=universe.coins({{}}), seed=7, scenario=sys.argv[1])
venue = assemble(plan, Millis(start), None, last_sequence=0)
digest = sha256()
for block in range(1, {BLOCKS}):
    venue.step(Millis(start + 70 * block))
    digest.update(venue.take_log())
for line in told():
    digest.update(witness.encode(line))
print(digest.hexdigest())
"""


def log_of(hash_seed: str, scenario: str) -> str:
    """Run a venue in a process of its own; return what its log is."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", LIFE, scenario],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("scenario", ["liquidation-cascade"])
def test_same_seed_same_bytes(scenario: str) -> None:
    """Two processes with different hash seeds write the same log, clients' and the market's."""
    first, second = log_of("1", scenario), log_of("2", scenario)
    assert len(first.strip()) == 64
    assert first == second
