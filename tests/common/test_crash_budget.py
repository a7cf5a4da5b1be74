"""Epochs only grow, crashes slow a service down, and too many of them halt it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import CrashBudget
from common.crash_budget import Mark, decide, mark_clean, start
from common.errors import Unrecoverable

SETTINGS = CrashBudget()  # 3 in 60 s, 10 s at most
NOW = 1_700_000_000


def test_the_first_start_is_clean(tmp_path: Path) -> None:
    """Rules 1 and 2: no history is no crash, and the epoch is the Unix second."""
    first = start(tmp_path / "risk.json", NOW, SETTINGS)
    assert (first.epoch, first.unclean, first.over_budget, first.throttle_s) == (NOW, False, False, 0)


def test_clean_stops_cost_nothing(tmp_path: Path) -> None:
    """Rule 2: a service may be restarted by hand as often as one likes."""
    path = tmp_path / "risk.json"
    for n in range(10):
        one = start(path, NOW, SETTINGS)
        assert (one.epoch, one.unclean, one.over_budget, one.throttle_s) == (NOW + n, False, False, 0)
        mark_clean(path)


def test_crashes_throttle_and_halt(tmp_path: Path) -> None:
    """Rules 3 and 4: 1, 2, 4 s before the first three, and the fourth within the window is over budget."""
    path = tmp_path / "risk.json"
    start(path, NOW, SETTINGS)
    told = [start(path, NOW + 5 * n, SETTINGS) for n in range(1, 6)]
    assert [one.throttle_s for one in told] == [1, 2, 4, 8, 10]
    assert [one.over_budget for one in told] == [False, False, False, True, True]
    assert all(one.unclean for one in told)


@pytest.mark.parametrize(("after_s", "over"), [(59, True), (60, False)])
def test_the_window_ends(tmp_path: Path, after_s: int, over: bool) -> None:
    """Rule 4: crashes of the last 60 s count, one that is 60 s old does not."""
    path = tmp_path / "risk.json"
    start(path, NOW - 1, SETTINGS)
    for _ in range(3):
        start(path, NOW, SETTINGS)
    last = start(path, NOW + after_s, SETTINGS)
    assert last.over_budget is over
    assert last.throttle_s == (8 if over else 1)


def test_a_clean_stop_forgives_no_crash(tmp_path: Path) -> None:
    """Rule 4: stopping by hand between crashes does not hide them; the clean start itself is not held back."""
    path = tmp_path / "risk.json"
    start(path, NOW, SETTINGS)
    for _ in range(3):
        start(path, NOW + 1, SETTINGS)
    mark_clean(path)
    calm = start(path, NOW + 2, SETTINGS)
    assert (calm.unclean, calm.over_budget, calm.throttle_s) == (False, False, 0)
    assert start(path, NOW + 3, SETTINGS).over_budget


def test_the_limit_is_a_setting(tmp_path: Path) -> None:
    """Tests that kill often raise the budget and take the pause away."""
    path = tmp_path / "risk.json"
    generous = CrashBudget(starts=1_000, window_s=3_600, throttle_max_s=0)
    for _ in range(100):
        one = start(path, NOW, generous)
        assert (one.over_budget, one.throttle_s) == (False, 0)


def test_the_epoch_grows_when_the_clock_does_not(tmp_path: Path) -> None:
    """Rule 1: two starts in a second, and a clock that went back, still give a higher epoch."""
    path = tmp_path / "risk.json"
    epochs = [start(path, at, SETTINGS).epoch for at in (NOW, NOW, NOW - 1_000, NOW + 500)]
    assert epochs == [NOW, NOW + 1, NOW + 2, NOW + 500]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"epoch":"x","clean":true}', b'{"epoch":1,"clean":1}'])
def test_a_damaged_file_is_an_unclean_end(tmp_path: Path, content: bytes) -> None:
    """Rule 5: no exception and no forgiveness; the next start is the second."""
    path = tmp_path / "risk.json"
    path.write_bytes(content)
    first = start(path, NOW, SETTINGS)
    assert (first.epoch, first.unclean, first.over_budget, first.throttle_s) == (NOW, True, False, 1)
    assert start(path, NOW, SETTINGS).throttle_s == 2


def test_a_directory_in_its_place_is_unrecoverable(tmp_path: Path) -> None:
    """A start that leaves no trace could crash for ever: it does not happen."""
    path = tmp_path / "risk.json"
    path.mkdir()
    with pytest.raises(Unrecoverable, match=r"risk\.json: cannot be written"):
        start(path, NOW, SETTINGS)


def test_no_mark_to_clean(tmp_path: Path) -> None:
    """A stop without a start writes nothing."""
    mark_clean(tmp_path / "risk.json")
    assert list(tmp_path.iterdir()) == []


@given(
    steps=st.lists(st.tuples(st.integers(-100, 100), st.booleans()), max_size=40),
    settings=st.builds(CrashBudget, starts=st.integers(1, 5), window_s=st.integers(1, 90)),
)
def test_laws(steps: list[tuple[int, bool]], settings: CrashBudget) -> None:
    """Rules 1 to 4, whatever the clock does: epochs grow, clean starts are free, history stays short."""
    mark: Mark | None = None
    now, epoch = NOW, 0
    for step_s, clean in steps:
        now += step_s
        one, left = decide(mark, now, settings)
        assert one.epoch > epoch
        assert one.epoch >= now
        assert 0 <= one.throttle_s <= settings.throttle_max_s
        assert one.unclean or not (one.over_budget or one.throttle_s)
        assert len(left.starts) <= settings.starts + 1
        assert not left.clean
        epoch, mark = one.epoch, Mark(epoch=left.epoch, clean=clean, starts=left.starts)
