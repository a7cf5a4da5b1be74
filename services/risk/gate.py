"""The gate: one order against references, limits and ledger; a closed set of refusals.

Rules, in the order in which they are asked; the first that fails is the verdict
  1. Only configured coins, and only in a form that the venue takes: post-only, or immediate when it only reduces;
     price and size positive whole numbers on the coin's grid; at least 10 USD unless it closes the whole position.
  2. A cloid is ours, of the asker's epoch, and new. A modify names an order of ours that may still fill.
  3. Posture: Halted and PullQuotes let nothing through; ReduceOnly lets reducing orders through that carry the
     venue's reduce-only flag, all together no more than the position.
  4. Price within the band of mark, of oracle and of the own mid; without fresh references nothing passes.
  5. Size: at most `max_order_usd` at its own price, at most its share of what the thinner side of the book shows, and
     at most its share of what the market traded in the last minute; what is worth `VOLUME_FREE` is never too much for
     a market, so a quiet one is quoted with little.
  6. No more than `max_open_orders` of ours may still fill, and those of one side are worth no more than their share.
  7. No order may trade with one of ours.
  8. Position: the worst case that this order's side makes worse stays within `max_position_usd` at the dearest
     reference. A modify counts old and new. The limit itself is allowed, and the other side is never asked, so
     an order that leads back is never in the way of its own purpose.
  9. Account: all worst cases together stay within `max_equity_share` times equity, and their initial margin within
     `max_margin_share` of it, unless the order adds nothing.
Limits in USD are worth no more than their share of equity (facts.py), so that a small account gets small ones.
"""

from enum import StrEnum, unique
from math import floor
from typing import Final

import msgspec

from common.config import Settings
from common.instrument import NOTIONAL_MIN, Instrument, notional
from common.messages import OrderIntent, PostureLevel, TimeInForce
from common.messages.safety import Veto
from common.units import MICROS_PER_USD, Lots, Micros, Side, Ticks
from services.risk.references import PPM, References, ppm_floor

PROBE_NOTIONAL: Final = Micros(1_000_000_000 * MICROS_PER_USD)  # no limit of this house is as high
VOLUME_FREE: Final = Micros(2 * NOTIONAL_MIN)  # room to round above the venue's least
LOTS_MAX: Final = 1 << 53  # any honest size is far below; larger numbers are a fault of the asker


@unique
class VetoCode(StrEnum):
    """Why an order got no signature."""

    # the whole request
    LATE = "late"
    OLD_EPOCH = "old_epoch"
    NOT_RECONCILED = "not_reconciled"
    NOT_READY = "not_ready"
    HALTED = "halted"
    STOPPING = "stopping"
    VENUE_CLOCK = "venue_clock"
    TARGET_LAPSED = "target_lapsed"
    BATCH = "batch"
    # one order
    COIN = "coin"
    TIME_IN_FORCE = "time_in_force"
    PRICE = "price"
    SIZE = "size"
    MIN_NOTIONAL = "min_notional"
    CLOID = "cloid"
    DUPLICATE = "duplicate"
    UNKNOWN_ORDER = "unknown_order"
    POSTURE = "posture"
    REDUCE_ONLY = "reduce_only"
    REFERENCE = "reference"
    PRICE_BAND = "price_band"
    ORDER_NOTIONAL = "order_notional"
    DEPTH = "depth"
    VOLUME = "volume"
    OPEN_ORDERS = "open_orders"
    RESTING = "resting"
    SELF_CROSS = "self_cross"
    POSITION = "position"
    ACCOUNT = "account"
    MARGIN = "margin"
    RATE = "rate"
    REPEAT = "repeat"
    SIGNER = "signer"


class CoinLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one coin may do."""

    instrument: Instrument
    order_max: Micros
    position_max: Micros
    band_ppm: int
    open_orders_max: int
    soft_max: Micros  # where sizes have shrunk to nothing; the gate itself asks `position_max`
    resting_max: Micros  # of one side
    depth_ppm: int  # of the lots that the thinner side of the book shows
    volume_ppm: int  # of the lots that the market traded in the last minute
    leverage: int

    @classmethod
    def of(cls, settings: Settings, coin: str) -> "CoinLimits":
        """Read the limits of a configured coin, rounded towards the stricter side."""
        limits = settings.coins[coin]
        return cls(
            instrument=settings.instrument(coin),
            order_max=micros_floor(limits.max_order_usd),
            position_max=micros_floor(limits.max_position_usd),
            band_ppm=ppm_floor(settings.risk.price_band_bps),
            open_orders_max=settings.risk.max_open_orders,
            soft_max=micros_floor(limits.max_position_usd * settings.risk.soft_limit_share),
            resting_max=micros_floor(limits.max_position_usd * settings.risk.max_resting_share),
            depth_ppm=floor(settings.risk.max_depth_share * PPM),
            volume_ppm=floor(settings.risk.max_volume_share * PPM),
            leverage=limits.leverage,
        )

    def capped(self, order: Micros, position: Micros, ramp_ppm: int = PPM) -> "CoinLimits":
        """Return these limits where no order and no position may be worth more, all of them ramped."""
        full = min(self.position_max, position)
        return msgspec.structs.replace(
            self,
            order_max=Micros(min(self.order_max, order) * ramp_ppm // PPM),
            position_max=Micros(full * ramp_ppm // PPM),
            soft_max=Micros(self.soft_max * full // self.position_max * ramp_ppm // PPM),
            resting_max=Micros(self.resting_max * full // self.position_max * ramp_ppm // PPM),
        )


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one verdict depends on: the ledger's numbers for this coin before this order."""

    limits: CoinLimits
    references: References | None
    level: PostureLevel
    position: Lots  # signed
    worst_max: Lots  # position after everything of ours that may buy has bought
    worst_min: Lots
    open_orders: int  # of ours on the whole account that may still fill
    resting: Micros  # value of ours on the order's side that may still fill, without the one it replaces
    depth: Lots  # that the thinner side of the last book shows
    volume: Lots  # that the market has traded within the last minute
    reducing: Lots  # leaves of reduce-only orders of ours on the order's side, without the one it replaces
    best_bid: Ticks | None  # of our own orders that may still fill
    best_ask: Ticks | None
    cloid_ours: bool  # house tag and the asker's epoch
    cloid_seen: bool
    replaces: bool | None  # None: a new order; otherwise whether the old one may still fill in this coin and side
    account_others: Micros | None  # worst cases of the other coins; None while equity or a price is unknown
    account_max: Micros
    margin_others: Micros | None  # initial margin of the other coins' worst cases
    margin_max: Micros


def micros_floor(usd: float) -> Micros:
    """Return a limit of the configuration as whole micro-USD."""
    return Micros(floor(usd * MICROS_PER_USD))


def check(order: OrderIntent, view: View | None) -> Veto | None:
    """Judge one order; a view of None means that its coin is not configured."""
    if view is None:
        return _veto(order, VetoCode.COIN, f"{order.coin} is not configured")
    for ask in (_form, _identity, _posture, _price, _size, _crossing, _position, _account):
        verdict = ask(order, view)
        if verdict is not None:
            return verdict
    return None


def _veto(order: OrderIntent, code: VetoCode, detail: str) -> Veto:
    return Veto(cloid=order.cloid, code=code.value, detail=detail)


def _form(order: OrderIntent, view: View) -> Veto | None:
    """Rule 1."""
    if order.tif is TimeInForce.GTC or (order.tif is TimeInForce.IOC and not order.reduce_only):
        return _veto(order, VetoCode.TIME_IN_FORCE, f"{order.tif.value} is not post-only and may add")
    if not view.limits.instrument.is_legal(order.ticks):
        return _veto(order, VetoCode.PRICE, f"{order.ticks} ticks is no price of {order.coin}")
    if not 0 < order.lots <= LOTS_MAX:
        return _veto(order, VetoCode.SIZE, f"{order.lots} lots")
    closes = order.reduce_only and _reduces(order.side, view.position) and order.lots >= abs(view.position)
    if notional(order.ticks, order.lots) < NOTIONAL_MIN and not closes:
        return _veto(order, VetoCode.MIN_NOTIONAL, "below 10 USD and does not close the position")
    return None


