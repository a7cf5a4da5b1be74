"""The leader's tilt: what it foretells comes true; whatever else it says moves nothing, or little."""

from collections.abc import Iterator
from itertools import islice
from math import exp, inf, isfinite, log, nan, sqrt
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import SECOND, Nanos
from services.estimation.leader import ABSURD_BPS, ABSURD_S, STEPS_MIN, LeaderBelief, LeaderFollower
from tests.data import data_file
from tests.market import at
from tests.recorded import unpacked

SEEDS: Final = range(20)
MAX_BPS: Final = 2.0
STALE_S: Final = 1.5


def follower(**changes: Any) -> LeaderFollower:
    chosen = {"max_tilt_bps": MAX_BPS, "weight": 1.0, "stale": at(STALE_S), "half_life_s": 300.0} | changes
    return LeaderFollower(**chosen)


# --- truth -----------------------------------------------------------------------------------------


class Foretold(NamedTuple):
    """What was believed, and what our price then did in half a second, bps."""

    belief: LeaderBelief
    move: float


def lived(
    seed: int, *, lead_s: float = 0.3, leads: bool = True, seconds: int = 600, noise_bps: float = 0.1
) -> Iterator[Foretold]:
    """Two venues 5 bps apart that drift: ours follows after `lead_s`, or goes its own way; both are seen with noise.

    The price moves by 0.5 bps per sqrt(second). The leader speaks 14 times a second and we 6 times, at random.
    """
    chance, step_s = Random(seed), 0.05
    believer, price, other, distance = follower(), log(100.0), log(100.0), 5e-4
    past, own, before = [], None, None
    for step in range(int(seconds / step_s)):
        now = at(step * step_s)
        price += chance.gauss(0, 0.5e-4 * sqrt(step_s))
        other += chance.gauss(0, 0.5e-4 * sqrt(step_s))
        distance += chance.gauss(0, 1e-6 * sqrt(step_s))
        past.append(price)
        if chance.random() < 0.7:
            said = exp((price if leads else other) + distance + chance.gauss(0, noise_bps / 1e4))
            believer.on_leader(said * (1 - 1e-6), said * (1 + 1e-6), now)
        if chance.random() < 0.3:
            own = past[max(0, step - round(lead_s / step_s))] + chance.gauss(0, noise_bps / 1e4)
            believer.on_own(exp(own), now)
        if step % 10 == 7 and own is not None:
            if before is not None and before[0].warm:
                yield Foretold(before[0], (own - before[1]) * 1e4)
            before = believer.belief(now), own


class Score(NamedTuple):
    slope: float  # of what came on what was foretold
    errors: float  # mean square of what was not foretold, against foretelling nothing
    covered: float  # share of moves within 1.96 of the stated error
    signs: float  # share of right signs where 0.2 bps or more was foretold
    tilt: float  # mean size, bps


def score(told: list[Foretold]) -> Score:
    tilts = [each.belief.tilt_bps for each in told]
    loud = [each for each in told if abs(each.belief.tilt_bps) >= 0.2]
    return Score(
        slope=sum(t * each.move for t, each in zip(tilts, told, strict=True)) / max(1e-9, sum(t * t for t in tilts)),
        errors=sum((each.move - each.belief.tilt_bps) ** 2 for each in told) / sum(each.move**2 for each in told),
        covered=sum(abs(each.move - each.belief.tilt_bps) <= 1.96 * each.belief.error_bps for each in told) / len(told),
        signs=sum(each.move * each.belief.tilt_bps > 0 for each in loud) / max(1, len(loud)),
        tilt=sum(map(abs, tilts)) / len(tilts),
    )


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.truth
@pytest.mark.parametrize(("lead_s", "errors"), [(0.3, 0.6), (0.1, 0.8)])
def test_what_a_leader_foretells_comes_true(lead_s: float, errors: float) -> None:
    """Sign, size and stated error over 20 seeds: no tilt at all would err more in every one of them.

    A seed's slope has a standard deviation of 0.05, its coverage one of 0.01: the means are five of theirs away.
    """
    scores = [score(list(lived(seed, lead_s=lead_s))) for seed in SEEDS]
    assert all(each.errors < 1 and each.signs > 0.7 for each in scores)
    assert abs(mean([each.slope for each in scores]) - 1) < 0.06
    assert 0.925 < mean([each.covered for each in scores]) < 0.965
    assert mean([each.errors for each in scores]) < errors
    assert mean([each.signs for each in scores]) > 0.78


