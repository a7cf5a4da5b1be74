"""The venue's own log: every line that a story leaves, and its files."""

from typing import TypeVar

import pytest

from common import witness
from common.hyperliquid.signing import SigningKey
from common.units import Millis
from common.witness_check import check
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from tests.services.venue_sim.door import ALICE, BOB, CLOID, Door, cancel, limit, place

L = TypeVar("L", bound=witness.AnyLine)


def of(kind: type[L], lines: list[witness.AnyLine]) -> list[L]:
    return [line for line in lines if isinstance(line, kind)]


def story() -> tuple[Door, list[witness.AnyLine]]:
    """Alice rests and is filled by Bob, cancels the rest, and is refused once."""
    door = Door().meet(ALICE, BOB)
    (oid,) = door.rest(ALICE, limit("90000", "0.5", cloid=CLOID))
    door.do(BOB, place(limit("90000", "0.2", buy=False, tif="Ioc")))
    door.do(ALICE, cancel(oid), expires_after=int(door.now) + 500)
    door.do(ALICE, cancel(oid))
    return door, door.log()


def test_actions_and_verdicts() -> None:
    """Each action with its signer and canonical JSON, each answer with the statuses of the wire."""
    door, lines = story()
    actions, verdicts = of(witness.Action, lines), of(witness.Verdict, lines)
    assert [action.id for action in actions] == [verdict.id for verdict in verdicts]
    assert [(action.signer, action.user, action.via) for action in actions] == [
        (key.address, key.address, "http") for key in (ALICE, BOB, ALICE, ALICE)
    ]
    assert actions[0].action == place(limit("90000", "0.5", cloid=CLOID))
    assert actions[0].nonce == door.nonce - 3
    assert [action.expires_after is None for action in actions] == [True, True, False, True]
    assert [verdict.error for verdict in verdicts] == [""] * 4
    assert verdicts[2].statuses == ("success",)
    (refused,) = verdicts[3].statuses
    assert isinstance(refused, dict)
    assert refused["error"].startswith("Order was never placed")


def test_effects_come_after_their_action() -> None:
    """Rule 2: in one block, arrivals, then verdicts, then what happened; numbers grow by one."""
    _, lines = story()
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    action = of(witness.Action, lines)[1]
    in_block = [type(line).__name__ for line in lines if line.block == action.block]
    assert in_block == [
        *("Action", "Verdict", "Fill", "Fill", "Trade", "Order", "Order"),
        *("Account", "Account", "Account", "Bbo"),
    ]


def test_orders_and_fills() -> None:
    """What judges need: statuses, what remains, and fills of both sides with their money."""
    _, lines = story()
    mine = [line for line in of(witness.Order, lines) if line.user == ALICE.address]
    assert [(line.status, line.sz, line.cloid) for line in mine] == [
        ("open", "0.5", CLOID),
        ("open", "0.3", CLOID),
        ("canceled", "0.3", CLOID),
    ]
    fills = {line.user: line for line in of(witness.Fill, lines)}
    maker, taker = fills[ALICE.address], fills[BOB.address]
    assert (maker.side, maker.px, maker.sz, maker.crossed, maker.fee) == ("B", "90000.0", "0.2", False, "2.7")
    assert (taker.side, taker.px, taker.sz, taker.crossed, taker.fee) == ("A", "90000.0", "0.2", True, "8.1")
    (trade,) = of(witness.Trade, lines)
    assert trade.tid == maker.tid == taker.tid
    assert (trade.side, trade.buyer, trade.seller) == ("A", ALICE.address, BOB.address)


def test_accounts_after_money_moved() -> None:
    """Equity at mark and positions, after each block that moved money."""
    _, lines = story()
    last = [line for line in of(witness.Account, lines) if line.user == ALICE.address][-1]
    assert last.positions == (witness.Position("BTC", "0.2", "90000.0", None, "18000.0"),)
    assert float(last.equity) == pytest.approx(100_000 + 0.2 * (100_000 - 90_000) - 2.7)


def test_books_once_a_second() -> None:
    """Best prices at each change, the whole book at most once a second."""
    door = Door().meet(ALICE)
    door.log()
    for price in range(90_000, 90_030):
        door.rest(ALICE, limit(str(price), "0.1"))
    lines = door.log()
    assert len(of(witness.Bbo, lines)) == 30
    books = of(witness.Book, lines)
    assert [book.t - books[0].t for book in books] == [0, 1_050]  # the first block after a second
    assert books[-1].bids[0] == ("90015.0", "0.1", 1)


def test_strangers_and_refusals() -> None:
    """A stranger's action has no account; what never became an action is a line of its connection."""
    door = Door()
    door.log()
    door.do(SigningKey(b"\x09" * 32), place(limit("1", "1")))
    door.post("/exchange", b"{}")
    door.open(4).subscribe(4, type="bbo", coin="NOPE").close(4)
    lines = door.log()
    (action,) = of(witness.Action, lines)
    assert action.user == ""
    (verdict,) = of(witness.Verdict, lines)
    assert verdict.error.startswith("User or API Wallet")
    assert [(line.number, line.event) for line in of(witness.Connection, lines)] == [
        (0, "http"),
        (4, "open"),
        (4, "drop"),
        (4, "close"),
    ]


def test_the_market_itself_is_left_out() -> None:
    """Rule 3: trades of the market's own participants are written, their orders and fills are not.

    Leveraged traders are accounts like others.
    """
    plan = Plan(coins=universe.coins({}), seed=1)
    venue = assemble(plan, Millis(1_700_000_000_000), None, last_sequence=0)
    for block in range(1, 300):
        venue.step(Millis(1_700_000_000_000 + 70 * block))
    lines = [witness.decode(line) for line in venue.take_log().splitlines(keepends=True)]
    assert of(witness.Trade, lines)
    assert of(witness.Bbo, lines)
    assert of(witness.Quotes, lines)
    (opening,) = of(witness.Opening, lines)
    told = {line.user for line in lines if isinstance(line, witness.Order | witness.Fill)}
    assert not told & {*opening.internal}
    assert [str(finding) for finding in check(lines).findings] == []


def test_without_the_market_s_orders() -> None:
    """A smaller log: books cannot be rebuilt from it, everything of the accounts can."""
    venue = assemble(Plan(coins=universe.coins({}), seed=1, quotes_noted=False), Millis(0), None, last_sequence=0)
    for block in range(1, 300):
        venue.step(Millis(70 * block))
    lines = [witness.decode(line) for line in venue.take_log().splitlines(keepends=True)]
    assert of(witness.Trade, lines)
    assert not of(witness.Quotes, lines)
    assert [str(finding) for finding in check(lines).findings] == []
