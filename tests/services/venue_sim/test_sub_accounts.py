"""Rules of services/venue_sim/sub_accounts.py, and orders that a master places for its own."""

from typing import Any

import pytest

from services.venue_sim.sub_accounts import SUB_ACCOUNTS_MAX, SubAccounts
from tests.services.venue_sim.door import AGENT, ALICE, BOB, Door, limit, place

OK = {"status": "ok", "response": {"type": "default"}}


def created(door: Door, name: str = "maker") -> str:
    answer = door.do(ALICE, {"type": "createSubAccount", "name": name})
    assert answer["response"]["type"] == "createSubAccount"
    return str(answer["response"]["data"])


def moved(sub: str, usd: int, *, deposit: bool = True) -> dict[str, Any]:
    return {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": deposit, "usd": usd * 1_000_000}


@pytest.fixture
def door() -> Door:
    return Door().meet(ALICE, BOB)


def test_names_and_number() -> None:
    """Rules 1 and 2: distinct names of 1 to 16 characters, ten of them, none below a sub-account."""
    subs = SubAccounts()
    first, text = subs.create("0xa", "n" * 16)
    assert text == ""
    for name in ("", "n" * 17, "n" * 16):
        assert subs.create("0xa", name)[0] == ""
    for number in range(1, SUB_ACCOUNTS_MAX):
        assert subs.create("0xa", str(number))[1] == ""
    assert subs.create("0xa", "one more") == ("", "Too many sub-accounts.")
    assert subs.create(first, "below")[0] == ""
    assert subs.create("0xb", "n" * 16)[0] not in {"", first}
    assert subs.master(first) == "0xa"
    again = SubAccounts()
    again.restore(subs.dump())
    assert again.of("0xa") == subs.of("0xa")


def test_orders_of_a_sub_account(door: Door) -> None:
    """Master and agent trade for it by vaultAddress; the orders, the budget and the position are its own."""
    sub = created(door)
    assert door.do(ALICE, moved(sub, 20_000)) == OK
    approved = door.do_signed(ALICE, "approveAgent", agentAddress=AGENT.address, agentName="bot")
    assert approved == OK
    for key in (ALICE, AGENT):
        answer = door.do(key, place(limit("90000", "0.01")), vault=sub)
        assert "resting" in answer["response"]["data"]["statuses"][0]
    assert len(door.ask("openOrders", user=sub)) == 2
    assert door.ask("openOrders", user=ALICE.address) == []
    assert door.ask("userRateLimit", user=sub)["nRequestsUsed"] == 2
    assert door.ask("userRole", user=sub) == {"role": "subAccount", "data": {"master": ALICE.address}}
    (listed,) = door.ask("subAccounts", user=ALICE.address)
    assert (listed["subAccountUser"], listed["name"], listed["master"]) == (sub, "maker", ALICE.address)
    assert listed["clearinghouseState"]["marginSummary"]["accountValue"] == "20000.0"
    lines = [line for line in door.log() if type(line).__name__ == "Action"]
    assert [line.user for line in lines[-2:]] == [sub, sub]  # type: ignore[union-attr]  # they are actions


def test_others_do_not_reach_it(door: Door) -> None:
    """A stranger to it, and any address that is no sub-account, is the venue's refusal."""
    sub = created(door)
    for key, vault in ((BOB, sub), (ALICE, BOB.address), (ALICE, ALICE.address)):
        answer = door.do(key, place(limit("90000", "0.01")), vault=vault)
        assert answer == {"status": "err", "response": f"Vault not registered: {vault}"}
    assert door.do(BOB, moved(sub, 1))["response"] == "Invalid send"


def test_money_comes_back(door: Door) -> None:
    """A master takes back what its sub-account can spare, and no more."""
    sub = created(door)
    door.do(ALICE, moved(sub, 100))
    assert door.do(ALICE, moved(sub, 101, deposit=False))["response"] == "Insufficient balance for withdrawal."
    assert door.do(ALICE, moved(sub, 100, deposit=False)) == OK
    assert door.ask("clearinghouseState", user=ALICE.address)["withdrawable"] == "100000.0"
    kinds = [each["delta"]["type"] for each in door.ask("userNonFundingLedgerUpdates", user=sub)]
    assert kinds == ["subAccountTransfer", "subAccountTransfer"]


def test_more_named_agents(door: Door) -> None:
    """Two more named agents for each sub-account."""
    created(door)
    for number in range(5):
        answer = door.do_signed(ALICE, "approveAgent", agentAddress=f"0x{number + 1:040x}", agentName=f"bot{number}")
        assert answer == OK
    refused = door.do_signed(ALICE, "approveAgent", agentAddress=f"0x{9:040x}", agentName="bot9")
    assert refused["response"].endswith("Current limit is 5")
