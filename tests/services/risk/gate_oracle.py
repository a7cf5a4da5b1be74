"""The gate once more: slow, in Decimal, from the rules' text, sharing no arithmetic with services/risk/gate.py."""

from decimal import Decimal, localcontext

from common.messages import OrderIntent, PostureLevel, TimeInForce
from common.units import Side
from services.risk.gate import View


def verdict(order: OrderIntent, view: View) -> str | None:
    """Return the code of the first rule that the order breaks."""
    with localcontext() as context:
        context.prec = 60
        return _verdict(order, view)


def _verdict(order: OrderIntent, view: View) -> str | None:
    buys = order.side is Side.BUY
    held = Decimal(view.position)
    size = Decimal(order.lots)
    reduces = (held < 0) if buys else (held > 0)
    if order.tif is TimeInForce.GTC:
        return "time_in_force"
    if order.tif is TimeInForce.IOC and not order.reduce_only:
        return "time_in_force"
    if not _legal(order, view):
        return "price"
    if size <= 0 or size > Decimal(2) ** 53:
        return "size"
    usd = _usd(view, order.ticks, order.lots)
    whole = order.reduce_only and reduces and size >= abs(held)
    if usd < 10 and not whole:
        return "min_notional"
    if not view.cloid_ours:
        return "cloid"
    if view.cloid_seen:
        return "duplicate"
    if view.replaces is not None and not view.replaces:
        return "unknown_order"
    if view.level in {PostureLevel.HALTED, PostureLevel.PULL_QUOTES}:
        return "posture"
    if view.level is PostureLevel.REDUCE_ONLY and (
        not order.reduce_only or not reduces or size + Decimal(view.reducing) > abs(held)
    ):
        return "reduce_only"
    return _priced(order, view, usd, buys=buys)


def _priced(order: OrderIntent, view: View, usd: Decimal, *, buys: bool) -> str | None:
    seen = view.references
    if seen is None:
        return "reference"
    band = Decimal(view.limits.band_ppm) / 1_000_000
    marks = [Decimal(seen.mark), Decimal(seen.oracle), Decimal(seen.mid_twice) / 2]
    if any(not (mark * (1 - band) <= order.ticks <= mark * (1 + band)) for mark in marks):
        return "price_band"
    if usd > Decimal(view.limits.order_max) / 1_000_000:
        return "order_notional"
    if view.open_orders + 1 > view.limits.open_orders_max:
        return "open_orders"
    rival = view.best_ask if buys else view.best_bid
    if rival is not None and (order.ticks >= rival if buys else order.ticks <= rival):
        return "self_cross"
    dearest = max(Decimal(seen.mark), Decimal(seen.oracle), marks[2].to_integral_value("ROUND_CEILING"))
    after = {True: view.worst_max + order.lots, False: view.worst_max}[buys]
    under = {True: view.worst_min, False: view.worst_min - order.lots}[buys]
    exposed = Decimal(after if buys else -under)
    if exposed > 0 and _usd(view, dearest, exposed) > Decimal(view.limits.position_max) / 1_000_000:
        return "position"
    before = Decimal(max(abs(view.worst_max), abs(view.worst_min)))
    grown = Decimal(max(abs(after), abs(under)))
    if grown > before:
        if view.account_others is None:
            return "account"
        total = Decimal(view.account_others) / 1_000_000 + _usd(view, dearest, grown)
        if total > Decimal(view.account_max) / 1_000_000:
            return "account"
    return None


def _usd(view: View, ticks: Decimal | int, lots: Decimal | int) -> Decimal:
    decimals = view.limits.instrument.size_decimals
    return (Decimal(ticks) * Decimal(10) ** (decimals - 6)) * (Decimal(lots) * Decimal(10) ** -decimals)


def _legal(order: OrderIntent, view: View) -> bool:
    price = Decimal(order.ticks) * Decimal(10) ** (view.limits.instrument.size_decimals - 6)
    if price <= 0:
        return False
    if price == price.to_integral_value():
        return True
    digits = price.normalize().as_tuple()
    return len(digits.digits) <= 5
