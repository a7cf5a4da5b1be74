"""Judges by the venue's log whether every order it accepted from us was within the limits."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from common import witness
from common.config import Settings
from tests.mesh.judge import GONE

MOVE: Final = Decimal("0.005")  # the mark may move so far between the signature and the arrival
DEAR: Final = Decimal("1.01")  # risk values a position at its own references, the log at the order's price


class Limits:
    """Follows one account through the log; `faults` says what should never have been accepted."""

    def __init__(self, settings: Settings, user: str) -> None:
        self.faults: list[str] = []
        self.accepted = 0
        self._settings = settings
        self._user = user
        self._marks: dict[str, Decimal] = {}
        self._positions: dict[str, Decimal] = {}
        self._live: dict[int, tuple[str, str, Decimal]] = {}  # oid -> coin, side, size left

    def follow(self, lines: Iterable[witness.AnyLine]) -> "Limits":
        for line in lines:
            match line:
                case witness.Price():
                    self._marks[line.coin] = Decimal(line.mark_px)
                case witness.Fill(user=self._user):
                    self._on_fill(line)
                case witness.Order(user=self._user):
                    self._on_order(line)
                case _:
                    pass
        return self

    def _on_fill(self, fill: witness.Fill) -> None:
        size = Decimal(fill.sz)
        self._positions[fill.coin] = self._positions.get(fill.coin, Decimal(0)) + (size if fill.side == "B" else -size)
        if fill.oid in self._live:
            coin, side, left = self._live[fill.oid]
            self._live[fill.oid] = (coin, side, left - size)

    def _on_order(self, order: witness.Order) -> None:
        if any(part in order.status for part in GONE) or "Rejected" in order.status:
            self._live.pop(order.oid, None)
        elif order.oid not in self._live:
            self.accepted += 1
            self._live[order.oid] = (order.coin, order.side, Decimal(order.orig_sz))
            self.faults += [f"{fault}: {order}" for fault in self._judge(order)]

    def _judge(self, order: witness.Order) -> Iterable[str]:
        limits = self._settings.coins.get(order.coin)
        if limits is None:
            yield "coin"
            return
        price, size = Decimal(order.px), Decimal(order.orig_sz)
        if price * size > Decimal(str(limits.max_order_usd)):
            yield "order size"
        band = Decimal(str(self._settings.risk.price_band_bps)) / 10_000 + MOVE
        if abs(price - self._marks[order.coin]) > band * self._marks[order.coin]:
            yield "price"
        sign = 1 if order.side == "B" else -1
        side = sum(left for coin, side, left in self._live.values() if (coin, side) == (order.coin, order.side))
        worst = sign * self._positions.get(order.coin, Decimal(0)) + side
        if not order.reduce_only and worst * price > Decimal(str(limits.max_position_usd)) * DEAR:
            yield "position"
