"""An honest log passes; each kind of lie in it is found under the name of its rule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from msgspec import structs

from common import witness
from common.witness_check import check, verify
from common.witness_check.report import FINDINGS_MAX
from tests.common.witness_check.story import told
from tests.services.venue_sim.door import ALICE, BOB

L = TypeVar("L", bound=witness.AnyLine)
Lines: TypeAlias = list[witness.AnyLine]
Lie: TypeAlias = Callable[[Lines], Lines]


def numbered(lines: Lines) -> Lines:
    """Close the gaps that a removed or added line leaves in the numbers."""
    return [structs.replace(line, seq=number) for number, line in enumerate(lines, start=1)]


def rules(lines: Lines) -> set[str]:
    return {finding.rule for finding in check(lines).findings}


def matches(line: witness.AnyLine, kind: type[L], wanted: dict[str, Any]) -> bool:
    return isinstance(line, kind) and all(getattr(line, name) == value for name, value in wanted.items())


def change(kind: type[L], wanted: dict[str, Any], *, every: bool = False, last: bool = False, **fields: Any) -> Lie:
    """Change fields of the first line (last, every one) of a kind that has these values."""

    def lie(lines: Lines) -> Lines:
        found = [number for number, line in enumerate(lines) if matches(line, kind, wanted)]
        for number in found if every else found[-1:] if last else found[:1]:
            lines[number] = structs.replace(lines[number], **fields)
        return lines

    return lie


def remove(kind: type[L], wanted: dict[str, Any], *, last: bool = False) -> Lie:
    def lie(lines: Lines) -> Lines:
        found = [number for number, line in enumerate(lines) if matches(line, kind, wanted)]
        del lines[found[-1 if last else 0]]
        return numbered(lines)

    return lie


def repeat_last(kind: type[L], wanted: dict[str, Any]) -> Lie:
    """Have the log's last block tell an earlier line again."""

    def lie(lines: Lines) -> Lines:
        line = next(line for line in lines if matches(line, kind, wanted))
        end = lines[-1]
        return numbered([*lines, structs.replace(line, t=end.t, block=end.block)])

    return lie


def quotes(*changes: tuple[int, int, str]) -> Lie:
    """Change parts (place, field, value) of the first quotes."""

    def lie(lines: Lines) -> Lines:
        number, line = next((n, line) for n, line in enumerate(lines) if isinstance(line, witness.Quotes))
        orders = [list(order) for order in line.orders]
        for place, field, value in changes:
            orders[place][field] = value
        lines[number] = structs.replace(line, orders=tuple(map(tuple, orders)))
        return lines

    return lie


def swap_quotes(lines: Lines) -> Lines:
    """Let the second order at a price have come first."""
    number, line = next((n, line) for n, line in enumerate(lines) if isinstance(line, witness.Quotes))
    first, second, *others = line.orders
    lines[number] = structs.replace(line, orders=(second, first, *others))
    return lines


def crowd(lines: Lines) -> Lines:
    """One account opens more orders than the venue allows."""
    order = next(line for line in lines if matches(line, witness.Order, {"px": "99000.0"}))
    end = lines[-1]
    more = [structs.replace(order, oid=200_000_000 + n, t=end.t, block=end.block) for n in range(5_001)]
    return numbered([*lines, *more])


def hurried_cancel(lines: Lines) -> Lines:
    """The cancel that shares a block with a post-only order ran before it."""
    first = next(n for n, line in enumerate(lines) if matches(line, witness.Verdict, {"id": 8}))
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    return numbered(lines)


def forget_late(lines: Lines) -> Lines:
    """An old action has no answer."""
    return remove(witness.Verdict, {"id": 2})(lines)


def unfinished_opening(lines: Lines) -> Lines:
    last = max(number for number, line in enumerate(lines) if isinstance(line, witness.Opening))
    return lines[: last + 3]


