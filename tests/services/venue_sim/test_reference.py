"""Random actions on the exchange and on a slow reference: same books, fills, positions and money."""

from decimal import Decimal
from typing import TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import Side
from services.venue_sim.api import (
    Action,
    ActionRequest,
    CancelOrders,
    CancelTarget,
    Filled,
    ModifyOrders,
    ModifyTarget,
    OrderSpec,
    PlaceOrders,
    Refused,
    Resting,
    Status,
    Tif,
)
from services.venue_sim.core import Exchange
from services.venue_sim.rules import FEE_ACCOUNT
from tests.services.venue_sim.reference import Item, Reference
from tests.services.venue_sim.stage import ALICE, BLOCK_MS, BOB, BTC, CAROL, START_MS, config

USERS = [ALICE, BOB, CAROL]
EQUITY = Decimal(10_000_000)


class Wish(msgspec.Struct, frozen=True):
    """One random action; cancels and modifies name the order asked for `target` actions earlier."""

    user: str
    kind: str
    side: Side
    price: int
    lots: int
    tif: Tif
    reduce_only: bool
    target: int


Streams: TypeAlias = list[list[Wish]]

WISHES = st.builds(
    Wish,
    user=st.sampled_from([ALICE, ALICE, BOB, BOB, CAROL]),
    kind=st.sampled_from(["place", "place", "place", "cancel", "modify"]),
    side=st.sampled_from([Side.BUY, Side.SELL]),
    price=st.integers(99_996, 100_004),
    lots=st.one_of(st.integers(8, 11), st.integers(8, 11), st.integers(20, 200)),
    tif=st.sampled_from([Tif.ALO, Tif.GTC, Tif.GTC, Tif.IOC]),
    reduce_only=st.sampled_from([False, False, False, True]),
    target=st.integers(0, 8),
)
STREAMS = st.lists(st.lists(WISHES, max_size=6), max_size=25)


def name(number: int) -> str:
    return f"0x{number:032x}"


def spec(wish: Wish, number: int) -> OrderSpec:
    return OrderSpec(
        coin="BTC",
        side=wish.side,
        ticks=BTC.ticks(str(wish.price)),
        lots=BTC.lots(Decimal(wish.lots).scaleb(-5)),
        tif=wish.tif,
        reduce_only=wish.reduce_only,
        cloid=name(number),
    )


def item(wish: Wish, number: int) -> Item:
    size, sign = Decimal(wish.lots).scaleb(-5), wish.side.sign
    return Item(name(number), wish.user, sign, Decimal(wish.price), size, wish.tif.value, wish.reduce_only)


def action(wish: Wish, number: int) -> Action:
    target = name(max(0, number - wish.target))
    if wish.kind == "cancel":
        return CancelOrders((CancelTarget(coin="BTC", ref=target),))
    if wish.kind == "modify":
        return ModifyOrders((ModifyTarget(ref=target, order=spec(wish, number)),))
    return PlaceOrders((spec(wish, number),))


def rank(wish: Wish) -> int:
    """Makers, cancels, takers."""
    return 1 if wish.kind == "cancel" else 0 if wish.tif is Tif.ALO else 2


def word(status: Status) -> str:
    match status:
        case Resting():
            return "resting"
        case Filled():
            return "filled"
        case Refused():
            return status.text
        case _:
            return "success"


def on_reference(reference: Reference, wish: Wish, number: int) -> str:
    target = name(max(0, number - wish.target))
    if wish.kind == "cancel":
        return reference.cancel(wish.user, target)
    if wish.kind == "modify":
        return reference.modify(wish.user, target, item(wish, number))
    return reference.place(item(wish, number))


