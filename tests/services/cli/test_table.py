"""What people read: every process and coin is there, and nothing unknown looks like a number."""

from rich.console import Console

from common.messages import HaltDirectory, HaltFile, LiveOrders, Message, topic
from common.units import Side
from services.cli.status import ServiceStatus, Status, assemble
from services.cli.table import line, screen
from tests.services.cli.samples import books, live_order, position, settings
from tests.services.metrics.estimate_samples import leader

LIVE = LiveOrders(coin="BTC", orders=(live_order(Side.BUY, 999_990),))
FACTS = {("LiveOrders", "BTC"): LIVE, ("Position", "BTC"): position(), ("LedgerCheck", ""): books()}


def seen(*estimates: Message, halted: bool = False) -> Status:
    return assemble(
        settings=settings(),
        endpoints={"metrics": "http://127.0.0.1:9464/metrics"},
        services={
            "risk": ServiceStatus(state="READY", pid=4711, uptime_s=12.0, heartbeat_age_ms=80.4, loop_lag_ms=0.2),
            "strategy": ServiceStatus(state="DOWN", error="[red]did not answer[/red]"),
        },
        facts={
            "order_management": {
                ("LiveOrders", "BTC"): LIVE,
                ("Position", "BTC"): position(),
                ("LedgerCheck", ""): books(),
            },
            "estimation": {(topic(type(estimate)), "BTC"): estimate for estimate in estimates},
        },
        halt=HaltDirectory(files=(HaltFile(name="x", cause="y"),) if halted else ()),
    )


def drawn(status: Status) -> str:
    console = Console(width=200, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(status, {"risk": "all is well"}))
    return captured.get()


def test_the_screen_shows_everything() -> None:
    """States, pids, ages, details and errors as they are, markup of others' texts included; quotes and position."""
    text = drawn(seen())
    for part in ("READY", "4711", "12 s", "80 ms", "all is well", "[red]did not answer[/red]", "0.00500 @ 99999.0"):
        assert part in text, part
    assert "-0.02000" in text
    assert "earned 12.5 + 2.25 open - fees -0.25 + funding 0.75 + transfers 100, unexplained 0.000003" in text.replace(
        "\n", " "
    )
    assert "HALTED" not in text
    assert "http://127.0.0.1:9464/metrics" in text


def test_a_leader_is_shown_where_there_is_one() -> None:
    """Its tilt and age; no column without."""
    assert "leader" not in drawn(seen())
    assert "+1.50 bps, 250 ms old" in drawn(seen(leader())).replace("\n", " ")


def test_a_halt_stands_out() -> None:
    """On the screen and on the line."""
    assert "HALTED" in drawn(seen(halted=True))
    assert "HALTED" in line(seen(halted=True))
    assert "HALTED" not in line(seen())


def test_one_line_says_the_essential() -> None:
    """State, posture, who is not READY, and each coin's quotes, position, fills and profit."""
    assert line(seen()) == ("DOWN | posture - | strategy DOWN | BTC 1x0 pos -0.02000 fills 42 pnl 12.5/-")
