"""Which coins the venue lists: the large ones as the venue knows them, and whatever a home configures."""

from collections.abc import Mapping
from typing import Final

import msgspec

from common.config import Coin
from common.instrument import Instrument
from common.units import MICROS_PER_USD, Micros, Ticks
from services.venue_sim.rules import CoinRules, MarginTier
from services.venue_sim.synthetic import start_ticks

_MILLION: Final = 1_000_000 * MICROS_PER_USD
_LARGE: Final = ("BTC", "ETH")
# Size decimals, and maximum leverage by notional: the venue's own tables 56, 55 and 54.
_KNOWN: Final = {
    "BTC": (5, (MarginTier(Micros(0), 40), MarginTier(Micros(150 * _MILLION), 20))),
    "ETH": (4, (MarginTier(Micros(0), 25), MarginTier(Micros(100 * _MILLION), 15))),
    "SOL": (2, (MarginTier(Micros(0), 20), MarginTier(Micros(70 * _MILLION), 10))),
}
_OTHER_LEVERAGE_MAX: Final = 10
_IMPACT_LARGE: Final = Micros(20_000 * MICROS_PER_USD)
_IMPACT_OTHER: Final = Micros(6_000 * MICROS_PER_USD)


def coins(configured: Mapping[str, Coin]) -> tuple[CoinRules, ...]:
    """Return the universe: configured coins at their asset ids, the gaps filled with other ones."""
    by_asset = {settings.asset: coin for coin, settings in configured.items()}
    spare = [coin for coin in _KNOWN if coin not in configured]
    rules = []
    for asset in range(max(len(_KNOWN), 1 + max(by_asset, default=0))):
        coin = by_asset.get(asset) or (spare.pop(0) if spare else f"COIN{asset}")
        rules.append(_rules(coin, asset, configured.get(coin)))
    return tuple(rules)


def recorded(rules: tuple[CoinRules, ...], first_oracles: Mapping[str, Ticks]) -> tuple[CoinRules, ...]:
    """Return the same universe with the books of these coins played from a recording; the others stay empty."""
    return tuple(
        msgspec.structs.replace(coin, external=True, oracle_ticks=first_oracles[coin.instrument.coin])
        if coin.instrument.coin in first_oracles
        else coin
        for coin in rules
    )


def _rules(coin: str, asset: int, settings: Coin | None) -> CoinRules:
    decimals, tiers = _KNOWN.get(coin, (2, (MarginTier(Micros(0), _OTHER_LEVERAGE_MAX),)))
    if settings is not None:
        decimals = settings.size_decimals
        if settings.leverage > tiers[0].leverage_max:
            tiers = (MarginTier(Micros(0), settings.leverage),)
    instrument = Instrument(coin=coin, asset=asset, size_decimals=decimals, leverage_max=tiers[0].leverage_max)
    return CoinRules(
        instrument=instrument,
        oracle_ticks=Ticks(start_ticks(instrument)),
        tiers=tiers,
        impact_notional=_IMPACT_LARGE if coin in _LARGE else _IMPACT_OTHER,
    )
