"""The quote gate: closed unless every witness says otherwise, lately."""

import pytest
from msgspec.structs import replace

from common.config import Liveness
from common.messages import HaltDirectory, PostureLevel
from common.messages.base import HaltFile
from common.units import Nanos, Side
from services.order_management.gate import QuoteGate
from tests.services.order_management.parts import beat, feed, level, posture, seconds, target

T = seconds(100)
UNIT = Liveness().units(1)


def opened(now: Nanos = T) -> QuoteGate:
    gate = QuoteGate(Liveness(), ("BTC", "ETH"), unready="")
    gate.hear(beat(), now)
    gate.hear(posture(), now)
    for coin in ("BTC", "ETH"):
        gate.hear(feed(coin), now)
        wanted = target(coin, bids=(level(999_000), level(999_500)), valid_until=Nanos(now + 100 * UNIT))
        gate.hear(wanted, now)
    return gate


def test_open_when_all_say_so() -> None:
    """All rules together: nothing is closed, and the ladder is innermost first."""
    gate = opened()
    assert gate.reason("BTC", T) == gate.account_reason(T) == ""
    assert [one.ticks for one in gate.levels("BTC", Side.BUY)] == [999_500, 999_000]
    assert gate.levels("BTC", Side.SELL) == ()
    gate.hear(target(asks=(level(1_001_000), level(1_000_500)), valid_until=Nanos(T + UNIT)), T)
    assert [one.ticks for one in gate.levels("BTC", Side.SELL)] == [1_000_500, 1_001_000]


def test_closed_by_default() -> None:
    """A gate that heard nothing is closed, by each witness in turn."""
    gate = QuoteGate(Liveness(), ("BTC",))
    assert gate.reason("BTC", T) == "starting"
    gate.unready = ""
    assert gate.reason("BTC", T) == "risk is silent"
    gate.hear(beat(), T)
    assert gate.reason("BTC", T) == "posture unheard"
    gate.hear(posture(), T)
    assert gate.reason("BTC", T) == "feed unheard"
    gate.hear(feed(), T)
    assert gate.reason("BTC", T) == "target lapsed"
    gate.hear(target(valid_until=Nanos(T + 1)), T)
    assert gate.reason("BTC", T) == ""
    assert gate.deadline(T) == T + 1


def test_stopping_and_halts() -> None:
    """Rule 1: stopping, a file in the directory, or a directory that cannot be read."""
    gate = opened()
    gate.hear(HaltDirectory(files=(HaltFile(name="x", cause="test"),)), T)
    assert gate.reason("BTC", T) == "halted"
    gate.hear(HaltDirectory(readable=False), T)
    assert gate.reason("BTC", T) == "halted"
    gate.stopping = True
    assert gate.reason("BTC", T) == "stopping"
    gate = opened()
    gate.hear(HaltDirectory(), T)
    assert gate.reason("BTC", T) == ""


def test_a_halted_coin() -> None:
    """Rule 1: a file that names a coin closes that coin, and nothing else."""
    gate = opened()
    gate.hear(HaltDirectory(files=(HaltFile(name="x", cause="test", coin="ETH"),)), T)
    assert gate.reason("ETH", T) == "halted"
    assert gate.reason("BTC", T) == gate.account_reason(T) == ""


@pytest.mark.parametrize("first", ["risk", "posture", "feed", "target"])
def test_woken_when_the_first_witness_falls_silent(first: str) -> None:
    """Rules 3, 5 and 6: whichever it is; what has lapsed already wakes nobody again."""
    gate = opened()
    later = Nanos(T + UNIT)
    for name, message in (("risk", beat()), ("posture", posture()), ("feed", feed()), ("feed", feed("ETH"))):
        if name != first:
            gate.hear(message, later)
    if first == "target":
        gate.hear(target(valid_until=later), T)
    due = later if first == "target" else Nanos(T + 4 * UNIT)
    assert gate.deadline(later if first != "target" else T) == due
    after = gate.deadline(due)
    assert after is not None
    assert after > due


def test_unproven_position() -> None:
    """Rule 2: of this coin alone."""
    gate = opened()
    gate.unproven["BTC"] = "differs"
    assert gate.reason("BTC", T) == "differs"
    assert gate.reason("ETH", T) == ""


@pytest.mark.parametrize(
    ("units", "again", "why"),
    [(4, "posture", "risk is silent"), (4, "risk", "posture unheard"), (4, "both", "feed unheard")],
)
def test_silence_at_the_limit(units: int, again: str, why: str) -> None:
    """Rules 3 and 5: at the limit itself it is too long, a nanosecond before not yet."""
    gate = opened()
    limit = Nanos(T + units * UNIT)
    before = Nanos(limit - 1)
    assert gate.reason("BTC", before) == ""
    assert gate.deadline(before) == limit
    if again in ("posture", "both"):
        gate.hear(posture(), before)
    if again in ("risk", "both"):
        gate.hear(beat(), before)
    assert gate.reason("BTC", limit) == why


def test_only_risk_counts_as_risk() -> None:
    """Rule 3: the canceller's heartbeat says nothing of risk."""
    gate = opened()
    late = Nanos(T + 4 * UNIT)
    gate.hear(beat("canceller"), late)
    assert gate.risk_silent(late)


def test_posture() -> None:
    """Rule 4: PullQuotes closes, of the mesh or of the coin; ReduceOnly lets only reduce-only levels through."""
    gate = opened()
    gate.hear(posture(BTC=PostureLevel.PULL_QUOTES), T)
    assert gate.reason("BTC", T) == "posture PULL_QUOTES"
    assert gate.reason("ETH", T) == ""
    gate.hear(posture(PostureLevel.HALTED, BTC=PostureLevel.WIDEN), T)
    assert gate.reason("BTC", T) == "posture HALTED"
    gate.hear(posture(PostureLevel.REDUCE_ONLY), T)
    assert gate.reason("BTC", T) == ""
    assert gate.levels("BTC", Side.BUY) == ()
    exit_only = level(999_000, reduce_only=True)
    gate.hear(target(bids=(exit_only, level(998_000)), valid_until=Nanos(T + UNIT)), T)
    assert gate.levels("BTC", Side.BUY) == (exit_only,)
    gate.hear(posture(PostureLevel.WIDEN), T)
    assert len(gate.levels("BTC", Side.BUY)) == 2


def test_feed_and_target() -> None:
    """Rules 5 and 6: a stale feed closes with its reason; a target lapses at its moment; strangers are not kept."""
    gate = opened()
    gate.hear(feed(fresh=False), T)
    assert gate.reason("BTC", T) == "feed: stale"
    gate.hear(feed(), T)
    gate.hear(target(valid_until=Nanos(T + 5)), T)
    assert gate.reason("BTC", Nanos(T + 4)) == ""
    assert gate.reason("BTC", Nanos(T + 5)) == "target lapsed"
    gate.hear(feed("DOGE"), T)
    assert set(gate._feeds) == {"BTC", "ETH"}
    gate.hear(replace(target("BTC", valid_until=Nanos(T + 5)), coin="DOGE"), T)
    assert set(gate._targets) == {"BTC", "ETH"}


def test_unheard_posture_is_the_strictest() -> None:
    """Rule 4: until risk has said something, nothing but what reduces is let through."""
    gate = QuoteGate(Liveness(), ("BTC",), unready="")
    exit_only = level(998_000, reduce_only=True)
    gate.hear(target(bids=(level(999_000), exit_only), valid_until=Nanos(T + UNIT)), T)
    assert gate.levels("BTC", Side.BUY) == (exit_only,)
