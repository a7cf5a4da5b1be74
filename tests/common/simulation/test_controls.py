"""Controls tripped in the whole mesh, on a virtual clock: the venue's log shows what each of them did."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from common import witness
from common.messages import DecisionRecord, FindingRecord, Posture, PostureLevel, RiskCounts
from common.units import MILLISECOND, Lots
from services.replay.venue_link import ACCOUNT, EPOCH_MS
from services.venue_sim.api import ActionRequest, UpdateLeverage
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

SETTLED_S = 30  # from the start until both coins are quoted on both sides
HEARD_S = 8  # an account state every five seconds, its confirmation, cancels and their effect


def quoting(**fields: Any) -> WholeMesh:  # any argument of WholeMesh
    mesh = WholeMesh(21, **fields).run_for(SETTLED_S)
    assert {order.coin for order in mesh.judge.resting().values()} == {"BTC", "ETH"}
    return mesh


def posture(mesh: WholeMesh) -> Posture:
    said = [message for _, _, message in mesh.simulation.published if isinstance(message, Posture)]
    return said[-1]


def blocks(mesh: WholeMesh) -> dict[str, int]:
    return [message for _, _, message in mesh.simulation.published if isinstance(message, RiskCounts)][-1].vetoes


def fault(mesh: WholeMesh, name: str, /, **parameters: object) -> None:
    mesh.venue.fault(name, mesh.simulation.now, **parameters)


def held(mesh: WholeMesh, usd: int) -> None:
    """Somebody buys BTC on our account by hand until it holds so much; what meets our own asks is not traded."""
    instrument = SETTINGS.instrument("BTC")
    best = max(Decimal(order.px) for order in mesh.judge.orders() if order.coin == "BTC" and order.side == "B")
    for _ in range(4):
        lots = int((usd / best - mesh.judge.positions().get("BTC", Decimal(0))) * 10**instrument.size_decimals)
        if lots > 20:
            fault(mesh, "manual_trade", coin="BTC", side="buy", size=str(instrument.size(Lots(lots))))
        mesh.run_for(2)


def halted_by(mesh: WholeMesh, cause: str) -> None:
    """A kill: latched with its cause, the venue is empty, nothing is placed afterwards."""
    assert [file.cause for file in mesh.simulation.halt] == [cause]
    mark = mesh.judge.seq
    mesh.run_for(10)
    assert mesh.judge.resting() == {}
    assert mesh.judge.placing(after=mark) == []


def innermost_bps(mesh: WholeMesh) -> float:
    """Return the distance between our best bid and our best ask of ETH."""
    resting = mesh.judge.resting("ETH").values()
    bid = max(Decimal(order.px) for order in resting if order.side == "B")
    ask = min(Decimal(order.px) for order in resting if order.side == "A")
    return float((ask - bid) / bid * 10_000)


def test_half_a_loss_widens_and_a_loss_ends_trading() -> None:
    """C12: 300 of 500 USD an hour: further apart at the venue; 600: nothing rests, nothing is placed any more."""
    mesh = quoting()
    before = innermost_bps(mesh)
    fault(mesh, "transfer", usd="-300")
    mesh.run_for(HEARD_S)
    assert posture(mesh).level is PostureLevel.WIDEN
    assert innermost_bps(mesh) > before + SETTINGS.strategy.widen_premium_bps
    fault(mesh, "transfer", usd="-300")
    mesh.run_for(HEARD_S)
    halted_by(mesh, "loss")


@pytest.mark.truth
def test_a_thin_market_is_quoted_with_little() -> None:
    """C4: no order at the venue was worth more than 20 USD, or a hundredth of what the minute before it had traded."""
    quiet = msgspec.structs.replace(SETTINGS.venue_sim, trade_rate=0.01)
    risk = msgspec.structs.replace(SETTINGS.risk, max_volume_share=0.01)
    mesh = WholeMesh(21, settings=msgspec.structs.replace(SETTINGS, venue_sim=quiet, risk=risk)).run_for(75)
    trades = [line for line in mesh.venue.lines if isinstance(line, witness.Trade)]
    little = plenty = 0
    for order in mesh.judge.orders():
        usd = Decimal(order.px) * Decimal(order.orig_sz)
        minute = [line for line in trades if line.coin == order.coin and order.t - 61_000 < line.t <= order.t]
        traded = sum((Decimal(line.sz) for line in minute), Decimal(0))
        little += usd <= 20
        plenty += usd > 200
        assert usd <= Decimal("20.1") or Decimal(order.orig_sz) <= traded / 100
    assert little > 3
    assert plenty > 3


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e30"])
def test_equity_that_is_no_number_ends_trading(value: str) -> None:
    """C12: it trips the loss control instead of switching it off; one bad answer alone pulls, and quotes come back."""
    mesh = quoting()
    number = mesh.venue.fault("absurd_account", mesh.simulation.now, value=value)
    mesh.run_for(HEARD_S)
    assert number
    assert {file.cause for file in mesh.simulation.halt} == {"loss", "drawdown"}
    mark = mesh.judge.seq
    mesh.run_for(10)
    assert mesh.judge.resting() == {}
    assert mesh.judge.placing(after=mark) == []


@pytest.mark.truth
def test_prices_of_nothing_pull() -> None:
    """C16: books whose prices are zero are no books: nothing of the coin rests, until they are books again."""
    mesh = quoting()
    fault(mesh, "absurd_book", coin="BTC", price_factor="0")
    mesh.run_for(5)
    assert posture(mesh).coins["BTC"] is PostureLevel.PULL_QUOTES
    assert mesh.judge.resting("BTC") == {}
    assert mesh.judge.resting("ETH")
    mesh.venue.clear_faults(mesh.simulation.now)
    mesh.run_for(25)
    assert mesh.judge.resting("BTC")
    assert mesh.simulation.halt == []


@pytest.mark.truth
def test_a_leverage_that_another_hand_changed_is_put_right() -> None:
    """C11: while it is wrong nothing is added; flat again, the configured one is set and quotes come back."""
    mesh = quoting()
    action = UpdateLeverage(coin="BTC", leverage=3, is_cross=True)
    nonce = EPOCH_MS + mesh.simulation.now // MILLISECOND
    mesh.venue.venue.exchange.submit(ActionRequest(request_id=0, signer=ACCOUNT, action=action, nonce=nonce))
    mesh.run_for(HEARD_S)
    assert posture(mesh).coins["BTC"] >= PostureLevel.REDUCE_ONLY
    assert posture(mesh).coins["ETH"] is PostureLevel.NORMAL
    mark = mesh.judge.seq
    mesh.run_for(30)
    assert all(order.reduce_only for order in mesh.judge.orders(after=mark) if order.coin == "BTC")
    mesh.run_for(50)
    assert posture(mesh).coins["BTC"] is PostureLevel.NORMAL
    assert {order.side for order in mesh.judge.resting("BTC").values()} == {"A", "B"}
    rows = mesh.simulation.seats["risk"].records
    assert [row.coin for row in rows if isinstance(row, FindingRecord) and row.kind == "leverage changed"] == ["BTC"]


@pytest.mark.truth
def test_round_trips_end_trading() -> None:
    """C7: the position changes sides by hand, forty times in eight seconds."""
    mesh = quoting()
    for _ in range(40):
        held = mesh.judge.positions().get("BTC", Decimal(0))
        side = "sell" if held > 0 else "buy"
        fault(mesh, "manual_trade", coin="BTC", side=side, size=str(abs(held) + Decimal("0.001")))
        mesh.run_for(0.2)
    halted_by(mesh, "BTC repeated execution")


@pytest.mark.truth
def test_a_drawdown_ends_trading() -> None:
    """C12: with loss limits that allow it, 5 % below the peak."""
    risk = msgspec.structs.replace(SETTINGS.risk, max_hourly_loss_usd=9_000.0, max_daily_loss_usd=9_000.0)
    mesh = quoting(settings=msgspec.structs.replace(SETTINGS, risk=risk))
    fault(mesh, "transfer", usd="-5100")
    mesh.run_for(HEARD_S)
    halted_by(mesh, "drawdown")


@pytest.mark.truth
def test_a_quick_position_is_pulled_and_a_large_one_reduced() -> None:
    """C9, C17: 7,000 USD bought by hand: pulled for its speed, then only offered, with the venue's reduce-only flag."""
    mesh = quoting()
    held(mesh, 7_000)
    assert posture(mesh).coins["BTC"] is PostureLevel.PULL_QUOTES
    assert mesh.judge.resting("BTC") == {}
    assert mesh.judge.resting("ETH")
    mark = mesh.judge.seq
    mesh.run_for(75)
    assert mesh.simulation.halt == []
    later = [order for order in mesh.judge.orders(after=mark) if order.coin == "BTC" and order.status == "open"]
    assert (later[0].side, later[0].reduce_only) == ("A", True)
    assert {"C9", "C17"} <= set(blocks(mesh))


