"""Fee rates that follow from what was traded."""

import msgspec
import pytest

from services.venue_sim import durable
from services.venue_sim.core import Exchange
from services.venue_sim.fee_tiers import DAYS, TIERS, Volumes, rates
from services.venue_sim.notes import FeesNote
from services.venue_sim.other_actions import CreateSubAccount
from services.venue_sim.rules import DAY_MS
from services.venue_sim.views import FeeRates
from tests.services.venue_sim.stage import ALICE, BOB, BUY, CAROL, MARKET, SELL, START_MS, Stage, config, order

USD = 1_000_000


@pytest.mark.parametrize("number", range(1, len(TIERS)))
def test_the_table(number: int) -> None:
    """Rule 1: exactly at a tier's volume the tier before holds, a micro-USD above its own."""
    (_, *before), (above, *own) = TIERS[number - 1], TIERS[number]
    assert rates(above, 0, 10**30) == FeeRates(taker_ppm=before[0], maker_ppm=before[1])
    assert rates(above, 1, 10**30) == FeeRates(taker_ppm=own[0], maker_ppm=own[1])


@pytest.mark.parametrize(("thousandths", "rebate", "less"), [(5, -10, 150), (15, -20, -10), (30, -30, -20)])
def test_rebates(thousandths: int, rebate: int, less: int) -> None:
    """Rule 1: a share of the maker volume above the limit earns the rebate, the limit itself does not."""
    assert rates(0, thousandths, 1_000).maker_ppm == less
    assert rates(0, thousandths + 1, 1_000).maker_ppm == rebate


def test_nobody_traded() -> None:
    """Rule 1: without any volume it is tier 0."""
    assert rates(0, 0, 0) == FeeRates()


def test_fourteen_days_before_today() -> None:
    """Rule 1: today does not count yet, the fifteenth day back no more."""
    volumes = Volumes()
    for day in range(20):
        volumes.add(day, 1, is_maker=False)
        volumes.add(day, 10, is_maker=True)
    assert volumes.before(19) == (DAYS, 10 * DAYS)
    assert volumes.before(20) == (DAYS, 10 * DAYS)
    assert volumes.before(33) == (1, 10)
    assert volumes.before(34) == (0, 0)


def traded(usd: int) -> Stage:
    """Alice takes so much from the market."""
    stage = Stage(config(equity_usd=10_000_000), is_logged=True)
    stage.rest(MARKET, order(SELL, "100000", str(usd // 100_000)))
    stage.rest(ALICE, order(BUY, "100000", str(usd // 100_000)))
    return stage


def test_the_day_ends() -> None:
    """Rules 1 and 3: rates change with the first block of the next UTC day, and only those that must."""
    stage = traded(5_100_000)
    stage.exchange.set_fees(BOB, FeeRates(maker_ppm=1, taker_ppm=2))
    last_ms = (START_MS // DAY_MS + 1) * DAY_MS - 1
    stage.block(last_ms - stage.now)
    assert stage.info.fee_rates(ALICE) == FeeRates()
    assert stage.info.fee_rates(BOB) == FeeRates(maker_ppm=1, taker_ppm=2)
    block = stage.block(1)
    assert [each for each in block.story if isinstance(each, FeesNote)] == [
        FeesNote(user=ALICE, maker_ppm=120, taker_ppm=400),
        FeesNote(user=BOB, maker_ppm=150, taker_ppm=450),
    ]
    assert stage.info.fee_rates(CAROL) == FeeRates()
    stage.rest(MARKET, order(BUY, "100000", "1"))
    stage.rest(ALICE, order(SELL, "100000", "1"))
    assert stage.info.fills(ALICE)[-1].fee == 40 * USD
    stage.block(DAYS * DAY_MS)
    assert stage.info.fee_rates(ALICE) == FeeRates()
    stage.verify()


def test_sub_accounts_count_for_their_master() -> None:
    """Rule 2: the sub-account has its master's tier."""
    stage = traded(5_100_000)
    stage.ask(ALICE, CreateSubAccount("desk"))
    stage.block()
    stage.block(DAY_MS)
    ((sub, _),) = stage.exchange.floor.sub_accounts.of(ALICE)
    assert stage.info.fee_rates(sub) == FeeRates(maker_ppm=120, taker_ppm=400)


def test_volumes_survive() -> None:
    """A venue that was killed, and was down when the day ended, has the rates that it would have had."""
    stage = traded(5_100_000)
    changes = durable.changes(stage.exchange, stage.last, [])
    saved = durable.Saved(venue=changes.venue, agents=None, accounts=changes.accounts, nonces={}, records={}, money={})
    again = Exchange(msgspec.structs.replace(config(), quotes_noted=True), stage.now + DAY_MS)
    durable.restore(again, saved)
    assert again.info.fee_rates(ALICE) == FeeRates()
    again.step(stage.now + DAY_MS)
    assert again.info.fee_rates(ALICE) == FeeRates(maker_ppm=120, taker_ppm=400)
