"""Where recorded data lies, for tests marked `data`: $BALLAST_DATA, or a neighbour of this tree."""

import os
from pathlib import Path

import pytest


def data_path(name: str) -> Path:
    """Return where one recorded file or folder is, if this machine has it."""
    return Path(os.environ.get("BALLAST_DATA") or Path(__file__).parents[2] / "shared" / "data") / name


def data_file(name: str) -> Path:
    """Return the path of one recorded file or folder; skip the test when it is not on this machine."""
    path = data_path(name)
    if not path.exists():
        pytest.skip(f"no recorded data: {name} is not in {path.parent}; set BALLAST_DATA")
    return path