@pytest.mark.truth
def test_a_runaway_position_ends_trading() -> None:
    """C9: 9,700 USD are twice the soft limit."""
    mesh = quoting()
    held(mesh, 9_900)
    halted_by(mesh, "BTC position")


@pytest.mark.truth
def test_a_flash_crash_empties_the_book() -> None:
    """C2: 3 % within 8 s: nothing rests at its bottom, and quotes come back after the cool-down."""
    market = msgspec.structs.replace(SETTINGS.venue_sim, scenario="flash-crash")
    mesh = WholeMesh(22, settings=msgspec.structs.replace(SETTINGS, venue_sim=market)).run_for(SETTLED_S)
    assert mesh.judge.resting()
    mesh.run_for(7)
    assert mesh.judge.resting() == {}
    assert blocks(mesh)["C2"] >= 1
    mesh.run_for(90)
    assert mesh.simulation.halt == []
    assert mesh.judge.resting()


@pytest.mark.truth
def test_orders_that_vanish_pull_quotes() -> None:
    """C18: each post that never arrives is a finding; 21 in a minute pull the coin and nothing more is signed of it.

    The venue never saw one of them; when posts arrive again, quotes are back.
    """
    mesh = quoting()
    mesh.venue.lost_orders = 1.0
    mark = mesh.judge.seq
    mesh.run_for(60)
    rows = mesh.simulation.seats["risk"].records
    lost = [row for row in rows if isinstance(row, FindingRecord) and row.kind == "order never arrived"]
    assert all(row.evidence.endswith(": unknownOid twice after its expiry") for row in lost)
    names = {row.evidence.partition(":")[0] for row in lost}
    assert len(names) == len(lost) > 20
    assert names <= {order.cloid for row in rows if isinstance(row, DecisionRecord) for order in row.orders}
    assert names.isdisjoint(order.cloid for order in mesh.judge.orders())
    said = posture(mesh)
    assert said.coins["BTC"] is PostureLevel.PULL_QUOTES
    assert any(cause.startswith("BTC: rejects and unknowns: 2") for cause in said.causes)
    assert blocks(mesh)["C18"] >= 1
    decided = len(rows)
    mesh.run_for(5)
    later = [order for row in rows[decided:] if isinstance(row, DecisionRecord) for order in row.orders]
    assert [order for order in later if order.coin == "BTC"] == []
    assert (mesh.judge.resting(), mesh.judge.placing(after=mark)) == ({}, [])
    mesh.venue.lost_orders = 0.0
    mesh.run_for(90)
    assert {order.coin for order in mesh.judge.resting().values()} == {"BTC", "ETH"}
    assert mesh.simulation.halt == []


