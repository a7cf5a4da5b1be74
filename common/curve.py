"""A CURVE key pair for each service of the mesh, and a door that only known keys pass (shell).

Rules
  1. HOME/curve/NAME.key (0600) holds the secret of NAME, HOME/curve/public.json all public keys. A service reads its
     own secret and no other. Keys are made once, by `mm keys init` or the first `mm up` of the sim profile.
  2. A request socket lets in the keys of those who may ask its service something (common/topology.py) and nobody
     else; what is inside an envelope must then say the same name.
  3. Where any service is on tcp, all sockets of facts are closed in the same way, for every name of the mesh.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import zmq
from zmq.utils import z85

from common import keys, topology
from common.errors import ConfigFault
from common.home import Home

NAMES: Final = (*topology.ACTORS, *topology.OUTSIDERS)
REQUESTS: Final = "requests"  # what a ZAP domain may be: which door is knocked at
FACTS: Final = "facts"
ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"  # the library's own name for it
ZAP_VERSION: Final = b"1.0"
KEY_BYTES: Final = 40  # a key in Z85, the text form that the library takes

ZmqSocket = zmq.Socket[bytes]


class Certificate:
    """One name's own key pair and everybody's public keys; the secret shows nowhere."""

    def __init__(self, name: str, secret: bytes, public: Mapping[str, bytes]) -> None:
        self.name: Final = name
        self.public: Final = dict(public)
        self._secret = secret

    def __repr__(self) -> str:
        return f"Certificate({self.name})"

    def serve(self, socket: ZmqSocket, domain: str) -> None:
        """Make a socket that binds ask for the keys of whoever connects."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, domain)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def present(self, socket: ZmqSocket, server: str) -> None:
        """Make a socket that connects show our key, and talk to nobody but `server`."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.public[server])
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public[self.name])
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret)


class Door:
    """Answers the library's question whether a key may come in, for all sockets of one context."""

    def __init__(self, context: zmq.Context[ZmqSocket], certificate: Certificate) -> None:
        service = certificate.name
        asking = {
            sender for senders, receivers in topology.REQUESTS.values() if service in receivers for sender in senders
        }
        names = {z85.decode(key): name for name, key in certificate.public.items()}
        self._allowed = {
            REQUESTS: {key: name for key, name in names.items() if name in asking},
            FACTS: names,
        }
        self.refused = 0
        self.socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(ZAP_ENDPOINT)

    def answer_all(self) -> None:
        """Answer everybody who knocks; called whenever the socket's descriptor fires."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.socket.send_multipart(self.verdict(frames))

    def verdict(self, frames: list[bytes]) -> list[bytes]:
        """Return the ZAP reply to one ZAP request (RFC 27): 200 with the name as user id, or 400."""
        version, number, domain, _address, _identity, mechanism, *credentials = frames
        assert version == ZAP_VERSION, version
        name = None
        if mechanism == b"CURVE" and credentials:
            name = self._allowed.get(domain.decode(), {}).get(credentials[0])
        if name is None:
            self.refused += 1
            return [ZAP_VERSION, number, b"400", b"unknown key", b"", b""]
        return [ZAP_VERSION, number, b"200", b"OK", name.encode(), b""]


# --- files ---------------------------------------------------------------------------------------


def prepare(home: Home) -> None:
    """Make the key pairs of a home that has none; ConfigFault when some are there and some are not."""
    missing = [name for name in NAMES if not _secret_path(home, name).exists()]
    if not missing and _public_path(home).exists():
        return
    if missing != list(NAMES):
        raise ConfigFault(f"{home.curve}: is incomplete (no {', '.join(missing) or 'public.json'}); remove it")
    pairs = {name: zmq.curve_keypair() for name in NAMES}
    for name, (_, secret) in pairs.items():
        keys.write_new(_secret_path(home, name), secret + b"\n")
    public = {name: key.decode() for name, (key, _) in pairs.items()}
    keys.write_new(_public_path(home), msgspec.json.format(msgspec.json.encode(public)) + b"\n")


def load(home: Home, name: str) -> Certificate:
    """Read the certificate of `name`; ConfigFault names the file and the fix."""
    path = _public_path(home)
    secret = keys.read_private(_secret_path(home, name), strict=False).strip()
    try:
        public = msgspec.json.decode(keys.read_private(path, strict=False), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{path}: {error}; remove {home.curve} and run `mm keys init`") from error
    _check(path, name, secret, public)
    return Certificate(name, secret, {each: key.encode() for each, key in public.items()})


def _check(path: Path, name: str, secret: bytes, public: dict[str, str]) -> None:
    absent = [each for each in NAMES if len(public.get(each, "")) != KEY_BYTES]
    if absent:
        raise ConfigFault(f"{path}: has no key of {', '.join(absent)}; remove its directory and run `mm keys init`")
    try:
        matches = zmq.curve_public(secret) == public[name].encode()
    except ValueError:
        matches = False
    if not matches:
        raise ConfigFault(f"{path}: its key of {name} is not that of {name}.key; restore them, or make both anew")


def _secret_path(home: Home, name: str) -> Path:
    return home.curve / f"{name}.key"


def _public_path(home: Home) -> Path:
    return home.curve / "public.json"
