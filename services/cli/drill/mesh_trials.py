"""What goes wrong around the mesh, and what must follow at the venue, in posture or halt directory.

Each returns its evidence. What is done by hand at the venue is undone, so that the next one starts from quotes.
"""

import contextlib
import json
import signal
import time
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, Final

from common.halt import HaltDir
from common.messages import PostureLevel
from services.cli import exits
from services.cli.configuration import changed, toml_text
from services.cli.drill.stage import TRIP_S_MAX, NotTripped, Stage

HALT_S_MAX: Final = 40.0  # two account states, cancels, and a proof that waits for expiries
AFTERMATH_S: Final = 2.0  # whatever was under way arrives within this
ALERT_S_MAX: Final = 5.0
TRADE_USD: Final = 20.0
OVER: Final = 1.3  # times a limit
QUICK: Final = 1.1  # times what is quick; twice of it stays below a runaway
CHURN_MAX: Final = 400  # round trips by hand


# --- pulled, and back by itself ---------------------------------------------------------------------------


def flash(stage: Stage) -> str:
    """C2: the local market falls by three percent."""
    return _pulled(stage, "C2", stage.coins[0], since=0, seconds_max=90)


def stale_data(stage: Stage) -> str:
    """C16: the books of a coin stand still."""
    coin = stage.coins[0]
    before = stage.blocks("C16")
    with stage.fault("freeze_stream", channel="l2Book", coin=coin):
        return _pulled(stage, "C16", coin, since=before)


def version(stage: Stage) -> str:
    """C26: strategy comes up with another configuration than the others."""
    before, text = stage.blocks("C26"), stage.home.config.read_text()
    stage.home.config.write_text(f"{text}\n# another version\n")
    try:
        stage.restart("strategy")
        evidence = _pulled(stage, "C26", stage.coins[0], since=before)
    finally:
        stage.home.config.write_text(text)
        stage.restart("strategy")
    return evidence


def request_budget(stage: Stage) -> str:
    """C6: nothing is left of what the venue lets this address send."""
    before = stage.blocks("C6")
    stage.venue.fault("exhaust_budget", left=0)
    stage.restart("risk")  # it asks at its start; otherwise once a minute
    stage.until("C6 counted", lambda: stage.blocks("C6") > 0)
    level = stage.until("restrained", lambda: stage.posture(stage.coins[0]))
    return f"counted {before:g} -> {stage.blocks('C6'):g}; posture {level.name}"


def velocity(stage: Stage) -> str:
    """C17: the owner trades by hand, quickly, away from what is held."""
    coin, limits = stage.coins[0], stage.settings
    usd = QUICK * limits.monitors.velocity_share * limits.coins[coin].max_position_usd
    side = "sell" if stage.position(coin) > 0 else "buy"

    def tripped() -> bool:
        return any(text.startswith(f"{coin}: position velocity") for text in stage.restraints())

    with _undone(stage, coin):
        for last in (False, True):
            _trade(stage, coin, side, usd)
            try:
                stage.until(f"{coin} is quick", tripped, AFTERMATH_S)
                break
            except NotTripped:  # what would have met our own orders was not traded
                if last:
                    raise
        stage.until("C17 counted", lambda: stage.blocks("C17"), AFTERMATH_S)
        level = stage.until("restrained", lambda: stage.posture(coin), AFTERMATH_S)
    return f"traded by hand; counted {stage.blocks('C17'):g}; posture of {coin} {level.name}"


def surveillance(stage: Stage) -> str:
    """C27: orders that live for less than half a second; drilled with a limit of one a minute."""
    total = stage.until("C27 counted", lambda: stage.blocks("C27"), 90)
    return f"counted {total:g}; posture {stage.posture(stage.coins[0]).name}"


def drop_copy(stage: Stage) -> str:
    """C24: order_management's stream of fills is dead; risk hears of a fill by its own."""
    connection, kind = stage.log.refresh().connection, "foreign fill"
    if connection is None:
        raise NotTripped("order_management has placed nothing by WebSocket")
    before = stage.metric("mm_risk_findings_total", kind=kind)
    with stage.fault("freeze_stream", connection=connection, channel="userFills"):
        _trade(stage, stage.coins[0], "buy", TRADE_USD)
        stage.until("risk's own finding", lambda: stage.metric("mm_risk_findings_total", kind=kind) > before)
    return f"a fill that order_management's stream did not bring is a finding of risk: {kind}"


# --- killed --------------------------------------------------------------------------------------------


def repeated_execution(stage: Stage) -> str:
    """C7: bought and sold by hand, again and again."""
    coin = stage.coins[0]
    size = _size(stage, coin, TRADE_USD)

    def churn() -> None:
        for _ in range(min(CHURN_MAX, 2 * stage.settings.monitors.fills_max)):
            stage.venue.fault("manual_trade", coin=coin, side="buy", size=size)
            stage.venue.fault("manual_trade", coin=coin, side="sell", size=size)

    return _killed(stage, f"{coin} repeated execution", churn)


def loss(stage: Stage) -> str:
    """C12: the account loses more than an hour may."""
    usd = OVER * stage.settings.risk.max_hourly_loss_usd
    try:
        return _killed(stage, "loss", lambda: stage.venue.fault("transfer", usd=str(-usd)))
    finally:
        stage.venue.fault("transfer", usd=str(usd))


def reconciliation(stage: Stage) -> str:
    """C19: the account moves and no fill explains it."""
    coin = stage.coins[0]
    breach_s = stage.settings.risk.reconcile_breach_ms / 1_000
    with (
        stage.fault("freeze_stream", channel="userFills"),
        stage.fault("http_500", path="info", type="userFillsByTime"),
    ):
        return _killed(
            stage,
            f"{coin} position difference",
            lambda: _trade(stage, coin, "buy", TRADE_USD),
            HALT_S_MAX + breach_s,
        )


