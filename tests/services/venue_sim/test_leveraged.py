"""Leveraged traders: real accounts that go in, go out, and are liquidated like anybody."""

from common.units import MICROS_PER_USD, Lots, Side
from services.venue_sim.api import FillEvent, LedgerEvent, LiquidationEvent, OracleUpdate, OrderEvent, Refused
from services.venue_sim.leveraged import TRADERS, address
from tests.services.venue_sim.stage import BTC
from tests.services.venue_sim.test_synthetic import Day

FIRST = [address(0, number) for number in range(TRADERS)]  # BTC's


def test_they_are_ordinary_accounts() -> None:
    """Rule 1: they pay in, their orders and fills make events, they pay the taker's fee, and nobody refuses them."""
    day = Day(1)
    blocks = day.run(120)
    events = [event for block in blocks for event in block.events]
    paid_in = {event.user for event in events if isinstance(event, LedgerEvent) and event.kind == "deposit"}
    fills = [event for event in events if isinstance(event, FillEvent) and event.user in FIRST]
    assert set(FIRST) & paid_in == {fill.user for fill in fills} != set()
    assert all(fill.fee > 0 and fill.crossed for fill in fills)
    assert {fill.side for fill in fills} == {Side.BUY, Side.SELL}
    told = {event.status for event in events if isinstance(event, OrderEvent) and event.order.user in FIRST}
    assert told == {"filled"}
    answers = [answer for block in blocks for answer in block.answers]
    assert not any(answer.error for answer in answers)
    refused = [each.text for answer in answers for each in answer.statuses if isinstance(each, Refused)]
    assert not [text for text in refused if "margin" in text]


def test_they_go_out_again() -> None:
    """Rule 2: within 200 s somebody has closed its position, reduce-only, and is flat."""
    day = Day(1)
    fills = [
        event
        for block in day.run(200)
        for event in block.events
        if isinstance(event, FillEvent) and event.user in FIRST
    ]
    closed = [fill for fill in fills if fill.direction.startswith("Close")]
    assert any(fill.start_position + fill.side.sign * fill.lots == Lots(0) for fill in closed)
    assert {fill.direction for fill in fills} <= {"Open Long", "Open Short", "Close Long", "Close Short"}


def test_a_fall_liquidates_them_and_they_come_back() -> None:
    """A fall of a tenth liquidates every long; what went through the book is known; later they pay in anew."""
    day = Day(2)
    day.run(120)
    longs = [user for user in FIRST if day.exchange.info.position(user, "BTC") > 0]
    assert longs
    coin = day.market._coins["BTC"]
    coin.price.shift(-1_000.0)
    day.exchange.feed(OracleUpdate("BTC", BTC.ticks(f"{coin.price.ticks / 10:.0f}")))
    events = [event for block in day.run(60) for event in block.events]
    assert set(longs) <= {event.user for event in events if isinstance(event, LiquidationEvent)}
    sold = sum(
        fill.ticks * fill.lots
        for fill in events
        if isinstance(fill, FillEvent)
        and fill.liquidation is not None
        and fill.user == fill.liquidation.liquidated_user
        and fill.liquidation.method == "market"
        and fill.coin == "BTC"
    )
    assert day.market.truth("BTC").liquidated_usd == sold / MICROS_PER_USD
    later = [event for block in day.run(240) for event in block.events]
    assert set(longs) & {event.user for event in later if isinstance(event, LedgerEvent) and event.kind == "deposit"}


def test_positions_of_an_earlier_process_are_taken_over() -> None:
    """A new crowd on an old exchange stays in its positions and goes out of them in time."""
    day = Day(1)
    day.run(120)
    held = {user for user in FIRST if day.exchange.info.position(user, "BTC")}
    assert held
    day.market = Day(9).market
    day.block()
    crowd = day.market._coins["BTC"].crowd
    assert {trader.user for trader in crowd.traders if trader.held} == held
    assert day.market.truth("BTC").liquidated_usd == 0
    day.run(250)
    assert any(day.exchange.info.position(user, "BTC") == 0 for user in held)
