"""Rules of services/venue_sim/tape_book.py, one story each."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import FillModel
from common.units import Side
from services.venue_sim.api import ExternalBook, ExternalLevel, ExternalTrade, Filled, Resting, Tif, TradeEvent
from services.venue_sim.rules import TAPE_ACCOUNT
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, SELL, Stage, config, lots, order, refused, size

Shown = tuple[str, str]


def taped(model: FillModel = FillModel.PESSIMISTIC) -> Stage:
    return Stage(msgspec.structs.replace(config(external=True), fill_model=model))


def show(stage: Stage, bids: list[Shown], asks: list[Shown]) -> None:
    sides = [tuple(ExternalLevel(BTC.ticks(price), lots(size)) for price, size in side) for side in (bids, asks)]
    stage.exchange.feed(ExternalBook(coin="BTC", bids=sides[0], asks=sides[1]))
    stage.block()


def trade(stage: Stage, side: Side, price: str, amount: str) -> None:
    stage.exchange.feed(ExternalTrade(coin="BTC", side=side, ticks=BTC.ticks(price), lots=lots(amount)))
    stage.block()


def printed(stage: Stage) -> list[tuple[str, str, bool]]:
    """List (price, size, with one of ours) of the trades in the last block."""
    return [
        (f"{BTC.price(event.ticks):f}", size(event.lots), event.buyer != event.seller)
        for event in stage.events(TradeEvent)
    ]


def test_a_snapshot_replaces_the_last() -> None:
    """Rule 1: what is no longer shown is gone, our own orders stay."""
    stage = taped()
    show(stage, [("99990", "1"), ("99980", "2")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99980", "0.5", Tif.ALO))
    show(stage, [("99970", "3")], [("100020", "1")])
    assert stage.bids() == [("99980.0", "0.5"), ("99970.0", "3")]
    assert stage.asks() == [("100020.0", "1")]


def test_our_takers_consume_the_recording() -> None:
    """Rule 1: foreign size is traded away until the next snapshot shows it again; the tape account is the party."""
    stage = taped()
    show(stage, [], [("100010", "0.5"), ("100020", "0.5")])
    status = stage.one(ALICE, order(BUY, "100020", "0.7", Tif.IOC))
    assert isinstance(status, Filled)
    assert stage.asks() == [("100020.0", "0.3")]
    assert stage.position(TAPE_ACCOUNT) == "-0.7"
    show(stage, [], [("100010", "0.5")])
    assert stage.asks() == [("100010.0", "0.5")]


def test_post_only_sees_the_recording() -> None:
    """Rule 1: foreign quotes are quotes."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    assert "bbo was 99990@100010" in refused(stage.one(ALICE, order(BUY, "100010", "0.1", Tif.ALO)))
    assert isinstance(stage.one(ALICE, order(BUY, "100000", "0.1", Tif.ALO)), Resting)


def test_a_snapshot_through_our_order_fills_it() -> None:
    """Rule 1: asks shown at or below our bid would have met it: filled at our price, for what is shown."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    (oid,) = stage.rest(ALICE, order(BUY, "100000", "0.5", Tif.ALO))
    show(stage, [("99900", "1")], [("99950", "0.2"), ("100000", "0.1"), ("100010", "1")])
    assert stage.fills(ALICE) == [("buy", "100000.0", "0.2"), ("buy", "100000.0", "0.1")]
    assert stage.told(ALICE) == [(oid, "open", "0.3"), (oid, "open", "0.2")]
    assert stage.asks() == [("100010.0", "1")]


def test_the_queue_ahead_is_what_was_shown() -> None:
    """Rule 2: trades at our price eat the 1 BTC ahead of us first; smaller snapshots do not help."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.5", Tif.ALO))
    trade(stage, SELL, "99990", "0.4")
    assert (stage.fills(ALICE), printed(stage)) == ([], [("99990.0", "0.4", False)])
    show(stage, [("99990", "0.1")], [("100010", "1")])
    trade(stage, SELL, "99990", "0.6")
    assert stage.fills(ALICE) == []
    trade(stage, SELL, "99990", "0.2")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.2")]


