"""Everything at once, at random: the exchange's books agree with each other and with its log."""

from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import Micros, Millis, Side
from services.venue_sim.account import Account
from services.venue_sim.api import (
    Action,
    CancelOrders,
    CancelTarget,
    ExternalBook,
    ExternalLevel,
    ExternalTrade,
    FillEvent,
    Grouping,
    MarketInput,
    ModifyOrders,
    ModifyTarget,
    OracleUpdate,
    OrderEvent,
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
from services.venue_sim.floor import Coin
from tests.services.venue_sim.stage import ALICE, BOB, BTC, CAROL, MARKET, START_MS, Stage, config, order

SIDES = st.sampled_from([Side.BUY, Side.SELL])
PRICES = st.integers(99_000, 101_000).map(lambda usd: usd // 50 * 50)
SIZES = st.integers(1, 60_000).map(lambda lots: str(Decimal(lots).scaleb(-5)))
OIDS = st.integers(100_000_001, 100_000_060)


@st.composite
def orders(draw: st.DrawFn) -> OrderSpec:
    price = draw(PRICES)
    side = draw(SIDES)
    trigger = None
    if draw(st.integers(0, 4)) == 0:
        at = BTC.ticks(str(price + draw(st.integers(-20, 20)) * 50))
        trigger = Trigger(ticks=at, is_market=draw(st.booleans()), tpsl=draw(st.sampled_from(Tpsl)))
    tif = draw(st.sampled_from([Tif.ALO, Tif.IOC, Tif.GTC]))
    reduce_only = trigger is not None or draw(st.integers(0, 2)) == 0
    return order(side, str(price), draw(SIZES), tif, reduce_only=reduce_only, trigger=trigger)


ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(PlaceOrders, st.lists(orders(), min_size=1, max_size=3).map(tuple), st.sampled_from(Grouping)),
    st.builds(PlaceOrders, st.lists(orders(), min_size=1, max_size=4).map(tuple)),
    OIDS.map(lambda oid: CancelOrders((CancelTarget(coin="BTC", ref=oid),))),
    st.builds(
        lambda oid, new, always: ModifyOrders((ModifyTarget(ref=oid, order=new),), always_place=always),
        OIDS,
        orders(),
        st.booleans(),
    ),
    st.builds(UpdateLeverage, coin=st.just("BTC"), is_cross=st.booleans(), leverage=st.sampled_from([5, 20, 40])),
    st.builds(UpdateIsolatedMargin, st.just("BTC"), st.integers(-(10**9), 10**9).map(Micros)),
    st.builds(UsdSend, st.sampled_from([ALICE, BOB]), st.integers(1, 10**9).map(Micros)),
    st.integers(0, 20_000).map(lambda ahead: ScheduleCancel(Millis(START_MS + ahead))),
)


def levels(prices: list[int], away: int) -> tuple[ExternalLevel, ...]:
    shown = sorted({price + away for price in prices})
    return tuple(ExternalLevel(BTC.ticks(str(price)), BTC.lots("0.2"), 2) for price in shown)


INPUTS: st.SearchStrategy[MarketInput] = st.one_of(
    st.builds(OracleUpdate, st.just("BTC"), st.integers(97_000, 103_000).map(lambda usd: BTC.ticks(str(usd)))),
    st.builds(
        lambda middle: ExternalBook("BTC", levels([middle - 50, middle - 100], 0), levels([middle, middle], 50)),
        PRICES,
    ),
    st.builds(ExternalTrade, st.just("BTC"), SIDES, PRICES.map(lambda usd: BTC.ticks(str(usd))), SIZES.map(BTC.lots)),
)
STEPS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from([ALICE, BOB, CAROL, MARKET]), ACTIONS), max_size=5),
        st.lists(INPUTS, max_size=2),
        st.sampled_from([70, 70, 70, 3_000, 3_600_000]),
    ),
    max_size=15,
)


def check_book(coin: Coin) -> None:
    bid, ask = coin.book.bbo()
    assert bid is None or ask is None or bid < ask, "crossed"
    for side in (coin.book.bids, coin.book.asks):
        for queue in side:
            resting = queue.orders.values()
            assert queue.lots == sum(each.lots for each in resting)
            assert queue.count == sum(each.weight for each in resting)
            assert all(each.lots > 0 and each.is_resting and each.ticks == queue.ticks for each in resting)


def check_account(account: Account) -> None:
    coin = account.coins.get("BTC")
    resting = [each for each in account.orders.values() if each.is_resting]
    plain = [each for each in resting if not each.reduce_only]
    exits = [each for each in resting if each.reduce_only]
    if coin is not None and not account.internal:
        assert coin.buy_notional == sum(each.ticks * each.lots for each in plain if each.side is Side.BUY)
        assert coin.sell_notional == sum(each.ticks * each.lots for each in plain if each.side is Side.SELL)
    held = account.lots("BTC")
    assert sum(each.lots for each in exits) <= abs(held), "exits beyond the position"
    assert all(each.side.sign * held < 0 for each in exits)
    holding = account.holdings.get("BTC")
    if holding is not None and holding.lots == 0:
        assert (holding.cost, holding.cash) == (0, 0)
    assert not set(account.orders) & set(account.finished), "an order is open or finished"


def is_market_making(action: Action) -> bool:
    """What the market's own participants may send: single valid orders and cancels."""
    if isinstance(action, PlaceOrders):
        return action.grouping is Grouping.NONE and all(each.trigger is None for each in action.orders)
    return isinstance(action, CancelOrders)


