"""Cancels and modifies.

Rules
  1. A cancel names coin and oid or cloid of an open order of the account; anything else is MissingOrder.
  2. A modify is a cancel and a new order with a new oid at the end of its queue. The old one is gone even when the
     new one is refused: "Error placing new order during modify: ...".
  3. Modifying what is not open is refused, unless `always_place` asks for the new order anyway.
  4. Without `always_place` the new order never takes: an Ioc becomes Alo, and so does a Gtc that would trade.
"""

import msgspec

from services.venue_sim import texts
from services.venue_sim.account import Account
from services.venue_sim.api import CancelOrders, ModifyOrders, ModifyTarget, OrderSpec, Refused, Status, Success, Tif
from services.venue_sim.floor import Floor
from services.venue_sim.matching import Order
from services.venue_sim.placing import Placing
from services.venue_sim.texts import Reject


class Changing:
    def __init__(self, floor: Floor, placing: Placing) -> None:
        self._floor = floor
        self._placing = placing

    # --- cancels ---

    def cancel(self, account: Account, action: CancelOrders) -> tuple[Status, ...]:
        if not action.cancels:
            return (Refused(texts.NO_ORDERS),)
        return tuple(self._cancel(account, target.coin, target.ref) for target in action.cancels)

    def _cancel(self, account: Account, coin: str, ref: int | str) -> Status:
        order = self._find(account, coin, ref)
        if order is None:
            return Refused(Reject.MISSING.at(self._floor.coins[coin].asset))
        self._floor.remove(order, texts.CANCELED)
        return Success()

    def _find(self, account: Account, coin: str, ref: int | str) -> Order | None:
        order = account.order(ref)
        return order if order is not None and order.coin == coin else None

    # --- modifies ---

    def modify(self, account: Account, action: ModifyOrders) -> tuple[Status, ...]:
        if not account.internal:
            text = self._placing.invalid(tuple(target.order for target in action.modifies))
            if text:
                return (Refused(text),)
        return tuple(self._modify(account, target, always=action.always_place) for target in action.modifies)

    def modify_one(self, account: Account, action: ModifyOrders) -> str:
        """Return the refusal's text, empty when the new order was placed."""
        first, *_ = self.modify(account, action)
        return first.text if isinstance(first, Refused) else ""

    def _modify(self, account: Account, target: ModifyTarget, *, always: bool) -> Status:
        old = self._find(account, target.order.coin, target.ref)
        if old is not None:
            self._floor.remove(old, texts.CANCELED)
        elif not always:
            return Refused(texts.DEAD_MODIFY)
        status = self._placing.place(account, target.order if always else self._making(target.order))
        return Refused(texts.MODIFY_FAILED + status.text) if isinstance(status, Refused) else status

    def _making(self, spec: OrderSpec) -> OrderSpec:
        """Apply rule 4."""
        if spec.trigger is not None:
            return spec
        crosses = self._floor.coins[spec.coin].book.other(spec.side).reach(spec.ticks) is not None
        return msgspec.structs.replace(spec, tif=Tif.ALO) if crosses or not spec.tif.rests else spec
