"""A service opens its key with a file's passphrase or with a typed one; whatever is wrong is one line."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import keys
from common.errors import ConfigFault
from common.home import Home
from common.passphrases import open_key, socket_path
from common.sections import Key, Passphrase

PROMPT = Key(passphrase=Passphrase(prompt=True))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    made.run_record.write_text(f"{tmp_path}\n")
    return made


@pytest.fixture
def door(home: Home) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(socket_path(home.run())))
        listener.listen()
        yield listener


def answering(door: socket.socket, answer: bytes) -> list[bytes]:
    """Answer the next connection in a thread; what it asked is in the list."""
    asked: list[bytes] = []

    def once() -> None:
        link, _ = door.accept()
        with link:
            asked.append(link.recv(100))
            link.sendall(answer)

    threading.Thread(target=once, daemon=True).start()
    return asked


def test_a_file_needs_no_holder(home: Home) -> None:
    """The generated passphrase of the home."""
    address = keys.prepare_sim(home).agents["risk"]
    assert open_key(home, "risk", Key(), strict=False).address == address


def test_the_holder_is_asked_with_the_services_name(home: Home, door: socket.socket) -> None:
    """Rule 1."""
    address = keys.create(keys.keystore_path(home, "risk"), "open sesame")
    asked = answering(door, b"+open sesame")
    assert open_key(home, "risk", PROMPT, strict=False).address == address
    assert asked == [b"risk\n"]


@pytest.mark.parametrize(("answer", "why"), [(b"-not you", "not you"), (b"", "no answer"), (b"\xff", "\ufffd")])
def test_a_refusal_is_said(home: Home, door: socket.socket, answer: bytes, why: str) -> None:
    """Rule 2."""
    answering(door, answer)
    with pytest.raises(ConfigFault, match=f"risk: the holder of passphrases refused: {why}"):
        open_key(home, "risk", PROMPT, strict=False)


def test_a_holder_that_is_gone_is_said(home: Home) -> None:
    """Rule 2: one line, with what to do."""
    with pytest.raises(ConfigFault, match=r"risk: the holder of passphrases is gone .* `mm up` on a terminal"):
        open_key(home, "risk", PROMPT, strict=False)


@pytest.mark.parametrize(("file", "prompt"), [("", False), ("x", True)])
def test_a_file_or_a_prompt(file: str, prompt: bool) -> None:
    """Neither and both are refused."""
    with pytest.raises(ValueError, match="either"):
        Passphrase(file=file, prompt=prompt)