def check(stage: Stage, deposits: int) -> None:
    floor = stage.exchange._floor
    coin = floor.coins["BTC"]
    check_book(coin)
    for account in floor.accounts.values():
        check_account(account)
    positions = [account.lots("BTC") for account in floor.accounts.values()]
    assert sum(positions) == 0
    assert coin.open_interest == sum(max(0, lots) for lots in positions)
    assert stage.info.total_money() == deposits
    for user in (ALICE, BOB, CAROL):
        view = stage.info.account(user)
        value = view.total.raw_usd + sum((1 if each.lots > 0 else -1) * each.value for each in view.positions)
        assert view.total.account_value == value
        stage.info.active_asset(user, "BTC")


def run(steps: object, *, external: bool) -> bytes:
    """Live the steps, checking after each; return everything that was said."""
    stage = Stage(config(external=external, equity_usd=3_000), is_logged=True)
    said = b""
    for actions, inputs, pause in steps:  # type: ignore[attr-defined]  # what STEPS draws
        for user, action in actions:
            if user != MARKET or is_market_making(action):
                stage.ask(user, action, nonce=stage.now + stage._number)
        for market in inputs:
            if external or isinstance(market, OracleUpdate):
                stage.exchange.feed(market)
        said += msgspec.msgpack.encode(stage.block(pause))
        check(stage, 3 * 3_000 * 1_000_000)
    stage.verify()
    return said


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_synthetic_venue_keeps_its_books(steps: object) -> None:
    """Money, positions, open interest, reservations, queues and exits add up after every block; twice the same."""
    assert run(steps, external=False) == run(steps, external=False)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_taped_venue_keeps_its_books(steps: object) -> None:
    """The same with recorded books and trades as counterparty."""
    assert run(steps, external=True) == run(steps, external=True)


class Gambler:
    """Small accounts at the highest leverage around a wandering oracle: everything that can go wrong does."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.stage = Stage(config(equity_usd=1_000), is_logged=True)
        self._oracle = 100_000
        for user in (ALICE, BOB, CAROL):
            cross = user != CAROL
            self.stage.ask(user, UpdateLeverage("BTC", is_cross=cross, leverage=40))
        self.seen: set[str] = set()

    def block(self) -> None:
        random, stage = self._random, self.stage
        self._oracle += random.choice((-1, 1)) * random.choice((0, 50, 200, 1_000))
        self._oracle = min(max(self._oracle, 90_000), 110_000)
        stage.exchange.feed(OracleUpdate("BTC", BTC.ticks(str(self._oracle))))
        for side in (Side.BUY, Side.SELL):
            stage.place(MARKET, order(side, str(self._oracle - side.sign * random.choice((10, 400))), "0.2", Tif.IOC))
            stage.place(MARKET, order(side, str(self._oracle - side.sign * random.choice((20, 500))), "0.05"))
        for user in (ALICE, BOB, CAROL):
            stage.ask(user, self._bet(user))
        stage.block(random.choice((70, 3_000)))
        for event in stage.last.events:
            if isinstance(event, OrderEvent):
                self.seen.add(event.status)
            elif isinstance(event, FillEvent) and event.liquidation is not None:
                self.seen.add(event.liquidation.method)

    def _bet(self, user: str) -> Action:
        random = self._random
        held = self.stage.info.position(user, "BTC")
        side = random.choice((Side.BUY, Side.SELL))
        size = str(Decimal(random.choice((20, 300, 3_000, 30_000))).scaleb(-5))
        price = self._oracle + random.randint(-12, 12) * 50
        if held and random.random() < 0.4:
            side = Side.SELL if held > 0 else Side.BUY
            pair = [(Tpsl.TAKE_PROFIT, 1), (Tpsl.STOP_LOSS, -1)]
            exits = tuple(
                order(
                    side,
                    str(self._oracle - away * side.sign * 300),
                    size,
                    reduce_only=True,
                    trigger=Trigger(
                        ticks=BTC.ticks(str(self._oracle - away * side.sign * 300)),
                        is_market=random.random() < 0.5,
                        tpsl=tpsl,
                    ),
                )
                for tpsl, away in pair
            )
            return PlaceOrders(exits, Grouping.POSITION_TPSL)
        if random.random() < 0.2:
            return CancelOrders(
                tuple(CancelTarget(coin="BTC", ref=view.oid) for view in self.stage.info.open_orders(user)[:3])
            )
        tif = random.choice((Tif.ALO, Tif.GTC, Tif.IOC))
        return PlaceOrders((order(side, str(price), size, tif, reduce_only=bool(held) and random.random() < 0.3),))


def test_gamblers_keep_the_books_in_order() -> None:
    """Thousands of blocks with liquidations, backstops, fired triggers and lost margins: all adds up after each."""
    seen: set[str] = set()
    for seed in range(4):
        gambler = Gambler(seed)
        for _ in range(400):
            gambler.block()
            deposits = sum(each.micros for user in (ALICE, BOB, CAROL) for each in gambler.stage.info.ledger(user))
            check(gambler.stage, deposits)
            for user in (ALICE, BOB, CAROL):
                if gambler.stage.info.account(user).total.account_value < 100_000_000:
                    account = gambler.stage.exchange._floor.accounts[user]
                    gambler.stage.exchange._floor.move_cash(account, 1_000_000_000, "deposit")
        gambler.stage.block()
        gambler.stage.verify()
        seen |= gambler.seen
    assert seen >= {
        "open",
        "filled",
        "canceled",
        "triggered",
        "siblingFilledCanceled",
        "reduceOnlyCanceled",
        "selfTradeCanceled",
        "marginCanceled",
        "liquidatedCanceled",
        "badAloPxRejected",
        "iocCancelRejected",
        "perpMarginRejected",
        "reduceOnlyRejected",
        "badTriggerPxRejected",
        "market",
        "backstop",
    }
