"""Background tasks that cannot be lost: kept until they end, and their bugs are told to the loop."""

import asyncio
from collections.abc import Coroutine
from typing import Final

TASKS_MAX: Final = 1_000  # of one owner at a time; more means that somebody spawns without limit


class Tasks:
    """The tasks of one owner. An exception in one goes to the loop's exception handler, which ends the process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        assert len(self._tasks) < TASKS_MAX, f"{name}: {len(self._tasks)} tasks are running"
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel all and wait until they have ended."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            context = {"message": f"task {task.get_name()} failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
