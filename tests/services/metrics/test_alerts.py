"""What is an alert: each change once, repetitions merged, a start and what merely lasts not at all."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import (
    CancellerStatus,
    Halt,
    HaltFile,
    Heartbeat,
    Message,
    Posture,
    PostureLevel,
    RiskCounts,
    ServiceState,
)
from common.units import SECOND, Nanos
from services.metrics.alerts import SUBJECTS_MAX, WAITING_MAX, Alert, Alerts, Severity

REPEAT = Nanos(300 * SECOND)
SILENCE = Nanos(10 * SECOND)


def halt(*names: str, coin: str = "") -> Halt:
    causes = tuple(HaltFile(name=name, cause="loss", evidence="9 USD", by="risk", coin=coin) for name in names)
    return Halt(halted=bool(names), latched=bool(names), contained=False, causes=causes)


def posture(level: PostureLevel, **coins: PostureLevel) -> Posture:
    return Posture(level=level, coins=coins, causes=("flash",), risk_epoch=1)


def counts(**findings: int) -> RiskCounts:
    return RiskCounts(approvals=0, signatures=0, vetoes={}, findings=findings)


def beat(*, stopping: bool = False) -> Heartbeat:
    return Heartbeat(service="risk", epoch=1, state=ServiceState.READY, stopping=stopping)


def canceller(firing: str) -> CancellerStatus:
    return CancellerStatus(epoch=1, venue_read_at=None, firing=firing, firings=0, schedule_cancel="")


def told(alerts: Alerts, *messages: Message, at: float = 0) -> list[tuple[str, Severity, str, int]]:
    now = Nanos(int(at * SECOND))
    for message in messages:
        alerts.hear(message, now)
    return [(alert.name, alert.severity, alert.subject, alert.count) for alert in alerts.take(now)]


def test_the_fates_of_a_contained_halt_are_one_alert() -> None:
    """Rule 1: not before it is contained; again when more is known."""
    alerts = Alerts()
    begun, contained = halt("a"), msgspec.structs.replace(halt("a"), contained=True)
    some, more = (msgspec.structs.replace(contained, fates=text) for text in ("1 unknown", "1 cancelled"))
    told(alerts, begun)
    assert told(alerts, msgspec.structs.replace(begun, fates="1 unknown"), contained, at=1) == []
    assert told(alerts, some, some, more, at=2) == [
        ("fates", Severity.HIGH, "1 unknown", 1),
        ("fates", Severity.HIGH, "1 cancelled", 1),
    ]


def test_each_halt_file_is_one_alert() -> None:
    """Rule 1: a halt is said once, however often risk repeats it, and a second cause is news."""
    alerts = Alerts()
    assert told(alerts, halt()) == []
    assert told(alerts, halt("a"), halt("a")) == [("halt", Severity.CRITICAL, "a", 1)]
    assert told(alerts, halt("a", "b"), at=1) == [("halt", Severity.CRITICAL, "b", 1)]


def test_the_text_says_what_and_by_whom() -> None:
    """A pager shows one line."""
    alerts = Alerts()
    alerts.hear(halt("a", coin="BTC"), Nanos(0))
    (alert,) = alerts.take(Nanos(0))
    assert alert == Alert(
        name="halt", severity=Severity.CRITICAL, subject="a", text="BTC halted by risk: loss; 9 USD", count=1
    )


def test_a_posture_alerts_when_it_becomes_stricter() -> None:
    """Rules 1 and 3: not at the start, not while it lasts, not on the way back."""
    alerts = Alerts()
    assert told(alerts, posture(PostureLevel.PULL_QUOTES), posture(PostureLevel.NORMAL)) == []
    assert told(alerts, posture(PostureLevel.WIDEN)) == [("posture", Severity.MEDIUM, "WIDEN", 1)]
    assert told(alerts, posture(PostureLevel.PULL_QUOTES)) == [("posture", Severity.HIGH, "PULL_QUOTES", 1)]
    assert told(alerts, posture(PostureLevel.PULL_QUOTES), posture(PostureLevel.NORMAL)) == []


def test_a_coin_alerts_alone() -> None:
    """Rule 1: one coin pulled while the rest trades; what the whole has already said is not said of each coin."""
    alerts = Alerts()
    normal, pulled = PostureLevel.NORMAL, PostureLevel.PULL_QUOTES
    assert told(alerts, posture(normal, BTC=normal, ETH=normal)) == []
    assert told(alerts, posture(normal, BTC=pulled, ETH=normal)) == [("posture", Severity.HIGH, "BTC PULL_QUOTES", 1)]
    assert told(alerts, posture(pulled, BTC=pulled, ETH=pulled)) == [("posture", Severity.HIGH, "PULL_QUOTES", 1)]


def test_repetitions_are_merged_and_told_with_the_next_one() -> None:
    """Rule 2: flapping is one line in five minutes, with its number; at the limit itself there is a new one."""
    alerts = Alerts(repeat=REPEAT)
    normal, widen = posture(PostureLevel.NORMAL), posture(PostureLevel.WIDEN)
    assert len(told(alerts, normal, widen)) == 1
    assert told(alerts, normal, widen, normal, widen, at=299.9) == []
    assert told(alerts, normal, widen, at=300) == [("posture", Severity.MEDIUM, "WIDEN", 3)]


def test_a_finding_alerts_when_it_is_counted() -> None:
    """Rules 1 and 3: what was counted before we listened is no news, nor is a restarted counter."""
    alerts = Alerts()
    assert told(alerts, counts(drift=3)) == []
    assert told(alerts, counts(drift=3)) == []
    assert told(alerts, counts(drift=4)) == [("finding", Severity.MEDIUM, "drift", 1)]
    assert told(alerts, counts(), at=400) == []
    assert told(alerts, counts(drift=1), at=400) == [("finding", Severity.MEDIUM, "drift", 1)]


def test_a_firing_canceller_alerts_once() -> None:
    """Rule 1: from silence to silence."""
    alerts = Alerts()
    fires = canceller("silent: risk")
    assert told(alerts, canceller(""), fires, fires) == [("canceller fires", Severity.HIGH, "", 1)]


@pytest.mark.parametrize(("at", "stopping", "count"), [(9.9, False, 0), (10, False, 1), (10, True, 0)])
def test_silence_alerts_at_its_limit(at: float, stopping: bool, count: int) -> None:
    """Rule 1: an announced stop is no silence, and a dead service is said once."""
    alerts = Alerts(silence=SILENCE)
    assert told(alerts, beat(stopping=stopping)) == []
    assert told(alerts, at=at) == [("silent", Severity.HIGH, "risk", 1)] * count
    assert told(alerts, at=at + 0.05) == []


def test_memory_has_an_end() -> None:
    """Rule 4: whoever makes a thousand halt files is told of so many; the first one is news again much later."""
    alerts = Alerts()
    many = [f"{number}" for number in range(SUBJECTS_MAX + 1)]
    assert len(told(alerts, halt(*many))) == WAITING_MAX
    assert told(alerts, halt(), halt("0"), at=1) == [("halt", Severity.CRITICAL, "0", 1)]


events = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(list(PostureLevel))), max_size=60)


@settings(max_examples=60)
@given(events)
def test_never_twice_within_the_window(story: list[tuple[int, PostureLevel]]) -> None:
    """Whatever flaps: one alert of a subject in each window, and no change to the worse is uncounted."""
    alerts = Alerts(repeat=REPEAT)
    alerts.hear(posture(PostureLevel.NORMAL), Nanos(0))
    now, before, worse = 0, PostureLevel.NORMAL, 0
    said: dict[str, list[int]] = {}
    counted = 0
    for wait, level in story:
        now += wait
        worse += level > before
        before = level
        for _, _, subject, count in told(alerts, posture(level), at=now):
            said.setdefault(subject, []).append(now)
            counted += count
    assert all(later - first >= 300 for times in said.values() for first, later in pairwise(times))
    assert counted <= worse
    assert bool(counted) is bool(worse)
