"""The catalogue names what is there: all controls, files that exist, metrics that are exported."""

import re
from pathlib import Path

import pytest

from services.cli.catalogue import CONTROLS, Control
from services.metrics.families import FAMILIES
from services.risk import controls

ROOT = Path(__file__).parents[3]


def test_all_controls_are_there_in_their_order() -> None:
    """C1 to C28, each once; risk counts under no other name."""
    names = [control.name for control in CONTROLS]
    assert names == [f"C{number}" for number in range(1, 29)]
    assert {control.value for control in controls.Control} <= set(names)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_what_it_names_exists(control: Control) -> None:
    """Owner and test are files of this tree, the test file has tests, the metric is one that is exported."""
    assert (ROOT / control.owner).is_file()
    assert re.search(r"^(async )?def test_", (ROOT / control.test).read_text(), re.MULTILINE)
    family = control.watched.partition("{")[0]
    assert family in FAMILIES
    assert control.rule
    assert control.title
