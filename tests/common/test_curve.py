"""Keys of the mesh on disk, and who passes the door."""

import stat
from pathlib import Path

import msgspec
import pytest
import zmq
from zmq.utils import z85

from common import curve
from common.curve import Door
from common.errors import ConfigFault
from common.home import Home
from tests.wires import certificates


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    curve.prepare(made)
    return made


def test_keys_are_made_once_and_are_private(home: Home) -> None:
    """A second `mm up` must not lock out the services that run."""
    files = sorted(home.curve.iterdir())
    before = {path: path.read_bytes() for path in files}
    curve.prepare(home)
    assert {path: path.read_bytes() for path in sorted(home.curve.iterdir())} == before
    assert len(files) == len(curve.NAMES) + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(home.curve.stat().st_mode) == 0o700


def test_a_certificate_shows_no_secret(home: Home) -> None:
    """It may stand in a log or a traceback."""
    certificate = curve.load(home, "risk")
    assert repr(certificate) == "Certificate(risk)"
    secret = (home.curve / "risk.key").read_text().strip()
    assert secret not in str(vars(certificate).keys())


def test_half_a_set_is_refused_by_name(home: Home) -> None:
    """Making the missing one anew would leave the others with an old public key."""
    (home.curve / "strategy.key").unlink()
    with pytest.raises(ConfigFault, match=r"is incomplete \(no strategy\)"):
        curve.prepare(home)


def test_a_set_without_public_keys_is_refused(home: Home) -> None:
    """Same for the other half."""
    (home.curve / "public.json").unlink()
    with pytest.raises(ConfigFault, match=r"no public\.json"):
        curve.prepare(home)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"{", "mm keys init"),
        (b"{}", "has no key of"),
        (b"\xff", "mm keys init"),
    ],
)
def test_damaged_public_keys_name_the_file(home: Home, damage: bytes, words: str) -> None:
    """One error that says what to do."""
    (home.curve / "public.json").write_bytes(damage)
    with pytest.raises(ConfigFault, match=words):
        curve.load(home, "risk")


@pytest.mark.parametrize("secret", ["", "x", "0" * 40])
def test_a_secret_that_is_not_ours_is_refused(home: Home, secret: str) -> None:
    """A service with a wrong secret would wait for handshakes for ever."""
    (home.curve / "risk.key").write_text(secret)
    with pytest.raises(ConfigFault, match=r"its key of risk is not that of risk\.key"):
        curve.load(home, "risk")


def test_a_secret_that_others_can_read_is_refused(home: Home) -> None:
    """Same rule as for every key of the house."""
    (home.curve / "risk.key").chmod(0o640)
    with pytest.raises(ConfigFault, match="chmod 600"):
        curve.load(home, "risk")


def test_public_keys_name_everybody(home: Home) -> None:
    """A name without a key could never be let in."""
    public = msgspec.json.decode((home.curve / "public.json").read_bytes(), type=dict[str, str])
    assert set(public) == set(curve.NAMES)


@pytest.mark.parametrize(
    ("name", "domain", "status"),
    [
        ("order_management", "requests", b"200"),
        ("cli", "requests", b"200"),
        ("stranger", "requests", b"400"),
        ("order_management", "facts", b"200"),
        ("stranger", "facts", b"400"),
        ("order_management", "nowhere", b"400"),
    ],
)
def test_the_door_knows_its_people(name: str, domain: str, status: bytes) -> None:
    """Its answer is the whole of what the library lets through."""
    known, others = certificates(), certificates("stranger")
    key = z85.decode((known | others)[name].public[name] if name == "stranger" else known[name].public[name])
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    door = Door(context, known["risk"])
    reply = door.verdict([b"1.0", b"7", domain.encode(), b"", b"", b"CURVE", key])
    assert reply[:3] == [b"1.0", b"7", status]
    assert reply[4] == (name.encode() if status == b"200" else b"")
    assert door.refused == (status == b"400")
    assert door.verdict([b"1.0", b"8", domain.encode(), b"", b"", b"NULL"])[2] == b"400"
    door.socket.close(linger=0)
    context.term()
