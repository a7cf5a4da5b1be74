"""Where sockets are, and what a mistake in the configuration says."""

from pathlib import Path

import pytest

from common import config, curve
from common.config import MESH_SERVICES
from common.errors import ConfigFault
from common.home import SERVICES, Home
from common.wiring import Wiring, wiring
from tests.services.cli.samples import CONFIG
from tests.wires import certificates


def test_ipc_unless_the_configuration_says_tcp() -> None:
    """Facts at the port that is written, requests at the next."""
    wires = Wiring(run=Path("/run/b"), certificate=certificates()["cli"], tcp={"risk": ("127.0.0.1", 7001)})
    assert (wires.facts("risk"), wires.requests("risk")) == ("tcp://127.0.0.1:7001", "tcp://127.0.0.1:7002")
    assert (wires.facts("strategy"), wires.requests("strategy")) == (
        "ipc:///run/b/strategy.pub",
        "ipc:///run/b/strategy.req",
    )


def test_the_configuration_reaches_the_wiring(tmp_path: Path) -> None:
    """Services and commands must look for risk in the same place."""
    home = Home(tmp_path)
    home.prepare()
    curve.prepare(home)
    home.run_record.write_text("/run/b")
    home.config.write_text(CONFIG + '\n[mesh.tcp]\nrisk = "127.0.0.1:7001"\n')
    assert wiring(home, "cli").requests("risk") == "tcp://127.0.0.1:7002"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('venue = "127.0.0.1:7001"', "there is no service venue"),
        ('risk = "127.0.0.1"', "is no address"),
        ('risk = ":7001"', "is no address"),
        ('risk = "127.0.0.1:65535"', "is no address"),
        ('risk = "127.0.0.1:0"', "is no address"),
    ],
)
def test_a_wrong_address_refuses_the_start(line: str, words: str) -> None:
    """Each names the key and what is expected, before any socket is tried."""
    with pytest.raises(ConfigFault, match=words):
        config.parse(f"{CONFIG}\n[mesh.tcp]\n{line}\n".encode(), "test")


def test_every_service_but_the_venue_is_on_the_mesh() -> None:
    """Two lists of the same names must agree."""
    assert set(MESH_SERVICES) == set(SERVICES) - {"venue_sim"}
