"""The gate once more: slow, in Decimal, from the rules' text; and cases near every limit."""

from decimal import Decimal, localcontext
from random import Random
from typing import TypeVar

from common.instrument import Instrument
from common.messages import OrderIntent, PostureLevel, TimeInForce
from common.units import Lots, Micros, Side, Ticks
from services.risk import gate
from services.risk.gate import CoinLimits, View
from services.risk.references import References

T = TypeVar("T")


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
    if Decimal(order.lots) / Decimal(view.depth or Decimal("1e-9")) * 1_000_000 > view.limits.depth_ppm:
        return "depth"
    heard = Decimal(view.volume) * view.limits.volume_ppm / 1_000_000
    if order.lots > heard and _usd(view, max(seen.mark, seen.oracle, -(-seen.mid_twice // 2)), order.lots) > 20:
        return "volume"
    if view.open_orders + 1 > view.limits.open_orders_max:
        return "open_orders"
    if usd + Decimal(view.resting) / 1_000_000 > Decimal(view.limits.resting_max) / 1_000_000:
        return "resting"
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
        if view.margin_others is None:
            return "margin"
        own = (_usd(view, dearest, grown) * 1_000_000 / view.limits.leverage).to_integral_value("ROUND_CEILING")
        if Decimal(view.margin_others) + own > Decimal(view.margin_max):
            return "margin"
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


# --- cases ---------------------------------------------------------------------------------------------


def case(chance: Random) -> tuple[OrderIntent, View]:
    """Draw an order that is good, or a step off one of its limits, or bad in a few ways at once."""

    def rarely(value: T, otherwise: T) -> T:
        return value if chance.random() < 0.04 else otherwise

    decimals = chance.choice([0, 2, 5, 5, 5, 6])
    instrument = Instrument(coin="X", asset=0, size_decimals=decimals)
    mark = instrument.legal_floor(chance.choice([600_000, 123_456, 99_990, 7]))
    step = instrument.step(mark)
    band_ppm = chance.choice([20_000, 5_000, 19_999])
    edge = instrument.legal_floor(mark * chance.choice([1, 1, 1, 1 + band_ppm / 1e6, 1 - band_ppm / 1e6]))
    ticks = max(1, edge + step * chance.randint(-2, 2)) + rarely(chance.randint(-800_000, 9), 0)
    full = 10**9 // ticks  # lots worth 1,000 USD at the order's price
    lots = rarely(chance.choice([0, -5, 10_000_000 // ticks, gate.LOTS_MAX + 1]), max(1, full + chance.randint(-2, 2)))
    side = chance.choice(list(Side))
    position = chance.choice([0, full, 3 * full, 9 * full]) * chance.choice([1, -1])
    view = View(
        limits=CoinLimits(
            instrument=instrument,
            order_max=Micros(full * ticks + chance.choice([0, -1, 1, 10**9, 10**9])),
            position_max=Micros(4 * 10**9 + chance.randint(-1, 1) * full * ticks),
            band_ppm=band_ppm,
            open_orders_max=40,
            soft_max=Micros(3 * 10**9),
            resting_max=Micros(4 * 10**9 + chance.randint(-1, 1) * full * ticks),
            depth_ppm=chance.choice([10**6, 10**6, 333_333, 5 * 10**6]),
            volume_ppm=chance.choice([10**6, 10**6, 250_000, 10**7]),
            leverage=chance.choice([1, 3, 10, 50]),
        ),
        references=rarely(None, references_near(chance, mark)),
        level=chance.choice([PostureLevel.NORMAL] * 12 + [PostureLevel.REDUCE_ONLY] * 2 + list(PostureLevel)),
        position=Lots(position),
        worst_max=Lots(position + chance.choice([0, full, 3 * full, 3 * full + 1])),
        worst_min=Lots(position - chance.choice([0, full, 3 * full, 3 * full + 1])),
        open_orders=chance.choice([0, 0, 0, 1, 39, 39, 40]),
        resting=Micros(chance.choice([0, 0, 0, 3 * full * ticks, 3 * full * ticks + 1])),
        depth=Lots(chance.choice([10**12, 10**12, 10**12, max(0, lots), max(0, 3 * lots), max(0, 3 * lots + 1), 0])),
        volume=Lots(chance.choice([10**12, 10**12, 10**12, max(0, lots), max(0, 4 * lots), max(0, 4 * lots - 1), 0])),
        reducing=Lots(chance.choice([0, 0, 0, full, abs(position) - lots])),
        best_bid=chance.choice([None, None, Ticks(ticks - step), Ticks(ticks), Ticks(ticks + step)]),
        best_ask=chance.choice([None, None, Ticks(ticks - step), Ticks(ticks), Ticks(ticks + step)]),
        cloid_ours=rarely(False, True),
        cloid_seen=rarely(True, False),
        replaces=chance.choice([None, True, rarely(False, True)]),
        account_others=rarely(None, Micros(chance.choice([0, 10**9]))),
        account_max=Micros(chance.choice([2 * 10**9, 4 * 10**9, 10**13])),
        margin_others=rarely(None, Micros(chance.choice([0, 10**9]))),
        margin_max=Micros(chance.choice([10**8, 10**9, 2 * 10**9, 10**13])),
    )
    order = OrderIntent(
        cloid="0x",
        coin="X",
        side=side,
        ticks=Ticks(ticks),
        lots=Lots(lots),
        tif=rarely(chance.choice([TimeInForce.IOC, TimeInForce.GTC]), TimeInForce.ALO),
        reduce_only=chance.random() < 0.4,
    )
    return order, view


def references_near(chance: Random, mark: int) -> References:
    def off() -> int:
        return chance.choice([0, 0, 0, 0, 0, 0, 0, 1, -1]) * mark // chance.choice([10_000, 200, 50])

    return References(mark=Ticks(mark), oracle=Ticks(mark + off()), mid_twice=2 * mark + off())
