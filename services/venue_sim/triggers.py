"""Take-profit and stop-loss orders: armed, fired by the mark price, grouped with parents and siblings.

Rules
  1. Stop-loss to sell fires when mark is at or below its price, to buy at or above; take-profit the other way round.
     One that would fire at once is refused (badTriggerPxRejected).
  2. A fired order keeps its oid: status triggered, then it is placed, as Ioc 10 % through mark (market) or Gtc at its
     limit. The others of its group are cancelled (siblingFilledCanceled).
  3. normalTpsl: the children wait for the parent; its complete fill arms them, its cancel cancels them.
  4. positionTpsl of size zero closes whatever the position is when it fires.
  5. A position that reaches zero cancels its armed trigger orders (reduceOnlyCanceled).
"""

from typing import TYPE_CHECKING, Final

from common.units import Side
from services.venue_sim import texts
from services.venue_sim.api import Refused, Resting, Status, Tif, Tpsl, Trigger, Waiting
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.matching import Order
from services.venue_sim.texts import Reject

if TYPE_CHECKING:
    from services.venue_sim.placing import Placing

SLIPPAGE_PERCENT: Final = 10


def fires(trigger: Trigger, side: Side, mark: int) -> bool:
    falling = (trigger.tpsl is Tpsl.STOP_LOSS) == (side is Side.SELL)
    return mark <= trigger.ticks if falling else mark >= trigger.ticks


class Triggers:
    def __init__(self, floor: Floor, placing: "Placing") -> None:
        self._floor = floor
        self._placing = placing

    def place(self, order: Order) -> Status:
        """Take a trigger order without a parent."""
        refusal = self._refusal(order)
        if refusal is not None:
            return self._placing.reject(order, refusal)
        self._floor.register(order)
        self._floor.arm(order)
        self._floor.say(order, texts.OPEN)
        if order.is_position_tpsl:
            return Waiting(texts.WAITING_FOR_TRIGGER)
        return Resting(oid=order.oid, cloid=order.cloid)

    def place_bracket(self, parent: Order, children: list[Order]) -> tuple[Status, ...]:
        """Place a parent with its children (rule 3)."""
        answer = self._placing.execute(parent)
        if isinstance(answer, Refused):
            return (answer, *(answer for _ in children))
        return (answer, *(self._place_child(parent, child) for child in children))

    def _place_child(self, parent: Order, child: Order) -> Status:
        refusal = self._refusal(child)
        if refusal is not None:
            return self._placing.reject(child, refusal)
        self._floor.register(child)
        if parent.is_resting:
            child.parent = parent
            parent.children.append(child)
        else:
            self._floor.arm(child)
        self._floor.say(child, texts.OPEN)
        return Waiting(texts.WAITING_FOR_FILL if parent.is_resting else texts.WAITING_FOR_TRIGGER)

    def _refusal(self, order: Order) -> Reject | None:
        trigger = order.trigger
        assert trigger is not None, "only trigger orders come here"
        coin = self._floor.coins[order.coin]
        if not coin.instrument.is_legal(order.ticks) or not coin.instrument.is_legal(trigger.ticks):
            return Reject.TICK
        return Reject.TRIGGER if fires(trigger, order.side, coin.mark) else None

    def fire(self, coin: Coin) -> None:
        """Fire what the new mark reaches, oldest first."""
        for order in tuple(coin.triggers.values()):
            trigger = order.trigger
            if order.oid in coin.triggers and trigger is not None and fires(trigger, order.side, coin.mark):
                self._fire(coin, order, trigger)

    def _fire(self, coin: Coin, order: Order, trigger: Trigger) -> None:
        del coin.triggers[order.oid]
        self._floor.say(order, texts.TRIGGERED)
        for sibling in order.group:
            if sibling is not order and sibling.oid in coin.triggers:
                self._floor.remove(sibling, texts.SIBLING_CANCELED)
        if trigger.is_market:
            order.tif = Tif.IOC
            order.ticks = _through(coin, order.side)
        else:
            order.tif = Tif.GTC
        if not order.lots:
            order.lots = abs(order.account.lots(order.coin))
        self._placing.execute(order)


def _through(coin: Coin, side: Side) -> int:
    """Return the limit of a market order: SLIPPAGE_PERCENT beyond mark, legal."""
    reach = coin.mark * (100 + side.sign * SLIPPAGE_PERCENT)
    return coin.instrument.legal_outward(side.opposite, reach / 100)
