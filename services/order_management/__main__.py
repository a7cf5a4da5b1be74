"""The order management service as a process."""

import random
from collections.abc import Iterator

from common import process
from common.hyperliquid.client import VenueLink
from common.hyperliquid.subscriptions import user_subscriptions
from common.journal import Journal
from common.messages import CheckpointRecord, Message
from common.shell import Parts
from services.order_management.core import Inbox, OrderManagement


def build(context: process.Context) -> Parts:
    settings = context.settings
    return Parts(
        actor=OrderManagement(settings, context.boot, context.account, context.rows),
        link=lambda deliver: VenueLink(
            url=settings.venue.url,
            account=context.account,
            instruments=settings.instruments(),
            subscriptions=user_subscriptions(context.account),
            deliver=deliver,
            weight_per_min=settings.budget.order_management,
            chance=random.Random(context.boot.epoch),
        ),
    )


def memory(journal: Journal) -> Iterator[Message]:
    """Give what a new life must know: the last checkpoint stands for everything before it."""
    return journal.since(CheckpointRecord)


if __name__ == "__main__":
    process.run(
        process.Service(
            name="order_management", inbox=Inbox, build=build, memory=memory, halts_on_bug=True, stop_wait_s=15.0
        )
    )
