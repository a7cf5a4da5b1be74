"""The simulated network: seeded, ordered as ZeroMQ is, and only facts are lost or repeated."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from common.simulation.network import Network, Weather
from common.units import MILLISECOND, Nanos

STORM = Weather(delay_max=Nanos(50 * MILLISECOND), loss=0.3, repeat=0.3)


def sent(seed: int, weather: Weather, *, may_lose: bool = True, count: int = 200) -> list[tuple[Nanos, ...]]:
    """Send one message each millisecond over one link."""
    network = Network(random.Random(seed), weather)
    return [network.arrivals("risk", "strategy", Nanos(n * MILLISECOND), may_lose=may_lose) for n in range(count)]


def test_equal_seeds_give_equal_weather() -> None:
    """What cannot be repeated cannot be mended."""
    assert sent(1, STORM) == sent(1, STORM)
    assert sent(1, STORM) != sent(2, STORM)


def test_quiet_weather_loses_nothing() -> None:
    """Each message once, within the delays of a local socket."""
    plain = Weather()
    for n, times in enumerate(sent(1, plain)):
        (at,) = times
        assert plain.delay_min <= at - n * MILLISECOND <= plain.delay_max


def test_facts_are_lost_and_repeated_by_their_shares() -> None:
    """About three in ten vanish, and three in ten of the others come twice."""
    counts = [len(times) for times in sent(1, STORM, count=2_000)]
    assert 500 < counts.count(0) < 700
    assert 320 < counts.count(2) < 520


def test_requests_are_never_lost_in_the_air() -> None:
    """A real ROUTER fails instead of losing, so the worst weather only delays them."""
    assert {len(times) for times in sent(1, Weather(loss=1.0, repeat=1.0), may_lose=False)} == {1}


@given(st.integers())
def test_a_link_keeps_its_order(seed: int) -> None:
    """However long one is delayed, the next on the same link comes no earlier."""
    first_times = [times[0] for times in sent(seed, STORM) if times]
    assert all(one <= other for one, other in pairwise(first_times))


def test_links_do_not_wait_for_each_other() -> None:
    """The order is a link's own, in each direction."""
    network = Network(random.Random(1), Weather(delay_min=Nanos(100), delay_max=Nanos(100)))
    assert network.arrivals("a", "b", Nanos(1_000), may_lose=True) == (1_100,)
    assert network.arrivals("b", "a", Nanos(0), may_lose=True) == (100,)
    assert network.arrivals("a", "b", Nanos(0), may_lose=True) == (1_100,)


def test_a_cut_is_one_way() -> None:
    """Not even requests pass it, until it is mended; the other direction is open."""
    network = Network(random.Random(1))
    network.cut.add(("a", "b"))
    assert network.arrivals("a", "b", Nanos(0), may_lose=False) == ()
    assert network.arrivals("b", "a", Nanos(0), may_lose=False)
    network.cut.clear()
    assert network.arrivals("a", "b", Nanos(0), may_lose=False)
