"""Replays: deterministic, and with every dollar explained."""

from pathlib import Path

import msgspec
import pytest

from common.config import Settings
from common.errors import ConfigFault
from services.replay.run import Report, Span, replay, span
from tests.common.simulation.whole_mesh import SETTINGS
from tests.data import data_file

JUMP_S = 833.0  # after the first book of set A: 20:00:50 on its clock
TAPE = Path(__file__).parents[2] / "tapes" / "synthetic.tape"


def play(path: Path, seconds: float, seed: int = 1, *, settings: Settings = SETTINGS, skip_s: float = 0.0) -> Report:
    return replay(
        settings,
        path,
        seed=seed,
        length=Span(events=0, seconds=seconds),
        progress=lambda _: None,
        say=lambda _: None,
        skip_s=skip_s,
    )


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


def test_a_part_is_played_as_it_was_recorded() -> None:
    """A span from 200 s on is that much shorter, and its first book is another."""
    whole, part = span(TAPE, SETTINGS), span(TAPE, SETTINGS, skip_s=200)
    assert part.seconds == pytest.approx(whole.seconds - 200, abs=1)
    first, later = play(TAPE, 3), play(TAPE, 3, skip_s=200)
    assert [coin.curve[0].mid for coin in first.coins] != [coin.curve[0].mid for coin in later.coins]
    assert later.skipped_s == 200
    with pytest.raises(ConfigFault, match="no book of BTC, ETH after 9999 s"):
        span(TAPE, SETTINGS, skip_s=9_999)


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


@pytest.mark.data
@pytest.mark.truth
def test_the_jump_of_a_recording_is_seen() -> None:
    """Set A at 20:00:50, BTC, a minute and a half: both sides are pulled as it comes, and come back."""
    path, skip_s = data_file("A_hl_book_trades_20250904"), 790.0
    settings = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})
    report = play(path, 90, settings=settings, skip_s=skip_s)
    sides = {
        gap.side
        for gap in report.absences
        if JUMP_S - 2 < skip_s + gap.from_s < JUMP_S + 2 and gap.reason in ("pull_quotes", "momentum")
    }
    assert sides == {"bid", "ask"}
    assert report.reason_shares["BTC bid"]["quoted"] > 0.6
    assert abs(report.identity_error_usd) <= 1e-6
    assert report.halted == ()
