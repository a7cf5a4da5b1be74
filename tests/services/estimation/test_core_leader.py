"""The leader in estimation's words: one tilt beside its price, and silence when it is over."""

from collections.abc import Iterator

import msgspec

from common.config import Settings
from common.messages import Estimate, LeaderEstimate, LeaderTop
from common.sections import Leader
from services.estimation.core import TILT_STEP_BPS, Estimation, Inbox
from tests.market import ASK, BID, BOOT, SETTINGS, at, top
from tests.script import Script
from tests.services.strategy.facts import FRESH

STALE_S = 1.5
LED = msgspec.structs.replace(
    SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]}, leader=Leader(symbols={"BTC": "btcusdt"}, stale_ms=1_500)
)
STEP = 10  # ticks: a tenth of a bp of 113,000 USD


def price(seconds: float, ticks: float) -> LeaderTop:
    """The leader's mid so many of our ticks above our own first, in dollars of its own."""
    mid = (BID + 5 + ticks) / 10 * 1.0005
    return LeaderTop(coin="BTC", bid=mid - 0.05, ask=mid + 0.05, received_at=at(seconds))


def lesson(seconds: int = 40) -> Iterator[tuple[float, Inbox]]:
    """Every second the leader goes up or down by 20 steps, and we follow 0.2 s later."""
    for second in range(seconds):
        ticks = 20 * STEP * (second % 2)
        yield second, price(second, ticks)
        for part in (0.2, 0.5):
            yield second + part, top(second + part, bid=BID + ticks, ask=ASK + ticks)
        yield second + 0.7, price(second + 0.7, ticks)


def taught(settings: Settings = LED) -> Script[Inbox]:
    """Return one at 40 s that knows its leader; both prices are up."""
    story: Script[Inbox] = Script(Estimation(settings, BOOT))
    story.send(FRESH)
    for seconds, message in lesson():
        story.until(seconds).ignore().send(message)
    return story.until(40).ignore()


def test_a_move_of_the_leader_is_said_at_once() -> None:
    """Rule 9: the same market, its own stamps, and the tilt with the time of its price."""
    story = taught().send(price(40, 40 * STEP))
    (said,) = story.take(Estimate)
    story.expect()
    assert (said.as_of, said.mid_ticks, said.leader_at) == (at(39.5), BID + 5 + 20 * STEP, at(40))
    assert 0.5 < said.leader_tilt_bps <= 2


def test_the_tilt_goes_when_we_have_followed() -> None:
    """Rule 9: one Estimate has the new price and what is left of the tilt, so nobody adds both."""
    story = taught().send(price(40, 40 * STEP))
    tilt = story.take(Estimate)[-1].leader_tilt_bps
    story.at(40.1).send(top(40.1, bid=BID + 40 * STEP, ask=ASK + 40 * STEP))
    said = story.take(Estimate)[0]
    assert said.mid_ticks == BID + 5 + 40 * STEP
    assert abs(said.leader_tilt_bps) < tilt / 4


def test_small_changes_wait() -> None:
    """Rule 9: less than TILT_STEP_BPS is not worth a message, until the last word is half as old as it may be.

    All of it happens before the next step ends, after which more, or less, is believed.
    """
    impatient = msgspec.structs.replace(LED.leader or Leader(symbols={}), stale_ms=900)
    story = taught(msgspec.structs.replace(LED, leader=impatient)).send(price(40, 40 * STEP)).ignore()
    small = 40 * STEP + TILT_STEP_BPS / 2 * STEP  # its share is believed, so the tilt moves by less
    story.at(40.449).send(price(40.449, small)).expect()
    story.at(40.45).send(price(40.45, small))
    assert [said.leader_at for said in story.take(Estimate)] == [at(40.45)]
    story.expect()


def test_a_silent_leader_is_taken_back() -> None:
    """Rule 9: at the moment it is too old; then nothing is due any more, and its next price counts again."""
    story = taught().send(price(40, 40 * STEP)).ignore()
    assert story.actor.deadline() == at(40 + STALE_S)
    story.until(40 + STALE_S)
    (said,) = story.take(Estimate)
    (told,) = story.take(LeaderEstimate)
    story.expect()
    assert (said.leader_tilt_bps, said.leader_at) == (0.0, 0)
    assert (told.tilt_bps, told.warm, told.age_ms) == (0.0, False, 1_500)
    assert story.actor.deadline() is None
    story.at(50).send(price(50, 40 * STEP))
    assert story.take(Estimate)[-1].leader_tilt_bps > 0.5


def test_a_broken_feed_of_ours_ends_it() -> None:
    """There is no price to tilt: nothing is said, nothing is due."""
    story = taught().send(price(40, 40 * STEP)).ignore()
    story.send(msgspec.structs.replace(FRESH, fresh=False, reason="book stale"), price(40.1, 0)).expect()
    assert story.actor.deadline() is None


def test_what_is_said_of_it_each_second() -> None:
    """Samples, confidence, age and what was refused, also while it says nothing."""
    touch = top(40.9, bid=BID + 20 * STEP, ask=ASK + 20 * STEP)
    story = taught().at(41).send(price(41, 20 * STEP), price(39, 0), touch)
    (said,) = story.take(LeaderEstimate)
    story.ignore()
    assert (said.warm, said.refused, said.age_ms) == (True, 1, 0)
    assert said.followed > 0.5
    assert said.effective_samples > 30
    assert 0.7 < said.confidence < 1


def test_without_a_leader_nothing_is_said_of_one() -> None:
    """Not configured, or of another coin."""
    story: Script[Inbox] = Script(Estimation(msgspec.structs.replace(LED, leader=None), BOOT))
    story.send(FRESH, price(1, 0)).expect()
    story.send(top(1))
    assert story.take(LeaderEstimate) == []
    assert story.take(Estimate)[0].leader_tilt_bps == 0