def live(streams: Streams) -> tuple[Exchange, list[bytes], list[list[tuple[int, Wish, str]]]]:
    """Run the exchange; return it, its blocks as bytes, and who was answered what in which order."""
    exchange = Exchange(msgspec.structs.replace(config(), equity=int(EQUITY * 1_000_000)), START_MS)
    for user in USERS:
        exchange.sight(user)
    blocks, story, number = [], [], 0
    for count, wishes in enumerate(streams):
        asked = {}
        for wish in wishes:
            number += 1
            asked[number] = wish
            request = ActionRequest(
                request_id=number, signer=wish.user, nonce=START_MS + number, action=action(wish, number)
            )
            exchange.submit(request)
        block = exchange.step(START_MS + (count + 1) * BLOCK_MS)
        blocks.append(msgspec.msgpack.encode(block))
        story.append(
            [(each.request_id, asked[each.request_id], word(each.statuses[0])) for each in block.answers],
        )
    return exchange, blocks, story


def retell(streams: Streams) -> tuple[Reference, list[list[tuple[int, Wish, str]]]]:
    reference = Reference(USERS, EQUITY)
    story, number = [], 0
    for wishes in streams:
        numbered = []
        for wish in wishes:
            number += 1
            numbered.append((number, wish))
        numbered.sort(key=lambda pair: rank(pair[1]))
        story.append([(each, wish, on_reference(reference, wish, each)) for each, wish in numbered])
    return reference, story


def compare_money(exchange: Exchange, reference: Reference) -> None:
    for user, purse in reference.purses.items():
        account = exchange._floor.accounts[user]
        fills = [
            (
                each.cloid,
                BTC.price(each.ticks),
                BTC.size(each.lots),
                BTC.size(each.start_position),
                Decimal(each.closed_pnl).scaleb(-6),
                Decimal(each.fee).scaleb(-6),
            )
            for each in exchange.info.fills(user)
        ]
        assert fills == purse.fills
        assert BTC.size(account.lots("BTC")) == purse.position
        assert Decimal(account.holding("BTC").cost).scaleb(-6) == purse.cost
        assert Decimal(account.cash).scaleb(-6) == purse.cash
        ends = {
            record.order.cloid: record.status
            for record in exchange.info.historical_orders(user)
            if record.order.cloid is not None
        }
        for cloid, status in ends.items():
            assert cloid is not None
            assert reference.ends[cloid] == status
    assert Decimal(exchange._floor.accounts[FEE_ACCOUNT].cash).scaleb(-6) == reference.fees
    assert Decimal(exchange.info.total_money()).scaleb(-6) == EQUITY * len(USERS)


def compare_books(exchange: Exchange, reference: Reference) -> None:
    for side in (Side.BUY, Side.SELL):
        queued = [
            (order.cloid, BTC.price(order.ticks), BTC.size(order.lots))
            for queue in exchange._floor.coins["BTC"].book.own(side)
            for order in queue.orders.values()
        ]
        expected = sorted(
            (each for each in reference.resting if each.sign == side.sign), key=lambda each: -each.price * side.sign
        )
        assert queued == [(each.name, each.price, each.size) for each in expected]


@settings(max_examples=400, deadline=None)
@given(streams=STREAMS)
def test_same_as_the_slow_reference(streams: Streams) -> None:
    """Placing, engine, changing and positions, all rules at once: answers, books, fills, statuses, money."""
    exchange, _, told = live(streams)
    reference, expected = retell(streams)
    for block, wanted in zip(told, expected, strict=True):
        for (number, wish, text), (same, _, start) in zip(block, wanted, strict=True):
            assert number == same
            assert text.startswith(start), (wish, text, start)
    compare_books(exchange, reference)
    compare_money(exchange, reference)


@settings(max_examples=50, deadline=None)
@given(streams=STREAMS)
def test_equal_streams_give_equal_bytes(streams: Streams) -> None:
    """The exchange draws no chance: the same stream gives the same blocks, byte for byte."""
    assert live(streams)[1] == live(streams)[1]


@settings(max_examples=100, deadline=None)
@given(streams=STREAMS)
def test_books_are_never_crossed(streams: Streams) -> None:
    """After every stream the best bid is below the best ask, and levels sum their orders."""
    exchange, _, _ = live(streams)
    book = exchange._floor.coins["BTC"].book
    bid, ask = book.bbo()
    assert bid is None or ask is None or bid < ask
    for side in (book.bids, book.asks):
        for queue in side:
            assert queue.lots == sum(order.lots for order in queue.orders.values())
            assert queue.count == len(queue.orders)
