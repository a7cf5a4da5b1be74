"""The true price: its variance is what is exported, and its path is the seed's."""

from math import log
from random import Random

import pytest

from services.venue_sim.latent_price import JUMPS_PER_S, REGIMES, LatentPrice, average_variance_per_s


def test_equal_seeds_give_equal_paths() -> None:
    """Chance is passed in, and there is no other."""
    one, two, other = (LatentPrice(1_000.0, Random(seed)) for seed in (1, 1, 2))
    for price in (one, two, other):
        for _ in range(500):
            price.step(0.07)
    assert one.ticks == two.ticks != other.ticks


def test_no_time_no_move() -> None:
    """A step of no length changes nothing."""
    price = LatentPrice(1_000.0, Random(1))
    price.step(0.0)
    assert price.ticks == 1_000.0


@pytest.mark.truth
def test_long_run_variance_and_jumps() -> None:
    """Over 400,000 s realised variance is the exported one within 6 %, jumps come as often as said, regimes by time."""
    price, total, seconds = LatentPrice(1_000.0, Random(5)), 0.0, 400_000
    lived = dict.fromkeys((regime.name for regime in REGIMES), 0)
    last = price.ticks
    for _ in range(seconds):
        price.step(1.0)
        total += log(price.ticks / last) ** 2
        last = price.ticks
        lived[price.regime.name] += 1
    assert total / seconds == pytest.approx(average_variance_per_s(), rel=0.06)
    assert price.jumps / seconds == pytest.approx(JUMPS_PER_S, rel=0.1)
    for regime in REGIMES:
        share = regime.seconds_mean / sum(other.seconds_mean for other in REGIMES)
        assert lived[regime.name] / seconds == pytest.approx(share, rel=0.1)
