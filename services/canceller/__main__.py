"""The canceller as a process."""

import random
from collections.abc import Iterator

from common import passphrases, process
from common.config import Profile
from common.hyperliquid.client import VenueLink
from common.journal import Journal
from common.messages import Message, NonceRecord
from common.shell import Parts
from services.canceller.core import Canceller, Inbox
from services.canceller.reads import require_room
from services.canceller.signer import CancelSigner


def build(context: process.Context) -> Parts:
    settings = context.settings
    require_room(settings.budget.canceller, settings.canceller.account_read_ms)
    key = passphrases.open_key(
        context.home, "canceller", settings.keys.canceller, strict=settings.profile is not Profile.SIM
    )
    instruments = settings.instruments()
    return Parts(
        actor=Canceller(settings, context.boot, context.account, tuple(context.rows)),
        link=lambda deliver: VenueLink(
            url=settings.venue.url,
            account=context.account,
            instruments=instruments,
            subscriptions=(),
            deliver=deliver,
            weight_per_min=settings.budget.canceller,
            chance=random.Random(context.boot.epoch),
        ),
        signer=CancelSigner(key, settings.venue.network, instruments),
        outlives_disk=True,
    )


def memory(journal: Journal) -> Iterator[Message]:
    """Give what a new life must know: the last nonce."""
    return journal.since(NonceRecord)


if __name__ == "__main__":
    process.run(
        process.Service(name="canceller", inbox=Inbox, build=build, memory=memory, halts_on_bug=True, stop_wait_s=6.0)
    )
