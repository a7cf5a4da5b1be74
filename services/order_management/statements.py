"""What order_management says of itself to the others: full states, at every change and at every unit."""

from common.actor import Effect, Send
from common.messages import LiveOrders, OrderCounts, Reconciled
from common.units import Nanos
from services.order_management.books import Books
from services.order_management.desk import Desk
from services.order_management.ledger_identity import LedgerIdentity
from services.order_management.recovery import Recovery


class Statements:
    """Knows what was said last, and when it is to be said again."""

    def __init__(
        self, desk: Desk, books: Books, identity: LedgerIdentity, recovery: Recovery, *, started_at: Nanos
    ) -> None:
        self._desk = desk
        self._books = books
        self._identity = identity
        self._recovery = recovery
        self._said_done: bool | None = None
        self.due = started_at

    def publish(self, now: Nanos) -> list[Effect]:
        """Say what changed; everything once a unit, and when recovery ends or begins."""
        changed, self._desk.store.changed = self._desk.store.changed, {}
        done = self._recovery.done
        everything = now >= self.due or done is not self._said_done
        effects: list[Effect] = []
        for coin in self._desk.settings.coins:
            if everything or coin in changed:
                effects += self._of_coin(coin)
        if everything:
            self._said_done = done
            effects.append(Send(Reconciled(epoch=self._desk.epoch, done=done, detail=self._recovery.detail)))
        if now >= self.due:
            effects.append(Send(OrderCounts(counts=self.counts())))
            if self._identity.statement is not None:
                effects.append(Send(self._identity.statement))
            self.due = Nanos(now + self._desk.settings.liveness.units(1))
        return effects

    def counts(self) -> dict[str, int]:
        """Return counters since the start: actions, findings, states reached, evidence that the table refused."""
        store = self._desk.store
        return {
            **self._desk.counts,
            **{f"state.{state}": times for state, times in store.reached.items()},
            "open": len(store.open),
            "refused_evidence": store.refused,
        }

    def _of_coin(self, coin: str) -> list[Effect]:
        position = self._books.position(coin, proven=self._recovery.done)
        orders = tuple(order.live() for order in self._desk.store.of_coin(coin))
        said = [Send(position)] if position is not None else []
        return [*said, Send(self._books.exposure(coin)), Send(LiveOrders(coin=coin, orders=orders))]
