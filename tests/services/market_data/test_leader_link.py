"""The leader's socket against a server that behaves, falls silent, lies or dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from common.messages import LeaderTop
from services.market_data.leader_link import FRAME_BYTES_MAX, REFUSALS_MAX, LeaderLink
from tests.services.market_data.leader_server import Ears, leader
from tests.services.market_data.test_leader_wire import TOP, frame

SILENCE_S = 0.2


@asynccontextmanager
async def followed(*scripts: list[bytes] | None) -> AsyncIterator[Ears]:
    """Give what is heard of a leader that speaks by these scripts."""
    async with leader(*scripts) as url:
        ears = Ears()
        link = LeaderLink(url=url, symbols={"BTC": "btcusdt"}, deliver=ears.hear, chance=Random(1), silence_s=SILENCE_S)
        link.start()
        try:
            yield ears
        finally:
            await link.close()


RUBBISH = b'{"stream":"btcusdt@bookTicker","data":{}}'


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([], "no usable price for 0.2 s"),
        ([RUBBISH], "no usable price for 0.2 s: leader: Object missing required field"),
        ([RUBBISH] * REFUSALS_MAX, f"{REFUSALS_MAX} unusable prices in a row, the last: leader: Object missing"),
        ([b"x" * (FRAME_BYTES_MAX + 1)], "closed: sent 1009"),
        (None, "closed: received 1000"),
    ],
)
def test_a_lost_connection_is_said_and_made_anew(script: list[bytes] | None, reason: str) -> None:
    """Whatever ends the first connection, prices come with the second."""

    async def scene() -> None:
        async with followed(script, [frame()]) as ears:
            await ears.until(lambda said: any(isinstance(message, LeaderTop) for message in said))
            assert ears.reasons[0].startswith(reason)
            top = next(message for message in ears.said if isinstance(message, LeaderTop))
            assert (top.coin, top.bid, top.ask) == (TOP.coin, TOP.bid, TOP.ask)

    asyncio.run(scene())


def test_rubbish_between_prices_is_dropped() -> None:
    """One short of the limit is no reason to leave."""

    async def scene() -> None:
        async with followed([frame(), *[RUBBISH] * (REFUSALS_MAX - 1), frame(u=6)]) as ears:
            await ears.until(lambda said: len(said) >= 2)
            assert all(isinstance(message, LeaderTop) for message in ears.said[:2])

    asyncio.run(scene())


def test_nobody_there() -> None:
    """A refused connection is said, and tried again."""

    async def scene() -> None:
        ears = Ears()
        link = LeaderLink(
            url="ws://127.0.0.1:1/stream", symbols={"BTC": "btcusdt"}, deliver=ears.hear, chance=Random(1)
        )
        link.start()
        await ears.until(lambda said: len(said) >= 2)
        await link.close()
        assert all(reason.startswith("cannot connect: ") for reason in ears.reasons)

    asyncio.run(scene())
