"""Controls trip in the real mesh when they are provoked; one that cannot trip fails the drill."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.configuration import ROOT
from tests.mesh.live import settings_text

pytestmark = pytest.mark.mesh

DRILL_S_MAX = 280.0
TRIPPED = ("C1", "C3", "C5", "C8", "C9", "C10", "C13", "C14", "C15", "C16", "C18", "C20", "C21", "C22", "C25")
OUT_OF_REACH = {"fills_max": 10_000, "round_trips_max": 10_000}  # as many trades by hand are not made: C7 cannot trip


def test_controls_trip_and_a_broken_one_is_told(tmp_path: Path) -> None:
    """The drill ends with 1 because of the one control that was put out of reach, and says which."""
    config = tmp_path / "drill.toml"
    config.write_text(settings_text({"monitors": OUT_OF_REACH}))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "services.cli.main", "drill", "--json", "--home", str(tmp_path / "home")),
            *("--config", str(config), "--only", ",".join((*TRIPPED, "C7"))),
        ],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=DRILL_S_MAX,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    results = {result["control"]: result for result in json.loads(done.stdout)["results"]}
    assert not results.pop("C7")["passed"]
    assert set(results) == set(TRIPPED)
    assert all(result["passed"] for result in results.values()), json.dumps(results, indent=1)
    assert len(list((tmp_path / "home" / "drills").iterdir())) == 1
