"""The store: one place where orders change, and a bounded memory of those that ended."""

import pytest

from common.actor import Record
from common.messages import OrderState, TransitionRecord
from common.units import Lots, Nanos, Side, Ticks
from services.order_management.lifecycle import Evidence
from services.order_management.order_store import RETIRED_MAX, OrderStore
from services.order_management.tracked_order import TrackedOrder
from tests.services.order_management.parts import cloid, listed, seconds

T = seconds(1)


def sent(sequence: int, side: Side = Side.BUY) -> TrackedOrder:
    return TrackedOrder(
        cloid=cloid(sequence),
        coin="BTC",
        side=side,
        price=Ticks(1_000),
        size=Lots(10),
        state=OrderState.SENT,
        nonce=sequence,
    )


def test_moves_are_recorded_with_their_evidence() -> None:
    """Rule 1: a change of state is a row; the same state again, and refused evidence, are none."""
    store = OrderStore(["BTC"])
    order = sent(1)
    store.add(order)
    store.learn_oid(order, 77)
    (row,) = store.move(order, Evidence.RESTS, "answer resting", T)
    assert row == Record(
        TransitionRecord(cloid=cloid(1), state=OrderState.RESTING, evidence="answer resting", oid=77, nonce=1)
    )
    assert store.move(order, Evidence.RESTS, "openOrders", Nanos(T + 1)) == []
    assert order.state_changed_at == T
    assert store.move(order, Evidence.VETO, "late", T) == []
    assert (store.refused, store.reached) == (1, {"Resting": 1})


def test_exposure_moves_with_the_order() -> None:
    """Rule 2: from the first to the last moment, and of the coin's side alone."""
    store = OrderStore(["BTC"])
    order, other = sent(1), sent(2, Side.SELL)
    store.add(order)
    store.add(other)
    assert store.exposure["BTC"].pending_exposure() == (10, 10)
    order.record_fill_with_price(1, Lots(4), Ticks(1_000))
    store.move(order, Evidence.PART_FILLED, "fill", T)
    assert store.exposure["BTC"].pending_exposure() == (6, 10)
    store.move(order, Evidence.ENDED, "canceled", T)
    assert store.exposure["BTC"].pending_exposure() == (0, 10)
    assert store.side("BTC", Side.BUY) == []
    assert store.of_coin("BTC") == [other]


def test_a_cancel_overtaken_by_its_last_fill_ends() -> None:
    """Rule 2: FilledDuringCancel with nothing left is over, and leaves the open orders."""
    store = OrderStore(["BTC"])
    order = sent(1)
    store.add(order)
    store.move(order, Evidence.CANCEL_ASKED, "requote", T)
    order.record_fill_with_price(1, Lots(10), Ticks(1_000))
    store.move(order, Evidence.FULLY_FILLED, "fill", T)
    assert (order.state, order.cloid in store.open) == (OrderState.FILLED_DURING_CANCEL, False)
    assert store.find(order.cloid, None) is order


def test_retired_are_remembered_for_a_while() -> None:
    """Rule 3: by cloid and by oid, up to the limit; then the oldest is forgotten, its oid too."""
    store = OrderStore(["BTC"])
    for sequence in range(RETIRED_MAX + 1):
        order = sent(sequence)
        store.add(order)
        store.learn_oid(order, sequence)
        store.move(order, Evidence.ENDED, "canceled", T)
    assert len(store.retired) == RETIRED_MAX
    assert store.find(cloid(0), None) is None
    assert store.find(None, 0) is None
    assert len(store._by_oid) == RETIRED_MAX
    assert store.find(None, 1) is store.find(cloid(1), None) is not None
    assert not store.open
    assert not store._sides["BTC", Side.BUY]


