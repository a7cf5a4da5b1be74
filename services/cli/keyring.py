"""`mm keys`: make the keys of a home, say which addresses its owner has to approve, never show a key."""

from collections.abc import Callable

from common import curve, keys
from common.errors import ConfigFault
from common.home import Home
from common.keys import PublicKeys
from common.process import forbid_dumps
from services.cli import exits

HEX_DIGITS = frozenset("0123456789abcdef")


def init(home: Home, account: str, ask_passphrase: Callable[[], str] | None) -> int:
    """Make what is missing of the three keystores and their passphrases.

    The services open theirs without a person, so theirs are generated into files. The operator's is typed by a person
    and kept nowhere when `ask_passphrase` is given, generated into a file otherwise.
    """
    address = checked_address(account)
    forbid_dumps()
    home.prepare()
    for name in keys.NAMES:
        store, words = keys.keystore_path(home, name), keys.passphrase_path(home, name)
        if store.exists():
            continue
        if name == "operator" and ask_passphrase is not None:
            passphrase = ask_passphrase()
        else:
            passphrase = keys.generate_passphrase()
            keys.write_passphrase(words, passphrase)
        keys.create(store, passphrase)
    curve.prepare(home)
    _show(keys.write_public(home, address))
    _say("Approve both agents with the account's own key, on another machine, before `mm up`.")
    return exits.OK


def show(home: Home) -> int:
    _show(keys.read_public(home))
    return exits.OK


def checked_address(text: str) -> str:
    """Return a lower-case address; ConfigFault when it is none."""
    address = text.strip().lower()
    if not address.startswith("0x") or len(address) != 42 or not set(address[2:]) <= HEX_DIGITS:
        raise ConfigFault(f"--account: {text!r} is no address; give 0x and 40 hex digits")
    return address


def _show(public: PublicKeys) -> None:
    _say(f"account   {public.account}")
    for name, address in sorted(public.agents.items()):
        _say(f"agent     {address}  {name}")
    _say(f"operator  {public.operator}")


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command speaks on stdout
