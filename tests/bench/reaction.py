"""Reaction times by the venue's own log: from a block's event to our first action after it.

Rules
  1. Each coin has one latest event: a move (best prices or their sizes changed), or a change of an order of ours. Our
     orders move the book too: a move in a block that changed one of ours in that coin is none.
  2. An action (order, modify or cancel by one of our signers) answers the latest event of each coin that it names.
     Only the first action after an event does, and only within REACTION_MS_MAX.
  3. A reaction lasts from the venue time of the event's block to the arrival of the action, in whole ms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from common import witness

REACTION_MS_MAX: Final = 2_000  # what comes later was caused by something else
CANCELLED: Final = "canceled"  # the venue's status after a cancel of ours


class Event(Enum):
    MOVE = auto()
    OWN_CANCEL = auto()  # the venue confirmed a cancel of ours
    OWN_OTHER = auto()  # any other change of an order of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    coin: str
    event: Event
    placing: bool  # else it cancels
    ms: int


def reactions(
    lines: Iterable[witness.AnyLine], *, user: str, signers: Sequence[str], coins: Sequence[str]
) -> list[Reaction]:
    """Return the reactions in a piece of the log; `coins` are in the order of their asset ids."""
    latest: dict[str, tuple[Event, int]] = {}  # by coin; the ms are the event's
    touched: dict[str, int] = {}  # coin -> last block that changed an order of ours
    found: list[Reaction] = []
    for line in lines:
        match line:
            case witness.Order(coin=coin) if line.user == user:
                touched[coin] = line.block
                latest[coin] = (Event.OWN_CANCEL if line.status == CANCELLED else Event.OWN_OTHER, line.t)
            case witness.Bbo(coin=coin) if touched.get(coin) != line.block:
                latest[coin] = (Event.MOVE, line.t)
            case witness.Action(action=action) if line.signer in signers:
                for coin in named(action, coins):
                    event, began = latest.pop(coin, (Event.OWN_OTHER, line.t))
                    if event is not Event.OWN_OTHER and line.t - began <= REACTION_MS_MAX:
                        placing = not action["type"].startswith("cancel")
                        found.append(Reaction(coin=coin, event=event, placing=placing, ms=line.t - began))
            case _:
                pass
    return found


def moves(lines: Iterable[witness.AnyLine], coins: Iterable[str]) -> int:
    """Count the changes of best prices or sizes in these coins, ours included."""
    wanted = frozenset(coins)
    return sum(isinstance(line, witness.Bbo) and line.coin in wanted for line in lines)


def named(action: dict[str, Any], coins: Sequence[str]) -> list[str]:  # the wire's JSON
    """Return the coins of an order, modify or cancel, each once; none of any other action."""
    match action:
        case {"type": "order", "orders": items} | {"type": "cancel", "cancels": items}:
            assets = {item["a"] for item in items}
        case {"type": "cancelByCloid", "cancels": items}:
            assets = {item["asset"] for item in items}
        case {"type": "batchModify", "modifies": items}:
            assets = {item["order"]["a"] for item in items}
        case {"type": "modify", "order": order}:
            assets = {order["a"]}
        case _:
            assets = set()
    return [coins[asset] for asset in sorted(assets)]
