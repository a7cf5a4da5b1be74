"""The page shows every number that a person asks for, and shouts when money is not explained."""

from decimal import Decimal

import msgspec

from services.replay.absences import Absence
from services.replay.measures import CoinMeasure
from services.replay.page import ABSENCES_SHOWN, page
from services.replay.run import Report
from services.replay.venue_link import EPOCH_MS
from tests.services.replay.test_measures import BTC, Log

GAP = Absence(coin="BTC", side="bid", reason="stale_book", from_s=1.0, until_s=250.0)


def report() -> Report:
    log = Log().mid(0, 100_000).order(0, 1, "B", "open").fill(1, 1, "B", "99990.0").mid(2, 99_970)
    log.measure.sample(EPOCH_MS + 1_000)
    coin = log.measure.report(EPOCH_MS + 70_000, Decimal(0))
    return Report(
        tape="A",
        seed=1,
        seconds=70.0,
        events=5,
        coins=(coin,),
        net_pnl_usd=coin.net_pnl_usd,
        identity_error_usd=Decimal(0),
        actions=10,
        messages_per_fill=10.0,
        posture_shares={"NORMAL": 1.0},
        reason_shares={"BTC bid": {"quoted": 1.0}},
        absences=(GAP,) * (ABSENCES_SHOWN + 3),
        halted=(),
    )


def test_the_page_has_the_split_the_plots_and_the_gaps() -> None:
    """One file, no links to anywhere."""
    text = page(report())
    split = ("spread", "adverse", "inventory", "funding", "fees")
    for words in (*split, "stale_book", "and 3 more", "cash identity</td><td>holds"):
        assert words in text
    assert text.count("<svg") == 5
    assert "http" not in text


def test_unexplained_money_is_loud() -> None:
    """Both sides of a millionth of a dollar."""
    assert "BROKEN" not in page(msgspec.structs.replace(report(), identity_error_usd=Decimal("0.000001")))
    assert "BROKEN" in page(msgspec.structs.replace(report(), identity_error_usd=Decimal("-0.000002")))


def test_a_coin_without_a_market_has_a_page() -> None:
    """Plots say that there is nothing to draw."""
    empty = CoinMeasure(BTC, EPOCH_MS).report(EPOCH_MS, Decimal(0))
    nothing = msgspec.structs.replace(report(), coins=(empty,), messages_per_fill=None, absences=(), halted=("drill",))
    assert "nothing to draw" in page(nothing)
    assert "no fills" in page(nothing)
