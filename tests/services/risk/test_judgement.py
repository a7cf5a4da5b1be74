"""A glance is enough: against a twin that judges everything afresh with every message."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.actor import Boot, Effect, Latch, Record
from common.config import Settings
from common.messages import (
    AssetContext,
    CancelAnswer,
    FindingRecord,
    Message,
    PendingExposure,
    Position,
    TopOfBook,
)
from common.units import MILLISECOND, Lots, Micros, Millis, Nanos, Ticks
from services.risk.core import Inbox, Risk
from services.risk.halting import VerifyArm
from services.risk.judgement import Judgement
from tests.services.risk.scene import ACCOUNT, AGENTS, PEERS, SETTINGS, Scene
from tests.services.risk.stories import STEPS, Step, tell

ZERO = Decimal(0)


class EagerJudgement(Judgement):
    """Asks every monitor, whatever has changed."""

    def assess(self, now: Nanos, *, afresh: bool) -> None:  # noqa: ARG002  # always
        super().assess(now, afresh=True)


class Eager(Risk):
    """Goes through everything with every message, and remembers nothing that it could count anew."""

    def __init__(self, *args: Any, **names: Any) -> None:  # those of Risk
        super().__init__(*args, **names)
        self._judgement = EagerJudgement(self._facts, self._halting, self._watch, self._readiness)

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        self._calm = False
        for activity in self._facts.activity.values():
            activity._conduct = None
        for watch in self._facts.watches.values():
            watch._behaviour = None
        return super().handle(message, now)


class Beside(Risk):
    """A risk that compares itself with an eager twin at the end of every instant."""

    def __init__(
        self,
        settings: Settings,
        boot: Boot,
        account: str,
        rows: Iterable[Message],
        verify_arm: VerifyArm,
        *,
        agents: Mapping[str, str],
    ) -> None:
        super().__init__(settings, boot, account, rows, verify_arm, agents=agents)
        self.twin = Eager(settings, boot, account, rows, verify_arm, agents=agents)
        self.written: list[tuple[Nanos, object]] = []
        self.twin_written: list[tuple[Nanos, object]] = []
        self.glances = 0

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        if now > self._now:
            self.compare()
        effects = super().handle(message, now)
        self.written += written(effects, now)
        self.twin_written += written(self.twin.handle(message, now), now)
        return effects

    def compare(self) -> None:
        assert self.written == self.twin_written
        assert said(self) == said(self.twin)


def written(effects: list[Effect], now: Nanos) -> list[tuple[Nanos, object]]:
    """Return kills and findings."""
    return [
        (now, effect)
        for effect in effects
        if isinstance(effect, Latch) or (isinstance(effect, Record) and isinstance(effect.row, FindingRecord))
    ]


def said(risk: Risk) -> tuple[object, ...]:
    """Return what the mesh is told to do and why, and what this process says of itself."""
    board = risk._facts.board
    levels = [board.level(coin) for coin in ("", *risk._facts.limits)]
    return levels, board.texts(), dict(board._ends), dict(board.trips), risk.state, risk._halting.coins


def beside(equity: int) -> Scene:
    """Little equity brings the margin monitor into reach."""
    monitors = msgspec.structs.replace(SETTINGS.monitors, liquidation_distance=0.5)
    scene = Scene(settings=msgspec.structs.replace(SETTINGS, monitors=monitors))
    scene.equity = Decimal(equity)
    boot = Boot(epoch=7, started_at=scene.now, build="b")
    scene.risk = Beside(scene.settings, boot, ACCOUNT, (), scene.verify, agents=AGENTS)
    return scene.ready()


# --- steps, besides those of every story ---------------------------------------------------------------


def quote(scene: Scene, number: int) -> None:
    """Best bid and offer, often where they were."""
    for step in range(5):
        scene.now = Nanos(scene.now + number * MILLISECOND // 3)
        price = 600_000 + (step // 2) * (number % 7) * 40
        touch = ((Ticks(price - 10), Lots(7)), (Ticks(price + 10), Lots(9 + step)))
        scene.send(TopOfBook(coin="BTC", venue_ms=scene.venue_ms, bid=touch[0], ask=touch[1], received_at=scene.now))
        scene.wait(0)


def jump(scene: Scene, number: int) -> None:
    """A move of up to 3 %, and a spread."""
    price, wide = 600_000 + (number % 7 - 3) * 6_000, (number % 3) * 1_600
    touch = ((Ticks(price - 10 - wide), Lots(7)), (Ticks(price + 10 + wide), Lots(9)))
    scene.send(TopOfBook(coin="BTC", venue_ms=scene.venue_ms, bid=touch[0], ask=touch[1], received_at=scene.now))


def interest(scene: Scene, number: int) -> None:
    mark = Ticks(600_000 + number % 5 * 100)
    scene.send(
        AssetContext(
            coin="BTC",
            mark=mark,
            oracle=mark,
            funding=0.0004 * (number % 4),
            open_interest=1_000_000.0 * (1 - 0.03 * (number % 6)),
            received_at=scene.now,
        )
    )


def claim(scene: Scene, number: int) -> None:
    """order_management's word, right or wrong."""
    bid, ask = scene.risk._facts.ledger.pending("BTC")
    over = Lots((0, 0, 0, 300)[number % 4])
    held = scene.risk._facts.ledger.position("BTC").by_snapshot
    scene.send(
        PendingExposure(
            coin="BTC",
            pending_bid=Lots(bid + over),
            pending_ask=ask,
            net_pending_change=Lots(bid + over - ask),
            worst_case_max_position=Lots(held + bid + over),
            worst_case_min_position=Lots(held - ask),
            resting_bid_notional=Micros(0),
            resting_ask_notional=Micros(0),
        ),
        Position(
            coin="BTC",
            lots=Lots(held + over),
            entry=Decimal(60_000),
            realized_pnl=ZERO,
            fees=ZERO,
            funding=ZERO,
            fills=0,
            as_of_ms=Millis(0),
            proven=number % 5 > 0,
        ),
    )


