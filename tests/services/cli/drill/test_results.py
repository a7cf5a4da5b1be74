"""A drill is good for its limits, for a while, and only when it was whole."""

from pathlib import Path

import msgspec
import pytest

from common.errors import ConfigFault
from common.home import Home
from common.limits_hash import limits_hash
from services.cli.catalogue import CONTROLS
from services.cli.drill import results
from services.cli.drill.results import DAY_S, Drill, Result, fault
from tests.services.cli.samples import settings

NOW = 1_790_000_000
SETTINGS = settings()


def whole(*, at_s: int = NOW, limits: str = "", failed: str = "", without: str = "") -> Drill:
    names = [control.name for control in CONTROLS if control.name != without]
    found = tuple(Result(control=name, passed=name != failed, evidence="") for name in names)
    return Drill(at_s=at_s, limits_hash=limits or limits_hash(SETTINGS), seconds=1.0, results=found)


@pytest.mark.parametrize(
    ("drills", "words"),
    [
        ([], "no complete drill"),
        ([whole(without="C7")], "no complete drill"),
        ([whole(limits="other")], "other limits"),
        ([whole(failed="C7")], "failed its last drill: C7"),
        ([whole(), whole(failed="C7")], "failed"),
        ([whole(at_s=NOW - 30 * DAY_S - 1)], "days ago"),
        ([whole(at_s=NOW + 301)], "days ago"),
        ([whole(failed="C7", at_s=NOW - 5), whole()], ""),
        ([whole(at_s=NOW - 30 * DAY_S)], ""),
        ([whole(at_s=NOW + 300)], ""),
        ([whole(), whole(without="C7", limits="other")], ""),
    ],
)
def test_good_is_whole_passed_fresh_and_of_these_limits(drills: list[Drill], words: str) -> None:
    """Rule 2, both sides of each limit."""
    found = fault(drills, SETTINGS, NOW)
    assert words in found
    assert bool(found) == bool(words)


def test_what_is_stored_is_found_again(tmp_path: Path) -> None:
    """Oldest first; a damaged file proves nothing and hides nothing (rule 3)."""
    home = Home(tmp_path)
    newer, older = whole(), whole(at_s=NOW - 9)
    path = results.store(home, newer)
    results.store(home, older)
    (path.parent / "broken.json").write_text("{")
    assert results.stored(home) == [older, newer]
    assert results.latest([older, newer])["C1"] == (newer, newer.results[0])
    assert msgspec.json.decode(path.read_bytes(), type=Drill) == newer


def test_the_refusal_names_the_command(tmp_path: Path) -> None:
    """Whoever is refused knows what to run."""
    with pytest.raises(ConfigFault, match=r"has no complete drill; run `mm drill --profile testnet`"):
        results.require(Home(tmp_path), SETTINGS, "mm drill --profile testnet")