def two_sided() -> OrderStore:
    """Bids of 10 at 1,000 and of 5 at 990, an ask of 7 at 1,100, all sent."""
    store = OrderStore(["BTC"])
    for sequence, side, price, size in ((1, Side.BUY, 1_000, 10), (2, Side.BUY, 990, 5), (3, Side.SELL, 1_100, 7)):
        order = sent(sequence, side)
        order.price, order.size = Ticks(price), Lots(size)
        store.add(order)
    return store


def test_pending_exposure_empty() -> None:
    """Nothing open can do nothing."""
    store = OrderStore(["BTC"])
    assert store.pending_exposure() == (0, 0)
    assert store.net_pending_change() == 0
    assert store.worst_case_positions(Lots(3)) == (3, 3)
    assert store.resting_notional() == (0, 0)


def test_pending_exposure_with_orders() -> None:
    """Each side is the sum of its leaves, in every state that may still fill and in no other."""
    assert two_sided().pending_exposure() == (15, 7)
    for state in OrderState:
        store, order = OrderStore(["BTC"]), sent(1)
        order.state = state
        store.add(order)
        assert store.pending_exposure() == (10 if order.may_still_fill else 0, 0), state


def test_pending_exposure_excludes_partial_fills() -> None:
    """What is filled is in the position; what has ended counts nothing."""
    store = two_sided()
    order = store.open[cloid(1)]
    order.record_fill_with_price(1, Lots(6), Ticks(1_000))
    store.move(order, Evidence.PART_FILLED, "fill", T)
    assert store.pending_exposure() == (9, 7)
    order.record_fill_with_price(2, Lots(4), Ticks(1_000))
    store.move(order, Evidence.FULLY_FILLED, "fill", T)
    assert store.pending_exposure() == (5, 7)


def test_net_pending_change() -> None:
    """Bids add, asks take away."""
    assert two_sided().net_pending_change() == 8


def test_worst_case_positions() -> None:
    """(min, max): all of one side and nothing of the other, from a long and from a short."""
    assert two_sided().worst_case_positions(Lots(3)) == (-4, 18)
    assert two_sided().worst_case_positions(Lots(-20)) == (-27, -5)


def test_resting_notional() -> None:
    """Leaves at their own prices, and nothing left over when they are gone."""
    store = two_sided()
    assert store.resting_notional() == (10 * 1_000 + 5 * 990, 7 * 1_100)
    store.move(store.open[cloid(2)], Evidence.ENDED, "canceled", T)
    assert store.resting_notional() == (10_000, 7_700)


def test_several_coins_must_be_named() -> None:
    """Lots of two coins do not add up."""
    store = OrderStore(["BTC", "ETH"])
    store.add(sent(1))
    assert store.pending_exposure("BTC") == (10, 0)
    assert store.pending_exposure("ETH") == (0, 0)
    with pytest.raises(ValueError, match="name one of the coins BTC, ETH"):
        store.pending_exposure()


def test_orders_of_others_are_counted_apart() -> None:
    """They move the position too, and a person wants to know how many there are."""
    store = OrderStore(["BTC"])
    foreign = listed(sent(1), left=4, oid=5)
    assert store.add_foreign(foreign)
    assert not store.add_foreign(foreign)
    assert (store.foreign_count("BTC"), store.pending_exposure()) == (1, (4, 0))
    store.set_foreign([])
    assert (store.foreign_count("BTC"), store.pending_exposure()) == (0, (0, 0))


def test_contradiction_brings_back() -> None:
    """Rule 1: an ended order that is shown again counts again, and what was said of its end is forgotten."""
    store = OrderStore(["BTC"])
    order = sent(1)
    store.add(order)
    order.gone_at, order.gone_filled = T, Lots(0)
    store.move(order, Evidence.ENDED, "canceled", T)
    assert store.move(order, Evidence.GONE, "late", T) == []
    store.move(order, Evidence.CONTRADICTION, "openOrders", T)
    assert (order.state, order.cloid in store.open) == (OrderState.UNKNOWN, True)
    assert order.gone_at is None
    assert store.exposure["BTC"].pending_exposure() == (10, 0)
    assert not store.retired
