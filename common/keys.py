"""Keystores and passphrases on disk: made once, never replaced, refused when others could read them.

Rules
  1. A keystore is an Ethereum V3 file, 0600, made whole or not at all; nothing here replaces a key.
  2. Refused, with the command that mends it: a symlink, a file of another user, any permission for group or
     others, a passphrase beside its keystore, and, when `strict`, either of them inside a git work tree.
  3. The account's own key is never here: agents sign, and the owner approves them elsewhere.
"""

import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from common.errors import ConfigFault
from common.home import Home
from common.hyperliquid.signing import SECRET_BYTES, SigningKey
from common.sections import Key

NAMES: Final = ("risk", "canceller", "operator")
SCRYPT_N: Final = 1 << 14  # the passphrase has 256 random bits: stretching it longer would protect nothing
SCRYPT_N_MAX: Final = 1 << 18  # 256 MiB of memory; other tools write this by default
FILE_BYTES_MAX: Final = 16 * 1024  # a keystore has 500 bytes

Hex: TypeAlias = Annotated[str, Meta(pattern="^([0-9a-fA-F]{2})+$", max_length=256)]
Address: TypeAlias = Annotated[str, Meta(pattern="^0x[0-9a-f]{40}$")]


class CipherParams(msgspec.Struct, frozen=True):
    iv: Hex


class ScryptParams(msgspec.Struct, frozen=True):
    """Cost of one guess; the limits keep a planted file from eating the memory."""

    dklen: Literal[32]
    n: Annotated[int, Meta(ge=2, le=SCRYPT_N_MAX)]
    r: Annotated[int, Meta(ge=1, le=8)]
    p: Annotated[int, Meta(ge=1, le=8)]
    salt: Hex


class Crypto(msgspec.Struct, frozen=True):
    cipher: Literal["aes-128-ctr"]
    cipherparams: CipherParams
    ciphertext: Hex
    kdf: Literal["scrypt"]
    kdfparams: ScryptParams
    mac: Hex


class Keystore(msgspec.Struct, frozen=True):
    """The V3 format, as far as this house reads it."""

    address: Annotated[str, Meta(pattern="^(0x)?[0-9a-fA-F]{40}$")]
    crypto: Crypto
    version: Literal[3]


class PublicKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of one home: HOME/keys/public.json."""

    account: Address  # owns the positions; its key is not here
    agents: dict[str, Address]  # "risk" and "canceller"
    operator: Address


# --- where ---------------------------------------------------------------------------------------


def keystore_path(home: Home, name: str, key: Key | None = None) -> Path:
    """Say where the keystore of `name` lies: as configured (relative to the home), or HOME/keys/NAME.json."""
    return home.path / Path(key.keystore).expanduser() if key and key.keystore else home.keys / f"{name}.json"


def passphrase_path(home: Home, name: str, key: Key | None = None) -> Path:
    """Say where the passphrase of `name` lies: as configured (relative to the home), or HOME/passphrases/NAME."""
    if key and key.passphrase and key.passphrase.file:
        return home.path / Path(key.passphrase.file).expanduser()
    return home.passphrases / name


# --- one key -------------------------------------------------------------------------------------


def generate_passphrase() -> str:
    """Return 256 random bits in hex."""
    return secrets.token_hex(32)


def write_passphrase(path: Path, passphrase: str) -> None:
    """Write a new 0600 file; ConfigFault when it exists."""
    write_new(path, passphrase.encode() + b"\n")


def create(path: Path, passphrase: str) -> str:
    """Make a new key and its keystore, and return its address; ConfigFault when the file exists."""
    from eth_keyfile.keyfile import create_keyfile_json  # noqa: PLC0415  # 0.3 s of import that only keys need

    secret = secrets.token_bytes(SECRET_BYTES)
    keystore = create_keyfile_json(secret, passphrase, kdf="scrypt", iterations=SCRYPT_N)
    write_new(path, msgspec.json.encode(keystore))
    return SigningKey(secret).address


def load(path: Path, passphrase: Path, *, strict: bool) -> SigningKey:
    """Unlock a keystore with the passphrase in a file; ConfigFault names the file and the fix.

    `strict` (profiles testnet and mainnet) refuses either file inside a git work tree.
    """
    if path.parent.resolve() == passphrase.parent.resolve():
        raise ConfigFault(f"{passphrase}: a passphrase beside its keystore protects nothing; move it elsewhere")
    text = read_private(path, strict=strict)
    words = read_private(passphrase, strict=strict).rstrip(b"\r\n")
    return _unlocked(path, text, words, f"the passphrase in {passphrase}")


def unlock(path: Path, passphrase: str, *, strict: bool) -> SigningKey:
    """Unlock a keystore with a passphrase that a person typed; ConfigFault as `load`."""
    return _unlocked(path, read_private(path, strict=strict), passphrase.encode(), "this passphrase")


def _unlocked(path: Path, text: bytes, words: bytes, named: str) -> SigningKey:
    from eth_keyfile.keyfile import decode_keyfile_json  # noqa: PLC0415  # 0.3 s of import that only keys need

    keystore = _parse(path, text)
    try:
        secret: bytes = decode_keyfile_json(msgspec.json.decode(text), words.decode())
        key = SigningKey(secret)
    except ValueError as error:  # among them: a passphrase that is not UTF-8
        raise ConfigFault(f"{path}: {named} does not open it") from error
    if key.address != _address(keystore):
        raise ConfigFault(f"{path}: holds the key of {key.address}, not of the address it names; restore the file")
    return key


def address_of(path: Path) -> str:
    """Return the lower-case address that a keystore names, without opening it."""
    return _address(_parse(path, read_private(path, strict=False)))


# --- the keys of a home --------------------------------------------------------------------------


def prepare_sim(home: Home, typed: Iterable[str] = ()) -> PublicKeys:
    """Make throwaway keys for the local venue, keep existing ones, and return all addresses.

    `typed` names keys whose passphrase a person types: they are there already. The account is an address that nobody
    holds a key of; the local venue takes its agents without a signature.
    """
    for name in (name for name in NAMES if name not in typed):
        keystore, passphrase = keystore_path(home, name), passphrase_path(home, name)
        if not passphrase.exists():
            if keystore.exists():
                raise ConfigFault(f"{keystore}: its passphrase {passphrase} is gone; remove the keystore as well")
            write_passphrase(passphrase, generate_passphrase())
        if not keystore.exists():
            create(keystore, read_private(passphrase, strict=False).decode().strip())
    known = _public_path(home).exists()
    return write_public(home, read_public(home).account if known else f"0x{secrets.token_hex(20)}")


def write_public(home: Home, account: str) -> PublicKeys:
    """Write public.json from the keystores of a home and the address of its account."""
    addresses = {name: address_of(keystore_path(home, name)) for name in NAMES}
    operator = addresses.pop("operator")
    public = PublicKeys(account=account.lower(), agents=addresses, operator=operator)
    path = _public_path(home)
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(public)) + b"\n")
    draft.replace(path)
    return public


def read_public(home: Home) -> PublicKeys:
    """Read public.json; ConfigFault when it is absent or damaged."""
    path = _public_path(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=PublicKeys)
    except OSError as error:
        raise ConfigFault(f"{path}: cannot be read ({error.strerror}); make it with `mm keys init`") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{path}: {error}; make it anew with `mm keys init`") from error


# --- files ---------------------------------------------------------------------------------------


def _public_path(home: Home) -> Path:
    return home.keys / "public.json"


def _parse(path: Path, text: bytes) -> Keystore:
    try:
        return msgspec.json.decode(text, type=Keystore)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{path}: is no V3 keystore: {error}") from error


def _address(keystore: Keystore) -> str:
    return f"0x{keystore.address.removeprefix('0x').lower()}"


def read_private(path: Path, *, strict: bool) -> bytes:
    """Read a secret file through one descriptor, so that what was checked is what is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        hint = "replace the link by the file itself" if path.is_symlink() else "make it with `mm keys init`"
        raise ConfigFault(f"{path}: cannot be read ({error.strerror}); {hint}") from error
    try:
        _refuse_shared(path, os.fstat(descriptor))
        text = os.read(descriptor, FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if strict and (tree := _work_tree(path)):
        raise ConfigFault(f"{path}: lies in the git work tree {tree} and could be committed; move it out")
    if len(text) > FILE_BYTES_MAX:
        raise ConfigFault(f"{path}: larger than any key file; restore the right one")
    return text


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigFault(f"{path}: is no file; make it with `mm keys init`")
    if status.st_uid != os.geteuid():
        raise ConfigFault(f"{path}: belongs to uid {status.st_uid}; chown {os.geteuid()} {path}")
    if mode & 0o077:
        raise ConfigFault(f"{path}: mode {mode:04o} lets others at it; chmod 600 {path}")


def _work_tree(path: Path) -> Path | None:
    return next((parent for parent in path.resolve().parents if (parent / ".git").exists()), None)


def write_new(path: Path, text: bytes) -> None:
    """Make a durable 0600 file in one step: a link never replaces, and never shows half a file."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            os.link(draft, path)
        finally:
            draft.unlink()
        _sync_directory(path.parent)
    except FileExistsError as error:
        raise ConfigFault(f"{path}: exists and is never overwritten; move it away first") from error
    except OSError as error:
        raise ConfigFault(f"{path}: cannot be written ({error.strerror})") from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
