"""Rules of services/venue_sim/margin.py and account_actions.py, with recorded state where it exists."""

from decimal import Decimal

import pytest

from common.units import Micros
from services.venue_sim.api import Action, OracleUpdate, UpdateIsolatedMargin, UpdateLeverage, UsdSend
from services.venue_sim.margin import maintenance, tier_leverage
from services.venue_sim.rules import FEE_ACCOUNT, MarginTier
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, SELL, Stage, order

USD = 1_000_000
TIERS = (MarginTier(Micros(0), 40), MarginTier(Micros(150_000_000 * USD), 20))
STRANGER = "0x" + "99" * 20


def asked(stage: Stage, action: Action) -> str:
    number = stage.ask(ALICE, action)
    stage.block()
    return stage.answer(number).error


def long_one(stage: Stage, size: str = "1") -> None:
    stage.rest(BOB, order(SELL, "100000", size))
    stage.rest(ALICE, order(BUY, "100000", size))


def test_maintenance_of_the_recorded_account() -> None:
    """Rule 3: 377,667 USD of BTC at 40x need 4,720.8375; above a tier's bound its own rate holds for the part above."""
    assert maintenance(377_667 * USD, TIERS) == 4_720_837_500
    bound = 150_000_000 * USD
    assert maintenance(bound + 40 * USD, TIERS) == bound // 80 + 1 * USD
    assert (tier_leverage(bound - 1, TIERS), tier_leverage(bound, TIERS)) == (40, 20)


def test_account_value_and_withdrawable() -> None:
    """Rules 1, 4, 5: raw USD plus position at mark; less initial margin, or a tenth of the notional if that is more."""
    stage = Stage()
    long_one(stage)
    view = stage.info.account(ALICE)
    fee = 45 * USD
    assert (view.total.raw_usd, view.total.account_value) == (-fee, 100_000 * USD - fee)
    assert (view.total.notional, view.total.margin_used) == (100_000 * USD, 5_000 * USD)
    assert view.withdrawable == 90_000 * USD - fee, "a tenth of the notional is more than 1/20"
    assert asked(stage, UpdateLeverage("BTC", is_cross=True, leverage=5)) == ""
    assert stage.info.account(ALICE).withdrawable == 80_000 * USD - fee


def test_orders_reserve_on_the_worse_side() -> None:
    """Rule 2: bids and asks of one coin do not add up, and what only reduces a position is free."""
    stage = Stage()
    long_one(stage)
    margins, account = stage.exchange._floor.margins, stage.exchange._floor.accounts[ALICE]
    assert margins.required(account, "BTC") == 5_000 * USD
    stage.rest(ALICE, order(SELL, "110000", "1"))
    assert margins.required(account, "BTC") == 5_000 * USD
    stage.rest(ALICE, order(SELL, "100000", "1.5"))
    assert margins.required(account, "BTC") == 160_000 * USD // 20
    stage.rest(ALICE, order(BUY, "99000", "1"))
    assert margins.required(account, "BTC") == 199_000 * USD // 20


def test_reducing_is_always_affordable() -> None:
    """Rule 2: an account under water may still place what binds no more margin."""
    stage = Stage()
    long_one(stage)
    account = stage.exchange._floor.accounts[ALICE]
    account.cash -= 97_000 * USD
    assert not stage.exchange._floor.margins.affords(account, "BTC", buying=100 * USD)
    assert stage.exchange._floor.margins.affords(account, "BTC", selling=200_000 * USD)
    assert not stage.exchange._floor.margins.affords(account, "BTC", selling=200_001 * USD)


def test_liquidation_price_of_the_recorded_position() -> None:
    """Rule 3: the recorded isolated ETH position (raw -95.059824, 0.0335, 50x) is liquidated at 2,866.2694."""
    price = Decimal("95.059824") / (Decimal("0.0335") * (1 - Decimal(1) / 100))
    assert price.quantize(Decimal("1e-4")) == Decimal("2866.2694")
    stage = Stage()
    asked(stage, UpdateLeverage("BTC", is_cross=False, leverage=20))
    long_one(stage, "0.1")
    (position,) = stage.info.account(ALICE).positions
    exact = Decimal(9_500) / (Decimal("0.1") * (1 - Decimal(1) / 80))
    assert position.liquidation_price == exact.quantize(Decimal("1e-8"))


