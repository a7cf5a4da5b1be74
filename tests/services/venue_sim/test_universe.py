"""Which coins the venue lists."""

from common.config import Coin
from common.units import Ticks
from services.venue_sim import universe


def coin(asset: int, decimals: int = 3, leverage: int = 5) -> Coin:
    return Coin(
        asset=asset,
        size_decimals=decimals,
        leverage=leverage,
        max_position_usd=100.0,
        max_order_usd=100.0,
        order_usd=100.0,
    )


def test_nobody_configured() -> None:
    """A venue for anybody lists the large ones, ETH with at least 21x as examples of other clients need."""
    listed = [
        (each.instrument.coin, each.instrument.asset, each.instrument.leverage_max) for each in universe.coins({})
    ]
    assert listed == [("BTC", 0, 40), ("ETH", 1, 25), ("SOL", 2, 20)]


def test_configured_coins_have_their_asset_ids() -> None:
    """Gaps are filled with coins that nobody configured; ids are places in the list."""
    listed = universe.coins({"ETH": coin(3, decimals=4), "HYPE": coin(1, decimals=2)})
    assert [each.instrument.coin for each in listed] == ["BTC", "HYPE", "SOL", "ETH"]
    assert [each.instrument.asset for each in listed] == [0, 1, 2, 3]
    assert listed[3].instrument.size_decimals == 4
    far = universe.coins({"HYPE": coin(5)})
    assert [each.instrument.coin for each in far] == ["BTC", "ETH", "SOL", "COIN3", "COIN4", "HYPE"]


def test_configured_leverage_is_possible() -> None:
    """A coin lets its configured leverage be set, and keeps the venue's maximum where that is more."""
    low, high = (universe.coins({"HYPE": coin(0, leverage=leverage)})[0] for leverage in (3, 50))
    assert (low.instrument.leverage_max, low.margin_tiers[0].leverage_max) == (10, 10)
    assert (high.instrument.leverage_max, high.margin_tiers[0].leverage_max) == (50, 50)


def test_recorded_coins() -> None:
    """Recorded coins begin at their recorded price; the others are as they were."""
    listed = universe.recorded(universe.coins({}), {"BTC": Ticks(1_100_000)})
    assert [(each.instrument.coin, each.external) for each in listed] == [("BTC", True), ("ETH", False), ("SOL", False)]
    assert listed[0].oracle_ticks == 1_100_000