@pytest.mark.truth
def test_who_does_not_lead_tilts_nothing() -> None:
    """A price that goes its own way is found out within a few minutes, whatever its deviation."""
    told = [list(islice(lived(seed, leads=False), 600, None)) for seed in SEEDS]
    assert mean([score(each).tilt for each in told]) < 0.03
    assert mean([score(each).errors for each in told]) < 1.005


def test_chance_is_not_believed() -> None:
    """Rule 2: of a hundred that do not lead, a sixth have a slope beyond its error after a few steps; half have one."""
    believed = [list(lived(seed, leads=False, seconds=22))[-1].belief.followed > 0 for seed in range(100)]
    assert 0 < sum(believed) < 33


def test_a_leader_leads() -> None:
    """The same for one seed: half of the squared error is gone."""
    found = score(list(lived(1, seconds=200)))
    assert found.errors < 0.65
    assert 0.8 < found.slope < 1.2


@pytest.mark.data
def test_recorded_futures_lead_spot() -> None:
    """Six minutes of one real venue's perpetual and spot market: they hardly lead, and the tilt is hardly one."""
    names = ("usdm_btcusdt_20240808", "spot_btcusdt_20240808")
    said: list[tuple[int, str, float, float]] = []
    for name in names:
        path = f"G_binance_usdm_cm_spot/{name}.raw.zst"
        data_file(path)
        for line in unpacked(path).splitlines():
            at_ns, _, raw = line.partition(b" ")
            if b"@bookTicker" in raw[:40]:
                data = msgspec.json.decode(raw)["data"]
                said.append((int(at_ns), name, float(data["b"]), float(data["a"])))
    said.sort(key=lambda each: each[0])
    believer, told, own, before, due = follower(), [], 0.0, None, 0
    for stamp, name, bid, ask in said:
        now = Nanos(stamp - said[0][0])
        if name == names[0]:
            believer.on_leader(bid, ask, now)
        else:
            own = (bid + ask) / 2
            believer.on_own(own, now)
        if now >= due and own:
            if before is not None and before[0].warm:
                told.append(Foretold(before[0], log(own / before[1]) * 1e4))
            before, due = (believer.belief(now), own), now + SECOND // 2
    found = score(told)
    assert len(told) > 600
    assert found.errors < 0.99
    assert 0.5 < found.slope < 1.5


# --- rules -----------------------------------------------------------------------------------------


def taught(**changes: Any) -> LeaderFollower:
    """Return one that has seen a leader go first by 0.1 s, a bp each second, for 40 s; the last move was up."""
    believer = follower(**changes)
    for second in range(40):
        price = 100 * (1 + (second % 2) / 1e4)
        believer.on_leader(price - 0.001, price + 0.001, at(second))
        believer.on_own(price, at(second + 0.1))
        believer.on_own(price, at(second + 0.5))
        believer.on_leader(price - 0.001, price + 0.001, at(second + 0.6))
    return believer


def tilt(believer: LeaderFollower, seconds: float) -> float:
    return believer.belief(at(seconds)).tilt_bps


def led(price: float, seconds: float = 40.0, **changes: Any) -> LeaderFollower:
    """Return a taught one whose leader then goes there, while we stay at 100.01."""
    believer = taught(**changes)
    believer.on_leader(price - 0.001, price + 0.001, at(seconds))
    return believer


def test_rule_1_and_4_a_move_that_we_have_not_followed_tilts_us() -> None:
    """Up by one bp, down by one bp; the weight is a factor; once we have followed, nothing is left."""
    up, down = tilt(led(100.02), 40.1), tilt(led(100.0), 40.1)
    assert 0.2 < up < 1.5
    assert -1.5 < down < -0.2
    assert tilt(led(100.02, weight=0.5), 40.1) == pytest.approx(up / 2, rel=0.05)
    believer = led(100.02)
    believer.on_own(100.02, at(40.2))
    assert abs(tilt(believer, 40.2)) < up / 5


def test_rule_3_bounded() -> None:
    """Half a percent is as good as the bound; the share that is believed makes it less."""
    assert tilt(led(100.5), 40.1) == pytest.approx(taught().belief(at(40)).followed * MAX_BPS, rel=0.01)
    assert tilt(led(100.5, max_tilt_bps=0.5), 40.1) <= 0.5


