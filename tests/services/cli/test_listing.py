"""Orders and fills out of a real journal file."""

import json
from pathlib import Path

import pytest

from common.journal import Journal
from common.messages import OrderState
from common.units import Nanos
from services.cli import exits
from services.cli.listing import fills, orders
from tests.services.cli.samples import CONFIG, made_home
from tests.services.cli.test_records import fill, intent, moved


def test_the_journal_answers_for_a_silent_venue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What may still fill, marked unproven, while its owner may be writing; and all fills."""
    home = made_home(tmp_path, text=CONFIG.replace(":3001", ":1"))
    with Journal(home.database("order_management")) as journal:
        journal.append_all((intent(), moved(OrderState.RESTING, oid=5), fill(1)), Nanos(0))
        assert orders(home, as_json=True, everybodys=False) == exits.NOT_YET
        (order,) = json.loads(capsys.readouterr().out)
        assert (order["oid"], order["sz"], order["state"], order["unproven"]) == (5, "0.00400", "Resting", True)
        assert fills(home, as_json=True) == exits.OK
        (trade,) = json.loads(capsys.readouterr().out)
        assert (trade["tid"], trade["px"], trade["sz"], trade["fee"]) == (1, "99999.0", "0.00100", "0.015")
    assert fills(home, as_json=False) == exits.OK
    assert "1970-01-01" in capsys.readouterr().out
