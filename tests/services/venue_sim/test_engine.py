"""Rules of services/venue_sim/engine.py and positions.py, one story each."""

from hypothesis import given
from hypothesis import strategies as st

from services.venue_sim.api import FillEvent, TradeEvent, UpdateLeverage
from services.venue_sim.engine import fee_of, trade_id
from services.venue_sim.positions import direction, divide_half_even
from services.venue_sim.rules import FEE_ACCOUNT
from services.venue_sim.views import FeeRates
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, CAROL, SELL, Stage, config, order


def test_price_then_time() -> None:
    """Rule 1: best price first, then oldest first, at the maker's price."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100010", "0.01"))
    stage.rest(CAROL, order(SELL, "100000", "0.01"))
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    stage.rest(ALICE, order(BUY, "100010", "0.025"))
    assert stage.fills(ALICE) == [
        ("buy", "100000.0", "0.01"),
        ("buy", "100000.0", "0.01"),
        ("buy", "100010.0", "0.005"),
    ]
    assert [event.seller for event in stage.events(TradeEvent)] == [CAROL, BOB, BOB]
    assert stage.asks() == [("100010.0", "0.005")]


def test_partial_fill_repeats_open() -> None:
    """Rule 1: a maker filled in part stays in its place and says open with what remains."""
    stage = Stage()
    (first,) = stage.rest(BOB, order(SELL, "100000", "0.03"))
    (second,) = stage.rest(BOB, order(SELL, "100000", "0.03"))
    stage.rest(ALICE, order(BUY, "100000", "0.01"))
    assert stage.told(BOB) == [(first, "open", "0.02")]
    stage.rest(ALICE, order(BUY, "100000", "0.03"))
    assert stage.told(BOB) == [(first, "filled", "0"), (second, "open", "0.02")]


def test_self_trade_expires_the_maker() -> None:
    """Rule 2: one's own resting order goes whole, nothing is printed, the taker goes on to the next."""
    stage = Stage()
    (mine,) = stage.rest(ALICE, order(SELL, "100000", "0.05"))
    stage.rest(BOB, order(SELL, "100010", "0.01"))
    (taker,) = stage.rest(ALICE, order(BUY, "100010", "0.01"))
    assert stage.told(ALICE) == [(mine, "selfTradeCanceled", "0.05"), (taker, "filled", "0")]
    assert stage.fills(ALICE) == [("buy", "100010.0", "0.01")]
    assert len(stage.events(TradeEvent)) == 1


def test_maker_without_margin_expires() -> None:
    """Rule 3: a maker that lost its margin since placement is marginCanceled at the match."""
    stage = Stage(config(equity_usd=1_000))
    (resting,) = stage.rest(BOB, order(SELL, "100000", "0.19"))
    stage.exchange._floor.accounts[BOB].cash -= 100 * 1_000_000
    stage.now_place(ALICE, order(BUY, "100000", "0.19"))
    assert stage.told(BOB) == [(resting, "marginCanceled", "0.19")]
    assert stage.position(ALICE) == "0"


def test_fees_are_cut_to_the_micro_dollar() -> None:
    """Rule 4: the recorded fill of 0.001 BTC at 66,653 paid 0.009997, which is 0.00999795 cut, as a maker."""
    assert fee_of(66_653_000, 150) == 9_997
    assert fee_of(66_653_000, -10) == -666
    assert fee_of(66_653_000, 450) == 29_993


def test_fees_go_to_the_fee_account() -> None:
    """Rule 4: maker and taker pay by their own tier; a rebate comes out of the fee account."""
    stage = Stage()
    stage.exchange.set_fees(BOB, FeeRates(maker_ppm=-30, taker_ppm=240))
    before = stage.info.total_money()
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    stage.rest(ALICE, order(BUY, "100000", "0.01"))
    assert [(event.user, event.fee, event.crossed) for event in stage.events(FillEvent)] == [
        (BOB, -30_000, False),
        (ALICE, 450_000, True),
    ]
    assert stage.exchange._floor.accounts[FEE_ACCOUNT].cash == 420_000
    assert stage.info.total_money() == before


def test_reduce_only_follows_the_position() -> None:
    """Rule 5: it shrinks with the position, and is cancelled in the block that closes it, without nonUserCancel."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.03"))
    stage.rest(ALICE, order(BUY, "100000", "0.03"))
    (exit_oid,) = stage.rest(ALICE, order(SELL, "101000", "0.03", reduce_only=True))
    stage.rest(BOB, order(BUY, "99000", "0.03"))
    (first,) = stage.rest(ALICE, order(SELL, "99000", "0.01"))
    assert stage.told(ALICE) == [(exit_oid, "open", "0.02"), (first, "filled", "0")]
    (second,) = stage.rest(ALICE, order(SELL, "99000", "0.02"))
    assert stage.told(ALICE) == [(exit_oid, "reduceOnlyCanceled", "0.02"), (second, "filled", "0")]
    assert stage.asks() == []


def test_two_reduce_only_orders_beyond_the_position() -> None:
    """Rule 5: of two that exceed the position together the older is cancelled."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.03"))
    stage.rest(ALICE, order(BUY, "100000", "0.03"))
    (older,) = stage.rest(ALICE, order(SELL, "101000", "0.02", reduce_only=True))
    (newer,) = stage.rest(ALICE, order(SELL, "102000", "0.02", reduce_only=True))
    assert (older, "reduceOnlyCanceled", "0.02") in stage.told(ALICE)
    assert [view.oid for view in stage.info.open_orders(ALICE)] == [newer]


