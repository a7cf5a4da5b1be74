"""`mm halt` without services: the file always, the proof only when the venue gives it."""

import time
from pathlib import Path

import pytest

from common.errors import ConfigFault, Unrecoverable
from common.halt import HaltDir
from common.home import Home
from services.cli import exits, halting
from services.cli.containment import LOOKS_NEEDED
from tests.services.cli.samples import CONFIG, FakeVenue, cloid, made_home, wire_order

QUICK = CONFIG + "[orders]\norder_expiry_ms = 500\nmargin_ms = 500\n"


def test_dead_services_and_an_empty_venue_are_contained(
    tmp_path: Path, venue: FakeVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """With risk dead, three empty looks after the window are the proof: exit code 0."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    venue.step_s = 1
    assert halting.halt(home, "test", 30.0) == exits.OK
    assert venue.asked.count("frontendOpenOrders") >= 1 + LOOKS_NEEDED
    assert "CONTAINED: risk is silent; nothing of ours rests, seen 3 of 3 times" in capsys.readouterr().out
    (file,) = HaltDir(home.halt).read().files
    assert (file.cause, file.evidence, file.by) == ("operator", "test", "mm")


def test_everything_is_written_down_and_proven_with_the_orders_of_others(
    tmp_path: Path, venue: FakeVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file says it, so the canceller of whatever life reads it; an order of others is not contained."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    venue.step_s = 1
    venue.answers["frontendOpenOrders"] = [wire_order("0x" + "11" * 16)]
    assert halting.halt(home, "test", 3.0, everything=True) == exits.NOT_YET
    assert "orders of others rest in BTC" in capsys.readouterr().err
    venue.answers["frontendOpenOrders"] = []
    assert halting.halt(home, "test", 30.0, everything=True) == exits.OK
    assert "CONTAINED: nothing rests" in capsys.readouterr().out
    assert [file.everything for file in HaltDir(home.halt).read().files] == [True, True]


def test_one_coin_is_halted_and_proven_alone(
    tmp_path: Path, venue: FakeVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """What rests in other coins is no matter; a coin that is not traded is refused before anything is written."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    venue.step_s = 1
    with pytest.raises(ConfigFault, match="--coin: XRP is not traded here; one of"):
        halting.halt(home, "test", 1.0, coin="XRP")
    assert HaltDir(home.halt).read().files == ()
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1)) | {"coin": "ETH"}]
    assert halting.halt(home, "test", 30.0, coin="BTC") == exits.OK
    assert "nothing of ours rests in BTC, seen 3 of 3" in capsys.readouterr().out
    found = HaltDir(home.halt).read()
    assert (found.halted, found.coins) == (False, ("BTC",))
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1))]
    assert halting.halt(home, "test", 3.0, coin="BTC") == exits.NOT_YET


def test_a_venue_whose_clock_stands_proves_nothing(tmp_path: Path, venue: FakeVenue) -> None:
    """Without venue time going on, what was signed before the halt may still arrive."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    assert halting.halt(home, "test", 1.6) == exits.NOT_YET
    assert venue.asked.count("frontendOpenOrders") > 1


def test_a_resting_order_is_not_contained(tmp_path: Path, venue: FakeVenue, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is there, the proof is not: exit code 3, at the end of the time."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1))]
    began = time.monotonic()
    assert halting.halt(home, "test", 0.3) == exits.NOT_YET
    assert 0.3 <= time.monotonic() - began < 5
    assert "not proven CONTAINED within 0.3 s" in capsys.readouterr().err
    assert HaltDir(home.halt).read().halted


def test_a_dead_venue_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody answers: the file is written, exit code 3 says that it is not proven."""
    home = made_home(tmp_path / "home", url="http://127.0.0.1:1")
    assert halting.halt(home, "test", 0.1) == exits.NOT_YET
    assert "the venue does not answer" in capsys.readouterr().err


def test_a_home_that_never_ran_is_halted_too(tmp_path: Path) -> None:
    """Whoever starts it later starts it HALTED."""
    assert halting.halt(Home(tmp_path), "before the first run", 1.0) == exits.NOT_YET
    assert HaltDir(tmp_path / "halt").read().halted


@pytest.mark.parametrize("coin", ["", "BTC"])
def test_a_damaged_configuration_hinders_no_halt(
    tmp_path: Path, venue: FakeVenue, capsys: pytest.CaptureFixture[str], coin: str
) -> None:
    """The file is what stops the services, and they read their configuration long ago."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    home.config.write_text("[venue")
    assert halting.halt(home, "test", 1.0, coin=coin) == exits.NOT_YET
    assert "nothing is proven: " in capsys.readouterr().err
    assert [file.coin for file in HaltDir(home.halt).read().files] == [coin]


def test_a_disk_that_takes_no_file_is_told_with_the_way_out(tmp_path: Path, venue: FakeVenue) -> None:
    """An operator who believes that trading stopped must not be wrong."""
    home = made_home(tmp_path / "home", url=venue.url, text=QUICK)
    home.halt.rmdir()
    home.halt.write_text("in the way")
    with pytest.raises(Unrecoverable, match=r"NOT halted: .*; `mm down` stops"):
        halting.halt(home, "test", 1.0)


def test_a_home_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    """A mistyped --home must not look like a halt of the right one."""
    with pytest.raises(ConfigFault, match="no such home"):
        halting.halt(Home(tmp_path / "typo"), "test", 1.0)
    assert not (tmp_path / "typo").exists()
