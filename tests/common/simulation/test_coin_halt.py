"""One coin halted in the whole mesh: its orders go and stay away, the other coin trades on."""

from common.messages import HaltFile
from tests.common.simulation.whole_mesh import WholeMesh


def test_one_coin_is_halted_and_the_other_trades_on() -> None:
    """BTC leaves the venue within a second and never comes back; ETH is requoted all the time."""
    mesh = WholeMesh(41).run_for(20)
    assert mesh.judge.resting("BTC")
    mesh.simulation.halt.append(HaltFile(name="0000", cause="operator", by="cli", coin="BTC"))
    mesh.run_for(2)
    assert mesh.judge.resting("BTC") == {}
    mark = mesh.judge.seq
    mesh.run_for(6)
    mesh.simulation.crash("risk")
    mesh.simulation.start("risk")
    mesh.run_for(20)
    placed = mesh.judge.orders(after=mark)
    assert {order.coin for order in placed} == {"ETH"}
    assert mesh.judge.resting("ETH")
    assert [file.coin for file in mesh.simulation.halt] == ["BTC"]
