"""The venue's JSON for what happens: orders, fills, trades, books, answers. Encoded by the caller.

Keys stand in the order in which the venue was seen to send them; keys that are set only sometimes are absent
otherwise, never null, unless null is what was seen.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias, assert_never

from common.instrument import Instrument
from common.units import Side
from services.venue_sim import api, views
from services.venue_sim.candles import INTERVALS_MS, Candle
from services.venue_sim.numbers import decimal, fixed, price, size, usd

Json: TypeAlias = dict[str, Any]  # a tree for the JSON encoder; nothing reads it back

BOOK_LEVELS_MAX: Final = 20
SIDES: Final = {Side.BUY: "B", Side.SELL: "A"}
_NO_TRIGGER: Final = {"triggerCondition": "N/A", "isTrigger": False, "triggerPx": "0.0"}


def transaction_hash(block: int, serial: int) -> str:
    """Return the hash of the transaction behind a fill or trade; both sides of a trade share it."""
    return "0x" + hashlib.blake2b(f"{block}/{serial}".encode(), digest_size=32).hexdigest()


# --- orders ----------------------------------------------------------------------------------------


def order(instrument: Instrument, view: api.OrderView) -> Json:
    """One element of openOrders, and the `order` of orderUpdates."""
    json: Json = {
        "coin": view.coin,
        "side": SIDES[view.side],
        "limitPx": price(instrument, view.ticks),
        "sz": size(instrument, view.lots),
        "oid": view.oid,
        "timestamp": view.placed_ms,
        "origSz": size(instrument, view.original_lots),
    }
    if view.cloid is not None:
        json["cloid"] = view.cloid
    if view.reduce_only:
        json["reduceOnly"] = True
    return json


def frontend_order(instrument: Instrument, view: api.OrderView) -> Json:
    """One element of frontendOpenOrders; every key always, also inside orderStatus."""
    return {
        "coin": view.coin,
        "side": SIDES[view.side],
        "limitPx": price(instrument, view.ticks),
        "sz": size(instrument, view.lots),
        "oid": view.oid,
        "timestamp": view.placed_ms,
        **_trigger(instrument, view),
        "children": [frontend_order(instrument, child) for child in view.children],
        "isPositionTpsl": view.is_position_tpsl,
        "reduceOnly": view.reduce_only,
        "orderType": _order_type(view),
        "origSz": size(instrument, view.original_lots),
        "tif": None if view.tif is None else str(view.tif),
        "cloid": view.cloid,
    }


def _trigger(instrument: Instrument, view: api.OrderView) -> Json:
    if view.trigger is None:
        return _NO_TRIGGER
    above = (view.trigger.tpsl is api.Tpsl.TAKE_PROFIT) is (view.side is Side.SELL)
    text = price(instrument, view.trigger.ticks)
    return {
        "triggerCondition": f"Price {'above' if above else 'below'} {text.removesuffix('.0')}",
        "isTrigger": True,
        "triggerPx": text,
    }


def _order_type(view: api.OrderView) -> str:
    if view.trigger is None:
        return "Market" if view.tif is api.Tif.FRONTEND_MARKET else "Limit"
    name = "Take Profit" if view.trigger.tpsl is api.Tpsl.TAKE_PROFIT else "Stop"
    return f"{name} {'Market' if view.trigger.is_market else 'Limit'}"


def order_record(instrument: Instrument, record: views.OrderRecord) -> Json:
    """One element of historicalOrders, and the `order` of orderStatus."""
    return {
        "order": frontend_order(instrument, record.order),
        "status": record.status,
        "statusTimestamp": record.status_ms,
    }


def order_update(instrument: Instrument, event: api.OrderEvent) -> Json:
    return {"order": order(instrument, event.order), "status": event.status, "statusTimestamp": event.time_ms}


# --- fills, trades, funding ------------------------------------------------------------------------


def fill(instrument: Instrument, event: api.FillEvent) -> Json:
    json: Json = {
        "coin": event.coin,
        "px": price(instrument, event.ticks),
        "sz": size(instrument, event.lots),
        "side": SIDES[event.side],
        "time": event.time_ms,
        "startPosition": size(instrument, event.start_position),
        "dir": event.direction,
        "closedPnl": usd(event.closed_pnl),
        "hash": transaction_hash(event.block, event.tid),
        "oid": event.oid,
        "crossed": event.crossed,
        "fee": usd(event.fee),
        "tid": event.tid,
    }
    if event.builder_fee:
        json["builderFee"] = usd(event.builder_fee)
    if event.cloid is not None:
        json["cloid"] = event.cloid
    if event.liquidation is not None:
        json["liquidation"] = {
            "liquidatedUser": event.liquidation.liquidated_user,
            "markPx": price(instrument, event.liquidation.mark_ticks),
            "method": event.liquidation.method,
        }
    return {**json, "feeToken": "USDC", "twapId": None}


def aggregated(fills: Sequence[Json]) -> list[Json]:
    """Merge the crossed fills of one order in one block into one, as `aggregateByTime` asks: summed, average price."""
    merged: dict[object, list[Json]] = {}
    for index, item in enumerate(fills):
        key = (item["oid"], item["time"]) if item["crossed"] else index
        merged.setdefault(key, []).append(item)
    return [_merged(group) for group in merged.values()]


def _merged(group: list[Json]) -> Json:
    if len(group) == 1:
        return group[0]
    total = sum((Decimal(item["sz"]) for item in group), Decimal(0))
    notional = sum((Decimal(item["sz"]) * Decimal(item["px"]) for item in group), Decimal(0))
    average = (notional / total).quantize(Decimal("0.000001"))
    pnl = sum((Decimal(item["closedPnl"]) for item in group), Decimal(0))
    fee = sum((Decimal(item["fee"]) for item in group), Decimal(0))
    first = min(group, key=lambda item: abs(Decimal(item["startPosition"])))
    sums = {"px": decimal(average), "sz": decimal(total), "closedPnl": decimal(pnl), "fee": decimal(fee)}
    return {**first, **sums}


def trade(instrument: Instrument, event: api.TradeEvent) -> Json:
    return {
        "coin": event.coin,
        "side": SIDES[event.side],
        "px": price(instrument, event.ticks),
        "sz": size(instrument, event.lots),
        "time": event.time_ms,
        "hash": transaction_hash(event.block, event.tid),
        "tid": event.tid,
        "users": [event.buyer, event.seller],
    }


def funding(instrument: Instrument, event: api.FundingEvent) -> Json:
    """One element of userFundings and the `funding` of userEvents."""
    return {
        "time": event.time_ms,
        "coin": event.coin,
        "usdc": usd(event.micros),
        "szi": size(instrument, event.lots),
        "fundingRate": decimal(event.rate),
        "nSamples": None,
    }


def funding_delta(instrument: Instrument, event: api.FundingEvent) -> Json:
    """One element of userFunding (info)."""
    delta = {key: value for key, value in funding(instrument, event).items() if key != "time"}
    return {
        "time": event.time_ms,
        "hash": "0x" + "0" * 64,
        "delta": {"type": "funding", **delta},
    }


def ledger_delta(event: api.LedgerEvent) -> Json:
    """One element of userNonFundingLedgerUpdates."""
    delta: Json = {"type": event.kind, "usdc": usd(abs(event.micros))}
    match event.kind:
        case "accountClassTransfer":
            delta["toPerp"] = event.micros > 0
        case "withdraw":
            delta |= {"nonce": event.time_ms, "fee": "1.0"}
        case "send":
            amount = {"token": "USDC", "amount": delta.pop("usdc"), "usdcValue": usd(abs(event.micros))}
            delta |= {"user": event.user, "destination": event.destination, "sourceDex": "", "destinationDex": ""}
            delta |= {**amount, "fee": "0.0", "nativeTokenFee": "0.0", "nonce": event.time_ms, "feeToken": ""}
        case _:
            if event.destination:
                delta |= {"user": event.user, "destination": event.destination, "fee": "0.0"}
    return {"time": event.time_ms, "hash": transaction_hash(event.block, event.micros), "delta": delta}


def liquidation(event: api.LiquidationEvent) -> Json:
    """The `liquidation` of userEvents."""
    return {
        "lid": event.lid,
        "liquidator": event.liquidator,
        "liquidated_user": event.user,
        "liquidated_ntl_pos": usd(event.notional),
        "liquidated_account_value": usd(event.account_value),
    }


# --- books -----------------------------------------------------------------------------------------


def level(instrument: Instrument, item: views.Level) -> Json:
    return {"px": price(instrument, item.ticks), "sz": size(instrument, item.lots), "n": item.orders}


def bbo(instrument: Instrument, top: views.TopOfBook) -> Json:
    sides = [None if item is None else level(instrument, item) for item in (top.bid, top.ask)]
    return {"coin": top.coin, "time": top.time_ms, "bbo": sides}


def book(instrument: Instrument, view: views.BookView, levels_max: int = BOOK_LEVELS_MAX) -> Json:
    """One l2Book at full precision."""
    sides = [[level(instrument, item) for item in side[:levels_max]] for side in (view.bids, view.asks)]
    return {"coin": view.coin, "time": view.time_ms, "levels": sides}


def coarse_book(
    instrument: Instrument, view: views.BookView, figures: int, mantissa: int | None, levels_max: int = BOOK_LEVELS_MAX
) -> Json:
    """One l2Book rounded to `figures` significant figures: bids down, asks up; sizes and counts are summed."""
    sides = []
    for side, items in ((Side.BUY, view.bids), (Side.SELL, view.asks)):
        rounded: dict[int, list[int]] = {}
        for item in items:
            bucket = rounded.setdefault(_rounded(side, item.ticks, figures, mantissa), [0, 0])
            bucket[0] += item.lots
            bucket[1] += item.orders
        sides.append(
            [
                {"px": price(instrument, ticks), "sz": size(instrument, lots), "n": orders}
                for ticks, (lots, orders) in list(rounded.items())[:levels_max]
            ]
        )
    return {"coin": view.coin, "time": view.time_ms, "levels": sides}


def _rounded(side: Side, ticks: int, figures: int, mantissa: int | None) -> int:
    step = int(10 ** max(0, len(str(ticks)) - figures)) * (mantissa or 1)
    down = ticks - ticks % step
    return down if side is Side.BUY or down == ticks else down + step


def spread(instrument: Instrument, view: views.BookView) -> str:
    """Return what books with fewer significant figures carry besides; "0.0" when one side is empty."""
    if not view.bids or not view.asks:
        return "0.0"
    return price(instrument, view.asks[0].ticks - view.bids[0].ticks)


# --- answers to actions ----------------------------------------------------------------------------


def status(item: api.Status, instrument: Instrument | None) -> Json | str:
    """Return one element of `statuses`; only a fill needs the instrument."""
    match item:
        case api.Resting(oid=oid, cloid=cloid):
            return {"resting": {"oid": oid, **_cloid(cloid)}}
        case api.Filled(oid=oid, lots=lots, average_price=average, cloid=cloid):
            assert instrument is not None
            total = size(instrument, lots)
            return {"filled": {"totalSz": total, "avgPx": decimal(average), "oid": oid, **_cloid(cloid)}}
        case api.Success():
            return "success"
        case api.Waiting(text=text):
            return text
        case api.Refused(text=text):
            return {"error": text}
        case _:
            assert_never(item)


def _cloid(cloid: str | None) -> Json:
    return {} if cloid is None else {"cloid": cloid}


def statuses(item: api.ActionAnswer, instruments: Sequence[Instrument]) -> list[Json | str]:
    """Return the elements of `statuses`; `instruments` are those of the request's items, in their order.

    A failed pre-validation has one refusal for all items, a declined action has items without instruments.
    """
    known = [*instruments, *([None] * len(item.statuses))]
    return [status(each, instrument) for each, instrument in zip(item.statuses, known, strict=False)]


def answer(item: api.ActionAnswer, elements: list[Json | str]) -> Json:
    """Return the body of an answer to /exchange; `elements` come from `statuses`."""
    if not item.ok:
        return refusal(item.error)
    response: Json = {"type": str(item.kind)}
    match item.kind:
        case api.AnswerKind.ORDER | api.AnswerKind.CANCEL:
            response["data"] = {"statuses": elements}
        case api.AnswerKind.TWAP_ORDER | api.AnswerKind.TWAP_CANCEL:
            response["data"] = {"status": elements[0]}
        case api.AnswerKind.CREATE_SUB_ACCOUNT:
            response["data"] = item.data
        case api.AnswerKind.DEFAULT:
            pass
    return {"status": "ok", "response": response}


def refusal(text: str) -> Json:
    """A refusal of a whole action."""
    return {"status": "err", "response": text}


def mid(instrument: Instrument, half_ticks: int) -> str:
    """Print a mid that is given as bid plus ask."""
    return fixed(half_ticks * 5, instrument.price_decimals + 1)


def candle(instrument: Instrument, interval: str, item: Candle) -> Json:
    return {
        "t": item.start_ms,
        "T": item.start_ms + INTERVALS_MS[interval] - 1,
        "s": instrument.coin,
        "i": interval,
        "o": price(instrument, item.open),
        "c": price(instrument, item.close),
        "h": price(instrument, item.high),
        "l": price(instrument, item.low),
        "v": size(instrument, item.lots),
        "n": item.trades,
    }