def test_one_trade_reaches_past_the_queue() -> None:
    """Rules 2, 3: what exceeds the queue is ours, the rest is printed between strangers."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.5", Tif.ALO))
    trade(stage, SELL, "99990", "1.2")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.2")]
    assert printed(stage) == [("99990.0", "0.2", True), ("99990.0", "1", False)]
    trade(stage, SELL, "99990", "9")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.3")]


def test_two_of_ours_at_one_price() -> None:
    """Rule 3: they fill in their own order, each behind the same strangers."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.3", Tif.ALO))
    stage.rest(BOB, order(BUY, "99990", "0.3", Tif.ALO))
    trade(stage, SELL, "99990", "1.4")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.3")]
    assert stage.fills(BOB) == [("buy", "99990.0", "0.1")]


def test_a_better_price_has_no_queue() -> None:
    """Rule 2: inside the spread nobody is ahead; a trade at a worse price reaches us first, for no more than it was."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "100000", "0.5", Tif.ALO))
    trade(stage, SELL, "99990", "0.2")
    assert stage.fills(ALICE) == [("buy", "100000.0", "0.2")]
    assert printed(stage) == [("100000.0", "0.2", True)]
    trade(stage, SELL, "99990", "0.5")
    assert printed(stage) == [("100000.0", "0.3", True), ("99990.0", "0.2", False)]


def test_a_trade_through_foreign_levels_removes_them() -> None:
    """Rule 3: what a trade went through is gone from the book, at its own price it is smaller by the trade."""
    stage = taped()
    show(stage, [("99990", "1"), ("99980", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.5", Tif.ALO))
    trade(stage, SELL, "99980", "0.7")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.5")]
    assert stage.bids() == [("99980.0", "0.8")]


def test_asks_behave_like_bids() -> None:
    """Rules 2, 3 for the other side."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(SELL, "100010", "0.5", Tif.ALO))
    trade(stage, BUY, "100010", "1.1")
    assert stage.fills(ALICE) == [("sell", "100010.0", "0.1")]
    trade(stage, BUY, "100020", "0.1")
    assert stage.fills(ALICE) == [("sell", "100010.0", "0.1")]


def test_money_is_conserved_with_strangers() -> None:
    """The tape account is the counterparty of everything: cash sums to the deposits."""
    stage = taped()
    before = stage.info.total_money()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "100010", "0.5"))
    stage.rest(ALICE, order(SELL, "100020", "0.5", Tif.ALO))
    trade(stage, BUY, "100030", "2")
    assert stage.position(ALICE) == "0"
    assert stage.info.total_money() == before


