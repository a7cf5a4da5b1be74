"""Replays: deterministic, and with every dollar explained."""

from pathlib import Path

import msgspec
import pytest

from common.errors import ConfigFault
from services.replay.run import Report, Span, replay, span
from tests.common.simulation.whole_mesh import SETTINGS
from tests.data import data_file

TAPE = Path(__file__).parents[2] / "tapes" / "synthetic.tape"


def play(path: Path, seconds: float, seed: int = 1) -> Report:
    length = Span(events=0, seconds=seconds)
    return replay(SETTINGS, path, seed=seed, length=length, progress=lambda _: None, say=lambda _: None)


def test_equal_inputs_give_equal_bytes() -> None:
    """A difference between two reports must come from the settings."""
    first, second, other = (msgspec.json.encode(play(TAPE, 25, seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_a_span_counts_what_there_is(tmp_path: Path) -> None:
    """The tape in the tree is five minutes."""
    found = span(TAPE, SETTINGS)
    assert 290 < found.seconds < 310
    assert found.events > 1_000
    with pytest.raises(ConfigFault, match="no recording of the configured coins"):
        span(tmp_path, SETTINGS)


@pytest.mark.data
@pytest.mark.truth
def test_a_recorded_day_with_an_outage_is_played_to_its_end() -> None:
    """Set C, whose recorder was cut off for 250 s: nothing halts, and the money is explained to 1e-6."""
    path = data_file("C_hl_reconnect_20250903")
    report = play(path, span(path, SETTINGS).seconds)
    assert 530 < report.seconds < 545
    assert abs(report.identity_error_usd) <= 1e-6
    assert report.halted == ()
    assert sum(coin.fills for coin in report.coins) > 0
