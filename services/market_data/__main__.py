"""The market data service as a process."""

import random

from common import process
from common.hyperliquid.client import VenueLink
from common.hyperliquid.subscriptions import market_subscriptions
from common.shell import Parts
from services.market_data.core import Inbox, MarketData


def build(context: process.Context) -> Parts:
    settings = context.settings
    instruments = settings.instruments()
    return Parts(
        actor=MarketData(settings, context.boot),
        link=lambda deliver: VenueLink(
            url=settings.venue.url,
            account="",
            instruments=instruments,
            subscriptions=market_subscriptions(tuple(instruments)),
            deliver=deliver,
            weight_per_min=settings.budget.reserve,
            chance=random.Random(context.boot.epoch),
        ),
    )


if __name__ == "__main__":
    process.run(process.Service(name="market_data", inbox=Inbox, build=build))
