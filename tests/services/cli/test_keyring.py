"""`mm keys`: what is made, what is kept, what is shown, and that no secret is."""

import subprocess
import sys
from pathlib import Path

import pytest

from common import keys
from common.errors import ConfigFault
from common.home import Home
from services.cli import exits, keyring

ACCOUNT = "0x" + "Ab" * 20
TYPED = "typed by a person"


def made(path: Path, *, typed: bool = False) -> Home:
    home = Home(path / "home")
    assert keyring.init(home, ACCOUNT, (lambda: TYPED) if typed else None) == exits.OK
    return home


def test_three_keys_are_made_and_open(tmp_path: Path) -> None:
    """Each with a passphrase of its own, and the public file names their addresses."""
    home = made(tmp_path)
    addresses = {
        name: keys.load(keys.keystore_path(home, name), keys.passphrase_path(home, name), strict=True).address
        for name in keys.NAMES
    }
    public = keys.read_public(home)
    assert public.account == ACCOUNT.lower()
    assert {**public.agents, "operator": public.operator} == addresses
    assert len({keys.passphrase_path(home, name).read_text() for name in keys.NAMES}) == 3


def test_a_typed_passphrase_is_kept_nowhere(tmp_path: Path) -> None:
    """It opens the operator's key, and no file of the home holds it."""
    home = made(tmp_path, typed=True)
    assert keys.unlock(keys.keystore_path(home, "operator"), TYPED, strict=True).address
    assert not keys.passphrase_path(home, "operator").exists()
    files = [path for path in home.path.rglob("*") if path.is_file()]
    assert files
    assert not any(TYPED.encode() in path.read_bytes() for path in files)


def test_what_exists_stays(tmp_path: Path) -> None:
    """A second run makes only what is missing: an approved agent is not replaced."""
    home = made(tmp_path)
    before = keys.read_public(home)
    keys.keystore_path(home, "operator").unlink()
    keys.passphrase_path(home, "operator").unlink()
    made(tmp_path)
    after = keys.read_public(home)
    assert after.agents == before.agents
    assert after.operator != before.operator


def test_addresses_are_shown_and_secrets_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`init` and `show` name account, agents and operator; no passphrase is on the screen."""
    home = made(tmp_path)
    made_out = capsys.readouterr().out
    assert keyring.show(home) == exits.OK
    shown = capsys.readouterr().out
    public = keys.read_public(home)
    assert made_out.startswith(shown)
    assert "Approve both agents" in made_out
    assert all(address in shown for address in (public.account, *public.agents.values(), public.operator))
    words = [keys.passphrase_path(home, name).read_text().strip() for name in keys.NAMES]
    assert not any(word in made_out for word in words)


def test_addresses_are_lower_case() -> None:
    """However they are pasted."""
    assert keyring.checked_address(f" {ACCOUNT}\n") == ACCOUNT.lower()


@pytest.mark.parametrize("text", ["", "0x", "ab" * 20, "0x" + "ab" * 19, "0x" + "ab" * 21, "0x" + "ag" * 20])
def test_what_is_no_address_is_refused_before_anything_is_made(tmp_path: Path, text: str) -> None:
    """Keys for a mistyped account would be approved by nobody."""
    with pytest.raises(ConfigFault, match="is no address"):
        keyring.init(Home(tmp_path / "home"), text, None)
    assert not (tmp_path / "home").exists()


def test_who_opens_a_key_leaves_no_dump(tmp_path: Path) -> None:
    """The operator's key is made in this process: a crash must not write it to the disk."""
    words = f"""
import resource
from pathlib import Path
from common.home import Home
from services.cli import keyring
keyring.init(Home(Path({str(tmp_path)!r})), "0x" + "1" * 40, None)
print(resource.getrlimit(resource.RLIMIT_CORE))
"""
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "(0, 0)"
