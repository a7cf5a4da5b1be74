"""The JSON of orders, fills, books and answers, word for word."""

from decimal import Decimal
from typing import Any

import msgspec

from common.instrument import Instrument
from common.units import Lots, Micros, Millis, Side, Ticks
from services.venue_sim import api, payloads, views

BTC = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)
USER = "0x" + "a1" * 20
CLOID = "0x" + "c1" * 16


def order(**fields: object) -> api.OrderView:
    view = api.OrderView(
        user=USER,
        oid=91490942,
        cloid=None,
        coin="BTC",
        side=Side.SELL,
        ticks=BTC.ticks("29792"),
        lots=BTC.lots("5"),
        original_lots=BTC.lots("5"),
        placed_ms=Millis(1_681_247_412_573),
        tif=api.Tif.GTC,
        reduce_only=False,
        trigger=None,
    )
    return msgspec.structs.replace(view, **fields)


def fill(**fields: object) -> api.FillEvent:
    event = api.FillEvent(
        user=USER,
        coin="BTC",
        side=Side.SELL,
        ticks=BTC.ticks("66653"),
        lots=BTC.lots("0.001"),
        time_ms=Millis(1_781_528_065_899),
        block=5,
        start_position=BTC.lots("-0.0213"),
        direction="Open Short",
        closed_pnl=Micros(0),
        fee=Micros(9_997),
        oid=55030848197,
        cloid=None,
        tid=745210434703679,
        crossed=False,
    )
    return msgspec.structs.replace(event, **fields)


def test_open_order() -> None:
    """An order as openOrders shows it; cloid and reduceOnly appear only when set."""
    plain = {
        "coin": "BTC",
        "side": "A",
        "limitPx": "29792.0",
        "sz": "5.0",
        "oid": 91490942,
        "timestamp": 1681247412573,
        "origSz": "5.0",
    }
    assert payloads.order(BTC, order()) == plain
    assert payloads.order(BTC, order(cloid=CLOID, reduce_only=True)) == {**plain, "cloid": CLOID, "reduceOnly": True}


def test_frontend_order() -> None:
    """The long form always has every key."""
    assert payloads.frontend_order(BTC, order()) == {
        "coin": "BTC",
        "side": "A",
        "limitPx": "29792.0",
        "sz": "5.0",
        "oid": 91490942,
        "timestamp": 1681247412573,
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": False,
        "orderType": "Limit",
        "origSz": "5.0",
        "tif": "Gtc",
        "cloid": None,
    }


def test_trigger_orders_say_when_they_fire() -> None:
    """Take-profit to sell fires above, stop-loss to sell below; buying is the other way round."""
    found = {}
    for side in Side:
        for tpsl in api.Tpsl:
            trigger = api.Trigger(ticks=BTC.ticks("30000"), is_market=side is Side.SELL, tpsl=tpsl)
            json = payloads.frontend_order(BTC, order(side=side, trigger=trigger, tif=None))
            assert json["isTrigger"]
            assert json["triggerPx"] == "30000.0"
            found[side, tpsl] = (json["orderType"], json["triggerCondition"])
    assert found == {
        (Side.SELL, api.Tpsl.TAKE_PROFIT): ("Take Profit Market", "Price above 30000"),
        (Side.SELL, api.Tpsl.STOP_LOSS): ("Stop Market", "Price below 30000"),
        (Side.BUY, api.Tpsl.TAKE_PROFIT): ("Take Profit Limit", "Price below 30000"),
        (Side.BUY, api.Tpsl.STOP_LOSS): ("Stop Limit", "Price above 30000"),
    }


def test_fill() -> None:
    """A maker's fill, with a cloid and the mark of a liquidation."""
    mark = api.LiquidationMark(liquidated_user=USER, mark_ticks=BTC.ticks("66607"), method="market")
    json = payloads.fill(BTC, fill(cloid=CLOID, liquidation=mark))
    assert json == {
        "coin": "BTC",
        "px": "66653.0",
        "sz": "0.001",
        "side": "A",
        "time": 1781528065899,
        "startPosition": "-0.0213",
        "dir": "Open Short",
        "closedPnl": "0.0",
        "hash": payloads.transaction_hash(5, 745210434703679),
        "oid": 55030848197,
        "crossed": False,
        "fee": "0.009997",
        "tid": 745210434703679,
        "cloid": CLOID,
        "liquidation": {"liquidatedUser": USER, "markPx": "66607.0", "method": "market"},
        "feeToken": "USDC",
        "twapId": None,
    }
    assert {"cloid", "liquidation"}.isdisjoint(payloads.fill(BTC, fill()))


