"""Risk as a process: the only one that opens the order key."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic_ns
from typing import Final

from common import arming, passphrases, process
from common.config import Profile
from common.halt import HaltDir
from common.hyperliquid.client import VenueLink
from common.hyperliquid.subscriptions import risk_subscriptions
from common.journal import Journal
from common.messages import DayRecord, Message
from common.shell import Parts
from common.units import Nanos
from services.risk.core import Inbox, Risk
from services.risk.signer import OrderSigner

MEMORY_ROWS: Final = 20_000  # hours of decisions; an order that is older than this memory is cancelled, not judged


def build(context: process.Context) -> Parts:
    settings = context.settings
    key = passphrases.open_key(context.home, "risk", settings.keys.risk, strict=settings.profile is not Profile.SIM)
    instruments = settings.instruments()
    signer = OrderSigner(settings, key, HaltDir(context.home.halt), lambda: Nanos(monotonic_ns()))

    def link(deliver: Callable[[Message], None]) -> VenueLink:
        def hear(message: Message) -> None:
            signer.observe(message)
            deliver(message)

        return VenueLink(
            url=settings.venue.url,
            account=context.account,
            instruments=instruments,
            subscriptions=risk_subscriptions(tuple(instruments), context.account),
            deliver=hear,
            weight_per_min=settings.budget.risk,
            chance=random.Random(context.boot.epoch),
        )

    verify_arm = partial(arming.verify_command, context.public.operator)
    return Parts(
        actor=Risk(settings, context.boot, context.account, context.rows, verify_arm, agents=context.public.agents),
        link=link,
        signer=signer,
    )


def memory(journal: Journal) -> Iterator[Message]:
    """Give what a new life must know: the day that loss is measured from, and the last decisions and nonces."""
    day = journal.last(DayRecord)
    if day is not None:
        yield day
    yield from journal.newest(MEMORY_ROWS)


if __name__ == "__main__":
    process.run(
        process.Service(name="risk", inbox=Inbox, build=build, memory=memory, halts_on_bug=True, stop_wait_s=7.0)
    )