RESTING = {"px": "99000.0", "side": "B"}  # Bob's post-only bid
OWN = {"px": "100001.0"}  # Bob's bid that expires in front of himself
IOC = {"px": "100010.0", "tif": "Ioc"}
STOP = {"trigger_px": "99500.0"}
LAST = {"last": True}
LIES: list[tuple[str, Lie]] = [
    ("sequence", lambda lines: lines[:30] + lines[31:]),
    ("sequence", change(witness.Verdict, {"id": 3}, t=1)),
    ("sequence", change(witness.Verdict, {"id": 3}, block=1)),
    ("verdict", remove(witness.Action, {"id": 3})),
    ("verdict", forget_late),
    ("verdict", repeat_last(witness.Action, {"id": 3})),
    ("verdict", change(witness.Verdict, {"id": 2}, statuses=({"resting": {"oid": 5}},))),
    ("verdict", change(witness.Verdict, {"id": 13}, statuses=("success", "success"))),
    ("verdict", change(witness.Verdict, {"id": 14}, statuses=("success", "success"))),
    ("verdict", change(witness.Action, {"id": 4}, action={"type": "cancel", "cancels": [{"a": 0, "o": 9}]})),
    ("nonce", change(witness.Action, {"id": 2}, nonce=1_699_999_260_001)),
    ("expiry", change(witness.Action, {"id": 4}, expires_after=1_699_999_260_489)),
    ("block order", hurried_cancel),
    ("life", repeat_last(witness.Order, {"status": "canceled"})),
    ("life", change(witness.Order, OWN, last=True, px="100002.0")),
    ("life", change(witness.Order, OWN, last=True, orig_sz="0.2")),
    ("life", change(witness.Order, OWN, last=True, sz="0.05")),
    ("life", change(witness.Order, OWN, last=True, status="triggered")),
    ("life", change(witness.Order, OWN, tif="Ioc", every=True)),
    ("life", change(witness.Order, IOC, status="iocCancelRejected")),
    ("life", quotes((2, 0, 100_000_001))),  # type: ignore[arg-type]  # an oid
    ("priority", swap_quotes),
    ("priority", change(witness.Trade, {}, px="100009.0")),
    ("trade", quotes((0, 3, "0.1"))),
    ("trade", remove(witness.Quotes, {}, last=True)),
    ("crossed", quotes((2, 2, "100011.0"))),
    ("book", change(witness.Bbo, {}, bid_sz="2.0")),
    ("book", change(witness.Bbo, {}, ask_px=None, ask_sz=None)),
    ("book", change(witness.Book, {}, asks=(("100010.0", "0.5", 1),))),
    ("self-trade", change(witness.Trade, {}, buyer="0x" + "01" * 20)),
    ("fill", change(witness.Fill, {"crossed": False}, px="100004.0")),
    ("fill", change(witness.Fill, {"crossed": True}, crossed=False)),
    ("fill", change(witness.Fill, {}, tid=1)),
    ("fill", change(witness.Order, IOC, px="100009.0")),
    ("fill", remove(witness.Trade, {})),
    ("fill", remove(witness.Fill, {})),
    ("fill", remove(witness.Order, IOC)),
    ("position", change(witness.Fill, {}, start_position="0.1")),
    ("position", change(witness.Fill, {"dir": "Close Long"}, closed_pnl="0.0")),
    ("position", change(witness.Fill, {}, dir="Open Short")),
    ("position", change(witness.Account, {"user": BOB.address}, last=True, positions=())),
    ("position", remove(witness.Fill, {"dir": "Auto-Deleveraging"})),
    ("fee", change(witness.Fill, {}, fee="9.0")),
    ("fee", change(witness.Fill, {}, fee="59.00890", builder_fee="50.0")),
    ("fee", remove(witness.Fees, {"user": ALICE.address, "maker": "0.00012"})),
    ("money", change(witness.Account, {"user": ALICE.address}, last=True, cash="1.0")),
    ("money", change(witness.Account, {"user": "0x" + "fe" * 20}, last=True, cash="1.0")),
    ("money", change(witness.Transfer, {}, usd="-2.0")),
    ("money", change(witness.Liquidation, {}, cash="1.0")),
    ("money", change(witness.Liquidation, {}, liquidator="")),
    ("equity", change(witness.Account, {"user": BOB.address}, last=True, equity="1.0")),
    ("equity", change(witness.Price, {"mark_px": "95100.0"}, mark_px="95200.0")),
    ("reduce-only", change(witness.Order, IOC, reduce_only=True)),
    ("reduce-only", change(witness.Order, RESTING, reduce_only=True, every=True)),
    ("minimum", change(witness.Order, OWN, sz="0.00009", orig_sz="0.00009", every=True)),
    ("grid", change(witness.Order, OWN, px="99999.5", every=True)),
    ("grid", change(witness.Order, OWN, orig_sz="0.100001", sz="0.100001", every=True)),
    ("grid", change(witness.Order, STOP, trigger_px="99500.1", every=True)),
    ("band", change(witness.Order, OWN, px="5000.0", every=True)),
    ("band", change(witness.Order, {"px": "101000.0"}, px="2000000.0", every=True)),
    ("post-only", change(witness.Order, IOC, tif="Alo")),
    ("trigger", change(witness.Order, STOP, trigger_px="99300.0", every=True)),
    ("cap", crowd),
    ("funding", change(witness.Funding, {}, usd="0.0")),
    ("funding", remove(witness.Funding, {})),
    ("funding", change(witness.Rate, {}, rate="0.05")),
    ("funding", change(witness.Account, {"funding": "0.0", "user": BOB.address}, last=True, funding="1.0")),
    ("opening", unfinished_opening),
    ("opening", change(witness.Account, {"user": ALICE.address, "block": 17}, cash="5.0")),
    ("opening", change(witness.Fees, {"user": BOB.address, "block": 17}, maker="0.0")),
    ("opening", change(witness.Order, {"status": "waiting"}, sz="0.01")),
    ("opening", change(witness.Order, {"block": 17, "px": "99000.0"}, sz="0.01")),
]


