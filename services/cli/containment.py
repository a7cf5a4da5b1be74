"""Proves with the venue alone that a halt is CONTAINED: for the time when risk cannot say it. Pure.

Whoever does not know risk's nonces must wait until everything that was signed before the halt file has expired.
Rules
  1. The first answer after the file was written dates it: the file is not later than the end of that second.
  2. A look counts when its own date is past that by order_expiry + margin, all in venue time.
  3. Contained is three counted looks in a row without an order of ours, or without any where everything is to go. A
     failed look, one without a date, and one that shows an order begin the row anew.
"""

from typing import Final

from services.cli.venue import OpenOrders

LOOKS_NEEDED: Final = 3
LOOK_GAP_S: Final = 0.25


class Containment:
    """Takes one look after the other, None where the venue gave no believable answer."""

    def __init__(self, window_ms: int, *, everything: bool = False, coin: str = "") -> None:
        self._everything = everything
        self._coin = coin  # the only one that is halted; "" means all
        self._window_s = -(-window_ms // 1_000)
        self._counts_from_s: int | None = None
        self._empty = 0
        self.wait_s = LOOK_GAP_S  # before the next look: one that cannot count is not worth the venue's budget
        self.detail = "the venue has not answered yet"

    @property
    def proven(self) -> bool:
        return self._empty >= LOOKS_NEEDED

    def see(self, look: OpenOrders | None) -> bool:
        """Judge one look; True when contained is proven."""
        self.wait_s = LOOK_GAP_S
        if look is None or look.venue_s is None:
            self._empty = 0
            self.detail = "the venue does not answer" if look is None else "the venue's answers have no date"
            return False
        if self._counts_from_s is None:
            self._counts_from_s = look.venue_s + 1 + self._window_s  # rule 1: +1 is the end of its second
        left_s = self._counts_from_s - look.venue_s
        ours = [order for order in look.ours if self._coin in ("", order.coin)]
        if left_s > 0:
            self.wait_s = left_s - 1 + LOOK_GAP_S  # the date may be almost a second old
            self.detail = f"orders signed before the halt may arrive for another {left_s} s"
        elif ours:
            self._empty = 0
            self.detail = f"{len(ours)} orders of ours rest"
        elif look.foreign and self._everything:
            self._empty = 0
            coins = ", ".join(sorted({order.coin for order in look.foreign}))
            self.detail = f"{len(look.foreign)} orders of others rest in {coins}; of a coin that is not configured "
            self.detail += "you have to cancel them yourself"
        else:
            self._empty += 1
            what = "nothing" if self._everything else "nothing of ours"
            where = f" in {self._coin}" if self._coin else ""
            self.detail = f"{what} rests{where}, seen {self._empty} of {LOOKS_NEEDED} times"
        return self.proven
