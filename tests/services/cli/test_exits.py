"""One exit code for each end of a command, one line for each fault of the house, and nothing hidden."""

import io
import sys
from collections.abc import Callable

import pytest

from common.errors import ConfigFault, PeerFault, Unrecoverable
from services.cli import exits


def code_of(command: Callable[[], int]) -> object:
    with pytest.raises(SystemExit) as end:
        exits.ending(command)()
    return end.value.code


def raising(fault: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise fault

    return command


@pytest.mark.parametrize("code", [exits.OK, exits.FAILED, exits.NOT_YET])
def test_the_return_value_is_the_exit_code(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is said about it."""
    assert code_of(lambda: code) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (exits.Refused("risk said no"), exits.REFUSED),
        (ConfigFault("no such coin"), exits.USAGE),
        (PeerFault("nonsense"), exits.FAILED),
        (Unrecoverable("journal is damaged"), exits.FAILED),
    ],
)
def test_faults_of_the_house_are_one_line(fault: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The code says what kind it was, the line what and how to go on; no traceback."""
    assert code_of(raising(fault)) == code
    assert capsys.readouterr() == ("", f"mm: {fault}\n")


def test_an_interrupt_is_a_failure_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """The person knows that they pressed it."""
    assert code_of(raising(KeyboardInterrupt())) == exits.FAILED
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_left_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mm logs | head`: stderr is closed too, so that the interpreter's end has nothing to say either."""
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    assert code_of(raising(BrokenPipeError())) == exits.FAILED
    assert errors.closed


def test_a_bug_stays_a_bug() -> None:
    """What is no fault of the house keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        exits.ending(raising(ZeroDivisionError()))()


def test_arguments_and_name_pass_through() -> None:
    """The command line reads a command's signature."""

    def named(first: int, *, second: int) -> int:
        return first + second

    assert exits.ending(named).__name__ == "named"
    with pytest.raises(SystemExit) as end:
        exits.ending(named)(1, second=2)
    assert end.value.code == 3
