"""The comparison of shapes finds what it should."""

from typing import Any

import pytest

from tests.services.venue_sim.shapes import Shape

SAMPLES: list[Any] = [
    {"px": "1.5", "n": 3, "tags": [{"a": None}], "cloid": None},
    {"px": "2.0", "n": 4, "tags": [{"a": True}]},
]


@pytest.mark.parametrize(
    ("ours", "differences"),
    [
        ({"px": "7.25", "n": 1, "tags": []}, []),
        ({"px": "7.25", "n": 1, "tags": [{"a": False}, {"a": None}], "cloid": None}, []),
        ({"px": "7.250", "n": 1, "tags": []}, ["$.px is unpolished number, theirs decimal"]),
        ({"px": 7.25, "n": 1, "tags": []}, ["$.px is float, theirs decimal"]),
        ({"px": "7.25", "n": True, "tags": []}, ["$.n is bool, theirs int"]),
        ({"px": "7.25", "tags": [{}]}, ["$.n is missing", "$.tags[].a is missing"]),
        ({"px": "7.25", "n": 1, "tags": [], "more": 1}, ["$.more is ours alone"]),
        ([], ["$ is list, theirs dict"]),
    ],
)
def test_differences(ours: Any, differences: list[str]) -> None:
    """Types, forms of texts, keys that every sample has, keys that none has."""
    assert list(Shape(SAMPLES).differences(ours)) == differences
