"""The kill switch: LATCHED, CONTAINED, and nothing arrives until a person arms, whatever restarts."""

import json
import signal

import pytest

from common.halt import HaltDir
from tests.mesh.live import LiveMesh, live_mesh

pytestmark = pytest.mark.mesh

ALERT_MS_MAX = 5_000


def accepted_after(mesh: LiveMesh, mark: int) -> list[str]:
    """Return the statuses of orders that came to rest or filled after the mark."""
    return [order.status for order in mesh.judge.refresh().orders(after=mark) if order.status == "open"]


def check_still_halted(mesh: LiveMesh, mark: int) -> None:
    assert mesh.status()["halted"] is True
    assert mesh.status()["posture"] in {"HALTED", None}
    assert accepted_after(mesh, mark) == []
    assert mesh.judge.placing(after=mark) == []


def check_fates(mesh: LiveMesh, said: str, mark: int) -> None:
    """Every order that ended since the mark, and was not replaced before the halt, is named with the log's own end."""
    assert "cancelled" in said
    assert "see `mm fates`" in said
    mesh.wait("the report is complete", lambda: mesh.mm("fates").returncode == 0, 5)
    report = json.loads(mesh.mm("fates", "--json").stdout)
    began_ms = report["began_ms"]
    ends = {order.cloid: order for order in mesh.judge.refresh().orders(after=mark)}
    told = {one["order"]["cloid"]: one for one in report["fates"]}
    assert {cloid for cloid, order in ends.items() if order.status == "canceled" and order.t > began_ms} <= set(told)
    for cloid, one in told.items():
        end = ends.get(cloid)
        never = end is None or "Rejected" in end.status
        filled = {fill.cloid for fill in mesh.judge.fills()}
        kinds = {"filled", "partially filled"} if cloid in filled else {"never accepted" if never else "cancelled"}
        assert one["fate"] in kinds, (one, end)


def test_a_halt_survives_everything_but_the_operators_key() -> None:
    """`mm halt` is contained, and stays so through restarts, kills, down and up, until `mm arm`."""
    with live_mesh() as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        before = mesh.judge.seq
        halted = mesh.mm("halt", "--reason", "drill", "--timeout", "60", timeout_s=120)
        assert halted.returncode == 0, halted.stdout + halted.stderr + mesh.report()
        assert mesh.judge.refresh().resting() == {}
        check_fates(mesh, halted.stdout, before)
        mark = mesh.judge.seq
        old = mesh.pid("risk")
        assert mesh.mm("restart", "risk").returncode == 0
        mesh.wait_restarted("risk", old)
        mesh.wait("halted again", lambda: mesh.status()["state"] == "HALTED", 10)
        check_still_halted(mesh, mark)
        for service in ("risk", "order_management", "strategy", "canceller"):
            old = mesh.kill(service)
            mesh.wait_restarted(service, old)
        mesh.wait("halted again", lambda: mesh.status()["posture"] == "HALTED", 10)
        check_still_halted(mesh, mark)
        assert mesh.mm("down").returncode == 0
        refused = mesh.mm(
            "up", "--config", str(mesh.config), "--venue-port", "0", "--metrics-port", "0", "--seconds", "5"
        )
        assert refused.returncode == 4
        assert "mm arm" in refused.stdout + refused.stderr
        again = mesh.up()
        assert again.returncode == 0, again.stderr
        mesh.wait("halted after up", lambda: mesh.status()["posture"] == "HALTED", 15)
        check_still_halted(mesh, mark)
        armed = mesh.mm("arm", "--reason", "drill is over")
        assert armed.returncode == 0, armed.stdout + armed.stderr
        mesh.wait_ready()
        mesh.wait_quoting()


@pytest.mark.parametrize("dead", [("risk",), ("risk", "order_management")])
def test_a_halt_works_with_the_dead(dead: tuple[str, ...]) -> None:
    """Whoever is dead or frozen, the command latches, and the venue ends without an order of ours."""
    with live_mesh() as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        for service in dead:
            mesh.kill(service, signal.SIGSTOP)
        halted = mesh.mm("halt", "--reason", "drill", "--timeout", "5", timeout_s=60)
        assert halted.returncode in {0, 3}, halted.stdout + halted.stderr
        for service in dead:
            mesh.kill(service, signal.SIGKILL)
        mesh.wait("nothing rests", lambda: mesh.judge.refresh().resting() == {}, 15)
        again = mesh.mm("halt", "--reason", "drill again", "--timeout", "60", timeout_s=120)
        assert again.returncode == 0, again.stdout + again.stderr + mesh.report()
        mark = mesh.judge.refresh().seq
        mesh.wait("halted", lambda: mesh.status()["posture"] == "HALTED", 15)
        check_still_halted(mesh, mark)


def test_one_coin_is_halted_alone_until_it_is_armed() -> None:
    """`mm halt --coin`: BTC goes and stays away through a restart of risk, ETH is quoted; `mm arm` brings BTC back."""
    with live_mesh() as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        halted = mesh.mm("halt", "--coin", "BTC", "--reason", "drill", "--timeout", "60", timeout_s=120)
        assert halted.returncode == 0, halted.stdout + halted.stderr + mesh.report()
        mark = mesh.judge.refresh().seq
        old = mesh.kill("risk")
        mesh.wait_restarted("risk", old)
        mesh.wait_ready()
        mesh.wait_quoting(coins=("ETH",))
        assert {order.coin for order in mesh.judge.refresh().orders(after=mark) if order.status == "open"} == {"ETH"}
        assert (mesh.status()["halted"], mesh.status()["halted_coins"]) == (False, ["BTC"])
        alerts = [json.loads(line) for line in (mesh.home.logs / "alerts.jsonl").read_text().splitlines()]
        (alert,) = [alert for alert in alerts if alert["name"] == "halt"]
        (file,) = HaltDir(mesh.home.halt).read().files
        assert alert["text"] == "BTC halted by mm: operator; drill"
        assert alert["at_ms"] - file.at_ms <= ALERT_MS_MAX + 1_000 * mesh.canary.stall_s
        armed = mesh.mm("arm", "--reason", "drill is over")
        assert armed.returncode == 0, armed.stdout + armed.stderr
        mesh.wait_quoting()


def test_a_halt_sells_what_is_held_where_that_is_wanted() -> None:
    """After CONTAINED only reduce-only orders of risk's own reach the venue, and the position ends at zero."""
    with live_mesh({"kill": {"flatten": True}, "venue_sim": {"faults": True}}) as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        mesh.venue.fault("manual_trade", coin="BTC", side="buy", size="0.02")
        mesh.wait("BTC is held", lambda: mesh.judge.refresh().positions().get("BTC", 0) > 0, 10)
        mark = mesh.judge.seq
        halted = mesh.mm("halt", "--reason", "drill", "--timeout", "60", timeout_s=120)
        assert halted.returncode == 0, halted.stdout + halted.stderr + mesh.report()
        mesh.wait("all is sold", lambda: not any(mesh.judge.refresh().positions().values()), 15)
        exits = [order for order in mesh.judge.orders(after=mark) if order.tif == "Ioc"]
        assert exits
        assert all(order.reduce_only for order in exits)
        assert mesh.judge.resting() == {}
        assert [file.cause for file in HaltDir(mesh.home.halt).read().files] == ["operator"]
