"""What holds in every history: random stories, and a kill after every single effect."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor import Effect, Latch, Record, Sign
from common.messages import (
    Approval,
    DecisionRecord,
    Halt,
    HaltDirectory,
    HaltFile,
    HaltNotice,
    NonceRecord,
    StreamUp,
)
from common.messages.venue import Modify, Place, UpdateLeverage
from services.risk.core import Inbox
from tests.services.risk.scene import Scene, bid
from tests.services.risk.stories import STEPS, tell

stories = st.lists(st.sampled_from(sorted(STEPS)), max_size=14)


@settings(max_examples=80, deadline=None)
@given(stories)
def test_nothing_is_placed_in_a_halt(story: list[str]) -> None:
    """From the moment a halt was told, and from the moment it lies in the directory, no placing action is signed."""

    class Strict(Scene):
        def perform(self, effect: Effect) -> list[Inbox]:
            if isinstance(effect, Sign) and isinstance(effect.action, Place | Modify | UpdateLeverage):
                assert not self.risk._halting.closed(self.now), "asked for a placing signature while halted"
            return super().perform(effect)

    scene = tell(story, Strict().ready())
    for index, effect in enumerate(scene.performed):
        if isinstance(effect, Latch):
            rest = scene.performed[index + 1 :]
            until = next((i for i, later in enumerate(rest) if type(later).__name__ == "Unlatch"), len(rest))
            assert not any(isinstance(later, Sign) and isinstance(later.action, Place) for later in rest[:until])


@settings(max_examples=60, deadline=None)
@given(stories)
def test_every_placing_signature_was_recorded_first(story: list[str]) -> None:
    """Nonces grow, each is in the journal before its signature, each decision is answered once."""
    scene = tell(story, Scene().ready())
    recorded: set[int] = set()
    newest = 0
    for effect in scene.performed:
        if isinstance(effect, Record) and isinstance(effect.row, DecisionRecord | NonceRecord):
            assert effect.row.nonce > newest
            newest = effect.row.nonce
            recorded.add(newest)
        if isinstance(effect, Sign):
            assert effect.nonce in recorded
    asked = [answer.request_id for answer in scene.told(Approval)]
    assert len(asked) == len(set(asked))


@settings(max_examples=30, deadline=None)
@given(stories)
def test_equal_histories_give_equal_effects(story: list[str]) -> None:
    """No chance, no clock, no order of sets: the same story gives the same effects."""
    assert tell(story, Scene().ready()).performed == tell(story, Scene().ready()).performed


STORY = [
    "place",
    "show",
    "fill",
    "place",
    "modify",
    "cancel",
    "halt",
    "pause",
    "pause",
    "pause",
    "arm",
    "pause",
    "place",
]


def test_killed_after_any_effect_it_remembers() -> None:
    """The list is cut after every effect, and a new life begins from rows and venue facts alone.

    Its nonces are above every one that was signed, and it counts every order whose signature may exist and whose
    fate nobody has proven.
    """
    whole = tell(STORY, Scene().ready())
    kinds = [type(effect).__name__ for effect in whole.performed]
    cuts = [index + 1 for index, kind in enumerate(kinds) if kind in {"Record", "Sign", "Post", "Latch", "Unlatch"}]
    assert len(cuts) > 20
    for cut in cuts:
        check_restart(cut)


def check_restart(cut: int) -> None:
    scene = Scene()
    scene.cut_after = cut
    scene.send(scene.directory, StreamUp(connection=1))
    for _ in range(20):
        if len(scene.performed) >= cut or scene.state().name == "READY":
            break
        scene.wait(0.25)
    for number, name in enumerate(STORY, start=1):
        if len(scene.performed) >= cut:
            break
        STEPS[name](scene, number)
    signed = {sign.nonce for sign in scene.signs}
    second = Scene(scene.rows, epoch=8, now=scene.now, directory=scene.directory)
    decisions, ledger = second.risk._facts.decisions, second.risk._facts.ledger
    assert decisions.last_nonce >= max(signed, default=0)
    shown = {order.cloid for order in scene.open.values()} | set(scene.statuses)
    for sign in scene.placed():
        if sign.expires_after is None or sign.expires_after + 2_000 < scene.venue_ms:
            continue
        orders = sign.action.orders if isinstance(sign.action, Place) else ()
        for order in orders:
            if order.cloid not in shown:
                assert ledger.entry(order.coin, order.cloid) is not None, f"cut {cut} lost {order.cloid}"
    second.open = dict(scene.open)
    second.statuses = dict(scene.statuses)
    second.positions = dict(scene.positions)
    second.fills = list(scene.fills)
    second.send(second.directory, StreamUp(connection=1))
    second.wait(5)
    if not second.directory.halted:
        resting = sum(order.lots for order in second.open.values() if order.side.sign > 0)
        assert ledger.pending("BTC")[0] >= resting
        second.send(second.request(bid(900, lots=20)))
        assert second.last(Approval).approved, second.last(Approval).vetoes
        assert second.placed()[-1].nonce > max(signed, default=0)
    assert second.last(Halt).halted is second.directory.halted


def test_a_frozen_risk_cannot_hand_out_a_late_signature() -> None:
    """A halt that the signer sees first is a veto; one that comes between signature and answer holds it back."""
    scene = Scene().ready()
    scene.directory = HaltDirectory(files=(HaltFile(name="a", cause="x"),))
    scene.send(scene.request(bid(1)))
    assert [veto.code for veto in scene.last(Approval).vetoes] == ["signer"]
    other = Scene().ready()
    effects = other.risk.handle(other.request(bid(1)), other.now)
    sign = next(effect for effect in effects if isinstance(effect, Sign))
    other.send(HaltNotice(request_id=1, by="cli"))
    signed = other._sign(sign)
    other.send(signed)
    assert [veto.code for veto in other.last(Approval).vetoes] == ["halted"]
    assert other.risk._facts.ledger.pending("BTC") == (800, 0)