def test_aggregation_sums_one_order_in_one_block() -> None:
    """A taker's fills of one block become one; a maker's stay what they were."""
    parts = [
        payloads.fill(BTC, fill(crossed=True, ticks=BTC.ticks("100"), lots=BTC.lots("1"), start_position=Lots(0))),
        payloads.fill(
            BTC, fill(crossed=True, ticks=BTC.ticks("200"), lots=BTC.lots("3"), start_position=BTC.lots("-1"))
        ),
    ]
    (merged,) = payloads.aggregated(parts)
    assert (merged["px"], merged["sz"], merged["fee"], merged["startPosition"]) == ("175.0", "4.0", "0.019994", "0.0")
    makers = [payloads.fill(BTC, fill()), payloads.fill(BTC, fill())]
    assert payloads.aggregated(makers) == makers


def view(*sides: tuple[tuple[str, str, int], ...]) -> views.BookView:
    bids, asks = (tuple(views.Level(BTC.ticks(px), BTC.lots(sz), n) for px, sz, n in side) for side in sides)
    return views.BookView(coin="BTC", time_ms=Millis(5), bids=bids, asks=asks)


def test_book() -> None:
    """Twenty levels at most, best first, with the number of orders."""
    deep = view(tuple((str(1_000 - i), "1", 1) for i in range(25)), (("1001", "7.6699", 17), ("1002", "0.1", 2)))
    json = payloads.book(BTC, deep)
    assert len(json["levels"][0]) == 20
    assert json["levels"][0][0] == {"px": "1000.0", "sz": "1.0", "n": 1}
    assert json["levels"][1] == [{"px": "1001.0", "sz": "7.6699", "n": 17}, {"px": "1002.0", "sz": "0.1", "n": 2}]


def test_coarse_book_rounds_away_from_the_market() -> None:
    """Bids go down and asks up to the grid of so many figures; sizes and counts are summed."""
    book = view((("113377", "1", 1), ("113371", "2", 3), ("113369", "4", 1)), (("113380", "1", 1), ("113381", "2", 1)))
    levels = payloads.coarse_book(BTC, book, 5, None)["levels"]
    assert levels[0] == [{"px": "113370.0", "sz": "3.0", "n": 4}, {"px": "113360.0", "sz": "4.0", "n": 1}]
    assert levels[1] == [{"px": "113380.0", "sz": "1.0", "n": 1}, {"px": "113390.0", "sz": "2.0", "n": 1}]
    wider = payloads.coarse_book(BTC, book, 5, 5)["levels"]
    assert [level["px"] for level in wider[0]] == ["113350.0"]
    assert [level["px"] for level in wider[1]] == ["113400.0"]
    assert payloads.spread(BTC, book) == "3.0"
    assert payloads.spread(BTC, view((), (("1", "1", 1),))) == "0.0"


def test_bbo_has_null_for_an_empty_side() -> None:
    """One side only."""
    top = views.TopOfBook(coin="BTC", time_ms=Millis(5), bid=None, ask=views.Level(Ticks(10), Lots(10), 1))
    assert payloads.bbo(BTC, top)["bbo"] == [None, {"px": "1.0", "sz": "0.0001", "n": 1}]


def told(answer: api.ActionAnswer, instruments: list[Instrument]) -> Any:
    return payloads.answer(answer, payloads.statuses(answer, instruments))


