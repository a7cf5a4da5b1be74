"""The links of market data: the venue's, and the leader's where there is one (shell)."""

import msgspec

from common.actor import Ask, Post
from common.hyperliquid.client import VenueLink
from services.market_data.leader_link import LeaderLink


class Feeds(msgspec.Struct, frozen=True, kw_only=True):
    """Two sockets that know nothing of each other; whatever the actor wants is meant for the venue."""

    venue: VenueLink
    leader: LeaderLink

    def start(self) -> None:
        self.venue.start()
        self.leader.start()

    def post(self, effect: Post) -> None:
        self.venue.post(effect)

    def ask(self, effect: Ask) -> None:
        self.venue.ask(effect)

    def reconnect(self, reason: str) -> None:
        self.venue.reconnect(reason)

    async def close(self) -> None:
        await self.leader.close()
        await self.venue.close()
