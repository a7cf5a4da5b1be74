"""Whoever audits risk's journal sees under which limits each order was approved."""

import json
from pathlib import Path

import msgspec
import pytest

from common.errors import ConfigFault
from common.journal import Journal
from common.limits_hash import limits_hash
from common.messages import Approval, Message
from common.units import Nanos
from services.cli import exits
from services.cli.decisions import decision_lines, decisions
from tests.services.cli.samples import made_home
from tests.services.risk.scene import SETTINGS, Scene, bid

STRICTER = msgspec.structs.replace(SETTINGS, risk=msgspec.structs.replace(SETTINGS.risk, price_band_bps=100.0))


def two_lives() -> list[Message]:
    """Risk signs an order, is started again with a narrower price band, and signs and refuses one each."""
    first = Scene().ready()
    first.send(first.request(bid(1)))
    second = Scene(first.rows, epoch=8, now=first.now, settings=STRICTER).ready()
    second.send(second.request(bid(2), bid(3, ticks=590_000)))
    assert second.last(Approval).approved == (bid(2).cloid,)
    return second.rows


def test_each_order_stands_with_its_limits() -> None:
    """Rule 1: a changed limit is another hash, and the build stands beside it."""
    lines = decision_lines(two_lives())
    limits = {cloid: line.limits for line in lines for cloid in (*line.cloids, *line.vetoes)}
    assert limits == {
        bid(1).cloid: limits_hash(SETTINGS),
        bid(2).cloid: limits_hash(STRICTER),
        bid(3).cloid: limits_hash(STRICTER),
    }
    assert limits_hash(SETTINGS) != limits_hash(STRICTER)
    assert {line.build for line in lines} == {"b"}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule 3: all, one, and none; for tools and for people."""
    home = made_home(tmp_path)
    with pytest.raises(ConfigFault, match="not decided anything"):
        decisions(home, None, as_json=True)
    with Journal(home.database("risk")) as journal:
        journal.append_all(two_lives(), Nanos(0))
        assert decisions(home, None, as_json=True) == exits.OK
        assert [line["tag"] for line in json.loads(capsys.readouterr().out)] == ["quote", "quote"]
        assert decisions(home, bid(3).cloid, as_json=True) == exits.OK
        (line,) = json.loads(capsys.readouterr().out)
        assert line["vetoes"] == {bid(3).cloid: "price_band"}
        assert decisions(home, "0x1", as_json=True) == exits.FAILED
        assert "no decision on 0x1" in capsys.readouterr().err
    assert decisions(home, bid(2).cloid, as_json=False) == exits.OK
    told = capsys.readouterr().out
    assert limits_hash(STRICTER) in told
    assert "the limits of this home are" in told
