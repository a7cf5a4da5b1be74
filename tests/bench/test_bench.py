"""The pure parts of the benches: who answers what in the venue's log, percentiles, tables."""

from math import isnan

import pytest

from common import witness
from tests.bench.cores import SEED, timed_mesh
from tests.bench.live_kill import STAGES, stages
from tests.bench.live_kill import table as live_kill_table
from tests.bench.orders import FEW, MANY, Lives, actions_per_requote, costs, deep_size, memory_slope
from tests.bench.reaction import REACTION_MS_MAX, Event, Reaction, moves, named, reactions
from tests.bench.report import Table, machine, percentile, spread
from tests.common.simulation.whole_mesh import WholeMesh

US = "0xus"
COINS = ("BTC", "ETH")
COST_RATIO_MAX = 1.1
ATTEMPTS = 3
MEMORY_SLOPE_MAX = 1_000_000  # bytes for 100,000 orders
JUMP_ACTIONS_MAX = 2
RISK, CANCELLER = "0xrisk", "0xcanceller"


class Log:
    """Writes witness lines in order; blocks are made every 70 ms."""

    def __init__(self) -> None:
        self.lines: list[witness.AnyLine] = []

    def move(self, block: int, coin: str = "BTC") -> "Log":
        head = {"seq": len(self.lines) + 1, "t": block * 70, "block": block}
        self.lines.append(witness.Bbo(**head, coin=coin, bid_px="1", bid_sz="1", ask_px="2", ask_sz="1"))
        return self

    def own(self, block: int, status: str, user: str = US) -> "Log":
        order = witness.Order(
            seq=len(self.lines) + 1,
            t=block * 70,
            block=block,
            user=user,
            coin="BTC",
            oid=1,
            cloid=None,
            side="B",
            px="1",
            sz="1",
            orig_sz="1",
            status=status,
            tif="Alo",
            reduce_only=False,
            placed_ms=0,
        )
        self.lines.append(order)
        return self

    def act(self, at_ms: int, *assets: int, cancel: bool = True, signer: str = CANCELLER) -> "Log":
        items = [{"asset" if cancel else "a": asset} for asset in assets]
        action = {"type": "cancelByCloid", "cancels": items} if cancel else {"type": "order", "orders": items}
        line = witness.Action(
            seq=len(self.lines) + 1,
            t=at_ms,
            block=at_ms // 70 + 1,
            id=len(self.lines),
            signer=signer,
            user=US,
            nonce=1,
            expires_after=None,
            vault=None,
            via="ws-1",
            action=action,
        )
        self.lines.append(line)
        return self

    def found(self) -> list[Reaction]:
        return reactions(self.lines, user=US, signers=(RISK, CANCELLER), coins=COINS)


def reaction(ms: int, event: Event = Event.MOVE, coin: str = "BTC", *, placing: bool = False) -> Reaction:
    return Reaction(coin=coin, event=event, placing=placing, ms=ms)


def test_an_action_answers_the_latest_move_of_its_coin() -> None:
    """Rules 1 and 2: an older move and a move of another coin are not what was answered."""
    log = Log().move(1).move(2).move(3, "ETH").act(147, 0)
    assert log.found() == [reaction(7)]


def test_only_the_first_action_answers() -> None:
    """Rule 2: a second action after the same move was caused by something else."""
    assert Log().move(1).act(75, 0).act(80, 0).found() == [reaction(5)]


@pytest.mark.parametrize(("late_ms", "counts"), [(0, True), (1, False)])
def test_a_late_action_answers_nothing(late_ms: int, counts: bool) -> None:
    """Rule 2: the limit itself still counts."""
    assert bool(Log().move(1).act(70 + REACTION_MS_MAX + late_ms, 0).found()) is counts


def test_our_own_order_moves_no_market() -> None:
    """Rule 1: what our order did to the best price is no move, in that block and that coin alone."""
    assert Log().own(1, "open").move(1).act(75, 0).found() == []
    assert Log().move(1).own(2, "filled").act(145, 0).found() == []
    assert Log().own(1, "open").move(2).act(145, 0).found() == [reaction(5)]
    assert Log().own(1, "open").move(1, "ETH").act(75, 1).found() == [reaction(5, coin="ETH")]
    assert Log().own(1, "open", user="0xother").move(1).act(75, 0).found() == [reaction(5)]


def test_a_confirmed_cancel_is_answered_by_the_new_order() -> None:
    """Rule 1: the order that follows our cancel is not taken for a reaction to an older move."""
    log = Log().move(1).act(76, 0).own(2, "canceled").act(148, 0, cancel=False, signer=RISK)
    assert log.found() == [reaction(6), reaction(8, Event.OWN_CANCEL, placing=True)]


def test_strangers_do_not_answer_for_us() -> None:
    """Rule 2: only what our two keys signed counts, and it leaves the move unanswered otherwise."""
    assert Log().move(1).act(75, 0, signer="0xstranger").act(79, 0).found() == [reaction(9)]


