"""Who is told of an alert besides the file: a webhook of this machine, and a command (shell).

Rules
  1. A receiver gets the alert as one JSON line: the webhook as a body, the command on stdin. Nothing of an alert ever
     becomes a word of the command or of its environment, and no shell reads either.
  2. Each has a time within which it must be done; a command that is not is killed with everything it started.
  3. Refused, failed, killed and absent are the same: a text that says why. Nothing is raised.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Final, Protocol

import httpx

from common.sections import Alerts

POST_S_MAX: Final = 2.0  # with the tick within the 5 s that an alert may take
COMMAND_S_MAX: Final = 4.0  # the same, and time for a slow relay of mail
COMMANDS_MAX: Final = 4  # at once: a few slow ones do not hold up the next
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


class Receiver(Protocol):
    """One way out; `workers` alerts are told at the same time."""

    name: str
    workers: int

    async def tell(self, line: bytes) -> str:
        """Return why it did not arrive; "" when it did."""


class Webhook:
    """Posts in order."""

    name = "webhook"
    workers = 1

    def __init__(self, url: str) -> None:
        self._url = url

    async def tell(self, line: bytes) -> str:
        try:
            async with httpx.AsyncClient(timeout=POST_S_MAX, trust_env=False) as client:
                answer = await client.post(self._url, content=line)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
        return "" if answer.is_success else f"answered {answer.status_code}"


class Command:
    """Runs the operator's own program for each alert."""

    name = "command"
    workers = COMMANDS_MAX

    def __init__(self, words: Sequence[str], seconds_max: float = COMMAND_S_MAX) -> None:
        self._words = tuple(words)
        self._seconds_max = seconds_max

    async def tell(self, line: bytes) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        try:
            async with asyncio.timeout(self._seconds_max):
                await process.communicate(line)
        except TimeoutError:
            return f"killed after {self._seconds_max:g} s"
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return "" if process.returncode == 0 else f"ended with {process.returncode}"


def receivers(settings: Alerts) -> list[Receiver]:
    """Return those that are configured."""
    found: list[Receiver] = []
    if settings.webhook:
        found.append(Webhook(settings.webhook))
    if settings.command:
        found.append(Command(settings.command))
    return found
