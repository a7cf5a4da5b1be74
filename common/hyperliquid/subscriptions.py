"""Which streams each service listens to, and how their acknowledgements are told apart."""

from collections.abc import Iterable

import msgspec


class Subscription(msgspec.Struct, frozen=True):
    """What tells the subscriptions of one connection apart; echoes come back with defaults added."""

    type: str
    coin: str = ""
    user: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.type, self.coin, self.user.lower()


def market_subscriptions(coins: Iterable[str]) -> tuple[dict[str, object], ...]:
    """Return what a market maker needs to see: books twice a second, quotes and trades per block, mark and oracle."""
    return tuple(each for coin in coins for each in (*_reference_feed(coin), _feed("trades", coin)))


def risk_subscriptions(coins: Iterable[str], account: str) -> tuple[dict[str, object], ...]:
    """Return what the veto needs: market data of its own, and its own view of the account's orders and fills."""
    return (*market_subscriptions(coins), _user_feed("orderUpdates", account), _user_feed("userFills", account))


def user_subscriptions(account: str) -> tuple[dict[str, object], ...]:
    return tuple(_user_feed(kind, account) for kind in ("orderUpdates", "userFills", "userFundings"))


def _reference_feed(coin: str) -> tuple[dict[str, object], ...]:
    """Fast books: five levels every 0.54 s, re-sent when unchanged, so silence means a dead feed."""
    return {**_feed("l2Book", coin), "fast": True}, _feed("bbo", coin), _feed("activeAssetCtx", coin)


def _feed(kind: str, coin: str) -> dict[str, object]:
    return {"type": kind, "coin": coin}


def _user_feed(kind: str, account: str) -> dict[str, object]:
    return {"type": kind, "user": account}