def test_an_account_is_liquidated_at_that_price_and_not_before() -> None:
    """Rule 3: a tick above the shown price equity covers maintenance, a tick below it does not."""
    stage = Stage()
    long_one(stage, "19")
    (position,) = stage.info.account(ALICE).positions
    assert position.liquidation_price is not None
    floor = stage.exchange._floor
    ticks = int(position.liquidation_price * 10)
    for mark, short in ((ticks + 1, False), (ticks, True)):
        floor.coins["BTC"].pricing.mark = mark
        sums = floor.margins.sums(floor.accounts[ALICE])
        assert (sums.equity < sums.maintenance) is short


def test_leverage_limits() -> None:
    """account_actions rule 1: 1 to the maximum, margin for less, no switch of mode with a position."""
    stage = Stage()
    assert asked(stage, UpdateLeverage("BTC", is_cross=True, leverage=41)) == "Invalid leverage value."
    assert asked(stage, UpdateLeverage("BTC", is_cross=True, leverage=0)) == "Invalid leverage value."
    assert asked(stage, UpdateLeverage("BTC", is_cross=True, leverage=40)) == ""
    long_one(stage, "10")
    assert asked(stage, UpdateLeverage("BTC", is_cross=False, leverage=40)) == (
        "Cannot switch leverage type with open position."
    )
    assert asked(stage, UpdateLeverage("BTC", is_cross=True, leverage=11)) == ""
    assert asked(stage, UpdateLeverage("BTC", is_cross=True, leverage=10)) == "Insufficient margin to change leverage."
    assert stage.info.active_asset(ALICE, "BTC").leverage.value == 11


def test_isolated_margin_moves_both_ways() -> None:
    """account_actions rule 2: never below the position's initial margin, never from a cross position."""
    stage = Stage()
    assert asked(stage, UpdateIsolatedMargin("BTC", Micros(USD))) == "Position does not use isolated margin."
    asked(stage, UpdateLeverage("BTC", is_cross=False, leverage=10))
    long_one(stage, "0.1")
    assert asked(stage, UpdateIsolatedMargin("BTC", Micros(500 * USD))) == ""
    assert asked(stage, UpdateIsolatedMargin("BTC", Micros(-501 * USD))) == "Insufficient margin."
    assert asked(stage, UpdateIsolatedMargin("BTC", Micros(-500 * USD))) == ""
    assert asked(stage, UpdateIsolatedMargin("BTC", Micros(200_000 * USD))) == "Insufficient margin."


def test_transfers() -> None:
    """account_actions rule 4: what is withdrawable goes to others, who are opened without a gift."""
    stage = Stage()
    money = stage.info.total_money()
    assert asked(stage, UsdSend(STRANGER, Micros(100_000 * USD + 1))) == "Insufficient balance for withdrawal."
    assert asked(stage, UsdSend(STRANGER, Micros(100_000 * USD))) == ""
    assert stage.info.account(STRANGER).withdrawable == 100_000 * USD
    assert [event.micros for event in stage.info.ledger(ALICE)] == [100_000 * USD, -100_000 * USD]
    assert stage.info.total_money() == money
    for destination, micros in ((ALICE, 1), (FEE_ACCOUNT, 1), (BOB, 0)):
        assert asked(stage, UsdSend(destination, Micros(micros))) == "Invalid send"


@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_is_available_can_be_traded(side: str) -> None:
    """The size of activeAssetData at mark passes the margin check, one lot more does not."""
    stage = Stage()
    lots = stage.info.active_asset(ALICE, "BTC").max_lots[side == SELL]
    account = stage.exchange._floor.accounts[ALICE]
    mark = stage.info.mark("BTC")
    for more, fits in ((0, True), (1, False)):
        buying, selling = ((lots + more) * mark, 0) if side == BUY else (0, (lots + more) * mark)
        assert stage.exchange._floor.margins.affords(account, "BTC", buying=buying, selling=selling) is fits


def test_oracle_does_not_move_margin() -> None:
    """Rule 4: positions are valued at mark, which waits for its next update."""
    stage = Stage()
    long_one(stage)
    before = stage.info.account(ALICE).total.account_value
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks("90000")))
    stage.block()
    assert stage.info.account(ALICE).total.account_value == before
