"""Rules of services/venue_sim/core.py: blocks, their order, and what an action must pass."""

import msgspec

from common.units import Millis
from services.venue_sim.api import (
    ApproveAgent,
    BookChange,
    CancelOrders,
    CancelTarget,
    Noop,
    OracleUpdate,
    OrderEvent,
    PlaceOrders,
    Refused,
    Resting,
    ScheduleCancel,
    Success,
    Tif,
    UsdSend,
)
from services.venue_sim.rules import BATCH_MAX
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, CAROL, ETH, SELL, START_MS, Stage, order

AGENT = "0x" + "a9" * 20
STRANGER = "0x" + "99" * 20


def test_market_inputs_come_first() -> None:
    """Rule 1: an oracle price given after an action holds for that action's block already."""
    stage = Stage()
    stage.place(ALICE, order(BUY, "99000", "0.01"))
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks("101000")))
    stage.block()
    assert stage.info.oracle("BTC") == BTC.ticks("101000")


def test_makers_and_cancels_beat_takers() -> None:
    """Rule 2: Alo orders, then cancels, then takers, however they came."""
    stage = Stage()
    (ask,) = stage.rest(BOB, order(SELL, "100000", "0.01"))
    taker = stage.place(ALICE, order(BUY, "100010", "0.02", Tif.IOC))
    gtc = stage.place(CAROL, order(BUY, "90000", "0.02"))
    cancel = stage.cancel(BOB, ask)
    maker = stage.place(BOB, order(SELL, "100010", "0.01", Tif.ALO))
    noop = stage.ask(CAROL, Noop())
    block = stage.block()
    assert [answer.request_id for answer in block.answers] == [maker, noop, cancel, taker, gtc]
    assert stage.answer(cancel).statuses == (Success(),)
    assert stage.fills(ALICE) == [("buy", "100010.0", "0.01")]


def test_modifies_sort_by_their_new_orders() -> None:
    """Rule 2: a modify to Alo goes with the makers, one to Gtc with the takers."""
    stage = Stage()
    first, second = stage.rest(ALICE, order(BUY, "99000", "0.01"), order(BUY, "98000", "0.01"))
    late = stage.modify(ALICE, first, order(BUY, "97000", "0.01", Tif.GTC))
    early = stage.modify(ALICE, second, order(BUY, "97000", "0.01", Tif.ALO))
    cancel = stage.cancel(BOB, 1)
    assert [answer.request_id for answer in stage.block().answers] == [early, cancel, late]


def test_due_cancels_fire_before_actions() -> None:
    """Rule 3: in the block that reaches the time a taker finds nothing, and orders placed in it survive."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    stage.ask(BOB, ScheduleCancel(Millis(stage.now + 70 + 5_000)))
    stage.block()
    (old,) = stage.info.open_orders(BOB)
    taker = stage.place(ALICE, order(BUY, "100000", "0.01", Tif.IOC))
    stage.place(BOB, order(SELL, "100010", "0.01", Tif.ALO))
    stage.block(5_000)
    assert stage.told(BOB)[0] == (old.oid, "scheduledCancel", "0.01")
    assert isinstance(stage.answer(taker).statuses[0], Refused)
    assert stage.asks() == [("100010.0", "0.01")]


def test_one_block_has_one_time_and_ends_with_book_changes() -> None:
    """A block's events share its time and number; book changes come last, once per coin, with the bbo's change."""
    stage = Stage()
    stage.rest(ALICE, order(BUY, "99000", "0.01"))
    assert stage.last.events[-1] == BookChange(coin="BTC", bbo_changed=True)
    stage.place(ALICE, order(BUY, "98000", "0.01"), order(BUY, "98000", "0.01"))
    stage.place(ALICE, order(BUY, "3900", "0.01", coin=ETH))
    block = stage.block()
    assert block.time_ms == stage.now
    assert {event.time_ms for event in stage.events(OrderEvent)} == {stage.now}
    assert block.events[-2:] == (BookChange(coin="BTC", bbo_changed=False), BookChange(coin="ETH", bbo_changed=True))
    assert stage.block().events == ()


def test_batches_of_two_hundred() -> None:
    """Rule 5: 201 items are refused as a whole, without budget or nonce; 200 pass."""
    stage = Stage()
    cancels = tuple(CancelTarget(coin="BTC", ref=1) for _ in range(BATCH_MAX + 1))
    number = stage.ask(ALICE, CancelOrders(cancels), nonce=START_MS)
    stage.block()
    assert stage.answer(number).error == "Signed action over weight limit of 200."
    assert stage.info.rate_limit(ALICE).used == 0
    number = stage.ask(ALICE, CancelOrders(cancels[:BATCH_MAX]), nonce=START_MS)
    stage.block()
    assert len(stage.answer(number).statuses) == BATCH_MAX
    assert stage.info.rate_limit(ALICE).used == BATCH_MAX


def test_unknown_signers() -> None:
    """Rule 5: an unknown address is named in the refusal, and is not opened by it."""
    stage = Stage()
    number = stage.place(STRANGER, order(BUY, "99000", "0.01"))
    deposit = stage.ask(STRANGER, ApproveAgent(AGENT))
    stage.block()
    assert stage.answer(number).error == f"User or API Wallet {STRANGER} does not exist."
    assert stage.answer(deposit).error == f"Must deposit before performing actions. User: {STRANGER}"
    assert stage.info.role(STRANGER).role == "missing"


def test_agents_sign_for_their_master() -> None:
    """Rule 5: an agent's orders are its master's; what a user must sign it may not."""
    stage = Stage()
    stage.ask(ALICE, ApproveAgent(AGENT, "bot"))
    stage.block()
    stage.place(AGENT, order(BUY, "99000", "0.01"))
    send = stage.ask(AGENT, UsdSend(BOB, BTC.ticks("1")))  # type: ignore[arg-type]  # any amount
    stage.block()
    assert len(stage.info.open_orders(ALICE)) == 1
    assert stage.answer(send).error == f"Must deposit before performing actions. User: {AGENT}"
    assert (stage.info.role(AGENT).role, stage.info.role(AGENT).master) == ("agent", ALICE)


def test_an_address_seen_before_may_become_an_agent() -> None:
    """A query may have opened an account for the agent's address: as long as that never acted, it can be approved."""
    stage = Stage()
    stage.exchange.sight(AGENT)
    number = stage.ask(ALICE, ApproveAgent(AGENT))
    other = stage.ask(CAROL, ApproveAgent(BOB))
    stage.ask(BOB, Noop())
    third = stage.ask(CAROL, ApproveAgent(BOB))
    stage.block()
    assert (stage.answer(number).error, stage.answer(other).error) == ("", "")
    assert stage.answer(third).error == ""
    stage.place(AGENT, order(BUY, "99000", "0.01"))
    stage.block()
    assert len(stage.info.open_orders(ALICE)) == 1


