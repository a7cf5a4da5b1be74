"""Rules of services/venue_sim/transfers.py, through the venue's door."""

from typing import Any

import pytest

from tests.services.venue_sim.door import ALICE, BOB, Door, limit, place
from tests.services.venue_sim.test_sub_accounts import OK, created, moved

SPARE = "100000"  # USD that every account starts with
BROKE = "Insufficient balance for withdrawal."


@pytest.fixture
def door() -> Door:
    return Door().meet(ALICE, BOB)


def money(door: Door, user: str) -> tuple[str, str]:
    """Return the withdrawable perpetuals' USDC and the spot USDC."""
    balances = door.ask("spotClearinghouseState", user=user)["balances"]
    return door.ask("clearinghouseState", user=user)["withdrawable"], balances[0]["total"] if balances else "0.0"


def to_spot(door: Door, amount: str) -> Any:
    return door.do_signed(ALICE, "usdClassTransfer", amount=amount, toPerp=False)


def test_between_spot_and_perpetuals(door: Door) -> None:
    """Rule 1: there and back, and never more than there is."""
    total = door.exchange.info.total_money()
    assert to_spot(door, "100000.000001")["response"] == BROKE
    assert to_spot(door, SPARE) == OK
    assert money(door, ALICE.address) == ("0.0", "100000.0")
    assert door.do_signed(ALICE, "usdClassTransfer", amount="100000.5", toPerp=True)["response"] == BROKE
    assert door.do_signed(ALICE, "usdClassTransfer", amount="99999.5", toPerp=True) == OK
    assert money(door, ALICE.address) == ("99999.5", "0.5")
    deltas = [each["delta"] for each in door.ask("userNonFundingLedgerUpdates", user=ALICE.address)]
    assert [delta.get("toPerp") for delta in deltas] == [None, False, True]
    assert door.exchange.info.total_money() == total


def test_spot_goes_to_others(door: Door) -> None:
    """Rules 1 and 2: USDC alone, to a new account too; to oneself it is no transfer."""
    to_spot(door, "10")
    new = "0x" + "AB" * 20
    sent = {"stamp": "time", "token": "USDC:0x6d1e7cde53ba9467b783cb7c530ce054", "amount": "4"}
    assert door.do_signed(ALICE, "spotSend", destination=new, **sent) == OK
    assert money(door, new.lower()) == ("0.0", "4.0")
    assert door.do_signed(ALICE, "spotSend", destination=ALICE.address, **sent)["response"] == "Invalid send"
    other = {**sent, "token": "PURR:0xc1fb593aeffbeb02f85e0308e9956a90"}
    assert door.do_signed(ALICE, "spotSend", destination=new, **other)["response"] == "Invalid send"
    assert door.do_signed(ALICE, "spotSend", destination=new, **{**sent, "amount": "7"})["response"] == BROKE


@pytest.mark.parametrize(
    ("source", "target", "left", "arrived"),
    [
        ("", "", ("99995.0", "10.0"), ("100005.0", "0.0")),
        ("", "spot", ("99995.0", "10.0"), ("100000.0", "5.0")),
        ("spot", "", ("100000.0", "5.0"), ("100005.0", "0.0")),
        ("spot", "spot", ("100000.0", "5.0"), ("100000.0", "5.0")),
    ],
)
def test_assets_are_sent(door: Door, source: str, target: str, left: tuple[str, str], arrived: tuple[str, str]) -> None:
    """Rule 1: from and to either side of two accounts."""
    door.exchange.floor.accounts[ALICE.address].spot = 10_000_000
    places = {"sourceDex": source, "destinationDex": target, "token": "USDC", "fromSubAccount": ""}
    assert door.do_signed(ALICE, "sendAsset", destination=BOB.address, amount="5", **places) == OK
    assert (money(door, ALICE.address), money(door, BOB.address)) == (left, arrived)
    fees = "0x" + "fe" * 20
    assert door.do_signed(ALICE, "sendAsset", destination=fees, amount="5", **places)["response"] == "Invalid send"
    elsewhere = {**places, "destinationDex": "test"}
    assert door.do_signed(ALICE, "sendAsset", destination=BOB.address, amount="5", **elsewhere)["response"] == (
        "Invalid send"
    )


def test_from_a_sub_account(door: Door) -> None:
    """Rule 4: its master sends for it, nobody else."""
    sub = created(door)
    door.do(ALICE, moved(sub, 100))
    places = {"sourceDex": "", "destinationDex": "spot", "token": "USDC", "fromSubAccount": sub}
    assert door.do_signed(BOB, "sendAsset", destination=BOB.address, amount="5", **places)["response"] == "Invalid send"
    assert door.do_signed(ALICE, "sendAsset", destination=sub, amount="5", **places) == OK
    assert money(door, sub) == ("95.0", "5.0")
    assert door.do_signed(ALICE, "usdClassTransfer", amount=f"5 subaccount:{sub}", toPerp=True) == OK
    assert money(door, sub) == ("100.0", "0.0")


