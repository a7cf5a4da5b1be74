"""What the drill reads of a witness log: what rests, what was placed and cancelled, by whom."""

from pathlib import Path

import msgspec

from common import witness
from services.cli.drill.venue_log import VenueLog

US, RISK, CANCELLER = "0xus", "0xrisk", "0xcanceller"


def order(seq: int, oid: int, side: str, status: str, *, user: str = US) -> witness.Order:
    return witness.Order(
        seq=seq,
        t=seq,
        block=seq,
        user=user,
        coin="BTC",
        oid=oid,
        cloid=f"0x{oid}",
        side=side,
        px="1.0",
        sz="1.0",
        orig_sz="1.0",
        status=status,
        tif="Alo",
        reduce_only=False,
        placed_ms=seq,
    )


def action(seq: int, kind: str, signer: str, via: str = "ws-7") -> witness.Action:
    return witness.Action(
        seq=seq,
        t=seq,
        block=seq,
        id=seq,
        signer=signer,
        user=US,
        nonce=seq,
        expires_after=None,
        vault=None,
        via=via,
        action={"type": kind},
    )


def write(directory: Path, *lines: witness.Line) -> None:
    with (directory / "witness-000001.jsonl").open("ab") as file:
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)


def test_the_log_is_read_on_and_the_account_is_ours(tmp_path: Path) -> None:
    """Both sides rest, one is cancelled; strangers count nowhere."""
    log = VenueLog(tmp_path, US)
    write(tmp_path, action(1, "order", RISK), order(2, 1, "B", "open"), order(3, 2, "A", "open"))
    write(tmp_path, order(4, 3, "B", "open", user="0xother"))
    assert log.refresh().resting() == 2
    assert log.quoted("BTC")
    assert log.placed(after=0) == 1
    assert log.placed(after=1) == 0
    assert log.connection == 7
    write(tmp_path, action(5, "cancelByCloid", CANCELLER), order(6, 1, "B", "canceled"))
    assert log.refresh().resting("BTC") == 1
    assert log.resting("ETH") == 0
    assert not log.quoted("BTC")
    assert log.cancels_by(CANCELLER, after=4) == 1
    assert log.cancels_by(CANCELLER, after=5) == log.cancels_by(RISK, after=0) == 0
    assert log.knows({"0x1", "0x9"}) == {"0x1"}
    assert log.seq == 6


def test_without_a_placing_action_no_connection_is_known(tmp_path: Path) -> None:
    """What came over HTTP names none either."""
    write(tmp_path, action(1, "order", RISK, via="http"), action(2, "cancel", RISK))
    assert VenueLog(tmp_path, US).refresh().connection is None