@pytest.mark.truth
def test_a_deaf_risk_has_nothing_rest() -> None:
    """C16: its streams fall silent while everybody else hears: pulled within seconds, back when it hears again."""
    mesh = quoting()
    fault(mesh, "freeze_stream", connection=mesh.venue._current["risk"])
    mesh.run_for(8)
    assert mesh.judge.resting() == {}
    mesh.run_for(5)
    assert mesh.judge.resting() == {}
    assert blocks(mesh)["C16"] >= 1
    mesh.venue.clear_faults(mesh.simulation.now)
    mesh.run_for(40)
    assert mesh.judge.resting()


@pytest.mark.truth
def test_a_spent_budget_restrains() -> None:
    """C6: the venue's own count of requests is nearly used up: quotes widen or go, whoever else saves requests."""
    market = msgspec.structs.replace(SETTINGS.venue_sim, trade_rate=0.05)  # each USD traded gives a request back
    mesh = quoting(settings=msgspec.structs.replace(SETTINGS, venue_sim=market))
    fault(mesh, "exhaust_budget", left=0)
    mesh.run_for(35)
    assert blocks(mesh)["C6"] >= 1
    assert posture(mesh).level >= PostureLevel.WIDEN


@pytest.mark.parametrize("odd", ["strategy", pytest.param("order_management", marks=pytest.mark.truth)])
def test_one_old_version_keeps_the_mesh_flat(odd: str) -> None:
    """C26: a process of another build, schema or configuration: not one order reaches the venue."""
    mesh = WholeMesh(23, start=False)
    mesh.simulation.seats[odd].version = "last week"
    for name in mesh.simulation.seats:
        mesh.simulation.start(name)
    mesh.run_for(SETTLED_S)
    assert mesh.judge.orders() == []
    assert blocks(mesh)["C26"] >= 1


def test_a_hundred_dollars_are_quoted_within_their_limits() -> None:
    """An account of 100 USD: quotes on both sides, none of more than half of it, no side of more than all may lose."""
    market = msgspec.structs.replace(SETTINGS.venue_sim, equity_usd=100.0)
    mesh = WholeMesh(24, settings=msgspec.structs.replace(SETTINGS, venue_sim=market))
    mesh.run_for(SETTLED_S)
    orders = mesh.judge.orders()
    assert {order.side for order in orders} == {"A", "B"}
    assert all(Decimal(order.px) * Decimal(order.orig_sz) <= 51 for order in orders)


@pytest.mark.truth
def test_a_revoked_agent_ends_trading() -> None:
    """C20: the account's owner removes the canceller's key: found within two rounds of asking, and nothing goes on."""
    mesh = quoting()
    fault(mesh, "revoke_agent", name="canceller")
    mesh.run_for(130)
    halted_by(mesh, "agent revoked")
