"""Monitors of our own trading, on both sides of every limit."""

from typing import Any

import pytest

from services.risk.monitors import trading as monitors
from tests.services.risk.monitors.states import conduct, outcome


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"bought": 100, "sold": 100, "round_trips": 30}, ""),
        ({"bought": 101}, "HALTED"),
        ({"sold": 101}, "HALTED"),
        ({"round_trips": 31}, "HALTED"),
        ({"overfilled": "0x1 asked for 1 lots and filled 2"}, "HALTED"),
    ],
)
def test_repeated_execution(fields: dict[str, Any], expected: str) -> None:
    """Rule 1: a hundred fills of a side and thirty round trips in ten seconds; no order fills more than itself."""
    assert outcome(monitors.repeated_execution(conduct(**fields))) == expected


@pytest.mark.parametrize(("count", "expected"), [(20, ""), (21, "PULL_QUOTES"), (40, "PULL_QUOTES"), (41, "HALTED")])
def test_trouble(count: int, expected: str) -> None:
    """Rule 2: twenty a minute, and twice that."""
    assert outcome(monitors.trouble(conduct(troubles=count))) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"placed": 1_000}, ""),
        ({"placed": 1_001}, "LOW"),
        ({"placed": 2_000, "filled": 2}, ""),
        ({"placed": 2_001, "filled": 2}, "LOW"),
        ({"flickers": 200}, ""),
        ({"flickers": 201}, "WIDEN"),
    ],
)
def test_surveillance(fields: dict[str, Any], expected: str) -> None:
    """Rule 3: a thousand orders a fill, two hundred that flicker."""
    assert outcome(monitors.surveillance(conduct(**fields))) == expected


@pytest.mark.parametrize(
    ("before", "minute", "expected"),
    [(179, 0, ""), (180, 2, ""), (180, 1, "WIDEN"), (1_800, 20, ""), (1_800, 19, "WIDEN")],
)
def test_fill_rate(before: int, minute: int, expected: str) -> None:
    """Rule 4: a tenth of a rate that was at least twenty a minute."""
    assert outcome(monitors.fill_rate(conduct(filled=before + minute, filled_minute=minute))) == expected


@pytest.mark.parametrize(
    ("bps", "count", "expected"),
    [
        (-5.0, 30, ""),
        (-5.1, 30, "WIDEN"),
        (-10.0, 30, "WIDEN"),
        (-10.1, 30, "PULL_QUOTES"),
        (-10.1, 29, ""),
        (9.0, 30, ""),
    ],
)
def test_markout(bps: float, count: int, expected: str) -> None:
    """Rule 5: 5 bps lost on the mean of thirty fills, and twice that."""
    assert outcome(monitors.markout(conduct(markout_bps=bps, markouts=count))) == expected


def test_liquidation() -> None:
    """Rule 6."""
    assert outcome(monitors.liquidation(conduct())) == ""
    assert outcome(monitors.liquidation(conduct(liquidated="liquidatedCanceled 0x1"))) == "HALTED"
