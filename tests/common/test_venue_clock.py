"""Venue time from its own stamps, against a true clock that only the test knows."""

from hypothesis import given
from hypothesis import strategies as st

from common.messages.venue import VenueTime
from common.units import MILLISECOND, SECOND, Millis, Nanos
from common.venue_clock import DATE_RESOLUTION_MS, DATE_SLACK_MS, WINDOW, VenueClock

TRUTH_MS = 1_700_000_000_123  # venue time when our monotonic clock reads zero


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def true_ms(now: Nanos) -> int:
    return TRUTH_MS + now // MILLISECOND


def stamp(clock: VenueClock, now: Nanos, delay_ms: int, *, shift_ms: int = 0) -> None:
    """A stream message that travelled `delay_ms` arrives at `now`."""
    clock.observe(VenueTime(venue_ms=Millis(true_ms(now) - delay_ms + shift_ms), resolution_ms=1), now)


def date(clock: VenueClock, now: Nanos, delay_ms: int) -> None:
    seconds = (true_ms(now) - delay_ms) // 1_000
    clock.observe(VenueTime(venue_ms=Millis(seconds * 1_000), resolution_ms=DATE_RESOLUTION_MS), now)


def test_unknown_before_evidence() -> None:
    """Rule 4: nothing heard, nothing known."""
    clock = VenueClock()
    assert clock.venue_now(at(5)) is None
    assert clock.uncertainty_ms(at(5)) is None


def test_fastest_stamp_wins() -> None:
    """Rule 1: slow messages say nothing new; the estimate runs with our clock between stamps."""
    clock = VenueClock()
    stamp(clock, at(1), 300)
    stamp(clock, at(2), 900)
    assert clock.venue_now(at(3)) == true_ms(at(3)) - 300
    stamp(clock, at(3), 260)
    assert clock.venue_now(at(4.5)) == true_ms(at(4.5)) - 260
    assert clock.uncertainty_ms(at(4.5)) == 1 + 1


def test_old_windows_are_forgotten() -> None:
    """Rules 1 and 4: the best of a window counts during the next, then no more; after two silent ones nothing does."""
    clock = VenueClock()
    stamp(clock, at(0), 100)
    for second in range(1, 120):
        now = at(second)
        stamp(clock, now, 500)
        held = 100 if now < 2 * WINDOW else 500
        assert clock.venue_now(now) == true_ms(now) - held
    last = at(119)
    assert clock.venue_now(Nanos(4 * WINDOW)) is not None
    assert clock.venue_now(Nanos(last + 2 * WINDOW)) is None
    assert clock.uncertainty_ms(Nanos(last + 2 * WINDOW)) is None
    stamp(clock, at(300), 70)
    assert clock.venue_now(at(300)) == true_ms(at(300)) - 70


def test_silence_adds_drift() -> None:
    """Rule 3: a millisecond of doubt for each second without evidence."""
    clock = VenueClock()
    stamp(clock, at(0), 0)
    assert [clock.uncertainty_ms(at(second)) for second in (0, 1, 29)] == [1, 2, 30]


def test_dates_alone_are_coarse() -> None:
    """Rule 2: without stamps a date serves, and says how little it knows."""
    clock = VenueClock()
    date(clock, at(0), 200)
    found = clock.venue_now(at(0))
    assert found is not None
    assert true_ms(at(0)) - 1_200 <= found <= true_ms(at(0))
    assert clock.uncertainty_ms(at(0)) == DATE_RESOLUTION_MS


def test_dates_never_refine() -> None:
    """Rule 2: a date that agrees changes nothing."""
    clock = VenueClock()
    stamp(clock, at(1), 900)
    date(clock, at(1), 0)
    assert clock.venue_now(at(1)) == true_ms(at(1)) - 900
    assert clock.uncertainty_ms(at(1)) == 1


def test_dates_bound_a_stream_of_the_past() -> None:
    """Rules 2 and 3: a stream that lags by a minute is found out by the dates, and the doubt says by how much."""
    clock = VenueClock()
    stamp(clock, at(1), 60_000)
    date(clock, at(1), 0)
    found, doubt = clock.venue_now(at(1)), clock.uncertainty_ms(at(1))
    assert found is not None
    assert true_ms(at(1)) - 1_000 <= found <= true_ms(at(1))
    assert doubt is not None
    assert 59_000 <= doubt <= 62_000


def test_dates_bound_a_stamp_of_the_future() -> None:
    """Rules 2 and 3: one absurd stamp does not move venue time into the next century."""
    clock = VenueClock()
    date(clock, at(1), 0)
    stamp(clock, at(1), 0, shift_ms=10**12)
    found, doubt = clock.venue_now(at(1)), clock.uncertainty_ms(at(1))
    assert found is not None
    assert found <= true_ms(at(1))
    assert doubt is not None
    assert doubt >= 10**12


def test_slack_has_two_sides() -> None:
    """Rule 2: a contradiction begins past the slack, below the date and above its second."""
    for shift_ms, contradicts in (
        *((-DATE_SLACK_MS, False), (-DATE_SLACK_MS - 1, True)),
        *((DATE_RESOLUTION_MS + DATE_SLACK_MS, False), (DATE_RESOLUTION_MS + DATE_SLACK_MS + 1, True)),
    ):
        clock = VenueClock()
        clock.observe(VenueTime(venue_ms=Millis(5_000), resolution_ms=DATE_RESOLUTION_MS), at(1))
        clock.observe(VenueTime(venue_ms=Millis(5_000 + shift_ms), resolution_ms=1), at(1))
        assert clock.venue_now(at(1)) == (5_000 if contradicts else 5_000 + shift_ms)


evidence = st.lists(st.tuples(st.booleans(), st.integers(0, 40 * SECOND), st.integers(0, 900)), min_size=1, max_size=60)


@given(evidence)
def test_never_ahead(arrivals: list[tuple[bool, int, int]]) -> None:
    """Rule 1: whatever the delays, the estimate is never ahead of the venue, and late by the best delay at most."""
    clock, now = VenueClock(), Nanos(0)
    for is_date, pause, delay_ms in arrivals:
        now = Nanos(now + pause)
        (date if is_date else stamp)(clock, now, delay_ms)
        found, doubt = clock.venue_now(now), clock.uncertainty_ms(now)
        assert found is not None
        assert doubt is not None
        assert found <= true_ms(now)
        assert found >= true_ms(now) - (delay_ms + DATE_RESOLUTION_MS if is_date else delay_ms) - 1_000


@given(evidence, st.integers(-(10**15), 10**15))
def test_local_clock_is_no_matter(arrivals: list[tuple[bool, int, int]], skew_ns: int) -> None:
    """Rule 1: shifting the zero of our clock shifts nothing that is said of the venue's."""
    readings: list[list[tuple[int | None, int | None]]] = []
    for zero in (0, skew_ns):
        clock, now = VenueClock(), 0
        readings.append([])
        for is_date, pause, delay_ms in arrivals:
            now += pause
            made_ms = TRUTH_MS + now // MILLISECOND - delay_ms
            resolution_ms = DATE_RESOLUTION_MS if is_date else 1
            local = Nanos(now + zero)
            clock.observe(VenueTime(venue_ms=Millis(made_ms), resolution_ms=resolution_ms), local)
            readings[-1].append((clock.venue_now(local), clock.uncertainty_ms(local)))
    assert readings[0] == readings[1]