def test_reduce_only_never_flips_in_a_sweep() -> None:
    """Rule 5: a taker that hits two reduce-only makers of one account cannot turn its position around."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.03"))
    stage.rest(ALICE, order(BUY, "100000", "0.03"))
    stage.rest(ALICE, order(SELL, "101000", "0.03", reduce_only=True), order(SELL, "101100", "0.01"))
    stage.rest(BOB, order(BUY, "101100", "0.1"))
    assert stage.position(ALICE) == "-0.01"


def test_fill_words() -> None:
    """Start position, direction, closed profit and crossed tell the story of each fill."""
    stage = Stage()
    story = []
    for side, size in ((SELL, "0.02"), (BUY, "0.03"), (SELL, "0.01")):
        stage.rest(BOB, order(side.opposite, "100000" if side is SELL else "100100", size))
        stage.rest(ALICE, order(side, "100000" if side is SELL else "100100", size))
        story += [
            (event.start_position, event.direction, event.closed_pnl, event.crossed)
            for event in stage.events(FillEvent)
            if event.user == ALICE
        ]
    assert story == [
        (0, "Open Short", 0, True),
        (-2000, "Short > Long", -2_000_000, True),
        (1000, "Close Long", -1_000_000, True),
    ]


@given(start=st.integers(-5, 5), delta=st.integers(-5, 5).filter(bool))
def test_direction_words(start: int, delta: int) -> None:
    """The word for a trade: opens away from zero, closes up to zero, flips across it."""
    word = direction(start, delta)
    after = start + delta
    if start == 0 or (start > 0) == (delta > 0):
        assert word == ("Open Long" if after > 0 else "Open Short")
    elif after == 0 or (after > 0) == (start > 0):
        assert word == ("Close Long" if start > 0 else "Close Short")
    else:
        assert word == ("Long > Short" if start > 0 else "Short > Long")


@given(numerator=st.integers(-(10**20), 10**20), denominator=st.integers(1, 10**9))
def test_half_even_division(numerator: int, denominator: int) -> None:
    """Positions rule 2: rounding is half-even, so it has no drift."""
    quotient = divide_half_even(numerator, denominator)
    error = 2 * abs(numerator - quotient * denominator)
    assert error < denominator or (error == denominator and quotient % 2 == 0)


def test_isolated_position_has_its_own_cash() -> None:
    """Positions rule 3: initial margin moves in as it opens, its equity returns as it closes."""
    stage = Stage()
    stage.ask(ALICE, UpdateLeverage("BTC", is_cross=False, leverage=10))
    stage.rest(BOB, order(SELL, "100000", "0.1"))
    stage.rest(ALICE, order(BUY, "100000", "0.1"))
    view = stage.info.account(ALICE)
    (position,) = view.positions
    assert (position.isolated_raw, position.margin_used) == (-9_000_000_000, 1_000_000_000)
    assert view.cross.account_value == 100_000_000_000 - 1_000_000_000 - 4_500_000
    stage.rest(BOB, order(BUY, "99000", "0.1"))
    stage.rest(ALICE, order(SELL, "99000", "0.05"))
    (position,) = stage.info.account(ALICE).positions
    assert position.isolated_raw == -4_500_000_000, "half of 900 USD of equity at 99,000 stays: 450 - 4,950"
    stage.rest(ALICE, order(SELL, "99000", "0.05"))
    expected = 100_000_000_000 - 100_000_000 - 4_500_000 - 2 * 2_227_500
    assert stage.info.account(ALICE).cross.account_value == expected
    assert stage.exchange._floor.accounts[ALICE].holdings["BTC"].cash == 0


def test_trade_ids_have_fifty_bits_and_two_parties() -> None:
    """Both fills and the print share one tid of 50 bits."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    stage.rest(ALICE, order(BUY, "100000", "0.01"))
    tids = {event.tid for event in stage.last.events if isinstance(event, FillEvent | TradeEvent)}
    assert len(tids) == 1
    assert all(0 <= tid < 2**50 for tid in tids)
    seen = {trade_id(buyer, seller) for buyer in range(100) for seller in range(100)}
    assert len(seen) == 10_000


def test_open_interest_counts_longs() -> None:
    """Open interest is what all accounts hold long."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.03"))
    stage.rest(ALICE, order(BUY, "100000", "0.03"))
    assert stage.info.context("BTC").open_interest == BTC.lots("0.03")
    stage.rest(CAROL, order(SELL, "100000", "0.01"))
    stage.rest(BOB, order(BUY, "100000", "0.01"))
    assert stage.info.context("BTC").open_interest == BTC.lots("0.03")
    stage.rest(ALICE, order(SELL, "100000", "0.02"))
    stage.rest(BOB, order(BUY, "100000", "0.02"))
    assert stage.info.context("BTC").open_interest == BTC.lots("0.01")
