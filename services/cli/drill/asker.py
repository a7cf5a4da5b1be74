"""An order_management gone mad: asks risk for orders of the drill's making, with that service's key.

What risk signs for it is never posted, so nothing of it may ever show at the venue.
"""

import itertools
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

import msgspec

from common import mesh
from common.cloid import epoch_of, house_tag, make_cloid
from common.config import Settings
from common.errors import PeerFault
from common.home import Home
from common.messages import Approval, ApprovalRequest, OrderIntent, TimeInForce
from common.units import MILLISECOND, SECOND, Lots, Nanos, Side, Ticks
from common.wiring import wiring

ASKER: Final = "order_management"
FIRST_SEQUENCE: Final = 1 << 47  # far from what the journal counts
ANSWER_S_MAX: Final = 1.0
DEADLINE: Final = 500 * MILLISECOND


class Asker:
    """Names orders, asks for them, remembers their names."""

    def __init__(self, home: Home, settings: Settings, account: str, epoch: Callable[[], int]) -> None:
        self._home = home
        self._settings = settings
        self._tag = house_tag(account)
        self._epoch = epoch
        self._sequences = itertools.count(FIRST_SEQUENCE)
        self.cloids: set[str] = set()

    def order(
        self,
        coin: str,
        side: Side,
        ticks: Ticks,
        usd: float,
        *,
        tif: TimeInForce = TimeInForce.ALO,
        on_grid: bool = True,
    ) -> OrderIntent:
        """Return an order worth about so much; its price is made legal unless it is to be off the grid."""
        instrument = self._settings.instrument(coin)
        price = instrument.legal_floor(ticks) if on_grid else ticks
        lots = max(1, round(usd * 1_000_000 / price))
        return OrderIntent(
            cloid=self._cloid(self._epoch()), coin=coin, side=side, ticks=price, lots=Lots(lots), tif=tif
        )

    def again(self, order: OrderIntent, ticks: Ticks | None = None) -> OrderIntent:
        """Return the same order under a new name, at another price where one is given."""
        return msgspec.structs.replace(order, cloid=self._cloid(epoch_of(order.cloid)), ticks=ticks or order.ticks)

    def ask(self, *orders: OrderIntent, older: int = 0, key: str = ASKER) -> Approval:
        """Ask for these in one request; PeerFault when nobody answers. `older`: by so many epochs."""
        now = monotonic_ns()
        request = ApprovalRequest(
            request_id=now,
            epoch=self._epoch() - older,
            deadline=Nanos(now + DEADLINE),
            places=orders,
            valid_until=Nanos(now + SECOND),
        )
        answer = mesh.ask(wiring(self._home, key, self._settings), "risk", request, ANSWER_S_MAX)
        if not isinstance(answer, Approval):
            raise PeerFault(f"risk answered {type(answer).__name__} to a request for approval")
        return answer

    def codes(self, *orders: OrderIntent, older: int = 0) -> dict[str, int]:
        """Ask, and count what came of the orders: "approved", or the code of a veto."""
        answer = self.ask(*orders, older=older)
        counts = {"approved": len(answer.approved)} if answer.approved else {}
        for veto in answer.vetoes:
            counts[veto.code] = counts.get(veto.code, 0) + 1
        return counts

    def _cloid(self, epoch: int) -> str:
        cloid = make_cloid(self._tag, epoch, next(self._sequences), 0)
        self.cloids.add(cloid)
        return cloid
