"""What each service listens to."""

import msgspec

from common.hyperliquid.subscriptions import (
    Subscription,
    market_subscriptions,
    risk_subscriptions,
    user_subscriptions,
)
from tests.common.hyperliquid.coins import ACCOUNT


def kinds(subscriptions: tuple[dict[str, object], ...]) -> list[tuple[object, ...]]:
    return [tuple(subscription.values()) for subscription in subscriptions]


def test_market() -> None:
    """Books are the fast ones: the default is five seconds old."""
    assert kinds(market_subscriptions(["BTC"])) == [
        ("l2Book", "BTC", True),
        ("bbo", "BTC"),
        ("activeAssetCtx", "BTC"),
        ("trades", "BTC"),
    ]


def test_risk() -> None:
    """The veto sees the market, orders and fills by itself."""
    assert kinds(risk_subscriptions(["BTC", "ETH"], ACCOUNT)) == [
        *(("l2Book", "BTC", True), ("bbo", "BTC"), ("activeAssetCtx", "BTC"), ("trades", "BTC")),
        *(("l2Book", "ETH", True), ("bbo", "ETH"), ("activeAssetCtx", "ETH"), ("trades", "ETH")),
        *(("orderUpdates", ACCOUNT), ("userFills", ACCOUNT)),
    ]


def test_user() -> None:
    """Orders, fills and fundings of the account that owns the positions."""
    assert kinds(user_subscriptions(ACCOUNT)) == [
        *(("orderUpdates", ACCOUNT), ("userFills", ACCOUNT), ("userFundings", ACCOUNT)),
    ]


def test_echo_is_recognised() -> None:
    """The venue echoes with defaults added and addresses in lower case."""
    echo = '{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}'
    asked = market_subscriptions(["BTC"])[0]
    identity = msgspec.convert(asked, Subscription).identity
    assert msgspec.json.decode(echo, type=Subscription).identity == identity
    assert Subscription("userFills", user=ACCOUNT.upper()).identity == Subscription("userFills", user=ACCOUNT).identity
    assert Subscription("bbo", coin="BTC").identity != Subscription("bbo", coin="ETH").identity
