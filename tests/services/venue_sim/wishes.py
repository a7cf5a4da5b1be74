"""Random actions of all types, as the exchange takes them and as the slow reference does."""

from decimal import Decimal
from random import Random
from typing import Final

import msgspec
from hypothesis import strategies as st

from common.units import Micros, Millis, Side
from services.venue_sim.api import (
    Action,
    CancelOrders,
    CancelTarget,
    Grouping,
    ModifyOrders,
    ModifyTarget,
    OrderSpec,
    PlaceOrders,
    ScheduleCancel,
    Tif,
    Tpsl,
    Trigger,
    UpdateIsolatedMargin,
    UpdateLeverage,
    UsdSend,
)
from tests.services.venue_sim.reference import Item
from tests.services.venue_sim.reference_venue import ReferenceVenue
from tests.services.venue_sim.stage import ALICE, BOB, BTC, CAROL

PARTS: Final = 3  # orders of one action at most


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One random action; cancels and modifies name an order asked for `target` actions earlier."""

    user: str
    kind: str
    side: Side
    price: int
    lots: int
    tif: Tif
    reduce_only: bool
    target: int
    part: int
    always: bool
    exits: tuple[tuple[int, bool, bool], ...]  # (price, is stop-loss, is market)
    leverage: int
    is_cross: bool
    cents: int
    ahead_ms: int | None


KINDS: Final = (
    *("place",) * 12,
    *("cancel", "cancel", "modify", "modify", "stop", "stop", "exits", "bracket", "bracket"),
    *("leverage", "leverage", "margin", "schedule", "send"),
)
PRICES: Final = st.sampled_from([*range(99_700, 100_301, 100), *range(98_000, 102_001, 1_000)])
WISHES: Final = st.builds(
    Wish,
    user=st.sampled_from([ALICE, ALICE, BOB, BOB, CAROL]),
    kind=st.sampled_from(KINDS),
    side=st.sampled_from([Side.BUY, Side.SELL]),
    price=PRICES,
    lots=st.sampled_from([9, 10, 11, 100, 1_000, 3_000, 10_000, 30_000, 80_000]),
    tif=st.sampled_from([Tif.ALO, Tif.GTC, Tif.GTC, Tif.IOC]),
    reduce_only=st.sampled_from([False, False, False, True]),
    target=st.integers(0, 8),
    part=st.sampled_from([0, 0, 0, 1, 2]),
    always=st.booleans(),
    exits=st.lists(st.tuples(PRICES, st.booleans(), st.booleans()), min_size=1, max_size=2).map(tuple),
    leverage=st.sampled_from([0, 3, 10, 40, 40, 41]),
    is_cross=st.sampled_from([True, True, False]),
    cents=st.integers(-200_000, 400_000),
    ahead_ms=st.sampled_from([None, 4_999, 5_000, 5_001, 20_000]),
)


class BlockOfWishes(msgspec.Struct, frozen=True):
    """What happens in one block, which is this much later than the last; an oracle price where it moves."""

    wishes: list[Wish]
    oracle: int | None
    pause_ms: int


ORACLES: Final = st.sampled_from([None, None, 94_000, 97_000, 99_000, 100_000, 101_000, 103_000, 107_000])
# Twenty pauses end before midnight: what changes then has tests of its own (test_fee_tiers.py).
BLOCKS: Final = st.lists(
    st.builds(
        BlockOfWishes,
        wishes=st.lists(WISHES, max_size=6),
        oracle=ORACLES,
        pause_ms=st.sampled_from([70, 70, 70, 3_000, 3_000, 31_000, 300_000]),
    ),
    max_size=20,
)


def random_block(chance: Random, oracle: int) -> BlockOfWishes:
    """Return a block around this oracle price, for long lives that hypothesis does not reach."""

    def price() -> int:
        steps: int = chance.choice((*range(-4, 5), -15, 15))
        return 100 * (oracle // 100 + steps)

    wishes = [
        Wish(
            user=chance.choice((ALICE, ALICE, BOB, BOB, CAROL)),
            kind=chance.choice(KINDS),
            side=chance.choice((Side.BUY, Side.SELL)),
            price=price(),
            lots=chance.choice((9, 11, 100, 1_000, 10_000, 30_000, 80_000)),
            tif=chance.choice((Tif.ALO, Tif.GTC, Tif.GTC, Tif.IOC)),
            reduce_only=chance.random() < 0.2,
            target=chance.randrange(12),
            part=chance.choice((0, 0, 0, 1, 2)),
            always=chance.random() < 0.5,
            exits=tuple((price(), chance.random() < 0.5, chance.random() < 0.5) for _ in range(chance.choice((1, 2)))),
            leverage=chance.choice((3, 10, 40, 40, 40, 41)),
            is_cross=chance.random() < 0.7,
            cents=chance.randrange(-50_000, 100_000),
            ahead_ms=chance.choice((None, 4_999, 5_000, 20_000)),
        )
        for _ in range(chance.randrange(7))
    ]
    pause_ms = chance.choice((70, 70, 70, 3_000, 3_000, 31_000))
    return BlockOfWishes(wishes=wishes, oracle=oracle, pause_ms=pause_ms)


def name(number: int, part: int = 0) -> str:
    return f"0x{number * PARTS + part:032x}"


def rank(wish: Wish) -> int:
    """Makers and what is no order, cancels, takers."""
    if wish.kind == "cancel":
        return 1
    return 2 if wish.kind in {"place", "modify", "bracket"} and wish.tif is not Tif.ALO else 0


# --- for the exchange ------------------------------------------------------------------------------


def _spec(wish: Wish, number: int) -> OrderSpec:
    return OrderSpec(
        coin="BTC",
        side=wish.side,
        ticks=BTC.ticks(str(wish.price)),
        lots=BTC.lots(Decimal(wish.lots).scaleb(-5)),
        tif=wish.tif,
        reduce_only=wish.reduce_only,
        cloid=name(number),
    )


def _exit_specs(wish: Wish, number: int, side: Side, lots: int, first_part: int) -> tuple[OrderSpec, ...]:
    return tuple(
        OrderSpec(
            coin="BTC",
            side=side,
            ticks=BTC.ticks(str(price)),
            lots=BTC.lots(Decimal(lots).scaleb(-5)),
            tif=Tif.GTC,
            reduce_only=True,
            cloid=name(number, first_part + part),
            trigger=Trigger(
                ticks=BTC.ticks(str(price)),
                is_market=is_market,
                tpsl=Tpsl.STOP_LOSS if is_stop else Tpsl.TAKE_PROFIT,
            ),
        )
        for part, (price, is_stop, is_market) in enumerate(wish.exits)
    )


def _place_action(wish: Wish, number: int) -> Action:
    match wish.kind:
        case "stop":
            return PlaceOrders(_exit_specs(wish, number, wish.side, wish.lots, 0)[:1])
        case "exits":
            lots = 0 if wish.always else wish.lots
            return PlaceOrders(_exit_specs(wish, number, wish.side, lots, 0), Grouping.POSITION_TPSL)
        case "bracket":
            exits = _exit_specs(wish, number, wish.side.opposite, wish.lots, 1)
            return PlaceOrders((_spec(wish, number), *exits), Grouping.NORMAL_TPSL)
        case _:
            return PlaceOrders((_spec(wish, number),))


def action(wish: Wish, number: int, now_ms: int) -> Action:
    target = name(max(0, number - wish.target), wish.part)
    match wish.kind:
        case "cancel":
            return CancelOrders((CancelTarget(coin="BTC", ref=target),))
        case "modify":
            return ModifyOrders((ModifyTarget(ref=target, order=_spec(wish, number)),), always_place=wish.always)
        case "leverage":
            return UpdateLeverage("BTC", is_cross=wish.is_cross, leverage=wish.leverage)
        case "margin":
            return UpdateIsolatedMargin("BTC", Micros(wish.cents * 10_000))
        case "schedule":
            return ScheduleCancel(None if wish.ahead_ms is None else Millis(now_ms + wish.ahead_ms))
        case "send":
            return UsdSend(BOB, Micros(max(1, wish.cents) * 10_000))
        case _:
            return _place_action(wish, number)


# --- for the reference -----------------------------------------------------------------------------


def _item(wish: Wish, number: int) -> Item:
    size = Decimal(wish.lots).scaleb(-5)
    price = Decimal(wish.price)
    return Item(name(number), wish.user, wish.side.sign, price, size, wish.tif.value, wish.reduce_only)


def _exit_items(wish: Wish, number: int, sign: int, lots: int, first_part: int) -> list[Item]:
    return [
        Item(
            name(number, first_part + part),
            wish.user,
            sign,
            Decimal(price),
            Decimal(lots).scaleb(-5),
            "Gtc",
            reduce_only=True,
            trigger=Decimal(price),
            is_stop=is_stop,
            is_market=is_market,
        )
        for part, (price, is_stop, is_market) in enumerate(wish.exits)
    ]


def _place(reference: ReferenceVenue, wish: Wish, number: int) -> list[str]:
    sign = wish.side.sign
    match wish.kind:
        case "stop":
            return [reference.place(_exit_items(wish, number, sign, wish.lots, 0)[0])]
        case "exits":
            return reference.place_exits(_exit_items(wish, number, sign, 0 if wish.always else wish.lots, 0))
        case "bracket":
            return reference.place_bracket(_item(wish, number), _exit_items(wish, number, -sign, wish.lots, 1))
        case _:
            return [reference.place(_item(wish, number))]


def tell(reference: ReferenceVenue, wish: Wish, number: int) -> list[str]:
    """Have the reference do it; return how each answer begins."""
    target = name(max(0, number - wish.target), wish.part)
    usd = Decimal(wish.cents).scaleb(-2)
    match wish.kind:
        case "cancel":
            return [reference.cancel(wish.user, target)]
        case "modify":
            return [reference.modify(wish.user, target, _item(wish, number), always=wish.always)]
        case "leverage":
            return [reference.set_leverage(wish.user, wish.leverage, is_cross=wish.is_cross)]
        case "margin":
            return [reference.move_margin(wish.user, usd)]
        case "schedule":
            at_ms = None if wish.ahead_ms is None else reference.now_ms + wish.ahead_ms
            return [reference.schedule(wish.user, at_ms)]
        case "send":
            return [reference.send(wish.user, BOB, max(Decimal("0.01"), usd))]
        case _:
            return _place(reference, wish, number)
