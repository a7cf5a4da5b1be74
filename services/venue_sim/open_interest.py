"""The cap on a coin's open interest, where the configuration sets one.

Rules
  1. A coin is capped while its open interest at mark reaches the maximum.
  2. While it is capped, an order that turns a position round is refused, so is one that makes it larger: by one text
     where its price goes beyond the oracle's, by another where it does not.
  3. Before, an order that alone would exceed the maximum is refused: it would increase open interest too quickly.
  4. A resting order that would make its account's position larger while the coin is capped expires at its match.
Reduce-only orders and the market's own participants are not concerned.
"""

from services.venue_sim.floor import Coin
from services.venue_sim.matching import Order
from services.venue_sim.texts import Reject


def is_capped(coin: Coin, maximum: int) -> bool:
    """Apply rule 1; a maximum of 0 is none."""
    return 0 < maximum <= coin.open_interest * coin.mark


def refusal(coin: Coin, order: Order, maximum: int) -> Reject | None:
    """Return why a new order is refused, or nothing (rules 2 and 3)."""
    held, sign = order.account.lots(coin.name), order.side.sign
    grows = abs(held + sign * order.lots) > abs(held)
    turns = held * sign < 0 and order.lots > abs(held)
    if not maximum or not (grows or turns):
        return None
    if not is_capped(coin, maximum):
        added = order.lots if held * sign >= 0 else order.lots - abs(held)
        return Reject.INTEREST_TOO_QUICK if (coin.open_interest + added) * coin.mark > maximum else None
    if turns:
        return Reject.INTEREST_FLIP
    beyond = (order.ticks - coin.pricing.oracle) * sign > 0
    return Reject.INTEREST_AGGRESSIVE if beyond else Reject.INTEREST_INCREASE


def expires(coin: Coin, maker: Order, lots: int, maximum: int) -> bool:
    """Say whether a maker may not trade so much any more (rule 4)."""
    if not is_capped(coin, maximum) or maker.account.internal or maker.reduce_only:
        return False
    held = maker.account.lots(coin.name)
    return abs(held + maker.side.sign * lots) > abs(held)
