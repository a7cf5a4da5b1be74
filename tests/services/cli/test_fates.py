"""Whoever comes after a halt sees what became of each order, and by what proof."""

import json
from pathlib import Path

import pytest

from common.errors import ConfigFault
from common.journal import Journal
from common.messages import HaltReport, Message
from common.units import Nanos
from services.cli import exits
from services.cli.fates import fates
from tests.services.cli.samples import made_home
from tests.services.risk.scene import bid
from tests.services.risk.test_fates import halt, trading


def halted() -> list[Message]:
    """A halt with one resting order and one un-acked."""
    scene = trading(bid(1), bid(2), resting=(1,))
    halt(scene)
    scene.update(bid(1), 1, "canceled")
    scene.wait(1.5)
    return scene.rows


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No journal, no halt, one not proven yet, and the last word; for tools and for people."""
    home, rows = made_home(tmp_path), halted()
    with pytest.raises(ConfigFault, match="has not run here"):
        fates(home, as_json=True)
    with Journal(home.database("risk")) as journal:
        with pytest.raises(ConfigFault, match="never halted"):
            fates(home, as_json=True)
        begin = next(number for number, row in enumerate(rows) if isinstance(row, HaltReport))
        journal.append_all(rows[: begin + 1], Nanos(0))
        assert fates(home, as_json=False) == exits.NOT_YET
        assert "2 orders, not complete: 2 unknown" in capsys.readouterr().out
        journal.append_all(rows[begin + 1 :], Nanos(0))
        assert fates(home, as_json=True) == exits.OK
        told = {one["order"]["cloid"]: one["fate"] for one in json.loads(capsys.readouterr().out)["fates"]}
        assert told == {bid(1).cloid: "cancelled", bid(2).cloid: "never accepted"}
    assert fates(home, as_json=False) == exits.OK
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("resting", "un-acked", "cancelled", "59990", "2 orders, complete"))
