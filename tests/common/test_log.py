"""Lines are JSON, tell nothing secret wherever it hides, and no log call raises."""

import json
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from common import log
from common.log import HIDDEN, redacted
from common.messages import Approval, ServiceState
from common.messages.venue import Signed
from common.units import Millis

CANARY = "c0ffee" * 10 + "beef"  # 64 hex digits


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    """Each test configures anew, and leaves nothing configured."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def lines(text: str) -> list[dict[str, Any]]:  # parsed JSON
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_says_who_what_when(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is one JSON object with service, level, time, event and the values of the call."""
    log.configure("risk", "INFO")
    log.get().bind(coin="BTC").info("quotes pulled", reason="stale", state=ServiceState.READY, usd=Decimal("1.50"))
    (line,) = lines(capsys.readouterr().out)
    assert line.pop("at").endswith("Z")
    assert line == {
        "service": "risk",
        "level": "INFO",
        "event": "quotes pulled",
        "coin": "BTC",
        "reason": "stale",
        "state": "READY",
        "usd": "1.50",
    }


@pytest.mark.parametrize(
    ("level", "said"),
    [("DEBUG", "DIWE"), ("INFO", "IWE"), ("WARNING", "WE"), ("ERROR", "E")],
)
def test_level(capsys: pytest.CaptureFixture[str], level: str, said: str) -> None:
    """Lines below the level are dropped, the level itself is written."""
    log.configure("risk", level)
    logger = log.get()
    logger.debug("D")
    logger.info("I")
    logger.warning("W")
    logger.error("E")
    assert "".join(line["event"] for line in lines(capsys.readouterr().out)) == said


def test_values_cannot_take_the_place_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """A value named like a part of the line does not forge it, nor does its name break the call."""
    log.configure("risk", "INFO")
    log.get().info("x", service="forged", level="forged", method_name="a", values="b")
    (line,) = lines(capsys.readouterr().out)
    assert (line["service"], line["level"], line["method_name"], line["values"]) == ("risk", "INFO", "a", "b")


def test_unconfigured_still_redacts(capsys: pytest.CaptureFixture[str]) -> None:
    """Rule 1 holds before `configure`, when a start fails early."""
    log.get().error("early", detail=CANARY)
    (line,) = lines(capsys.readouterr().out)
    assert (line["service"], line["detail"]) == ("unconfigured", HIDDEN)


@pytest.mark.parametrize(
    "name",
    ["key", "keys", "apiKey", "private_key", "PRIVATE", "key_hex", "passphrase", "password", "secret", "signature"],
)
def test_secret_names(name: str) -> None:
    """Rule 1: the name is enough, whatever the value looks like."""
    assert redacted({"a": [{name: "hunter2"}]}) == {"a": [{name: HIDDEN}]}


@pytest.mark.parametrize("name", ["keystore", "monkey_business", "coin", "sign_id", "signatures"])
def test_ordinary_names(name: str) -> None:
    """Rule 1 leaves the names that a person needs."""
    assert redacted({name: 5}) == {name: 5}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 63, "a" * 63),
        ("a" * 64, HIDDEN),
        ("0x" + "A1" * 32, HIDDEN),
        (f"failed: {CANARY}!", f"failed: {HIDDEN}!"),
        ("f" * 130, HIDDEN),
        ("0x" + "ab" * 20, "0x" + "ab" * 20),
        ("0x" + "ab" * 16, "0x" + "ab" * 16),
    ],
)
def test_hex_runs(text: str, shown: str) -> None:
    """Rule 1: 64 hex digits are hidden, 63 are not; addresses and cloids are shown."""
    assert redacted(text) == shown


@pytest.mark.parametrize(("bits", "hidden"), [(128, False), (129, True), (256, True), (20_000, True)])
def test_key_sized_integers(bits: int, hidden: bool) -> None:
    """Rule 1: an integer larger than a cloid can only be a key."""
    value = 2**bits - 1
    assert redacted([value, -value]) == ([HIDDEN, HIDDEN] if hidden else [value, -value])


def test_signed_bytes_never_show() -> None:
    """Rule 1: a signed body stays out of the log, also inside a message."""
    body = CANARY.encode()
    assert redacted({"body": body}) == {"body": HIDDEN}
    assert redacted(Signed(sign_id=1, nonce=2, body=body)) == {
        "type": "Signed",
        "sign_id": 1,
        "nonce": 2,
        "body": HIDDEN,
    }
    assert redacted(bytearray(body)) == redacted(memoryview(body)) == HIDDEN