def _identity(order: OrderIntent, view: View) -> Veto | None:
    """Rule 2."""
    if not view.cloid_ours:
        return _veto(order, VetoCode.CLOID, "not our house tag or not the asker's epoch")
    if view.cloid_seen:
        return _veto(order, VetoCode.DUPLICATE, "this cloid was asked for before")
    if view.replaces is False:
        return _veto(order, VetoCode.UNKNOWN_ORDER, "the order to replace is not one of ours that may fill")
    return None


def _posture(order: OrderIntent, view: View) -> Veto | None:
    """Rule 3."""
    if view.level >= PostureLevel.PULL_QUOTES:
        return _veto(order, VetoCode.POSTURE, view.level.name)
    if view.level < PostureLevel.REDUCE_ONLY:
        return None
    if not (order.reduce_only and _reduces(order.side, view.position)):
        return _veto(order, VetoCode.REDUCE_ONLY, "only reduce-only orders against the position may pass")
    if view.reducing + order.lots > abs(view.position):
        return _veto(order, VetoCode.REDUCE_ONLY, f"{view.reducing} + {order.lots} exceed the position {view.position}")
    return None


def _price(order: OrderIntent, view: View) -> Veto | None:
    """Rule 4."""
    if view.references is None:
        return _veto(order, VetoCode.REFERENCE, "no fresh mark, oracle and mid that agree")
    if not view.references.inside(order.ticks, view.limits.band_ppm):
        seen = view.references
        detail = f"{order.ticks} against mark {seen.mark}, oracle {seen.oracle}, twice the mid {seen.mid_twice}"
        return _veto(order, VetoCode.PRICE_BAND, detail)
    return None


def _size(order: OrderIntent, view: View) -> Veto | None:
    """Rules 5 and 6."""
    worth = notional(order.ticks, order.lots)
    if worth > view.limits.order_max:
        return _veto(order, VetoCode.ORDER_NOTIONAL, f"{worth} of {view.limits.order_max} micro-USD")
    if order.lots > _depth_lots(view):
        return _veto(order, VetoCode.DEPTH, f"{order.lots} lots where the book shows {view.depth}")
    if order.lots > _volume_lots(view):
        return _veto(order, VetoCode.VOLUME, f"{order.lots} lots where the last minute traded {view.volume}")
    if view.open_orders >= view.limits.open_orders_max:
        return _veto(order, VetoCode.OPEN_ORDERS, f"{view.open_orders} of ours may still fill")
    if view.resting + worth > view.limits.resting_max:
        return _veto(order, VetoCode.RESTING, f"{view.resting} + {worth} of {view.limits.resting_max} micro-USD")
    return None


def _depth_lots(view: View) -> int:
    return view.depth * view.limits.depth_ppm // PPM


