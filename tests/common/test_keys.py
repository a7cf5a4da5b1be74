"""Keys are made once, open only with their passphrase, and are refused where others could read."""

import json
import os
import stat
from pathlib import Path

import pytest

from common import keys
from common.errors import ConfigFault
from common.home import Home
from common.sections import Key, Passphrase

PASSPHRASE = "correct horse"  # noqa: S105  # opens throwaway keys of these tests


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A keystore and its passphrase, as they should lie."""
    keystore, passphrase = tmp_path / "keys" / "risk.json", tmp_path / "passphrases" / "risk"
    keys.write_passphrase(passphrase, PASSPHRASE)
    keys.create(keystore, PASSPHRASE)
    return keystore, passphrase


def test_a_key_opens_with_its_passphrase(tmp_path: Path) -> None:
    """The address that `create` returned, the file's and the unlocked key's are one; the secret is new each time."""
    passphrase = tmp_path / "p" / "a"
    keys.write_passphrase(passphrase, PASSPHRASE)
    address = keys.create(tmp_path / "k" / "a.json", PASSPHRASE)
    key = keys.load(tmp_path / "k" / "a.json", passphrase, strict=True)
    assert address == address.lower() == key.address == keys.address_of(tmp_path / "k" / "a.json")
    assert keys.create(tmp_path / "k" / "b.json", PASSPHRASE) != address


def test_the_file_is_the_common_format(pair: tuple[Path, Path]) -> None:
    """Rule 1: another wallet opens our keystore, and we open one that another wallet wrote, address in any case."""
    from eth_account import Account  # noqa: PLC0415  # slow import that one test needs

    keystore, passphrase = pair
    ours = json.loads(keystore.read_text())
    assert (ours["version"], ours["crypto"]["kdf"], ours["crypto"]["kdfparams"]["n"]) == (3, "scrypt", 1 << 14)
    secret = Account.decrypt(ours, PASSPHRASE)
    assert Account.from_key(secret).address.lower() == keys.address_of(keystore)
    theirs = Account.encrypt(b"\x07" * 32, PASSPHRASE, kdf="scrypt", iterations=1 << 12)
    theirs["address"] = "0x" + theirs["address"].removeprefix("0x").upper()
    keystore.write_text(json.dumps(theirs))
    assert keys.load(keystore, passphrase, strict=False).address == Account.from_key(b"\x07" * 32).address.lower()


def test_files_are_private(pair: tuple[Path, Path]) -> None:
    """Rule 1: 0600 in 0700, and no draft stays behind."""
    for path in pair:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert list(path.parent.iterdir()) == [path]


def test_nothing_is_overwritten(pair: tuple[Path, Path]) -> None:
    """Rule 1: a second key of the same name is refused, and the first is untouched."""
    keystore, passphrase = pair
    before = keystore.read_bytes()
    with pytest.raises(ConfigFault, match=r"risk\.json: exists and is never overwritten; move it away"):
        keys.create(keystore, "other")
    with pytest.raises(ConfigFault, match="passphrases/risk: exists"):
        keys.write_passphrase(passphrase, "other")
    assert keystore.read_bytes() == before
    assert list(keystore.parent.iterdir()) == [keystore]


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
@pytest.mark.parametrize("which", [0, 1])
def test_shared_modes_are_refused(pair: tuple[Path, Path], bit: int, which: int) -> None:
    """Rule 2: each permission bit of group or others is refused, on either file, with the command to mend it."""
    pair[which].chmod(0o600 | bit)
    with pytest.raises(ConfigFault, match=f"mode {0o600 | bit:04o} .*; chmod 600 {pair[which]}"):
        keys.load(*pair, strict=False)


def test_owner_only_modes_are_taken(pair: tuple[Path, Path]) -> None:
    """Rule 2: a read-only file of ours is as good as 0600."""
    pair[0].chmod(0o400)
    pair[1].chmod(0o400)
    assert keys.load(*pair, strict=False).address == keys.address_of(pair[0])


def test_another_users_file_is_refused(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 2: whoever owns the file can change it."""
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(ConfigFault, match=f"risk.json: belongs to uid {os.getuid()}; chown 4242 "):
        keys.load(*pair, strict=False)


@pytest.mark.parametrize("which", [0, 1])
def test_a_symlink_is_refused(pair: tuple[Path, Path], which: int) -> None:
    """Rule 2: a link says nothing of the file behind it."""
    real = pair[which].rename(pair[which].parent.parent / "real")
    pair[which].symlink_to(real)
    with pytest.raises(ConfigFault, match=f"{pair[which]}: cannot be read .*replace the link"):
        keys.load(*pair, strict=False)


@pytest.mark.parametrize("which", [0, 1])
def test_absent_files_and_directories_are_named(pair: tuple[Path, Path], which: int) -> None:
    """A path that is no file is named with the command that makes one."""
    pair[which].unlink()
    with pytest.raises(ConfigFault, match=f"{pair[which]}: cannot be read .*mm keys init"):
        keys.load(*pair, strict=False)
    pair[which].mkdir(mode=0o700)
    with pytest.raises(ConfigFault, match=f"{pair[which]}: is no file"):
        keys.load(*pair, strict=False)


def test_a_passphrase_beside_its_keystore_is_refused(pair: tuple[Path, Path]) -> None:
    """Rule 2: who can copy the one could copy the other, by whatever name the directory goes."""
    keystore, passphrase = pair
    beside = passphrase.rename(keystore.parent / "risk.pass")
    (keystore.parent.parent / "alias").symlink_to(keystore.parent)
    for path in (beside, keystore.parent.parent / "alias" / "risk.pass"):
        with pytest.raises(ConfigFault, match="beside its keystore protects nothing; move it"):
            keys.load(keystore, path, strict=False)


