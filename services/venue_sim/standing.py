"""How every client stands: the answer to GET /accounts, which the real venue has not."""

from typing import Any, Final

from services.venue_sim.info import Info
from services.venue_sim.leveraged import is_trader
from services.venue_sim.numbers import size, usd

ACCOUNTS_SHOWN_MAX: Final = 1_000  # the oldest; more is no list for a person


def accounts(info: Info) -> list[dict[str, Any]]:
    """Return address, money, positions and the number of open orders of each account, oldest first."""
    clients = [user for user in info.clients() if not is_trader(user)]
    return [_account(info, user) for user in clients[:ACCOUNTS_SHOWN_MAX]]


def _account(info: Info, user: str) -> dict[str, Any]:
    view = info.account(user)
    return {
        "address": user,
        "equity": usd(view.total.account_value),
        "withdrawable": usd(view.withdrawable),
        "positions": {each.coin: size(info.instrument(each.coin), each.lots) for each in view.positions},
        "open_orders": len(info.open_orders(user)),
    }
