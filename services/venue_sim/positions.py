"""How a trade changes a position, its cost and the cash behind it.

Rules
  1. Cash falls by signed lots times price, whatever the trade does: money moves between the two parties and nowhere.
  2. Growing a position adds to its cost; closing part removes that part's share of the cost, rounded half-even to the
     micro-USD, and realizes the difference; crossing zero closes all and opens the rest at the trade's price.
  3. An isolated position receives its initial margin from the account's cash as it grows, and returns the closed
     share of its own equity as it shrinks.
"""

from services.venue_sim.account import Account, Holding
from services.venue_sim.margin import initial


def change(account: Account, coin: str, delta: int, ticks: int, *, leverage_max: int) -> int:
    """Apply a trade of signed `delta` lots; return the realized profit in micros, gross of fees."""
    holding = account.holding(coin)
    start = holding.lots
    closing = 0
    if start * delta < 0:
        closing = delta if abs(delta) <= abs(start) else -start
    opening = delta - closing
    cross = account.is_cross(coin)
    profit = _close(account, holding, closing, ticks, cross=cross) if closing else 0
    if opening:
        if not holding.lots:
            holding.funding_since_open = 0
        holding.lots += opening
        holding.cost += opening * ticks
        if cross:
            account.cash -= opening * ticks
        else:
            margin = initial(abs(opening) * ticks, account.leverage(coin, leverage_max).value)
            account.cash -= margin
            holding.cash += margin - opening * ticks
    holding.funding_since_change = 0
    return profit


def direction(start: int, delta: int) -> str:
    """Return the wire's `dir` of a trade of `delta` on a position of `start`."""
    if start * delta >= 0:
        return "Open Long" if delta > 0 else "Open Short"
    if abs(delta) <= abs(start):
        return "Close Long" if start > 0 else "Close Short"
    return "Long > Short" if start > 0 else "Short > Long"


def divide_half_even(numerator: int, denominator: int) -> int:
    """Divide by a positive denominator, ties to the even quotient."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def _close(account: Account, holding: Holding, closing: int, ticks: int, *, cross: bool) -> int:
    held = abs(holding.lots)
    removed = divide_half_even(holding.cost * abs(closing), held)
    if cross:
        account.cash -= closing * ticks
    else:
        equity = holding.cash + holding.lots * ticks
        released = divide_half_even(equity * abs(closing), held)
        holding.cash -= closing * ticks + released
        account.cash += released
    holding.lots += closing
    holding.cost -= removed
    return -closing * ticks - removed
