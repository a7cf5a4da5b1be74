"""The JSON of accounts, universe and contexts, word for word."""

from decimal import Decimal

from common.instrument import Instrument
from common.units import Lots, Micros, Millis, Ticks
from services.venue_sim import account_payloads, rules, views

BTC = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)
ETH = Instrument(coin="ETH", asset=1, size_decimals=4, leverage_max=20)
WIDE = Instrument(coin="WIDE", asset=2, size_decimals=2, leverage_max=50)
MILLION = 1_000_000 * 1_000_000


def test_margin_tables() -> None:
    """Below 50 a table's id is its leverage; tiers and 50 have tables of their own, shared by equal ones."""
    tiers = (rules.MarginTier(Micros(0), 40), rules.MarginTier(Micros(150 * MILLION), 20))
    meta = account_payloads.meta(
        (
            rules.CoinRules(instrument=BTC, oracle_ticks=Ticks(1), tiers=tiers),
            rules.CoinRules(instrument=ETH, oracle_ticks=Ticks(1)),
            rules.CoinRules(instrument=WIDE, oracle_ticks=Ticks(1)),
        )
    )
    assert [coin["marginTableId"] for coin in meta["universe"]] == [50, 20, 51]
    assert meta["marginTables"] == [
        [
            50,
            {
                "description": "tiered 40x",
                "marginTiers": [
                    {"lowerBound": "0.0", "maxLeverage": 40},
                    {"lowerBound": "150000000.0", "maxLeverage": 20},
                ],
            },
        ],
        [51, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 50}]}],
    ]


def test_context() -> None:
    """Prices, rates and a day's volume of one coin."""
    context = views.AssetContext(
        coin="BTC",
        funding=Decimal("0.0000125"),
        open_interest=BTC.lots("688.11"),
        previous_day_ticks=BTC.ticks("76317"),
        day_notional=Micros(1_169_046_294_060),
        day_lots=BTC.lots("81234.1"),
        premium=Decimal("0.0003177400"),
        oracle_ticks=BTC.ticks("77605"),
        mark_ticks=BTC.ticks("77562.5"),
        mid_half_ticks=BTC.ticks("77558") + BTC.ticks("77559"),
        impact_ticks=(Decimal("775580.04"), Decimal(775590)),
    )
    assert account_payloads.asset_context(BTC, context) == {
        "funding": "0.0000125",
        "openInterest": "688.11",
        "prevDayPx": "76317.0",
        "dayNtlVlm": "1169046.29406",
        "premium": "0.00031774",
        "oraclePx": "77605.0",
        "markPx": "77562.5",
        "midPx": "77558.5",
        "impactPxs": ["77558.004", "77559.0"],
        "dayBaseVlm": "81234.1",
    }
    assert account_payloads.predicted_funding(context, Millis(rules.HOUR_MS)) == [
        "BTC",
        [["HlPerp", {"fundingRate": "0.0000125", "nextFundingTime": 2 * rules.HOUR_MS, "fundingIntervalHours": 1}]],
    ]


def position(**fields: object) -> dict[str, object]:
    values: dict[str, object] = {
        "coin": "ETH",
        "lots": ETH.lots("0.0335"),
        "entry_price": Decimal("2986.30000000"),
        "value": Micros(100_027_650),
        "unrealized_pnl": Micros(-13_400),
        "return_on_equity": Decimal("-0.00267890"),
        "liquidation_price": Decimal("2866.26936529"),
        "margin_used": Micros(4_967_826),
        "leverage": 20,
        "is_cross": False,
        "isolated_raw": Micros(-95_059_824),
        "leverage_max": 50,
        "funding_all_time": Micros(514_085_417),
        "funding_since_open": Micros(0),
        "funding_since_change": Micros(0),
        **fields,
    }
    empty = views.MarginSummary(account_value=Micros(0), notional=Micros(0), raw_usd=Micros(0), margin_used=Micros(0))
    view = views.AccountView(
        user="0x",
        time_ms=Millis(5),
        total=empty,
        cross=empty,
        cross_maintenance=Micros(0),
        withdrawable=Micros(0),
        positions=(views.PositionView(**values),),  # type: ignore[arg-type]  # a test names the fields
    )
    (found,) = account_payloads.clearinghouse({"ETH": ETH}, view)["assetPositions"]
    return dict(found["position"])


def test_isolated_position() -> None:
    """The example of the venue's own documentation."""
    assert position() == {
        "coin": "ETH",
        "szi": "0.0335",
        "leverage": {"type": "isolated", "value": 20, "rawUsd": "-95.059824"},
        "entryPx": "2986.3",
        "positionValue": "100.02765",
        "unrealizedPnl": "-0.0134",
        "returnOnEquity": "-0.0026789",
        "liquidationPx": "2866.26936529",
        "marginUsed": "4.967826",
        "maxLeverage": 50,
        "cumFunding": {"allTime": "514.085417", "sinceOpen": "0.0", "sinceChange": "0.0"},
    }


def test_cross_position() -> None:
    """No raw USD of its own; a price of liquidation may not exist."""
    found = position(is_cross=True, isolated_raw=None, liquidation_price=None, lots=Lots(-1))
    assert found["leverage"] == {"type": "cross", "value": 20}
    assert found["liquidationPx"] is None
    assert found["szi"] == "-0.0001"


def test_rights() -> None:
    """Budgets, rebates, agents with names, and roles."""
    assert account_payloads.rate_limit(views.RateLimit(volume=Micros(1_500_000), used=3, cap=10_001)) == {
        "cumVlm": "1.5",
        "nRequestsUsed": 3,
        "nRequestsCap": 10_001,
        "nRequestsSurplus": 0,
    }
    fees = account_payloads.fees(views.FeeRates(maker_ppm=-10, taker_ppm=240), [])
    assert (fees["userAddRate"], fees["userCrossRate"]) == ("-0.00001", "0.00024")
    agents = [views.AgentView(name=name, address="0x1", valid_until=Millis(9)) for name in ("", "risk")]
    assert account_payloads.extra_agents(agents) == [{"name": "risk", "address": "0x1", "validUntil": 9}]
    assert account_payloads.role(views.Role(role="agent", master="0x2")) == {"role": "agent", "data": {"user": "0x2"}}
    assert account_payloads.role(views.Role(role="missing")) == {"role": "missing"}
