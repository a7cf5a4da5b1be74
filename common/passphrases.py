"""How a service gets its passphrase: from a file, or from the process that a person typed it into.

Rules
  1. The holder (services/cli/holder.py) listens on a socket of the run directory; it is asked with a service's name and
     answers with its passphrase or with a refusal.
  2. A holder that is gone, or refuses, is a ConfigFault: the service ends with 78, and a person has to type again.
  3. The passphrase is in no argument, environment, file or log; no process that has it dumps its memory.
"""

import socket
from pathlib import Path
from typing import Final

from common import keys
from common.errors import ConfigFault
from common.home import Home
from common.hyperliquid.signing import SigningKey
from common.sections import Key

GRANTED: Final = b"+"
REFUSED: Final = b"-"
WAIT_S_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 4_096  # a passphrase and a refusal have less


def open_key(home: Home, name: str, key: Key, *, strict: bool) -> SigningKey:
    """Open a service's keystore with the passphrase that its configuration names."""
    store = keys.keystore_path(home, name, key)
    if key.prompted:
        return keys.unlock(store, held(home, name), strict=strict)
    return keys.load(store, keys.passphrase_path(home, name, key), strict=strict)


def socket_path(run: Path) -> Path:
    return run / "passphrases.sock"


def held(home: Home, name: str) -> str:
    """Ask the holder (rule 1); it knows who asks by the kernel's word."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(WAIT_S_MAX)
        try:
            link.connect(str(socket_path(home.run())))
            link.sendall(name.encode() + b"\n")
            answer = b"".join(iter(lambda: link.recv(ANSWER_BYTES_MAX), b""))
        except OSError as error:
            raise ConfigFault(
                f"{name}: the holder of passphrases is gone ({error}); `mm down`, then `mm up` on a terminal"
            ) from error
    if not answer.startswith(GRANTED):
        why = answer.removeprefix(REFUSED).decode(errors="replace")[:ANSWER_BYTES_MAX] or "no answer"
        raise ConfigFault(f"{name}: the holder of passphrases refused: {why}")
    return answer.removeprefix(GRANTED).decode()