def test_withdrawals(door: Door) -> None:
    """Rule 3: the bridge holds it; the fee itself cannot be withdrawn, nor more than is spare."""
    total = door.exchange.info.total_money()
    fields = {"stamp": "time", "destination": ALICE.address}
    for amount, refusal in (("1", BROKE), ("100000.1", BROKE), ("0", "Invalid send")):
        assert door.do_signed(ALICE, "withdraw3", amount=amount, **fields)["response"] == refusal
    assert door.do_signed(ALICE, "withdraw3", amount="25", **fields) == OK
    assert money(door, ALICE.address)[0] == "99975.0"
    assert door.ask("userNonFundingLedgerUpdates", user=ALICE.address)[-1]["delta"]["type"] == "withdraw"
    assert door.exchange.info.total_money() == total


def test_reserved_requests(door: Door) -> None:
    """Rule 5: they cost money and are used first."""
    for weight in (0, 200_000_001, 2**62):
        assert door.do(ALICE, {"type": "reserveRequestWeight", "weight": weight})["status"] == "err"
    assert door.do(ALICE, {"type": "reserveRequestWeight", "weight": 1_000}) == OK
    assert money(door, ALICE.address)[0] == "99999.5"
    limits = door.ask("userRateLimit", user=ALICE.address)
    assert (limits["nRequestsUsed"], limits["nRequestsCap"]) == (0, 10_000)
    assert limits["nRequestsSurplus"] == 1_000 - 4


def test_builders_are_paid_what_was_approved(door: Door) -> None:
    """An unapproved rate is refused; an approved one is part of the fee and said to be so."""
    builder = "0x" + "b2" * 20
    asks = {**place(limit("100000", "0.5", buy=False)), "builder": {"b": builder, "f": 10}}
    refused = {"status": "err", "response": "Builder fee has not been approved"}
    assert door.do(ALICE, asks) == refused
    approve = {"maxFeeRate": "0.009%", "builder": builder}
    assert door.do_signed(ALICE, "approveBuilderFee", **approve) == OK
    assert door.ask("maxBuilderFee", user=ALICE.address, builder=builder) == 9
    assert door.do(ALICE, asks) == refused
    assert door.do_signed(ALICE, "approveBuilderFee", **{**approve, "maxFeeRate": "0.010%"}) == OK
    assert "resting" in door.do(ALICE, asks)["response"]["data"]["statuses"][0]
    door.do(BOB, place(limit("100000", "0.5", tif="Ioc")))
    (mine,), (other,) = (door.ask("userFills", user=key.address) for key in (ALICE, BOB))
    assert (mine["fee"], mine["builderFee"]) == ("12.5", "5.0")  # 7.5 for making
    assert "builderFee" not in other
    too_much = door.do_signed(ALICE, "approveBuilderFee", **{**approve, "maxFeeRate": "0.101%"})
    assert too_much["status"] == "err"


def test_what_the_venue_declines(door: Door) -> None:
    """Well-formed actions about what is not here burn a nonce and are refused in the venue's words."""
    vault = "0x" + "9c" * 20
    told: dict[str, tuple[dict[str, object], str]] = {
        "setReferrer": ({"code": "X"}, "Referral code not registered"),
        "vaultTransfer": ({"vaultAddress": vault, "isDeposit": True, "usd": 1}, f"Vault not registered: {vault}"),
    }
    for kind, (fields, text) in told.items():
        assert door.do(ALICE, {"type": kind, **fields}) == {"status": "err", "response": text}
    twap = {"a": 0, "b": True, "s": "0.1", "r": False, "m": 30, "t": False}
    answer = door.do(ALICE, {"type": "twapOrder", "twap": twap})
    assert answer["response"]["type"] == "twapOrder"
    assert "error" in answer["response"]["data"]["status"]
    answer = door.do(ALICE, {"type": "twapCancel", "a": 0, "t": 5})
    assert answer["response"]["data"]["status"]["error"].startswith("TWAP was never placed")
    assert door.ask("userRateLimit", user=ALICE.address)["nRequestsUsed"] == 4


def test_top_up_of_an_isolated_position(door: Door) -> None:
    """Exactly what the position lacks at that leverage; nothing when it lacks nothing."""
    door.do(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 20})
    top_up = {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "10"}
    assert door.do(ALICE, top_up)["response"] == "Position does not use isolated margin."
    door.rest(BOB, limit("100000", "0.1", buy=False))
    door.do(ALICE, place(limit("100000", "0.1", tif="Ioc")))
    for leverage, margin in (("20.0", "500.0"), ("10", "1000.0"), ("20", "1000.0")):
        assert door.do(ALICE, {**top_up, "leverage": leverage.removesuffix(".0")}) == OK
        (held,) = door.ask("clearinghouseState", user=ALICE.address)["assetPositions"]
        assert held["position"]["marginUsed"] == margin
    for leverage in ("0", "41"):
        assert door.do(ALICE, {**top_up, "leverage": leverage})["response"] == "Invalid leverage value."