def test_rule_3_one_lie_does_not_outweigh_the_past() -> None:
    """A jump of half a percent that is taken back costs belief, but not all of it."""
    believer = led(100.5)
    believer.on_leader(100.009, 100.011, at(40.6))
    assert believer.belief(at(40.7)).followed > 0.2 * taught().belief(at(40)).followed


def test_rule_4_cold() -> None:
    """Not before so many effective steps."""
    believer = follower()
    for second in range(10):
        believer.on_own(100 + second % 2, at(second))
        believer.on_leader(99.0 + second % 2, 101.0 + second % 2, at(second))
    found = believer.belief(at(10))
    assert found.effective_samples < STEPS_MIN
    assert (found.warm, found.tilt_bps) == (False, 0.0)


def test_rule_4_stale() -> None:
    """A price counts for just so long after its reception, and again with the next one."""
    believer = led(100.02)
    assert tilt(believer, 40 + STALE_S - 1e-6) != 0
    assert tilt(believer, 40 + STALE_S) == 0
    assert not believer.belief(at(40 + STALE_S)).warm
    believer.on_leader(100.019, 100.021, at(45))
    assert tilt(believer, 45.1) > 0


def test_rule_4_without_our_own_price() -> None:
    """What differs from what is not known; what was learned stays."""
    believer = led(100.02)
    before = tilt(believer, 40.1)
    believer.restart()
    assert tilt(believer, 40.1) == 0
    believer.on_own(100.01, at(40.2))
    assert tilt(believer, 40.2) == pytest.approx(before, rel=0.02)


def test_rule_4_and_5_absurd() -> None:
    """Further than ABSURD_BPS tilts and teaches nothing, until it has lasted: then it is the new distance."""
    near = 100.01 * exp((ABSURD_BPS - 2) / 1e4)
    assert tilt(led(near), 40.1) > 0
    believer = led(120.0)
    assert tilt(believer, 40.1) == 0
    seconds = 40.5
    while seconds < 41 + ABSURD_S:
        believer.on_leader(119.9, 120.1, at(seconds))
        believer.on_own(100.01, at(seconds))
        assert tilt(believer, seconds) == 0
        seconds += 0.5
    assert believer.belief(at(seconds)).effective_samples < 3
    assert abs(believer.belief(at(seconds - 0.4)).deviation_bps) < 1


@pytest.mark.parametrize(
    ("bid", "ask", "seconds"),
    [
        (nan, 100.0, 41.0),
        (100.0, nan, 41.0),
        (100.0, inf, 41.0),
        (-inf, 100.0, 41.0),
        (0.0, 100.0, 41.0),
        (-1.0, 100.0, 41.0),
        (100.0, 100.0, 41.0),
        (100.1, 100.0, 41.0),
        (100.0, 100.1, 39.9),
    ],
)
def test_rule_6_what_is_no_price(bid: float, ask: float, seconds: float) -> None:
    """It changes nothing and is counted."""
    believer, same = led(100.02), led(100.02)
    believer.on_leader(bid, ask, at(seconds))
    assert believer.refused == 1
    assert believer.belief(at(41)) == same.belief(at(41))
    for own in (nan, inf, 0.0, -1.0):
        believer.on_own(own, at(41))
    assert believer.refused == 5
    assert believer.belief(at(41)) == same.belief(at(41))


numbers = st.floats() | st.floats(50, 200)
events = st.tuples(st.sampled_from(("leader", "own", "restart")), st.integers(0, 4_000), numbers, numbers)


@given(st.lists(events, max_size=80))
@settings(max_examples=60)
def test_always_bounded_and_finite(story: list[tuple[str, int, float, float]]) -> None:
    """Whatever comes, in whatever order: no tilt beyond the bound, no number that is none."""
    believer, now_ms = taught(), 41_000
    for kind, ms, one, other in story:
        now_ms += ms - 100  # sometimes back
        now = Nanos(now_ms * 1_000_000)
        if kind == "leader":
            believer.on_leader(one, other, now)
        elif kind == "own":
            believer.on_own(one, now)
        else:
            believer.restart()
        found = believer.belief(now)
        assert abs(found.tilt_bps) <= MAX_BPS
        assert found.warm or found.tilt_bps == 0
        assert 0 <= found.followed <= 1
        assert all(isfinite(each) for each in msgspec.structs.astuple(found))