def test_reduce_only_never_flips_on_the_tape() -> None:
    """A recorded trade larger than all our exits leaves us flat, not short."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "100010", "0.5"))
    stage.rest(ALICE, order(SELL, "100020", "0.3", Tif.ALO), order(SELL, "100030", "0.5", Tif.ALO, reduce_only=True))
    trade(stage, BUY, "100040", "5")
    assert stage.position(ALICE) == "0"
    assert stage.info.open_orders(ALICE) == ()


# --- deeper than what is shown ---------------------------------------------------------------------


def test_an_unseen_queue_is_no_empty_one() -> None:
    """Rule 2: below the last level shown nobody knows who waits: no trade there fills us until a snapshot tells."""
    stage = taped()
    show(stage, [("99990", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99950", "0.5", Tif.ALO))
    trade(stage, SELL, "99950", "9")
    assert stage.fills(ALICE) == []
    show(stage, [("99950", "2"), ("99940", "1")], [("100010", "1")])
    trade(stage, SELL, "99950", "2")
    assert stage.fills(ALICE) == []
    trade(stage, SELL, "99950", "0.1")
    assert stage.fills(ALICE) == [("buy", "99950.0", "0.1")]


# --- the other models ------------------------------------------------------------------------------


def test_trade_through_waits_for_a_worse_price() -> None:
    """Neither trades at our price nor a snapshot across it fill us; a trade beyond it does, for what it traded."""
    stage = taped(FillModel.TRADE_THROUGH)
    show(stage, [("99980", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.5", Tif.ALO))
    trade(stage, SELL, "99990", "3")
    show(stage, [("99970", "1")], [("99985", "0.2"), ("100010", "1")])
    assert stage.fills(ALICE) == []
    assert stage.asks() == [("100010.0", "1")]
    trade(stage, SELL, "99980", "0.2")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.2")]


def test_probabilistic_shares_what_vanishes() -> None:
    """Of 4 ahead of us and 4 behind us 2 leave without a trade: one of them was ahead; with nothing shown, all."""
    stage = taped(FillModel.PROBABILISTIC)
    show(stage, [("99990", "4"), ("99980", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.5", Tif.ALO))
    show(stage, [("99990", "8"), ("99980", "1")], [("100010", "1")])
    show(stage, [("99990", "6"), ("99980", "1")], [("100010", "1")])
    trade(stage, SELL, "99990", "3")
    assert stage.fills(ALICE) == []
    show(stage, [("99990", "3"), ("99980", "1")], [("100010", "1")])
    trade(stage, SELL, "99990", "0.1")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.1")]


def test_probabilistic_never_has_more_ahead_than_is_shown() -> None:
    """A price that is shown empty has nobody ahead of us any more."""
    stage = taped(FillModel.PROBABILISTIC)
    show(stage, [("99990", "4"), ("99980", "1")], [("100010", "1")])
    stage.rest(ALICE, order(BUY, "99990", "0.5", Tif.ALO))
    show(stage, [("99980", "1")], [("100010", "1")])
    trade(stage, SELL, "99990", "0.1")
    assert stage.fills(ALICE) == [("buy", "99990.0", "0.1")]


SHOWN = st.tuples(
    st.integers(99_995, 100_005), *(st.lists(st.integers(0, 3), min_size=4, max_size=4) for _ in range(2))
)


def sized(middle: int, sizes: list[int], step: int) -> list[Shown]:
    return [(str(middle + step * (at + 1)), f"0.{lots}") for at, lots in enumerate(sizes) if lots]


@given(
    st.lists(st.tuples(SHOWN, st.none() | st.tuples(st.sampled_from(Side), st.integers(99_990, 100_010))), max_size=12)
)
@settings(max_examples=60, deadline=None)
def test_the_book_is_what_is_shown_and_ours_behind_it(
    story: list[tuple[tuple[int, list[int], list[int]], tuple[Side, int] | None]],
) -> None:
    """Rule 1, whatever was shown before: no level of an older snapshot is left, none is counted twice."""
    stage = taped()
    for (middle, below, above), ours in story:
        bids, asks = sized(middle, below, -1), sized(middle, above, 1)
        show(stage, bids, asks)
        book = stage.exchange.floor.coins["BTC"].book
        for side, shown in ((book.bids, bids), (book.asks, asks)):
            strange: dict[int, int] = {}
            for queue in side:
                first, *behind = queue.orders.values()
                assert queue.lots == sum(order.lots for order in queue.orders.values())
                assert queue.count == len(queue.orders)
                assert all(order.account.user == ALICE for order in behind)
                if first.account.user == TAPE_ACCOUNT:
                    strange[first.ticks] = first.lots
            if not printed(stage):  # otherwise some of it met us
                assert strange == {BTC.ticks(price): lots(amount) for price, amount in shown}
        if ours is not None:
            stage.now_place(ALICE, order(ours[0], str(ours[1]), "0.05", Tif.ALO))


MODELS = (FillModel.TRADE_THROUGH, FillModel.PESSIMISTIC, FillModel.PROBABILISTIC)
PRICES = st.integers(99_990, 100_009)
TRADES = st.tuples(st.sampled_from(Side), PRICES, st.integers(1, 9))
SNAPSHOTS = st.tuples(st.integers(99_991, 100_008), st.lists(st.integers(0, 9), min_size=4, max_size=4))


@given(st.sampled_from(Side), PRICES, st.lists(st.one_of(TRADES, SNAPSHOTS), max_size=25))
@settings(max_examples=60, deadline=None)
def test_each_model_fills_at_least_what_the_stricter_one_does(
    side: Side, price: int, story: list[tuple[Side, int, int] | tuple[int, list[int]]]
) -> None:
    """One order on any tape: at every moment trade_through <= pessimistic <= probabilistic."""
    stages = [taped(model) for model in MODELS]
    for stage in stages:
        show(stage, [("99985", "3"), ("99980", "1")], [("100015", "3"), ("100020", "1")])
        stage.rest(ALICE, order(side, str(price), "2", Tif.GTC))
    for event in story:
        for stage in stages:
            if len(event) == 3:
                trade(stage, event[0], str(event[1]), f"0.{event[2]}")
            else:
                middle, sizes = event
                bids, asks = (
                    [
                        (str(middle - sign * step), f"0.{size}")
                        for step, size in ((1, sizes[at]), (2, sizes[at + 1]))
                        if size
                    ]
                    for sign, at in ((1, 0), (-1, 2))
                )
                show(stage, bids, asks)
        held = [abs(stage.info.position(ALICE, "BTC")) for stage in stages]
        assert held == sorted(held)
