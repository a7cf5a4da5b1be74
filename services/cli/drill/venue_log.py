"""What the local venue's own log says of one account: what arrived, what rests, what was never there.

The venue is the witness: no control has passed because one of our processes says so.
"""

from decimal import Decimal
from pathlib import Path
from typing import Final

from common import witness

PLACING: Final = frozenset({"order", "modify", "batchModify"})
OPEN: Final = frozenset({"open", "triggered", "waiting"})


class VenueLog:
    """Reads on from where it stopped."""

    def __init__(self, directory: Path, user: str) -> None:
        self._directory = directory
        self._user = user
        self._seq = 0
        self._placing: list[witness.Action] = []
        self._cancelling: list[witness.Action] = []
        self._live: dict[int, witness.Order] = {}
        self._cloids: set[str] = set()

    def refresh(self) -> "VenueLog":
        for line in witness.read(self._directory, after=self._seq):
            self._seq = line.seq
            match line:
                case witness.Order(user=self._user):
                    self._on_order(line)
                case witness.Action(user=self._user):
                    self._on_action(line)
                case _:
                    pass  # the market, and other accounts
        return self

    @property
    def seq(self) -> int:
        """Return the number of the last line read."""
        return self._seq

    def resting(self, coin: str = "") -> int:
        """Count what is open now, of one coin or of all."""
        return sum(1 for order in self._live.values() if coin in {"", order.coin})

    def quoted(self, coin: str) -> bool:
        """Say whether both sides of a coin are open."""
        return {order.side for order in self._live.values() if order.coin == coin} == {"A", "B"}

    def largest_usd(self) -> Decimal:
        """Return the value of the largest order that is open, at its own price."""
        return max((Decimal(order.px) * Decimal(order.sz) for order in self._live.values()), default=Decimal(0))

    def placed(self, after: int) -> int:
        """Count the placing actions that arrived after a line, accepted or not."""
        return sum(1 for action in self._placing if action.seq > after)

    def cancels_by(self, signer: str, after: int) -> int:
        return sum(1 for action in self._cancelling if action.signer == signer and action.seq > after)

    def knows(self, cloids: set[str]) -> set[str]:
        """Return which of these ever were orders at the venue."""
        return self._cloids & cloids

    @property
    def connection(self) -> int | None:
        """Return the number of the WebSocket by which the last placing action came."""
        for action in reversed(self._placing):
            name, _, number = action.via.partition("-")
            if name == "ws":
                return int(number)
        return None

    def _on_order(self, order: witness.Order) -> None:
        if order.cloid is not None:
            self._cloids.add(order.cloid)
        if order.status in OPEN:
            self._live[order.oid] = order
        else:
            self._live.pop(order.oid, None)

    def _on_action(self, action: witness.Action) -> None:
        kind = action.action.get("type")
        if kind in PLACING:
            self._placing.append(action)
        elif kind in {"cancel", "cancelByCloid"}:
            self._cancelling.append(action)
