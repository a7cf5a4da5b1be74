"""The venue's JSON for what is: accounts, universe, contexts, fees, limits. Encoded by the caller."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from common.instrument import Instrument
from common.units import Micros, Millis
from services.venue_sim import fee_tiers, rules, views
from services.venue_sim.numbers import decimal, price, size, usd
from services.venue_sim.payloads import Json, mid

SINGLE_TIER_IDS_BELOW: Final = 50  # such a margin table id is the maximum leverage itself
_PPM: Final = Decimal(1_000_000)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_MILLISECONDS_PER_DAY: Final = 86_400_000

# The official client asks for spot at every start, and its examples name these two pairs. Nothing trades there.
SPOT_META: Final[Json] = {
    "tokens": [
        {
            "name": name,
            "szDecimals": size_decimals,
            "weiDecimals": wei_decimals,
            "index": index,
            "tokenId": token_id,
            "isCanonical": True,
            "evmContract": None,
            "fullName": None,
        }
        for index, (name, size_decimals, wei_decimals, token_id) in enumerate(
            (
                ("USDC", 8, 8, "0x6d1e7cde53ba9467b783cb7c530ce054"),
                ("PURR", 0, 5, "0xc1fb593aeffbeb02f85e0308e9956a90"),
                ("HFUN", 2, 8, "0xbaf265ef389da684513d98d68edf4eae"),
            )
        )
    ],
    "universe": [
        {"name": "PURR/USDC", "tokens": [1, 0], "index": 0, "isCanonical": True},
        {"name": "@1", "tokens": [2, 0], "index": 1, "isCanonical": False},
    ],
}
SPOT_PAIRS: Final = ("PURR/USDC", "@1")
_SPOT_PRICE: Final = "1.0"  # of the one old trade of each pair
SPOT_MIDS: Final = dict.fromkeys(SPOT_PAIRS, _SPOT_PRICE)
_SPOT_CONTEXT: Final = {
    "prevDayPx": _SPOT_PRICE,
    "dayNtlVlm": "0.0",
    "markPx": _SPOT_PRICE,
    "midPx": None,
    "circulatingSupply": "0.0",
}


def spot_contexts() -> list[Json]:
    return [{**_SPOT_CONTEXT, "coin": coin, "totalSupply": "0.0", "dayBaseVlm": "0.0"} for coin in SPOT_PAIRS]


def spot_trades(coin: str) -> list[Json]:
    """Return the one old trade of a pair, which is where its price comes from."""
    trade = {"coin": coin, "side": "B", "px": _SPOT_PRICE, "sz": "10.0", "time": 1_700_000_000_000}
    parties = {"tid": 1 + SPOT_PAIRS.index(coin), "users": ["0x" + "0" * 39 + "1", "0x" + "0" * 39 + "2"]}
    return [{**trade, "hash": "0x" + "0" * 64, **parties}]


# --- the universe ----------------------------------------------------------------------------------


def meta(coins: Sequence[rules.CoinRules], delisted: Collection[str] = ()) -> Json:
    tables: dict[tuple[rules.MarginTier, ...], int] = {}
    universe = []
    for coin in coins:
        instrument = coin.instrument
        table_id = instrument.leverage_max
        if len(coin.margin_tiers) > 1 or table_id >= SINGLE_TIER_IDS_BELOW:
            table_id = tables.setdefault(coin.margin_tiers, SINGLE_TIER_IDS_BELOW + len(tables))
        universe.append(
            {
                "szDecimals": instrument.size_decimals,
                "name": instrument.coin,
                "maxLeverage": instrument.leverage_max,
                "marginTableId": table_id,
                **({"isDelisted": True} if instrument.coin in delisted else {}),
            }
        )
    return {
        "universe": universe,
        "marginTables": [[number, _margin_table(tiers)] for tiers, number in tables.items()],
        "collateralToken": 0,
    }


def _margin_table(tiers: tuple[rules.MarginTier, ...]) -> Json:
    return {
        "description": f"tiered {tiers[0].leverage_max}x" if len(tiers) > 1 else "",
        "marginTiers": [{"lowerBound": usd(tier.above), "maxLeverage": tier.leverage_max} for tier in tiers],
    }


def asset_context(instrument: Instrument, context: views.AssetContext) -> Json:
    impact = context.impact_ticks
    return {
        "funding": decimal(context.funding),
        "openInterest": size(instrument, context.open_interest),
        "prevDayPx": price(instrument, context.previous_day_ticks),
        "dayNtlVlm": usd(context.day_notional),
        "premium": None if context.premium is None else decimal(context.premium),
        "oraclePx": price(instrument, context.oracle_ticks),
        "markPx": price(instrument, context.mark_ticks),
        "midPx": None if context.mid_half_ticks is None else mid(instrument, context.mid_half_ticks),
        "impactPxs": None if impact is None else [decimal(_usd_price(instrument, ticks)) for ticks in impact],
        "dayBaseVlm": size(instrument, context.day_lots),
    }


def _usd_price(instrument: Instrument, ticks: Decimal) -> Decimal:
    return ticks.scaleb(-instrument.price_decimals).quantize(Decimal("0.000001"))


def funding_rate(rate: views.FundingRate) -> Json:
    return {
        "coin": rate.coin,
        "fundingRate": decimal(rate.rate),
        "premium": decimal(rate.premium),
        "time": rate.time_ms,
    }


def predicted_funding(context: views.AssetContext, now: Millis) -> list[object]:
    next_ms = now - now % rules.HOUR_MS + rules.HOUR_MS
    rate = {"fundingRate": decimal(context.funding), "nextFundingTime": next_ms, "fundingIntervalHours": 1}
    return [context.coin, [["HlPerp", rate]]]


# --- one account -----------------------------------------------------------------------------------


def clearinghouse(instruments: dict[str, Instrument], view: views.AccountView) -> Json:
    return {
        "marginSummary": _margin_summary(view.total),
        "crossMarginSummary": _margin_summary(view.cross),
        "crossMaintenanceMarginUsed": usd(view.cross_maintenance),
        "withdrawable": usd(view.withdrawable),
        "assetPositions": [
            {"type": "oneWay", "position": _position(instruments[position.coin], position)}
            for position in view.positions
        ],
        "time": view.time_ms,
    }


def _margin_summary(summary: views.MarginSummary) -> Json:
    return {
        "accountValue": usd(summary.account_value),
        "totalNtlPos": usd(summary.notional),
        "totalRawUsd": usd(summary.raw_usd),
        "totalMarginUsed": usd(summary.margin_used),
    }


def _position(instrument: Instrument, view: views.PositionView) -> Json:
    leverage: Json = {"type": "cross" if view.is_cross else "isolated", "value": view.leverage}
    if view.isolated_raw is not None:
        leverage["rawUsd"] = usd(view.isolated_raw)
    return {
        "coin": view.coin,
        "szi": size(instrument, view.lots),
        "leverage": leverage,
        "entryPx": decimal(view.entry_price),
        "positionValue": usd(view.value),
        "unrealizedPnl": usd(view.unrealized_pnl),
        "returnOnEquity": decimal(view.return_on_equity),
        "liquidationPx": None if view.liquidation_price is None else decimal(view.liquidation_price),
        "marginUsed": usd(view.margin_used),
        "maxLeverage": view.leverage_max,
        "cumFunding": {
            "allTime": usd(view.funding_all_time),
            "sinceOpen": usd(view.funding_since_open),
            "sinceChange": usd(view.funding_since_change),
        },
    }


def active_asset(instrument: Instrument, user: str, view: views.ActiveAsset) -> Json:
    return {
        "user": user,
        "coin": instrument.coin,
        "leverage": {"type": "cross" if view.leverage.is_cross else "isolated", "value": view.leverage.value},
        "maxTradeSzs": [size(instrument, lots) for lots in view.max_lots],
        "availableToTrade": [usd(micros) for micros in view.available],
        "markPx": price(instrument, view.mark_ticks),
    }


def rate_limit(view: views.RateLimit) -> Json:
    return {
        "cumVlm": usd(view.volume),
        "nRequestsUsed": max(0, view.used - view.reserved),
        "nRequestsCap": view.cap,
        "nRequestsSurplus": max(0, view.reserved - view.used),
    }


def _rate(ppm: int) -> str:
    return decimal(ppm / _PPM)


_FIRST, *_HIGHER = [(usd(above), _rate(taker), _rate(maker)) for above, taker, maker in fee_tiers.TIERS]
_VIP_TIERS: Final = [
    {"ntlCutoff": above, "cross": taker, "add": maker, "spotCross": "0.0007", "spotAdd": "0.0004"}
    for above, taker, maker in _HIGHER
]
_MAKER_TIERS: Final = [
    {"makerFractionCutoff": decimal(Decimal(thousandths) / 1_000), "add": _rate(ppm)}
    for thousandths, ppm in fee_tiers.REBATES
]


def fees(rates: views.FeeRates, days: Sequence[views.DailyVolume]) -> Json:
    """Answer userFees."""
    return {
        "dailyUserVlm": [
            {
                "date": date.fromordinal(_EPOCH + each.day).isoformat(),
                "userCross": usd(each.taker),
                "userAdd": usd(each.maker),
                "exchange": usd(each.exchange),
            }
            for each in days
        ],
        "feeSchedule": {
            "cross": _FIRST[1],
            "add": _FIRST[2],
            "spotCross": "0.0007",
            "spotAdd": "0.0004",
            "tiers": {"vip": _VIP_TIERS, "mm": _MAKER_TIERS},
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
        },
        "userCrossRate": _rate(rates.taker_ppm),
        "userAddRate": _rate(rates.maker_ppm),
        "userSpotCrossRate": "0.0007",
        "userSpotAddRate": "0.0004",
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def role(view: views.Role) -> Json:
    if view.role == "agent":
        return {"role": "agent", "data": {"user": view.master}}
    if view.role == "subAccount":
        return {"role": "subAccount", "data": {"master": view.master}}
    return {"role": view.role}


def extra_agents(agents: Sequence[views.AgentView]) -> list[Json]:
    named = [agent for agent in agents if agent.name]
    return [{"name": agent.name, "address": agent.address, "validUntil": agent.valid_until} for agent in named]


def spot_state(micros: Micros) -> Json:
    usdc = {"coin": "USDC", "token": 0, "total": usd(micros), "hold": "0.0", "entryNtl": "0.0"}
    return {"balances": [usdc] if micros else []}


def portfolio(view: views.AccountView, volume: str) -> list[object]:
    """One point per period: this venue keeps no history of account values."""
    value = usd(view.total.account_value)
    periods = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
    point = {
        "accountValueHistory": [[view.time_ms, value]],
        "pnlHistory": [[view.time_ms, "0.0"]],
        "vlm": volume,
    }
    return [[period, point] for period in periods]