def _volume_lots(view: View) -> int:
    assert view.references is not None
    return max(view.volume * view.limits.volume_ppm // PPM, VOLUME_FREE // view.references.dearest)


def _crossing(order: OrderIntent, view: View) -> Veto | None:
    """Rule 7."""
    if order.side is Side.BUY:
        crosses = view.best_ask is not None and order.ticks >= view.best_ask
    else:
        crosses = view.best_bid is not None and order.ticks <= view.best_bid
    return _veto(order, VetoCode.SELF_CROSS, "would trade with an order of ours") if crosses else None


def _position(order: OrderIntent, view: View) -> Veto | None:
    """Rule 8."""
    assert view.references is not None
    worst = view.worst_max + order.lots if order.side is Side.BUY else order.lots - view.worst_min
    if worst > 0 and worst * view.references.dearest > view.limits.position_max:
        return _veto(order, VetoCode.POSITION, f"worst case {worst} lots at {view.references.dearest}")
    return None


def _account(order: OrderIntent, view: View) -> Veto | None:
    """Rule 9."""
    assert view.references is not None
    before = max(abs(view.worst_max), abs(view.worst_min))
    grown_max = view.worst_max + (order.lots if order.side is Side.BUY else 0)
    grown_min = view.worst_min - (order.lots if order.side is Side.SELL else 0)
    after = max(abs(grown_max), abs(grown_min))
    if after <= before:
        return None
    if view.account_others is None:
        return _veto(order, VetoCode.ACCOUNT, "equity or a price of a held coin is unknown")
    total = view.account_others + after * view.references.dearest
    if total > view.account_max:
        return _veto(order, VetoCode.ACCOUNT, f"{total} of {view.account_max} micro-USD")
    if view.margin_others is None:
        return _veto(order, VetoCode.MARGIN, "a price of a held coin is unknown")
    margin = view.margin_others + initial_margin(after * view.references.dearest, view.limits.leverage)
    if margin > view.margin_max:
        return _veto(order, VetoCode.MARGIN, f"{margin} of {view.margin_max} micro-USD")
    return None


def initial_margin(value: int, leverage: int) -> Micros:
    """Return the margin of a position of this value, rounded up."""
    return Micros(-(-value // leverage))


def _reduces(side: Side, position: Lots) -> bool:
    return side.sign * position < 0


# --- what would still pass -------------------------------------------------------------------------


def headroom(side: Side, view: View) -> Lots:
    """Return how many lots may be added on this side: to the soft limit of position, within every other limit.

    Whoever obeys it shrinks before the gate refuses: nothing is left at the soft limit, and the hard one is further.
    """
    if view.references is None or view.level >= PostureLevel.PULL_QUOTES:
        return Lots(0)
    dearest = view.references.dearest
    worst = view.worst_max if side is Side.BUY else -view.worst_min
    room = view.limits.soft_max // dearest - worst
    before = max(abs(view.worst_max), abs(view.worst_min))
    account_lots = before
    if view.account_others is not None and view.margin_others is not None:
        by_value = (view.account_max - view.account_others) // dearest
        by_margin = (view.margin_max - view.margin_others) * view.limits.leverage // dearest
        account_lots = max(before, min(by_value, by_margin))
    room = min(room, account_lots - worst, (view.limits.resting_max - view.resting) // dearest)
    if view.level >= PostureLevel.REDUCE_ONLY:
        room = min(room, abs(view.position) - view.reducing) if _reduces(side, view.position) else 0
    return Lots(max(0, room))


def largest_order(view: View) -> Lots:
    """Return the lots of the largest single order: by value at the dearest reference, by depth, and by volume."""
    if view.references is None:
        return Lots(0)
    return Lots(min(view.limits.order_max // view.references.dearest, _depth_lots(view), _volume_lots(view)))


# --- a gate that proves itself -----------------------------------------------------------------------


def self_test(limits: CoinLimits) -> str:
    """Judge an order that is too dear and one that is too big; return what is wrong, "" when both are refused."""
    mark = limits.instrument.legal_floor(10**limits.instrument.price_decimals * 1_000)
    view = View(
        limits=limits,
        references=References(mark=mark, oracle=mark, mid_twice=2 * mark),
        level=PostureLevel.NORMAL,
        position=Lots(0),
        worst_max=Lots(0),
        worst_min=Lots(0),
        open_orders=0,
        resting=Micros(0),
        depth=Lots(1 << 62),
        volume=Lots(1 << 62),
        reducing=Lots(0),
        best_bid=None,
        best_ask=None,
        cloid_ours=True,
        cloid_seen=False,
        replaces=None,
        account_others=Micros(0),
        account_max=Micros(1 << 62),
        margin_others=Micros(0),
        margin_max=Micros(1 << 62),
    )
    too_big = Lots(PROBE_NOTIONAL // mark + 1)
    probes = {
        VetoCode.PRICE_BAND: OrderIntent(
            cloid="", coin=limits.instrument.coin, side=Side.BUY, ticks=Ticks(2 * mark), lots=too_big
        ),
        VetoCode.ORDER_NOTIONAL: OrderIntent(
            cloid="", coin=limits.instrument.coin, side=Side.SELL, ticks=mark, lots=too_big
        ),
    }
    for code, order in probes.items():
        verdict = check(order, view)
        if verdict is None or verdict.code != code.value:
            return (
                f"{order.lots} lots at {order.ticks} with the mark at {mark}: {verdict.code if verdict else 'passed'}"
            )
    return ""