def equity(scene: Scene, number: int) -> None:
    """Money comes and goes, so does the budget of requests."""
    scene.equity = scene.equity * (1_000 - number % 4) / 1_000
    scene.requests_used = number % 4 * 2_800


def inventory(scene: Scene, number: int) -> None:
    """What the venue says we hold, without a fill."""
    scene.positions["BTC"] = (0, 7_000, 9_500, -300)[number % 4]


def trouble(scene: Scene, number: int) -> None:
    for item in range(7 * number):
        scene.send(CancelAnswer(request_id=item, error="no such order"))


def mute(scene: Scene, number: int) -> None:
    """A peer falls silent, or speaks again; the others go on at a beat of their own."""
    scene.silent ^= {("strategy", "order_management", "canceller", "market_data")[number % 4]}
    for _ in range(18):
        scene.wait(0.097)


def starve(scene: Scene, number: int) -> None:
    """No prices, while everybody lives."""
    for _ in range(7 * number % 30):
        scene.wait(0.097, alive=False)
        for name in PEERS:
            scene.beat(name)
        scene.target("BTC")


def linger(scene: Scene, number: int) -> None:
    """Best bid and offer speak, at a beat of their own, until an earlier move is out of the window."""
    price = Ticks(600_000 + number % 3 * 300)
    for _ in range(55):
        scene.wait(0.097, alive=False)
        touch = ((Ticks(price - 10), Lots(7)), (Ticks(price + 10), Lots(9)))
        scene.send(TopOfBook(coin="BTC", venue_ms=scene.venue_ms, bid=touch[0], ask=touch[1], received_at=scene.now))


def blink(scene: Scene, number: int) -> None:
    scene.wait(0.07 * number)


MORE: dict[str, Step] = {
    step.__name__: step
    for step in (quote, jump, interest, claim, equity, inventory, trouble, mute, starve, linger, blink)
}
ALL = STEPS | MORE
stories = st.lists(st.sampled_from([*sorted(ALL), *sorted(MORE)]), max_size=20)


@settings(max_examples=25, deadline=None)
@given(stories, st.sampled_from([400, 100_000]))
@example(["blink", "mute", "blink", "blink", "mute"], 100_000)
@example(["blink", "blink", "blink", "mute", "blink", "blink", "blink", "mute"], 100_000)
@example(["blink", "starve", "starve"], 100_000)
@example(["blink", "jump", "linger", "jump", "linger"], 100_000)
@example(["inventory", "blink", "pause", "pause", "pause", "pause", "pause", "quote", "quote", "jump"], 400)
def test_glances_miss_nothing(story: list[str], equity: int) -> None:
    """Same postures with the same causes, same kills, same findings, at the same moments, whatever happens."""
    scene = tell(story, beside(equity), ALL)
    scene.wait(1)
    assert isinstance(scene.risk, Beside)
    scene.risk.compare()
