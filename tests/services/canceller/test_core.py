"""The canceller's rules, one test each, then the laws that hold for any traffic."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import config
from common.actor import Ask, Boot, Exit, Latch, Post, Reconnect, Record, Send, Sign, replay
from common.cloid import house_tag, make_cloid
from common.messages import (
    Approved,
    Cancel,
    CancelAnswer,
    CancellerStatus,
    CancelOutcome,
    CancelRequest,
    HaltDirectory,
    HaltFile,
    Heartbeat,
    NonceRecord,
    Posted,
    PostFailed,
    QueryFailed,
    ServiceState,
    Signed,
    Stopping,
    StreamUp,
    VenueAccount,
    VenueOpenOrders,
    VenueTime,
    Wake,
)
from common.messages.venue import ActionStatus, CancelOrders, OpenOrdersQuery, ScheduleCancel, VenueOrder
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.canceller.core import Canceller, Inbox
from tests.script import Script

SETTINGS = config.load(Path(__file__).parents[3] / "deploy" / "sim.toml")
ACCOUNT = "0x" + "ab" * 20
TAG = house_tag(ACCOUNT)
UNIT_S = SETTINGS.liveness.unit_ms / 1_000
LIMIT_S = UNIT_S * SETTINGS.liveness.canceller_silence
OURS = make_cloid(TAG, 7, 1, 0)
OTHER = make_cloid(TAG, 7, 2, 0)
FOREIGN = "0x" + "11" * 16


def canceller(*rows: NonceRecord) -> Canceller:
    return Canceller(SETTINGS, Boot(epoch=1, started_at=Nanos(0)), ACCOUNT, rows)


def beat(service: str, *, stopping: bool = False) -> Heartbeat:
    return Heartbeat(service=service, epoch=1, state=ServiceState.READY, stopping=stopping)


def order(cloid: str | None, oid: int = 5) -> VenueOrder:
    return VenueOrder(
        coin="BTC",
        oid=oid,
        cloid=cloid,
        side=Side.BUY,
        ticks=Ticks(1_000_000),
        lots=Lots(10),
        original_lots=Lots(10),
        placed_ms=Millis(1),
    )


def request(*cloids: str, everything: bool = False, request_id: int = 1) -> CancelRequest:
    return CancelRequest(
        request_id=request_id,
        sender="order_management",
        epoch=1,
        deadline=Nanos(1_000 * SECOND),
        cancels=tuple(Cancel(coin="BTC", cloid=cloid) for cloid in cloids),
        everything=everything,
        reason="requote",
    )


def account(query_id: int) -> VenueAccount:
    return VenueAccount(
        query_id=query_id,
        venue_ms=Millis(1),
        equity=Decimal(1),
        margin_used=Decimal(0),
        withdrawable=Decimal(1),
        positions=(),
        asked_at=Nanos(0),
    )


class Story(Script[Inbox]):
    """A canceller with a venue that answers what the test says."""

    def __init__(self, actor: Canceller | None = None) -> None:
        super().__init__(actor or canceller())
        self.send(StreamUp(connection=1), VenueTime(venue_ms=Millis(1_000_000), resolution_ms=1))
        self.ignore()

    def alive(self) -> "Story":
        self.send(beat("risk"), beat("order_management"))
        return self

    def listed(self, *orders: VenueOrder) -> "Story":
        """Answer every open-orders question that is waiting."""
        for ask in self.take(Ask):
            if isinstance(ask.query, OpenOrdersQuery):
                self.send(VenueOpenOrders(query_id=ask.query_id, orders=orders, asked_at=self.now))
        return self

    def signed(self) -> list[Sign]:
        """Sign everything that waits, and post it."""
        signs = self.take(Sign)
        for sign in signs:
            self.send(Signed(sign_id=sign.sign_id, nonce=sign.nonce, body=b"signed"))
        return signs

    def posted(self, *kinds: str) -> "Story":
        for post in self.take(Post):
            self.send(Posted(post_id=post.post_id, statuses=tuple(ActionStatus(kind=kind) for kind in kinds)))
        return self

    def cancelled(self) -> list[str | None]:
        """Return the cloids that were signed for cancellation."""
        actions = [sign.action for sign in self.signed()]
        return [c.cloid for action in actions if isinstance(action, CancelOrders) for c in action.cancels]


def test_a_known_cloid_is_cancelled_at_once() -> None:
    """Rule 1: a cancel must not wait for any answer of the venue."""
    story = Story().alive()
    story.send(Approved(approval_id=1, cloids=(OURS,))).ignore()
    story.send(request(OURS))
    assert story.cancelled() == [OURS]
    story.posted("success")
    outcome = CancelOutcome(cancel=Cancel(coin="BTC", cloid=OURS), status="success")
    assert story.take(CancelAnswer) == [CancelAnswer(request_id=1, outcomes=(outcome,))]


def test_an_unknown_cloid_is_cancelled_only_when_the_venue_lists_it() -> None:
    """Rule 1: nobody can make the canceller spend the budget on orders that do not exist."""
    story = Story().alive()
    story.send(request(OURS, OTHER)).take(Record)
    story.listed(order(OURS), order(FOREIGN))
    assert story.cancelled() == [OURS]
    (missing,) = story.take(CancelAnswer)
    assert missing.outcomes[0].status == "not open at the venue"


def test_foreign_orders_are_never_cancelled() -> None:
    """Rule 2: another program of the same account keeps its orders, also in a cancel-all."""
    story = Story().alive()
    story.send(request(everything=True))
    story.listed(order(FOREIGN), order(None))
    assert story.cancelled() == []
    assert story.take(CancelAnswer) == [CancelAnswer(request_id=1)]


def test_cancel_everything_ends_only_when_the_venue_shows_nothing() -> None:
    """A cancel that fails silently must be seen in the next read and sent again."""
    story = Story().alive()
    story.send(request(everything=True))
    for second in (1, 2):
        story.listed(order(OURS))
        assert story.cancelled() == [OURS]
        story.posted("success")
        assert story.take(CancelAnswer) == []
        story.alive().until(second)
    story.listed()
    assert len(story.take(CancelAnswer)) == 1


def test_a_failed_read_proves_nothing() -> None:
    """An empty answer and no answer are different things."""
    story = Story().alive()
    story.send(request(everything=True))
    for ask in story.take(Ask):
        story.send(QueryFailed(query_id=ask.query_id, reason="500"))
    assert story.take(CancelAnswer) == []
    story.alive().until(1.5)
    story.listed()
    assert len(story.take(CancelAnswer)) == 1


@pytest.mark.parametrize("silent", ["risk", "order_management"])
def test_silence_sweeps(silent: str) -> None:
    """Rule 3: the limit itself fires, a moment before it does not, and the sweep cancels what rests."""
    story = Story()
    other = "risk" if silent == "order_management" else "order_management"
    for step in range(int(LIMIT_S / UNIT_S)):
        story.ignore().until(step * UNIT_S)
        story.send(beat(other)).ignore()
    story.until(LIMIT_S - 0.001).listed(order(OURS))
    assert story.cancelled() == []
    story.until(LIMIT_S + UNIT_S).send(beat(other))
    story.listed(order(OURS))
    assert story.cancelled() == [OURS]
    assert story.ignore().until(LIMIT_S + 2 * UNIT_S).take(CancellerStatus)[-1].firing == f"silent: {silent}"


def test_its_own_pause_is_nobodys_silence() -> None:
    """A canceller that was frozen must not blame the others for what it could not hear."""
    story = Story().alive()
    story.until(UNIT_S).ignore()
    story._now = Nanos(60 * SECOND)
    story.send(Wake())
    assert story.take(CancellerStatus)[-1].firing == ""
    story.ignore().until(60 + LIMIT_S + UNIT_S)
    assert story.take(CancellerStatus)[-1].firing


def test_a_firing_counts_only_when_something_rested_unannounced() -> None:
    """Rule 4: an ordered stop is no fault, and neither is silence with nothing at stake."""
    for stopping, orders, firings in ((True, (order(OURS),), 0), (False, (), 0), (False, (order(OURS),), 1)):
        story = Story()
        story.send(beat("risk", stopping=stopping), beat("order_management", stopping=stopping)).ignore()
        story.until(LIMIT_S + UNIT_S).listed(*orders)
        story.ignore().until(LIMIT_S + 2 * UNIT_S)
        assert story.take(CancellerStatus)[-1].firings == firings


def test_too_many_firings_latch() -> None:
    """Rule 4: the last allowed firing within ten minutes halts until a person looks."""
    story = Story()
    second = 0.0
    latches: list[Latch] = []
    for _ in range(SETTINGS.canceller.firings_max):
        assert latches == []
        second += LIMIT_S + 1
        story.until(second).listed(order(OURS))
        latches += story.take(Latch)
        story.cancelled()
        second += 1
        story.posted("success").until(second)
        story.listed().ignore()
        for _ in range(80):  # health, until the firing is taken back
            second += UNIT_S
            story.alive().until(second)
            story.listed().ignore()
    assert [latch.cause for latch in latches] == ["canceller fired too often"]


def test_a_halt_is_swept_at_once_and_until_nothing_can_arrive() -> None:
    """Rule 5: three empty reads count only after the last order signed before the halt has expired."""
    story = Story().alive()
    story.send(HaltDirectory(files=(HaltFile(name="1", cause="operator"),)))
    assert story.actor.state is ServiceState.HALTED
    story.listed(order(OURS))
    assert story.cancelled() == [OURS]
    story.posted("success")
    expiry_s = (SETTINGS.orders.order_expiry_ms + SETTINGS.orders.margin_ms) / 1_000
    reads = 0
    for tenth in range(int(expiry_s * 10) + 20):
        story.alive().until(tenth / 10)
        asks = [ask for ask in story.take(Ask) if isinstance(ask.query, OpenOrdersQuery)]
        reads += len(asks) if tenth / 10 >= expiry_s else 0
        for ask in asks:
            story.send(VenueOpenOrders(query_id=ask.query_id, orders=(), asked_at=story.now))
        story.ignore()
    assert reads == 3


def test_an_unreadable_halt_directory_keeps_everybody_from_quoting() -> None:
    """Rule 6: risk hears of it in the status, whatever else the disk lets anybody write."""
    story = Story().alive()
    story.send(HaltDirectory(readable=False))
    assert story.actor.state is ServiceState.HALTED
    assert "disk is lost" in story.until(UNIT_S).take(CancellerStatus)[-1].firing
    story.send(HaltDirectory())
    assert story.until(2 * UNIT_S).take(CancellerStatus)[-1].firing == ""


def test_nonces_rise_across_restarts_and_are_recorded_first() -> None:
    """Rule 6: the venue refuses a repeated nonce, so a crash must not repeat one."""
    story = Story(canceller(NonceRecord(nonce=9_000_000, tag="cancel"))).alive()
    story.send(Approved(approval_id=1, cloids=(OURS, OTHER))).ignore()
    story.send(request(OURS), request(OTHER, request_id=2))
    rows = story.take(Record)
    nonces = [sign.nonce for sign in story.signed()]
    assert nonces == [9_000_001, 9_000_002]
    assert [row.row for row in rows] == [NonceRecord(nonce=nonce, tag="cancel") for nonce in nonces]


def test_schedule_cancel_is_renewed_while_healthy_and_its_refusal_is_shown() -> None:
    """Rule 9: the venue's switch is armed at a third of its horizon; a young account is told so."""
    story = Story()
    refusal = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
    scheduled: list[ScheduleCancel] = []
    for unit in range(80):
        story.alive().until(unit * UNIT_S)
        scheduled += [sign.action for sign in story.signed() if isinstance(sign.action, ScheduleCancel)]
        for post in story.take(Post):
            late = len(scheduled) > 1
            story.send(Posted(post_id=post.post_id, error=refusal if late else ""))
        story.ignore()
    assert len(scheduled) == 2
    assert scheduled[0].at_ms is not None
    horizon = SETTINGS.canceller.schedule_horizon_ms
    assert horizon - 1_000 <= scheduled[0].at_ms - 1_000_000 <= horizon + 1_000
    assert story.until(81 * UNIT_S).take(CancellerStatus)[-1].schedule_cancel == refusal


