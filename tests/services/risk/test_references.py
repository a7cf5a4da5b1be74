"""Own references: ages, gap and bands, each on both sides."""

import pytest

from common.messages import AssetContext, Book, TopOfBook
from common.units import MILLISECOND, Lots, Millis, Nanos, Ticks
from services.risk.references import ReferenceFeed, References, ppm_floor
from tests.services.risk.scene import SETTINGS

RISK = SETTINGS.risk
ONE = Lots(1)


def context(mark: int = 10_000, oracle: int = 10_000, at_ms: int = 0) -> AssetContext:
    return AssetContext(
        coin="X",
        mark=Ticks(mark),
        oracle=Ticks(oracle),
        funding=None,
        open_interest=None,
        received_at=Nanos(at_ms * MILLISECOND),
    )


def book(bid: int = 9_999, ask: int = 10_001, *, venue_ms: int = 0, at_ms: int = 0) -> Book:
    return Book(
        coin="X",
        venue_ms=Millis(venue_ms),
        bids=((Ticks(bid), ONE),),
        asks=((Ticks(ask), ONE),),
        received_at=Nanos(at_ms * MILLISECOND),
    )


def top(bid: int | None, ask: int | None, *, venue_ms: int = 0) -> TopOfBook:
    return TopOfBook(
        coin="X",
        venue_ms=Millis(venue_ms),
        bid=None if bid is None else (Ticks(bid), ONE),
        ask=None if ask is None else (Ticks(ask), ONE),
        received_at=Nanos(0),
    )


def feed() -> ReferenceFeed:
    made = ReferenceFeed(RISK)
    made.on_context(context())
    made.on_book(book(), None)
    return made


def at(milliseconds: int) -> Nanos:
    return Nanos(milliseconds * MILLISECOND)


def test_mark_and_oracle_age() -> None:
    """Rule 1: five seconds are allowed, one nanosecond more is not."""
    made = feed()
    made.on_book(book(venue_ms=1, at_ms=4_000), None)
    assert made.now(at(5_000)) is not None
    assert made.now(Nanos(at(5_000) + 1)) is None
    assert made.fault(Nanos(at(5_000) + 1)) == "no fresh mark"


def test_only_full_books_prove_the_feed() -> None:
    """Rule 2: two seconds after the last book the mid is stale, however many quotes came since."""
    made = feed()
    made.on_top(top(9_998, 10_002, venue_ms=1_900), None)
    assert made.now(at(2_000)) == References(mark=Ticks(10_000), oracle=Ticks(10_000), mid_twice=20_000)
    assert made.fault(Nanos(at(2_000) + 1)) == "no live book"


def test_the_newest_venue_time_makes_the_mid() -> None:
    """Rule 3: an older message of the other feed changes nothing; an equal one may."""
    made = feed()
    made.on_top(top(10_009, 10_011, venue_ms=10), None)
    made.on_book(book(venue_ms=9, at_ms=1), None)
    assert made.last is not None
    assert made.last.mid_twice == 20_020
    made.on_book(book(10_003, 10_005, venue_ms=10, at_ms=1), None)
    assert made.last.mid_twice == 20_008


@pytest.mark.parametrize(("bid", "ask"), [(10_001, 10_001), (10_002, 10_001), (None, 10_001), (9_999, None), (0, 2)])
def test_a_broken_book_is_no_mid(bid: int | None, ask: int | None) -> None:
    """Rule 4: crossed, locked, one-sided or not positive, until a sound one comes."""
    made = feed()
    made.on_top(top(bid, ask, venue_ms=1), None)
    assert made.fault(at(0)) == "no live book"
    made.on_book(book(venue_ms=2), None)
    assert made.fault(at(0)) == ""


def test_an_empty_book_proves_nothing() -> None:
    """Rule 4: an empty side in the book feed leaves no mid."""
    made = feed()
    made.on_book(Book(coin="X", venue_ms=Millis(1), bids=(), asks=(), received_at=Nanos(0)), None)
    assert made.now(at(0)) is None


def test_a_mark_of_zero_is_none() -> None:
    """Rule 4: the same for mark and oracle."""
    made = feed()
    made.on_context(context(oracle=0))
    assert made.fault(at(0)) == "no fresh mark"


def test_a_book_held_up_on_its_way_is_no_news() -> None:
    """Rule 5: two seconds by the venue's clock are allowed, one millisecond more is not."""
    made = feed()
    made.on_book(book(venue_ms=5_000, at_ms=1_000), Millis(7_000))
    assert made.fault(at(3_000)) == ""
    made.on_book(book(venue_ms=5_001, at_ms=2_000), Millis(7_002))
    assert made.fault(Nanos(at(3_000) + 1)) == "no live book"
    made.on_top(top(9_000, 9_002, venue_ms=5_001), Millis(7_002))
    assert made.last is not None
    assert made.last.mid_twice == 20_000


@pytest.mark.parametrize(("mid", "sound"), [(10_150, True), (10_151, False), (9_850, True), (9_849, False)])
def test_the_gap_between_mid_and_mark(mid: int, sound: bool) -> None:
    """Rule 6: 150 bps are allowed on either side."""
    made = feed()
    made.on_book(book(mid - 1, mid + 1, venue_ms=1), None)
    assert (made.now(at(0)) is not None) is sound


def test_a_lost_socket_forgets() -> None:
    """Everything of the old socket is gone; the last references remain for valuing what is held."""
    made = feed()
    made.forget()
    assert made.now(at(0)) is None
    assert made.last is not None


@pytest.mark.parametrize("name", ["mark", "oracle", "mid_twice"])
@pytest.mark.parametrize(("ticks", "inside"), [(10_200, True), (10_201, False), (9_800, True), (9_799, False)])
def test_each_band_binds(name: str, ticks: int, inside: bool) -> None:
    """Rule 7: with the other two references at the price itself, one band decides, both ends allowed."""
    values = {"mark": ticks, "oracle": ticks, "mid_twice": 2 * ticks}
    values[name] = 20_000 if name == "mid_twice" else 10_000
    references = References(mark=Ticks(values["mark"]), oracle=Ticks(values["oracle"]), mid_twice=values["mid_twice"])
    assert references.inside(ticks, ppm_floor(200.0)) is inside


def test_the_dearest_rounds_up() -> None:
    """A mid between two ticks is worth the higher one."""
    assert References(mark=Ticks(5), oracle=Ticks(4), mid_twice=13).dearest == 7
    assert References(mark=Ticks(5), oracle=Ticks(9), mid_twice=13).dearest == 9


def test_basis_points_round_to_the_stricter_side() -> None:
    """A hundredth of a basis point is the grain."""
    assert ppm_floor(0.019) == 1
    assert ppm_floor(0.0199999) == 1
    assert ppm_floor(200.0) == 20_000