def test_an_action_of_two_coins_answers_both() -> None:
    """Rule 2: each coin has its own latest event."""
    log = Log().move(1).move(2, "ETH").act(149, 1, 0, 0)
    assert log.found() == [reaction(79), reaction(9, coin="ETH")]


def test_moves_are_counted_in_our_coins_alone() -> None:
    """A coin that we do not quote has nothing to react to."""
    assert moves(Log().move(1).move(2, "SOL").own(3, "open").move(4, "ETH").lines, COINS) == 2


@pytest.mark.parametrize(
    "action",
    [
        {"type": "order", "orders": [{"a": 1}, {"a": 1}]},
        {"type": "cancel", "cancels": [{"a": 1, "o": 0}]},
        {"type": "cancelByCloid", "cancels": [{"asset": 1}]},
        {"type": "modify", "oid": 0, "order": {"a": 1}},
        {"type": "batchModify", "modifies": [{"oid": 0, "order": {"a": 1}}]},
    ],
)
def test_actions_name_their_coins(action: dict[str, object]) -> None:
    """Every spelling of an asset on the wire is read."""
    assert named(action, COINS) == ["ETH"]


def test_other_actions_name_no_coin() -> None:
    """The dead man's switch answers no move."""
    assert named({"type": "scheduleCancel", "time": 1}, COINS) == []


def test_percentiles_are_values_that_occurred() -> None:
    """Nearest rank: no figure is printed that nobody measured."""
    values = [*range(1, 101)]
    assert [percentile(values[::-1], share) for share in (0.0, 0.5, 0.501, 0.99, 1)] == [1, 50, 51, 99, 100]
    assert percentile([7], 0.5) == 7
    assert isnan(percentile([], 0.5))
    assert spread(values, (0.5,)) == ("100", "50", "100")


def test_a_table_is_aligned() -> None:
    """Words stand left, figures right, whatever their length."""
    table = Table(title="T", columns=("what", "us"), rows=[("short", "1,000"), ("much longer", "1")], notes=("why",))
    assert table.text().splitlines() == [
        "T",
        "  what            us",
        "  short        1,000",
        "  much longer      1",
        "  * why",
    ]


def test_the_machine_is_named() -> None:
    """A figure without its machine says nothing."""
    assert "Python 3." in machine()
    assert " cores (" in machine()


def test_a_thousand_lives_later() -> None:
    """The driver of the order bench requotes everything, and counts what it says it counts."""
    lives = Lives()
    lived, sent = lives.lived, lives.core._desk.store.reached["Sent"]
    lives.live(lived + 600)
    assert lives.core._desk.store.reached["Sent"] - sent == lives.lived - lived == 600
    assert lives.measure(1) > 0
    assert deep_size([b"x" * 1_000] * 2) < deep_size([b"x" * 1_000, b"y" * 1_000])
    assert actions_per_requote(lives) <= JUMP_ACTIONS_MAX


@pytest.mark.truth
@pytest.mark.timed
def test_orders_cost_the_same_for_ever() -> None:
    """At 50,000 lifetime orders an order costs at most 1.1 times what it costs at 1,000, and memory stands still."""
    few, many = Lives().live(FEW), Lives().live(MANY)
    ratios: list[float] = []
    while not ratios or (min(ratios) > COST_RATIO_MAX and len(ratios) < ATTEMPTS):  # other processes disturb it
        young, old = costs(few, many)
        ratios.append(old / young)
    assert min(ratios) <= COST_RATIO_MAX, ratios
    assert memory_slope(many) < MEMORY_SLOPE_MAX


def test_a_clock_around_an_actor_changes_nothing() -> None:
    """The timed run and the plain one handle the same messages, so the counts of one hold for the other."""
    mesh, spent = timed_mesh()
    mesh.run_for(3)
    assert mesh.simulation.published == WholeMesh(SEED).run_for(3).simulation.published
    beats = sum(len(times) for kind, times in spent["risk"].items() if kind == "HaltDirectory")
    assert beats == 14  # at the start, then at every quarter second


def test_a_kill_is_measured_from_its_trigger() -> None:
    """What was signed, accepted or ended before the trigger or after the proof belongs to another kill."""
    block_ms = 70
    log = Log().own(1, "open").own(2, "open").own(4, "open").own(5, "canceled").own(9, "open")
    orders = [line for line in log.lines if isinstance(line, witness.Order)]
    found = stages(2 * block_ms, 150.5, 600.0, [139.0, 180.0, 700.0], orders)
    assert list(found.values()) == [10.5, 40.0, 2 * block_ms, 3 * block_ms, 460.0]
    assert set(stages(400.0, 401.0, 500.0, [], []).values()) == {1.0, 0.0, 100.0}
    assert [row[0] for row in live_kill_table([found], moves_per_s=1, seconds=2, stall_ms=3).rows] == [
        f"trigger -> {stage}" for stage in STAGES
    ]