@pytest.mark.parametrize("which", ["keys", "passphrases"])
def test_a_git_work_tree_is_refused_when_strict(pair: tuple[Path, Path], which: str) -> None:
    """Rule 2: a key in a work tree gets committed one day; the throwaway keys of the local venue may lie there."""
    tree = pair[0].parent.parent
    (tree / which / ".git").touch()  # a linked work tree has a file of that name
    with pytest.raises(ConfigFault, match=f"lies in the git work tree {tree / which}"):
        keys.load(*pair, strict=True)
    assert keys.load(*pair, strict=False).address


def test_a_wrong_passphrase_is_refused(pair: tuple[Path, Path]) -> None:
    """The fault names both files and shows neither secret; a final newline is no part of a passphrase."""
    keystore, passphrase = pair
    passphrase.write_bytes(PASSPHRASE.encode())
    assert keys.load(*pair, strict=False)
    for wrong in (b"wrong", b"", b"\xff\xfe", PASSPHRASE.encode() + b" "):
        passphrase.write_bytes(wrong)
        with pytest.raises(ConfigFault, match=f"{keystore}: the passphrase in {passphrase} does not open it"):
            keys.load(*pair, strict=False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 4),
        ("crypto.kdf", "none"),
        ("crypto.kdfparams.n", 1 << 19),
        ("crypto.kdfparams.n", 3),
        ("crypto.kdfparams.r", 9),
        ("crypto.kdfparams.p", 0),
        ("crypto.kdfparams.dklen", 16),
        ("crypto.cipherparams.iv", "zz"),
        ("crypto.ciphertext", "00"),
        ("crypto.mac", "abc"),
        ("crypto.cipher", "aes-256-cbc"),
        ("address", "nobody"),
        ("address", "00" * 20),
    ],
)
def test_damaged_keystores_are_refused(pair: tuple[Path, Path], path: str, value: object) -> None:
    """Any field that is not what it must be is a ConfigFault that names the file, never another exception."""
    keystore = json.loads(pair[0].read_text())
    *parents, name = path.split(".")
    part = keystore
    for parent in parents:
        part = part[parent]
    part[name] = value
    pair[0].write_text(json.dumps(keystore))
    with pytest.raises(ConfigFault, match=r"keys/risk\.json: "):
        keys.load(*pair, strict=False)


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b"[]", b"x" * (keys.FILE_BYTES_MAX + 1)])
def test_garbage_is_refused(pair: tuple[Path, Path], text: bytes) -> None:
    """A file that is no keystore is named as one."""
    pair[0].write_bytes(text)
    for read in (lambda: keys.load(*pair, strict=False), lambda: keys.address_of(pair[0])):
        with pytest.raises(ConfigFault, match=r"keys/risk\.json: "):
            read()


def test_passphrases_have_256_random_bits() -> None:
    """No two are equal, and each is 64 hex digits."""
    made = {keys.generate_passphrase() for _ in range(100)}
    assert len(made) == 100
    assert {len(bytes.fromhex(one)) for one in made} == {32}


def test_paths_follow_the_configuration(tmp_path: Path) -> None:
    """Empty means the home; a configured path is absolute, or counts from the home."""
    home = Home(tmp_path)
    assert keys.keystore_path(home, "risk") == tmp_path / "keys" / "risk.json"
    assert keys.passphrase_path(home, "risk", Key()) == tmp_path / "passphrases" / "risk"
    key = Key(keystore="secret/k.json", passphrase=Passphrase(file="/run/credentials/risk"))
    assert keys.keystore_path(home, "risk", key) == tmp_path / "secret" / "k.json"
    assert keys.passphrase_path(home, "risk", key) == Path("/run/credentials/risk")


def test_sim_keys_are_made_once(tmp_path: Path) -> None:
    """A second `mm up` keeps every key and the account; all addresses differ and all keys open."""
    home = Home(tmp_path / "home")
    home.prepare()
    public = keys.prepare_sim(home)
    assert keys.prepare_sim(home) == public == keys.read_public(home)
    assert set(public.agents) == {"risk", "canceller"}
    assert len({public.account, public.operator, *public.agents.values()}) == 4
    for name, address in {**public.agents, "operator": public.operator}.items():
        key = keys.load(keys.keystore_path(home, name), keys.passphrase_path(home, name), strict=False)
        assert key.address == address
    keys.keystore_path(home, "risk").unlink()  # a start that died between passphrase and keystore
    again = keys.prepare_sim(home)
    assert (again.account, again.operator) == (public.account, public.operator)
    assert again.agents["canceller"] == public.agents["canceller"]
    assert keys.load(keys.keystore_path(home, "risk"), keys.passphrase_path(home, "risk"), strict=False)
    keys.passphrase_path(home, "risk").unlink()
    with pytest.raises(ConfigFault, match=r"risk\.json: its passphrase .* is gone"):
        keys.prepare_sim(home)


def test_public_keys_are_read_strictly(tmp_path: Path) -> None:
    """An absent or damaged public.json is named with the command that makes it."""
    home = Home(tmp_path)
    home.prepare()
    with pytest.raises(ConfigFault, match=r"public\.json: cannot be read .*mm keys init"):
        keys.read_public(home)
    for text in ("", "{}", '{"account": "me", "agents": {}, "operator": "0x"}'):
        (home.keys / "public.json").write_text(text)
        with pytest.raises(ConfigFault, match=r"public\.json: .*mm keys init"):
            keys.read_public(home)
