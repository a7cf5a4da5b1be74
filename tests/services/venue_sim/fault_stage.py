"""A story at a venue with faults, and the check that the venue itself stayed sound."""

from typing import Any, Final

from common import witness
from common.witness_check import check
from tests.services.venue_sim.door import ALICE, BOB, Door, limit, place

ALICE_EAR: Final = 1  # her WebSocket
BOB_EAR: Final = 2
CHANNELS: Final = ("orderUpdates", "userEvents", "userFills")


class FaultStage(Door):
    """Alice and Bob are funded, and each listens on a socket of its own."""

    def __init__(self) -> None:
        super().__init__(faults=True)
        self.log()
        self.venue.open_log()
        self._lines: list[witness.AnyLine] = []
        self.meet(ALICE, BOB)
        for ear, key in ((ALICE_EAR, ALICE), (BOB_EAR, BOB)):
            self.open(ear)
            for channel in CHANNELS:
                self.subscribe(ear, type=channel, user=key.address)
        self.hush()

    def log(self) -> list[witness.AnyLine]:
        lines = super().log()
        if hasattr(self, "_lines"):
            self._lines += lines
        return lines

    def hush(self) -> "FaultStage":
        self.heard(ALICE_EAR)
        self.heard(BOB_EAR)
        return self

    def bid(self, price: str = "99000", size: str = "0.1") -> int:
        """Have Alice bid; return the ticket."""
        return self.send(ALICE, place(limit(price, size)))

    def hit(self, price: str = "99000", size: str = "0.1") -> "FaultStage":
        """Have Bob sell into it, in a block of its own."""
        self.send(BOB, place(limit(price, size, buy=False, tif="Ioc")))
        self.block()
        return self

    @property
    def last_ticket(self) -> int:
        return self._tickets

    def is_answered(self, ticket: int) -> bool:
        return ticket in self._answers

    def fills(self, ear: int = ALICE_EAR) -> list[Any]:
        """Return the new fills in what an ear heard on userFills since the last call."""
        messages = [each for each in self.heard(ear) if each["channel"] == "userFills"]
        return [fill for each in messages if not each["data"].get("isSnapshot") for fill in each["data"]["fills"]]

    def open_orders(self) -> int:
        return len(self.exchange.info.open_orders(ALICE.address))

    def check(self) -> "FaultStage":
        """Check that the exchange agrees with itself: money, positions, books; and the log with the rules."""
        self.block().log()
        report = check(self._lines)
        assert report.ok, "\n".join(map(str, report.findings))
        info, floor = self.exchange.info, self.exchange.floor
        assert info.total_money() == sum(event.micros for each in floor.accounts.values() for event in each.ledger)
        for name, coin in floor.coins.items():
            assert sum(account.lots(name) for account in floor.accounts.values()) == 0
            resting = {
                order.oid: order.lots
                for account in floor.accounts.values()
                for order in account.orders.values()
                if order.coin == name and order.is_resting
            }
            queues = [queue for side in (coin.book.bids, coin.book.asks) for queue in side]
            assert sum(queue.lots for queue in queues) == sum(resting.values())
            bid, ask = coin.book.bbo()
            assert bid is None or ask is None or bid < ask
        for key in (ALICE, BOB):
            fills = info.fills(key.address)
            for name in floor.coins:
                moved = sum(each.side.sign * each.lots for each in fills if each.coin == name)
                assert moved == floor.accounts[key.address].lots(name)
        return self
