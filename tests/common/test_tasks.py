"""Tasks that cannot be lost."""

import asyncio
from typing import Any

from common.tasks import Tasks


async def forever() -> None:
    await asyncio.Event().wait()


def test_kept_until_they_end() -> None:
    """A running task is referenced, an ended one is forgotten, a closed owner has none."""

    async def story() -> None:
        tasks = Tasks()
        ended = tasks.spawn(asyncio.sleep(0), "short")
        running = tasks.spawn(forever(), "long")
        await ended
        await asyncio.sleep(0)
        assert len(tasks) == 1
        await tasks.close()
        assert running.cancelled()
        assert len(tasks) == 0

    asyncio.run(story())


def test_bugs_are_told() -> None:
    """An exception reaches the loop's handler at once, with the name of its task."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[dict[str, Any]] = loop.create_future()
        loop.set_exception_handler(lambda _, context: told.set_result(context))

        async def bug() -> None:
            raise ValueError("x")

        Tasks().spawn(bug(), "buggy")
        context = await told
        assert isinstance(context["exception"], ValueError)
        assert "buggy" in context["message"]

    asyncio.run(story())
