"""What the strategy hears, in short, and a strategy that has just heard everything."""

from decimal import Decimal
from typing import Final

import msgspec

from common.config import Settings
from common.messages import (
    Estimate,
    Exposure,
    FeedHealth,
    Position,
    Posture,
    PostureLevel,
    QuoteTarget,
)
from common.units import Lots, Millis
from services.strategy.core import Inbox, Strategy
from tests.market import BID, BOOT, SETTINGS, at, top
from tests.script import Script

BTC: Final = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})
LIMIT: Final = 5_309  # lots: 6,000 USD at 113,001
FRESH: Final = FeedHealth(coin="BTC", fresh=True, reason="", book_age_ms=1, context_age_ms=1)


def estimate(
    seconds: float,
    *,
    coin: str = "BTC",
    fair: float = BID + 5.0,
    sigma: float = 1e-4,
    warm: bool = True,
    confidence: float = 1.0,
) -> Estimate:
    return Estimate(
        coin=coin,
        as_of=at(seconds),
        book_venue_ms=Millis(int(seconds * 1_000)),
        mid_ticks=BID + 5.0,
        fair_ticks=fair,
        sigma_per_sqrt_s=sigma,
        sigma_total_per_sqrt_s=sigma,
        jump_ratio=1.0,
        effective_samples=100.0,
        confidence=confidence,
        warm=warm,
    )


def position(lots: int, *, coin: str = "BTC", proven: bool = True) -> Position:
    return Position(
        coin=coin,
        lots=Lots(lots),
        entry=None,
        realized_pnl=Decimal(0),
        fees=Decimal(0),
        funding=Decimal(0),
        fills=0,
        as_of_ms=Millis(1),
        proven=proven,
    )


def exposure(
    lots: int,
    *,
    coin: str = "BTC",
    headroom_bid: int | None = None,
    headroom_ask: int | None = None,
    pending_bid: int = 0,
    pending_ask: int = 0,
) -> Exposure:
    return Exposure(
        coin=coin,
        position=Lots(lots),
        pending_bid=Lots(pending_bid),
        pending_ask=Lots(pending_ask),
        worst_case_max_position=Lots(lots + pending_bid),
        worst_case_min_position=Lots(lots - pending_ask),
        headroom_bid=Lots(max(0, LIMIT - lots) if headroom_bid is None else headroom_bid),
        headroom_ask=Lots(max(0, LIMIT + lots) if headroom_ask is None else headroom_ask),
        largest_order=Lots(LIMIT),
    )


def posture(level: PostureLevel = PostureLevel.NORMAL, **coins: PostureLevel) -> Posture:
    return Posture(level=level, coins=coins, causes=(), risk_epoch=1)


def story(settings: Settings = BTC, *, lots: int = 0, level: PostureLevel = PostureLevel.NORMAL) -> Script[Inbox]:
    """Return a strategy that has just heard everything, at 1 s; what it said last is still to be taken."""
    script: Script[Inbox] = Script(Strategy(settings, BOOT))
    script.at(1).ignore()
    return script.send(posture(level), FRESH, top(1), estimate(1), position(lots), exposure(lots))


def last(script: Script[Inbox]) -> QuoteTarget:
    return script.take(QuoteTarget)[-1]


def reasons(script: Script[Inbox]) -> tuple[str, str]:
    target = last(script)
    return target.reason_bid, target.reason_ask


def said(settings: Settings = BTC, *, lots: int = 0, level: PostureLevel = PostureLevel.NORMAL) -> QuoteTarget:
    return last(story(settings, lots=lots, level=level))


def shifted(target: QuoteTarget) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return [(q.ticks, q.lots) for q in target.bids], [(q.ticks, q.lots) for q in target.asks]