def test_an_honest_log_passes() -> None:
    """The story has every kind of line that concerns a rule, and nothing is found in it."""
    report = check(told())
    assert [str(finding) for finding in report.findings] == []
    assert report.ok
    assert report.lines == len(told())
    assert set(report.kinds) == {
        *("opening", "action", "verdict", "order", "fill", "trade", "quotes", "price", "rate", "funding", "fees"),
        *("transfer", "liquidation", "bbo", "book", "account"),
    }


@pytest.mark.parametrize(("rule", "lie"), LIES, ids=[f"{number} {rule}" for number, (rule, _) in enumerate(LIES)])
def test_lies_are_found(rule: str, lie: Lie) -> None:
    """Each rule of the modules, broken once."""
    assert rule in rules(lie(list(told())))


def test_the_line_is_named() -> None:
    """A finding has the number of the line that shows it."""
    lines = change(witness.Fill, {}, fee="9.0")(list(told()))
    first = check(lines).findings[0]
    (fill,) = (line for line in lines if matches(line, witness.Fill, {"fee": "9.0"}))
    assert (first.rule, first.seq) == ("fee", fill.seq)
    assert str(first).startswith(f"seq {fill.seq}: fee: fee of 0.2 BTC at 100010.0 of ")


def test_one_fault_is_one_finding() -> None:
    """What the log states goes on: a wrong account is not reported again in every line after it."""
    lines = change(witness.Account, {"user": BOB.address}, equity="1.0")(list(told()))
    assert len(check(lines).findings) == 1


def test_findings_are_bounded() -> None:
    """A log that is wrong everywhere is not kept in memory twice."""
    line = witness.Connection(seq=7, t=1, block=1, number=1, event="open", detail="")
    lines: Lines = [line] * (FINDINGS_MAX + 2)
    report = check(lines)
    breaches = FINDINGS_MAX + 1  # of the sequence
    assert (len(report.findings) + report.left_out, len(report.findings)) == (breaches + 1, FINDINGS_MAX)


def test_before_the_first_opening_nothing_is_judged() -> None:
    """What led to a state that nobody knows is only counted; a log that is nothing else does not hold."""
    (start,) = {number for number, line in enumerate(told()) if isinstance(line, witness.Opening)} - {0}
    before = numbered([line for line in told()[1:start] if not isinstance(line, witness.Verdict)])
    assert [finding.rule for finding in check(before).findings] == ["opening"]
    assert check(told()[start:]).ok


def test_files_are_judged_with_their_places(tmp_path: Path) -> None:
    """`verify` reads a directory; findings name file and line; a torn last line is none."""
    lines = change(witness.Fill, {}, fee="9.0")(list(told()))
    raw = [witness.encode(line) for line in lines]
    (tmp_path / "witness-000001.jsonl").write_bytes(b"".join(raw[:10]))
    (tmp_path / "witness-000002.jsonl").write_bytes(b"".join(raw[10:]) + b'{"kind":"bbo"')
    place = next(n for n, line in enumerate(lines) if matches(line, witness.Fill, {"fee": "9.0"})) - 10 + 1
    first = verify(tmp_path).findings[0]
    assert (first.rule, first.place) == ("fee", f"witness-000002.jsonl:{place}")
    (tmp_path / "witness-000002.jsonl").write_bytes(b"".join([b"{}\n", *raw[10:]]))
    assert verify(tmp_path).findings[0].rule == "line"


def test_no_files_prove_nothing(tmp_path: Path) -> None:
    """An empty directory is an empty log, and an empty log does not hold."""
    assert [finding.rule for finding in verify(tmp_path).findings] == ["opening"]