def test_a_dead_post_is_reported_and_the_sweep_goes_on() -> None:
    """A cancel that never left must be tried again, not forgotten."""
    story = Story().alive()
    story.send(request(everything=True))
    story.listed(order(OURS))
    assert story.cancelled() == [OURS]
    for post in story.take(Post):
        story.send(PostFailed(post_id=post.post_id, sent=False, reason="no socket"))
    story.alive().until(2)
    story.listed(order(OURS))
    assert story.cancelled() == [OURS]


@pytest.mark.parametrize(
    ("sent", "reasons"), [(True, ["no answer to a signed action: no answer in time"]), (False, [])]
)
def test_an_unanswered_action_renews_the_socket(sent: bool, reasons: list[str]) -> None:
    """Rule 7: a connection that died in silence is given up with the first answer that it owes."""
    story = Story().alive()
    story.send(request(everything=True))
    story.listed(order(OURS))
    assert story.cancelled() == [OURS]
    (post,) = story.take(Post)
    story.send(PostFailed(post_id=post.post_id, sent=sent, reason="no answer in time"))
    assert [effect.reason for effect in story.take(Reconnect)] == reasons


def test_an_answer_that_never_comes_does_not_wedge_the_sweep() -> None:
    """A lost answer must not be the end of cancelling."""
    story = Story().alive()
    story.send(request(everything=True)).ignore()
    for second in range(1, 8):
        story.alive().until(second)
    story.listed()
    assert len(story.take(CancelAnswer)) == 1