def test_vaults_are_not_registered() -> None:
    """Rule 5: there are no vaults here."""
    stage = Stage()
    number = stage.ask(ALICE, Noop(), vault=STRANGER)
    stage.block()
    assert stage.answer(number).error == f"Vault not registered: {STRANGER}"


def test_a_nonce_is_used_once() -> None:
    """Rule 5: a noop with the nonce of an order in flight kills it when it comes first, and the other way round."""
    stage = Stage()
    taker = stage.ask(ALICE, PlaceOrders((order(BUY, "99000", "0.01"),)), nonce=START_MS + 5)
    noop = stage.ask(ALICE, Noop(), nonce=START_MS + 5)
    maker = stage.ask(ALICE, PlaceOrders((order(BUY, "99000", "0.01", Tif.ALO),)), nonce=START_MS + 6)
    late = stage.ask(ALICE, Noop(), nonce=START_MS + 6)
    stage.block()
    assert stage.answer(noop).ok
    assert stage.answer(taker).error == f"Invalid nonce: duplicate nonce {START_MS + 5}"
    assert isinstance(stage.answer(maker).statuses[0], Resting)
    assert stage.answer(late).error == f"Invalid nonce: duplicate nonce {START_MS + 6}"


def test_rejected_orders_consume_their_nonce() -> None:
    """Rule 5: a refusal of an order is an executed action."""
    stage = Stage()
    number = stage.ask(ALICE, PlaceOrders((order(BUY, "99000", "0.00001"),)), nonce=START_MS)
    stage.block()
    assert isinstance(stage.answer(number).statuses[0], Refused)
    number = stage.ask(ALICE, Noop(), nonce=START_MS)
    stage.block()
    assert "duplicate nonce" in stage.answer(number).error


def test_expired_actions() -> None:
    """Rule 5: past expiresAfter the action is refused and costs five; at that very time it runs."""
    stage = Stage()
    late = stage.ask(ALICE, Noop(), expires_after=stage.now + 69)
    good = stage.ask(ALICE, Noop(), expires_after=stage.now + 70)
    stage.block()
    assert (stage.answer(late).error, stage.answer(good).error) == ("Action already expired", "")
    assert stage.info.rate_limit(ALICE).used == 6


def test_the_budget_counts_items() -> None:
    """Rule 5: a batch of n costs n; a refused action says how many were sent for how much volume."""
    stage = Stage()
    stage.rest(ALICE, order(BUY, "99000", "0.01"), order(BUY, "99000", "0.01"))
    assert stage.info.rate_limit(ALICE).used == 2
    stage.exchange._floor.accounts[ALICE].budget.used = 10_000
    number = stage.place(ALICE, order(BUY, "99000", "0.01"), order(BUY, "99000", "0.01"))
    stage.block()
    assert stage.answer(number).error.startswith(
        "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.00."
    )


def test_equal_inputs_give_equal_bytes() -> None:
    """The core draws no chance: two exchanges that hear the same say the same, byte for byte."""

    def live() -> bytes:
        stage = Stage()
        stage.rest(BOB, order(SELL, "100000", "0.03"), order(SELL, "100010", "0.03"))
        stage.rest(ALICE, order(BUY, "100010", "0.05"))
        first = msgspec.msgpack.encode(stage.last)
        stage.block(3_000)
        return first + msgspec.msgpack.encode((stage.last, stage.info.account(ALICE), stage.info.context("BTC")))

    assert live() == live()