class Nasty(Exception):
    """Its every word raises."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_no_foreign_code_runs() -> None:
    """Rule 2: objects are named by type, exceptions by type and arguments."""
    assert redacted(object()) == "<object>"
    assert redacted([Nasty("a", CANARY), ValueError(Nasty())]) == [f"Nasty: a, {HIDDEN}", "ValueError: Nasty: "]
    assert redacted(FileNotFoundError(2, "No such file", "x")) == "FileNotFoundError: 2, No such file, x"


def test_a_traceback_is_told_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """Rules 1 and 2 hold for the traceback of a bug, the exception's own words included."""
    log.configure("risk", "INFO")
    for bug in (ValueError(f"bad key {CANARY}"), Nasty(CANARY)):
        try:
            raise bug
        except (ValueError, Nasty):
            log.get().exception("bug")
    first, second = lines(capsys.readouterr().out)
    assert "test_log.py" in first["trace"]
    assert f"ValueError: bad key {HIDDEN}" in first["trace"]
    assert "Nasty" in second["trace"]
    assert CANARY not in first["trace"] + second["trace"]


def test_long_and_deep_values_are_cut() -> None:
    """Every size has a limit; the cut says what is missing."""
    assert redacted(list(range(log.ITEMS_MAX))) == list(range(log.ITEMS_MAX))
    assert redacted(list(range(log.ITEMS_MAX + 2))) == [*range(log.ITEMS_MAX), "... 2 more"]
    assert redacted("z" * log.TEXT_MAX) == "z" * log.TEXT_MAX
    assert redacted("z" * (log.TEXT_MAX + 1)) == "z" * log.TEXT_MAX + "... 1 more"
    cycle: list[object] = []
    cycle += [cycle] * log.ITEMS_MAX
    assert len(json.dumps(redacted(cycle))) < log.NODES_MAX * 30
    wide = {n: dict.fromkeys(range(log.ITEMS_MAX), 0) for n in range(log.ITEMS_MAX)}
    assert len(json.dumps(redacted(wide))) < log.NODES_MAX * 30


def test_a_broken_stdout_loses_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 3: a closed or full stdout ends no service."""
    log.configure("risk", "INFO")
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    log.get().error("into the void")
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    monkeypatch.setattr(sys, "stdout", full)
    log.get().error("no space")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space"):
        full.close()


secrets = st.sampled_from(
    [CANARY, "0x" + CANARY, CANARY.upper(), CANARY.encode(), bytes.fromhex(CANARY), int(CANARY, 16), f"<{CANARY}>"]
)
leaves = (
    secrets
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.sampled_from([object(), Path(CANARY), ServiceState.READY])
    | st.builds(Nasty, secrets)
)
names = st.text() | st.sampled_from(["body", "key", CANARY]) | st.integers()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.dictionaries(names, inner) | st.tuples(inner) | st.builds(ValueError, inner),
    max_leaves=20,
)


@given(event=st.text() | st.just(CANARY), told=st.dictionaries(st.text(), values, max_size=4))
def test_nothing_leaks_and_nothing_raises(event: str, told: dict[str, object]) -> None:
    """Rules 1 to 3: whatever is logged, wherever the canary hides, each call gives one line without it."""
    log.configure("risk", "DEBUG")
    told.pop("event", None)
    told.pop("self", None)
    out, stdout = StringIO(), sys.stdout
    sys.stdout = out
    try:
        log.get().bind(held=told).info(event, **told)
    finally:
        sys.stdout = stdout
    text = out.getvalue()
    json.loads(text)
    assert text.count("\n") == 1
    assert CANARY not in text.lower()
    assert str(int(CANARY, 16)) not in text


def test_an_approval_shows_all_but_its_body() -> None:
    """What a person reads of an approval is whole, apart from the signed bytes."""
    approval = Approval(
        request_id=1,
        epoch=2,
        risk_epoch=3,
        approval_id=4,
        body=b"signed",
        nonce=5,
        expires_after=Millis(6),
        approved=("0x" + "ab" * 16,),
    )
    shown = redacted(approval)
    assert isinstance(shown, dict)
    assert (shown["body"], shown["approved"], shown["nonce"]) == (HIDDEN, ["0x" + "ab" * 16], 5)