def test_answers_about_what_is_not_here() -> None:
    """A declined item needs no instrument; a TWAP has one status, a new sub-account an address."""
    refused = (api.Refused("Insufficient spot balance asset=10000"),)
    spot = api.ActionAnswer(request_id=1, kind=api.AnswerKind.ORDER, statuses=refused)
    assert told(spot, [])["response"]["data"] == {"statuses": [{"error": "Insufficient spot balance asset=10000"}]}
    twap = api.ActionAnswer(request_id=1, kind=api.AnswerKind.TWAP_CANCEL, statuses=(api.Refused("no"),))
    assert told(twap, [])["response"] == {"type": "twapCancel", "data": {"status": {"error": "no"}}}
    created = api.ActionAnswer(request_id=1, kind=api.AnswerKind.CREATE_SUB_ACCOUNT, data="0x12")
    assert told(created, [])["response"] == {"type": "createSubAccount", "data": "0x12"}


def test_answers() -> None:
    """Each kind of status, in the request's order."""
    answer = api.ActionAnswer(
        request_id=1,
        kind=api.AnswerKind.ORDER,
        statuses=(
            api.Resting(oid=5, cloid=CLOID),
            api.Filled(oid=6, lots=BTC.lots("0.02"), average_price=Decimal("1891.400000")),
            api.Refused("Order must have minimum value of $10. asset=0"),
            api.Waiting("waitingForFill"),
        ),
    )
    assert told(answer, [BTC] * 4)["response"] == {
        "type": "order",
        "data": {
            "statuses": [
                {"resting": {"oid": 5, "cloid": CLOID}},
                {"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 6}},
                {"error": "Order must have minimum value of $10. asset=0"},
                "waitingForFill",
            ]
        },
    }


def test_one_refusal_for_a_whole_payload() -> None:
    """A failed pre-validation has one status, however many items there were."""
    answer = api.ActionAnswer(request_id=1, kind=api.AnswerKind.ORDER, statuses=(api.Refused("no"),))
    assert told(answer, [BTC] * 3)["response"]["data"]["statuses"] == [{"error": "no"}]


def test_whole_action() -> None:
    """Default answers and refusals of the whole action."""
    assert payloads.answer(api.ActionAnswer(request_id=1), []) == {"status": "ok", "response": {"type": "default"}}
    assert payloads.answer(api.ActionAnswer(request_id=1, error="no"), []) == {"status": "err", "response": "no"}
    success = api.ActionAnswer(request_id=1, kind=api.AnswerKind.CANCEL, statuses=(api.Success(),))
    assert told(success, [BTC])["response"] == {"type": "cancel", "data": {"statuses": ["success"]}}


def test_money_that_moved() -> None:
    """Funding and ledger entries; negative usdc was paid."""
    event = api.FundingEvent(
        user=USER,
        coin="BTC",
        micros=Micros(-3_625_312),
        lots=BTC.lots("49.1477"),
        rate=Decimal("0.0000417"),
        time_ms=Millis(9),
        block=1,
    )
    delta = {"coin": "BTC", "usdc": "-3.625312", "szi": "49.1477", "fundingRate": "0.0000417", "nSamples": None}
    assert payloads.funding(BTC, event) == {"time": 9, **delta}
    assert payloads.funding_delta(BTC, event)["delta"] == {"type": "funding", **delta}
    deposit = api.LedgerEvent(user=USER, kind="deposit", micros=Micros(5_000_000), time_ms=Millis(9), block=1)
    assert payloads.ledger_delta(deposit)["delta"] == {"type": "deposit", "usdc": "5.0"}
    moved = msgspec.structs.replace(deposit, kind="accountClassTransfer", micros=Micros(-1))
    assert payloads.ledger_delta(moved)["delta"] == {"type": moved.kind, "usdc": "0.000001", "toPerp": False}
    gone = msgspec.structs.replace(deposit, kind="withdraw")
    assert payloads.ledger_delta(gone)["delta"] == {"type": "withdraw", "usdc": "5.0", "nonce": 9, "fee": "1.0"}
    sent = payloads.ledger_delta(msgspec.structs.replace(deposit, kind="send", destination="0x12"))["delta"]
    assert (sent["token"], sent["amount"], sent["destination"]) == ("USDC", "5.0", "0x12")
    liquidation = api.LiquidationEvent(
        lid=3, user=USER, liquidator="", notional=Micros(7), account_value=Micros(-1), time_ms=Millis(9)
    )
    assert payloads.liquidation(liquidation)["liquidated_account_value"] == "-0.000001"