def kill_switch(stage: Stage) -> str:
    """C21: a person halts; the proof comes, and nothing is placed any more."""
    done = stage.mm("halt", "--reason", "drill", "--timeout", f"{HALT_S_MAX:g}")
    if done.returncode != 0:
        raise NotTripped(f"mm halt ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
    return f"CONTAINED proven by mm halt; {_nothing_more(stage)}"


def alert(stage: Stage) -> str:
    """C23: a halt is told as an alert within five seconds."""
    stage.mm("halt", "--reason", "drill of the alert", "--timeout", "0")
    (file,) = HaltDir(stage.home.halt).read().files
    path = stage.home.path / stage.settings.alerts.file

    def told() -> Any:  # the line's JSON
        lines = path.read_text().splitlines() if path.exists() else []
        return next((said for line in lines if (said := json.loads(line))["subject"] == file.name), None)

    took_s = (stage.until("an alert", told, 2 * ALERT_S_MAX)["at_ms"] - file.at_ms) / 1_000
    if took_s > ALERT_S_MAX:
        raise NotTripped(f"the alert came after {took_s:.1f} s")
    return f"alert {took_s:.1f} s after the halt file; {_nothing_more(stage)}"


# --- without those who should act -------------------------------------------------------------------------


def silence(stage: Stage) -> str:
    """C22: risk and order_management stand still; the canceller empties the venue with its own key."""
    mark = stage.log.refresh().seq
    frozen = ("order_management", "risk")
    for service in frozen:
        stage.signal(service, signal.SIGSTOP)
    try:
        stage.until("the venue is empty", stage.empty, TRIP_S_MAX)
    finally:
        for service in frozen:
            stage.signal(service, signal.SIGCONT)
    cancels = stage.log.cancels_by(stage.agents["canceller"], mark)
    if not cancels:
        raise NotTripped("the venue is empty, but not by the canceller's key")
    return f"the venue was emptied by {cancels} cancel actions of the canceller's key"


def sane_limits(stage: Stage) -> str:
    """C25: zero, absurd, infinite and unknown limits refuse the start."""
    document, coin = tomllib.loads(stage.config.read_text()), stage.coins[0]
    cases = {
        f"coins.{coin}.max_order_usd=0.0": "max_order_usd",
        f"coins.{coin}.max_position_usd=1e12": "max_position_usd",
        "risk.max_daily_loss_usd=inf": "max_daily_loss_usd",
        "risk.no_such_limit=1": "no_such_limit",
    }
    path = stage.config.with_name("bad.toml")
    for change, name in cases.items():
        path.write_text(toml_text(changed(document, change)))
        done = stage.mm("up", "--detach", "--config", str(path))
        if done.returncode != exits.USAGE or name not in done.stderr:
            raise NotTripped(f"mm up with {change} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return f"mm up refused {len(cases)} configurations by name"


# --- parts -------------------------------------------------------------------------------------------


def _trade(stage: Stage, coin: str, side: str, usd: float) -> None:
    """The owner trades by hand."""
    stage.venue.fault("manual_trade", coin=coin, side=side, size=_size(stage, coin, usd))


def _size(stage: Stage, coin: str, usd: float) -> str:
    instrument = stage.settings.instrument(coin)
    lots = instrument.lots_floor(usd / float(instrument.price(stage.touch(coin)[1])))
    return f"{instrument.size(max(1, lots)):f}"


@contextlib.contextmanager
def _undone(stage: Stage, coin: str) -> Iterator[None]:
    """Close by hand what was opened by hand."""
    before = stage.position(coin)
    try:
        yield
    finally:
        moved = stage.position(coin) - before
        if moved:
            side = "sell" if moved > 0 else "buy"
            stage.venue.fault("manual_trade", coin=coin, side=side, size=f"{abs(moved):f}")


def _pulled(stage: Stage, control: str, coin: str, *, since: float, seconds_max: float = TRIP_S_MAX) -> str:
    """Wait until a control has counted and nothing of a coin rests."""
    stage.until(f"{control} counted", lambda: stage.blocks(control) > since, seconds_max)
    stage.until(f"{coin} is pulled", lambda: stage.posture(coin) >= PostureLevel.PULL_QUOTES, seconds_max)
    stage.until(f"nothing of {coin} rests", lambda: stage.empty(coin))
    return f"counted {since:g} -> {stage.blocks(control):g}; {coin} was pulled: nothing of it rested"


def _killed(stage: Stage, cause: str, provoke: Callable[[], object], seconds_max: float = HALT_S_MAX) -> str:
    """Provoke, wait for the latch and its proof, and see that nothing follows."""
    provoke()
    stage.until(f"halted by {cause!r}; there is {stage.causes()}", lambda: cause in stage.causes(), seconds_max)
    return f"latched {cause!r}; {_nothing_more(stage)}"


def _nothing_more(stage: Stage) -> str:
    """Wait for CONTAINED, then watch the venue."""
    stage.until("contained", lambda: stage.metric("mm_halt_contained") == 1, HALT_S_MAX)
    mark, until = stage.log.refresh().seq, time.monotonic() + AFTERMATH_S
    stage.until("the aftermath is over", lambda: time.monotonic() >= until, 2 * AFTERMATH_S)
    placed, rests = stage.log.refresh().placed(mark), stage.log.resting()
    if placed or rests:
        raise NotTripped(f"after CONTAINED {placed} placing actions arrived and {rests} orders rest")
    return "contained; nothing rests, nothing was placed afterwards"
