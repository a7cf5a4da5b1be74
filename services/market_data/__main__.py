"""The market data service as a process."""

import random
from collections.abc import Callable
from functools import partial

from common import process
from common.hyperliquid.client import VenueLink
from common.hyperliquid.subscriptions import market_subscriptions
from common.messages import Message
from common.shell import Link, Parts
from services.market_data.core import Inbox, MarketData
from services.market_data.feeds import Feeds
from services.market_data.leader_link import LeaderLink
from services.market_data.leader_wire import stream_url


def build(context: process.Context) -> Parts:
    return Parts(actor=MarketData(context.settings, context.boot), link=partial(_link, context))


def _link(context: process.Context, deliver: Callable[[Message], None]) -> Link:
    settings = context.settings
    instruments = settings.instruments()
    venue = VenueLink(
        url=settings.venue.url,
        account="",
        instruments=instruments,
        subscriptions=market_subscriptions(tuple(instruments)),
        deliver=deliver,
        weight_per_min=settings.budget.reserve,
        chance=random.Random(context.boot.epoch),
    )
    if settings.leader is None:
        return venue
    leader = LeaderLink(
        url=stream_url(settings.leader, settings.venue.url),
        symbols=settings.leader.symbols,
        deliver=deliver,
        chance=random.Random(context.boot.epoch + 1),
    )
    return Feeds(venue=venue, leader=leader)


if __name__ == "__main__":
    process.run(process.Service(name="market_data", inbox=Inbox, build=build))
