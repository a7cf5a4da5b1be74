"""What the venue still lets this address send: its own count, and what was signed since.

Rules
  1. The venue gives an address 10,000 requests and one more for every USD that it trades. What is left is shown as a
     share of those 10,000: a house that trades a USD a request keeps it for ever.
  2. Before the first answer the budget counts as full: a halt for a question not yet answered helps nobody.
"""

from typing import Final

from common.messages import AddressBudget

INITIAL: Final = 10_000


class RequestBudget:
    def __init__(self) -> None:
        self._cap = INITIAL
        self._used = 0

    def on_answer(self, used: int, cap: int) -> None:
        self._used, self._cap = used, cap

    def on_signed(self, orders: int) -> None:
        """Count what was signed since the last answer."""
        self._used += orders

    def left(self) -> float:
        return max(0.0, min(1.0, (self._cap - self._used) / INITIAL))

    def statement(self) -> AddressBudget:
        return AddressBudget(used=self._used, cap=self._cap)
