"""Broken, senseless and signed-but-absurd requests are answered one by one; the venue goes on."""

import pytest

from services.venue_sim.address_limits import LIMITS, Limits
from tests.services.venue_sim.door import ALICE, BOB, Door, limit
from tests.services.venue_sim.mutations import Nonsense
from tests.services.venue_sim.stage import BLOCK_MS

STATUSES = {200, 400, 422, 429, 500}


@pytest.mark.parametrize("seed", range(3))
def test_every_request_has_an_answer(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundred of each; the venue goes on, its money adds up, and a good client is served."""
    boundless = Limits(weight_per_minute=10**9, messages_per_minute=10**9)
    monkeypatch.setitem(LIMITS, "2025", boundless)
    door = Door().meet(ALICE, BOB)
    total = door.exchange.info.total_money()
    nonsense = Nonsense(seed)
    nonsense.nonce = int(door.now)
    opened = 0
    for number in range(400):
        path, body = nonsense.body()
        ticket = door.post(path, body)
        if opened in door.dropped or not opened:
            opened = number + 1
            door.open(opened)
        door.say(opened, nonsense.frame().decode(errors="replace")).heard(opened)
        door.block(BLOCK_MS)
        status, text = door.answer(ticket)
        assert status in STATUSES, text
    accounts = sum(1 for account in door.exchange.floor.accounts.values() if not account.internal)
    assert door.exchange.info.total_money() - total == (accounts_funded(door) - 2) * 100_000_000_000
    assert accounts < 800
    door.nonce = nonsense.nonce + 1
    fresh = door.ask("clearinghouseState", user=ALICE.address)
    assert fresh["time"] == door.now
    assert door.log()
    door.rest(BOB, limit("90000", "0.01"))


def accounts_funded(door: Door) -> int:
    """Count the accounts that were given money when they were first named."""
    accounts = door.exchange.floor.accounts.values()
    return sum(event.kind == "deposit" for account in accounts for event in account.ledger)