def test_the_roster_sees_only_answered_reads() -> None:
    """A read that failed must not look like a good one to risk."""
    story = Story().alive()
    assert story.until(UNIT_S).take(CancellerStatus)[-1].venue_read_at is None
    states = [story.actor.state]
    for query_id in range(1, 10):
        story.send(account(query_id))
    assert [*states, story.actor.state] == [ServiceState.RECONCILING, ServiceState.READY]
    assert story.until(2 * UNIT_S).take(CancellerStatus)[-1].venue_read_at == Nanos(0)


@pytest.mark.parametrize("swept", [True, False])
def test_stopping_sweeps_first(swept: bool) -> None:
    """Rule 8: a stop must not leave orders, neither in the middle of a cancel-all nor when all are asked at once."""
    story = Story().alive()
    if swept:
        story.send(request(everything=True))
    story.send(Stopping())
    assert story.take(Exit) == []
    story.listed(order(OURS))
    assert story.cancelled() == [OURS]
    story.posted("success").until(1).listed()
    assert [exit_.code for exit_ in story.take(Exit)] == [0]


traffic = st.lists(
    st.tuples(
        st.integers(0, 40 * SECOND).map(Nanos),
        st.one_of(
            st.builds(Wake),
            st.sampled_from(["risk", "order_management"]).map(beat),
            st.lists(st.sampled_from([OURS, OTHER]), max_size=2).map(lambda cloids: request(*cloids)),
            st.integers(1, 20).map(
                lambda query_id: VenueOpenOrders(query_id=query_id, orders=(order(OURS),), asked_at=Nanos(0))
            ),
            st.integers(1, 20).map(lambda sign_id: Signed(sign_id=sign_id, nonce=1, body=b"")),
            st.integers(1, 20).map(lambda post_id: Posted(post_id=post_id, statuses=(ActionStatus(kind="success"),))),
        ),
    ),
    max_size=60,
).map(lambda tape: sorted(tape, key=lambda tick: tick[0]))


@given(traffic)
def test_laws(tape: list[tuple[Nanos, Inbox]]) -> None:
    """Equal tapes give equal effects; nonces strictly rise; nothing but cancels is ever signed."""
    first = [effect for effects in replay(canceller(), tape) for effect in effects]
    second = [effect for effects in replay(canceller(), tape) for effect in effects]
    assert first == second
    signs = [effect for effect in first if isinstance(effect, Sign)]
    assert all(isinstance(sign.action, CancelOrders | ScheduleCancel) for sign in signs)
    nonces = [sign.nonce for sign in signs]
    assert nonces == sorted(set(nonces))
    assert all(isinstance(effect, Send | Ask | Sign | Post | Record | Latch | Exit) for effect in first)
