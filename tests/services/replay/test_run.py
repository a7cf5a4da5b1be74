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
def test_the_outage_of_a_recording_is_a_time_without_quotes() -> None:
    """Set C, whose recorder was cut off for 250 s: quotes are pulled, come back, and the money is explained to 1e-6."""
    path = data_file("C_hl_reconnect_20250903")
    report = play(path, span(path, SETTINGS).seconds)
    assert 530 < report.seconds < 545
    long = [gap for gap in report.absences if gap.until_s - gap.from_s > 200]
    sides = {(coin, side) for coin in ("BTC", "ETH") for side in ("bid", "ask")}
    assert {(gap.coin, gap.side) for gap in long} == sides
    for coin in report.coins:
        assert 0.1 < coin.uptime_both < 0.6
    assert abs(report.identity_error_usd) <= 1e-6
    assert report.halted == ()
