"""Who is handed a typed passphrase: the process that holds the service's lock, of this user."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from common import config, keys
from common.config import Profile
from common.errors import ConfigFault
from common.home import Home
from common.passphrases import open_key, socket_path
from common.process import only_instance
from common.sections import Key, Keys, Passphrase
from services.cli.holder import READY, Holder, prompted, serve, typed
from tests.services.cli.samples import settings

WORDS = {"risk": "open sesame"}
PROMPT = Key(passphrase=Passphrase(prompt=True))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    made.run_record.write_text(f"{tmp_path}\n")
    return made


def asked(holder: Holder, name: bytes) -> bytes:
    """Return the answer to a real socket, whose other end is this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        ours.sendall(name + b"\n")
        holder.answer(theirs)
        theirs.shutdown(socket.SHUT_WR)
        return ours.recv(1_000)


def test_the_holder_of_the_lock_is_answered(home: Home) -> None:
    """Rule 2: while it holds it, and for its own name alone."""
    holder = Holder(home, WORDS, os.geteuid())
    with only_instance(home.lock("risk"), "risk"):
        assert asked(holder, b"risk") == b"+open sesame"
        assert asked(holder, b"canceller").startswith(b"-no passphrase of 'canceller'")
        assert asked(holder, b"\xff\x00").startswith(b"-no passphrase of")
    assert asked(holder, b"risk").endswith(b"does not hold the lock of risk")


def test_another_process_is_refused(home: Home) -> None:
    """Rule 2: the lock is held, by a process of another number."""
    with only_instance(home.lock("risk"), "risk") as lock:
        lock.truncate(0)
        lock.write(f"{os.getppid()}")
        lock.flush()
        assert asked(Holder(home, WORDS, os.geteuid()), b"risk") == (
            f"-process {os.getpid()} does not hold the lock of risk".encode()
        )


def test_another_user_is_refused(home: Home) -> None:
    """Rule 2: the kernel says who is at the other end; here it is not the one user whom this holder serves."""
    with only_instance(home.lock("risk"), "risk"):
        refused = asked(Holder(home, WORDS, os.geteuid() + 1), b"risk")
    assert refused == f"-uid {os.geteuid()} is not {os.geteuid() + 1}".encode()


@pytest.fixture
def serving(home: Home) -> Iterator[Home]:
    """A holder that listens as long as the run's lock is held."""
    ready = threading.Event()

    def say(line: bytes) -> None:
        assert line == READY
        ready.set()

    with only_instance(home.lock("up"), "mm up"):
        thread = threading.Thread(target=serve, args=(Holder(home, WORDS, os.geteuid()), home, say))
        thread.start()
        assert ready.wait(5)
        yield home
    thread.join(5)
    assert not thread.is_alive()
    assert not socket_path(home.run()).exists()


def test_a_service_opens_its_key_again_and_again(serving: Home) -> None:
    """Rule 1 of the client: over the socket, which nobody else may open; the holder ends with the run."""
    address = keys.create(keys.keystore_path(serving, "risk"), "open sesame")
    assert socket_path(serving.run()).stat().st_mode & 0o777 == 0o600
    with only_instance(serving.lock("risk"), "risk"):
        for _ in range(2):
            assert open_key(serving, "risk", PROMPT, strict=False).address == address
    with pytest.raises(ConfigFault, match=r"refused: process .* does not hold the lock of risk"):
        open_key(serving, "risk", PROMPT, strict=False)


def with_prompt(**names: Key) -> config.Settings:
    found = settings()
    return msgspec.structs.replace(found, keys=Keys(**names))


def test_each_is_asked_for_once_and_tried(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong passphrase is one error that does not show it, before anything is started."""
    keys.create(keys.keystore_path(home, "risk"), "open sesame")
    chosen = with_prompt(risk=PROMPT)
    assert (prompted(chosen), chosen.profile) == (("risk",), Profile.SIM)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    questions: list[str] = []

    def ask(text: str) -> str:
        questions.append(text)
        return "open sesame" if len(questions) == 1 else "open barley"

    assert typed(home, chosen, ask) == {"risk": "open sesame"}
    assert questions == ["passphrase of the key of risk"]
    with pytest.raises(ConfigFault, match=r"risk\.json: this passphrase does not open it") as fault:
        typed(home, chosen, ask)
    assert "barley" not in str(fault.value)


def test_without_a_terminal_nobody_is_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gets a line instead of a prompt that waits for ever; without a prompt nothing is needed."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    def nobody(_: str) -> str:
        raise AssertionError("asked")

    with pytest.raises(ConfigFault, match=r"keys\.risk\.passphrase: .* needs a terminal"):
        typed(home, with_prompt(risk=PROMPT), nobody)
    assert typed(home, with_prompt(), nobody) == {}
