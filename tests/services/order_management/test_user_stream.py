"""The user stream's silence: noticed by what it does not tell; quotes go, the socket is renewed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import ServiceState, StreamDown
from common.messages.orders import OrderState as S
from common.units import SECOND, Lots, Nanos, Side, Ticks
from services.order_management.facts import VenueFacts
from services.order_management.tracked_order import TrackedOrder
from services.order_management.user_stream import HOLD_DOUBLINGS_MAX, HOLD_FIRST, UserStream
from tests.services.order_management.parts import cloid, desk, fill, seconds, tracked
from tests.services.order_management.test_core import live
from tests.services.order_management.world import World, quoted

LIMIT = seconds(5)
UP = seconds(10)


def up() -> UserStream:
    stream = UserStream(LIMIT)
    stream.up(UP)
    return stream


def order(number: int = 1, *, placed_at: Nanos = Nanos(UP + 1)) -> TrackedOrder:
    return TrackedOrder(
        cloid=cloid(number), coin="BTC", side=Side.BUY, price=Ticks(999_000), size=Lots(500), placed_at=placed_at
    )


# --- what is owed -------------------------------------------------------------------------------------


def test_owed_until_told() -> None:
    """Rule 1: an order that an answer proves is told of in time, or it is named, once, at the limit and not before."""
    stream, told, untold = up(), order(1), order(2)
    for each in (told, untold):
        stream.owes(each, UP)
    stream.owes(untold, Nanos(UP + 1))
    stream.tells(told)
    assert stream.deadline(UP) == UP + LIMIT
    assert stream.silent(Nanos(UP + LIMIT - 1)) == ""
    assert stream.silent(Nanos(UP + LIMIT)) == untold.cloid
    assert stream.silent(Nanos(UP + LIMIT)) == ""


def test_told_before_the_answer() -> None:
    """Rule 1: nothing promises which of the two comes first."""
    stream, first = up(), order()
    stream.tells(first)
    stream.owes(first, UP)
    assert stream.deadline(UP) is None


def test_fills_found_by_a_question() -> None:
    """Rule 1: the stream may still tell of one; of another it did not."""
    stream, owner = up(), order()
    for tid in (1, 2):
        stream.owes_fill(owner, fill(owner, 1, tid), UP)
    stream.tells_fill(fill(owner, 1, 1))
    assert stream.silent(Nanos(UP + LIMIT)) == "fill 2"


def test_the_past_is_not_owed() -> None:
    """Rule 1: what was placed before this stream was up, or by nobody that we know, it need not tell."""
    stream, orphan = up(), order()
    orphan.orphan = True
    stream.owes(order(2, placed_at=UP), UP)
    stream.owes(orphan, UP)
    assert stream.deadline(UP) is None
    stream.owes(order(3), UP)
    stream.down()
    stream.owes(order(4), UP)
    assert stream.deadline(UP) is None
    stream.up(UP)
    stream.owes(order(5), UP)
    stream.up(UP)
    assert stream.deadline(UP) is None, "another stream"


def test_holds_grow() -> None:
    """Rule 3: twice as long with each silent stream, up to a maximum, and short again after one that told."""
    stream, now = up(), UP
    for times in range(HOLD_DOUBLINGS_MAX + 3):
        late = order(times, placed_at=Nanos(now + 1))
        stream.owes(late, now)
        now = Nanos(now + LIMIT)
        assert stream.silent(now)
        hold = HOLD_FIRST << min(times, HOLD_DOUBLINGS_MAX)
        assert stream.reason(Nanos(now + hold - 1))
        assert stream.deadline(now) == now + hold
        now = Nanos(now + hold)
        assert not stream.reason(now)
        stream.up(now)
    stream.tells(order())
    stream.owes(order(100, placed_at=Nanos(now + 1)), now)
    assert stream.silent(Nanos(now + LIMIT))
    assert not stream.reason(Nanos(now + LIMIT + HOLD_FIRST))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["owe", "tell", "wait"]), st.integers(0, 5)), max_size=30))
def test_silent_only_with_a_reason(acts: list[tuple[str, int]]) -> None:
    """It is called silent exactly when something was owed for the whole limit and not told."""
    stream, now = up(), UP
    orders = [order(number) for number in range(6)]
    owed: dict[int, Nanos] = {}
    for act, number in acts:
        match act:
            case "owe":
                stream.owes(orders[number], now)
                if not orders[number].streamed:
                    owed.setdefault(number, now)
            case "tell":
                stream.tells(orders[number])
                owed.pop(number, None)
            case _:
                now = Nanos(now + number * SECOND)
        overdue = any(now >= since + LIMIT for since in owed.values())
        assert bool(stream.silent(now)) is overdue
        if overdue:
            return


# --- what follows -------------------------------------------------------------------------------------


def deaf() -> World:
    """Everything works but the user stream: posts are answered, questions and cancels too."""
    world = quoted()
    world.wider = 1
    world.signals()
    hear_nothing(world)
    return world


def hear_nothing(world: World) -> None:
    for _ in range(20):
        world.venue.updates.clear()
        world.venue.fills_told.clear()
        world._serve(world.requests, world._answer_request, first=True)
        world._serve(world.posts, world._arrive, first=True)
        world._serve(world.cancels, world._cancel, first=True)
        world.drain_queries()
    world.venue.updates.clear()


def test_a_silent_stream_is_pulled_and_replaced() -> None:
    """Rule 2: within eight units of the first answer that it does not repeat, and quoting resumes by itself."""
    world = deaf()
    units = 0
    while world.connected:
        world.advance(1_000)
        hear_nothing(world)
        units += 1
    assert units <= 6
    world.advance(1_000)
    hear_nothing(world)
    assert not world.venue.open()
    assert world.core.state is ServiceState.DEGRADED
    assert [found.kind for found in world.findings] == ["silent user stream"]
    world.settle()
    assert live(world) == [S.RESTING] * 6


def test_a_held_stream_is_not_quoted_on() -> None:
    """Rule 3: reconciled again, but nothing rests until the hold is over."""
    world = deaf()
    while world.connected:
        world.advance(1_000)
        hear_nothing(world)
    world.connect()
    world._calm(Nanos(world.now + seconds(4)))
    assert world.core.detail == "the user stream was silent"
    assert world.core.state is ServiceState.DEGRADED
    assert not world.venue.open()
    world.settle()
    assert world.core.detail == ""


def test_a_talking_stream_is_left_alone() -> None:
    """Through many requotes with prompt peers nothing is called silent."""
    world = quoted()
    for _ in range(10):
        world.shift += 1
        world.settle(3)
    assert not world.findings
    assert world.connection == 1


def test_which_sources_owe_a_fill() -> None:
    """Rule 1: a question's fill is owed until the stream tells it, though it is counted once only."""
    place = desk()
    place.user_stream.up(UP)
    facts, owner = VenueFacts(place), tracked(place, placed_at=Nanos(UP + 1))
    facts.on_fill(fill(owner, 1), "query", UP)
    assert place.user_stream.deadline(UP) is not None
    facts.on_fill(fill(owner, 1), "stream", UP)
    assert place.user_stream.deadline(UP) is None


def test_a_dropped_stream_owes_nothing() -> None:
    """Rule 1: what is not told because the socket is gone is read by recovery."""
    world = deaf()
    stream = world.core._desk.user_stream
    assert stream.deadline(world.now) is not None
    world.send(StreamDown(connection=world.connection, reason="closed"))
    assert stream.deadline(world.now) is None
