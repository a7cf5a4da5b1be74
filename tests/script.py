"""A test reads like a transcript: at a time, send a message, expect exactly these effects."""

from typing import Any, Generic, Self, TypeVar, cast

from common.actor import Actor, Effect, Send
from common.messages import Message, Wake
from common.units import SECOND, Nanos

T = TypeVar("T", bound=Message)
E = TypeVar("E")


class Script(Generic[T]):
    """Drives one actor on a virtual clock that starts at `start` seconds."""

    def __init__(self, actor: Actor[T], *, start: float = 0) -> None:
        self.actor = actor
        self._now = Nanos(int(start * SECOND))
        self._effects: list[Effect] = []

    @property
    def now(self) -> Nanos:
        return self._now

    def at(self, seconds: float) -> Self:
        """Move the clock, waking the actor at each deadline on the way, as every driver would."""
        assert not self._effects, f"unexpected {self._effects}"
        return self.until(seconds)

    def until(self, seconds: float) -> Self:
        """Move the clock like `at`, keeping effects that nobody has expected yet."""
        target = Nanos(int(seconds * SECOND))
        while (due := self.actor.deadline()) is not None and due <= target:
            self._now = max(self._now, due)
            self._effects += self.actor.handle(cast("T", Wake()), self._now)
            again = self.actor.deadline()
            assert again is None or again > self._now, "a wake must move the deadline"
        self._now = target
        return self

    def send(self, *messages: T) -> Self:
        for message in messages:
            self._effects += self.actor.handle(message, self._now)
        return self

    def expect(self, *expected: Effect | Message) -> Self:
        """Exactly these, in this order; a bare message stands for its publication."""
        wanted = [Send(item) if isinstance(item, Message) else item for item in expected]
        assert self._effects == wanted, f"\n got    {self._effects}\n wanted {wanted}"
        self._effects = []
        return self

    def take(self, kind: type[E]) -> list[E]:
        """Remove and return the effects of one kind, or the sent messages of one kind; keep the others."""
        found: list[Any] = []
        rest: list[Effect] = []
        for effect in self._effects:
            if isinstance(effect, kind):
                found.append(effect)
            elif isinstance(effect, Send) and isinstance(effect.message, kind):
                found.append(effect.message)
            else:
                rest.append(effect)
        self._effects = rest
        return found

    def ignore(self) -> Self:
        """Drop what is not the matter of this test."""
        self._effects = []
        return self
