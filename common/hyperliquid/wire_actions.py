"""Our actions in the venue's words: the very dictionary that is hashed and sent.

Rules
  1. Keys stand in the order in which the venue hashes them; what has no value is absent.
  2. A modify names the old order by its cloid; a cancel goes by cloid where all have one, else by oid.
  3. Cancels carry the fast flag, after `cancels`: the venue wants it on all but trigger orders, which we never place.
  4. Empty batches, and batches above the venue's limit, are refused here: the venue would refuse the whole action.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias, TypeVar, assert_never

import msgspec

from common.hyperliquid.signing import Signature, number_to_wire
from common.instrument import Instrument
from common.messages.orders import Cancel, OrderIntent
from common.messages.venue import Action, CancelOrders, Modify, Noop, Place, ScheduleCancel, UpdateLeverage
from common.units import Side

ITEMS_MAX: Final = 200  # orders or cancels in one action; one more and the venue refuses all of them

WireAction: TypeAlias = dict[str, object]

T = TypeVar("T")


def encode_action(action: Action, instruments: Mapping[str, Instrument]) -> WireAction:
    """Return the venue's form; KeyError for a coin that is not configured, ValueError for a batch it cannot take."""
    match action:
        case Place(orders):
            return {
                "type": "order",
                "orders": [_order(order, instruments) for order in _batch(orders)],
                "grouping": "na",
            }
        case Modify(modifies):
            items = [
                {"oid": modify.old_cloid, "order": _order(modify.order, instruments)} for modify in _batch(modifies)
            ]
            return {"type": "batchModify", "modifies": items}
        case CancelOrders(cancels):
            return _cancels(_batch(cancels), instruments)
        case Noop():
            return {"type": "noop"}
        case ScheduleCancel(at_ms):
            return {"type": "scheduleCancel"} if at_ms is None else {"type": "scheduleCancel", "time": at_ms}
        case UpdateLeverage(coin, leverage, is_cross):
            asset = instruments[coin].asset
            return {"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": leverage}
        case _:
            assert_never(action)


def request_body(
    action: WireAction,
    nonce: int,
    signature: Signature,
    *,
    expires_after: int | None = None,
    vault: str | None = None,
) -> bytes:
    """Return the JSON of one signed request, for HTTP and for the `payload` of a post."""
    body: dict[str, object] = {"action": action, "nonce": nonce, "signature": signature}
    if vault is not None:
        body["vaultAddress"] = vault
    if expires_after is not None:
        body["expiresAfter"] = expires_after
    return msgspec.json.encode(body)


class PostedItems(msgspec.Struct, frozen=True):
    """What the sender must remember of a posted action to read its answer: the asset of each item."""

    assets: tuple[int, ...] = ()


class _Item(msgspec.Struct, frozen=True):
    """One order, modify or cancel; each names its asset in a place of its own."""

    a: int = -1
    asset: int = -1
    order: "_Item | None" = None

    @property
    def found(self) -> int:
        return self.order.found if self.order else max(self.a, self.asset)


class _Batches(msgspec.Struct, frozen=True):
    orders: tuple[_Item, ...] = ()
    modifies: tuple[_Item, ...] = ()
    cancels: tuple[_Item, ...] = ()


class _Body(msgspec.Struct, frozen=True):
    action: _Batches


_body_decoder = msgspec.json.Decoder(_Body)


def posted_items(body: bytes) -> PostedItems:
    """Read the items of a request of ours back from its bytes; ValueError when it is none of ours."""
    try:
        batches = _body_decoder.decode(body).action
    except msgspec.DecodeError as error:
        raise ValueError(f"not a request of ours: {error}") from error
    return PostedItems(tuple(item.found for item in (*batches.orders, *batches.modifies, *batches.cancels)))


def _batch(items: tuple[T, ...]) -> tuple[T, ...]:
    if not 0 < len(items) <= ITEMS_MAX:
        raise ValueError(f"{len(items)} items in one action; the venue takes 1 to {ITEMS_MAX}")
    return items


def _order(order: OrderIntent, instruments: Mapping[str, Instrument]) -> WireAction:
    instrument = instruments[order.coin]
    return {
        "a": instrument.asset,
        "b": order.side is Side.BUY,
        "p": number_to_wire(instrument.price(order.ticks)),
        "s": number_to_wire(instrument.size(order.lots)),
        "r": order.reduce_only,
        "t": {"limit": {"tif": order.tif.value}},
        "c": order.cloid,
    }


def _cancels(cancels: tuple[Cancel, ...], instruments: Mapping[str, Instrument]) -> WireAction:
    assets = [instruments[cancel.coin].asset for cancel in cancels]
    cloids = [cancel.cloid for cancel in cancels]
    oids = [cancel.oid for cancel in cancels]
    if None not in cloids:
        items = [{"asset": asset, "cloid": cloid} for asset, cloid in zip(assets, cloids, strict=True)]
        return {"type": "cancelByCloid", "cancels": items, "f": True}
    if None not in oids:
        return {"type": "cancel", "cancels": [{"a": a, "o": o} for a, o in zip(assets, oids, strict=True)], "f": True}
    raise ValueError("cancels by cloid and cancels by oid need an action each")
