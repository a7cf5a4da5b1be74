"""Whatever lies in the halt directory halts, whatever cannot be read halts, and only listed names go."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Unrecoverable
from common.halt import CAUSE_MAX, EVIDENCE_MAX, FILE_BYTES_MAX, FILES_MAX, UNREADABLE, HaltDir
from common.messages import HaltDirectory, decode, encode


@pytest.fixture
def halt(tmp_path: Path) -> HaltDir:
    return HaltDir(tmp_path)


def test_empty_is_not_halted(halt: HaltDir) -> None:
    """Only an empty directory that can be read lets us trade."""
    assert halt.read() == HaltDirectory()
    assert not halt.read().halted


def test_add_halts_everyone(halt: HaltDir) -> None:
    """Rule 1: the file says cause, evidence, by whom and when, to every reader."""
    file = halt.add("position limit", "BTC 5 lots above", "risk")
    assert (file.cause, file.evidence, file.by) == ("position limit", "BTC 5 lots above", "risk")
    assert file.at_ms > 1_600_000_000_000
    assert HaltDir(halt.path).read() == HaltDirectory(files=(file,))
    assert HaltDir(halt.path).read().halted


def test_every_file_has_its_own_name(halt: HaltDir) -> None:
    """Rule 1: the same cause twice in one millisecond is two files, oldest first."""
    names = [halt.add("same", "", "risk").name for _ in range(20)]
    assert len(set(names)) == 20
    assert {file.name for file in halt.read().files} == set(names)
    stamps = [file.at_ms for file in halt.read().files]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("by", ["", "../../etc", "Röt", "a/b"])
def test_names_stay_inside(halt: HaltDir, by: str) -> None:
    """Rule 1: no author can place a file elsewhere."""
    file = halt.add("x", "", by)
    assert [entry.name for entry in halt.path.iterdir()] == [file.name]


def test_remove_takes_the_named_ones(halt: HaltDir) -> None:
    """Rule 3: what was added after the person looked stays."""
    first, second = halt.add("a", "", "risk"), halt.add("b", "", "canceller")
    halt.remove((first.name, "unknown"))
    assert halt.read().files == (second,)
    halt.remove((second.name,))
    assert not halt.read().halted


def test_remove_stays_inside(halt: HaltDir, tmp_path: Path) -> None:
    """Rule 3: a name with a way out of the directory removes nothing."""
    inside = HaltDir(tmp_path / "halt")
    inside.path.mkdir()
    outside = tmp_path / "precious"
    outside.touch()
    inside.remove(("../precious", str(outside), ".", ".."))
    assert outside.exists()
    assert halt.path.exists()


def test_doubtful_entries_halt(halt: HaltDir) -> None:
    """Rule 2: a hand-made empty file, a directory, a dangling link, a pipe, an odd name: each is a halt, listed."""
    (halt.path / "empty").touch()
    (halt.path / "folder").mkdir()
    (halt.path / "link").symlink_to(halt.path / "nowhere")
    os.mkfifo(halt.path / "pipe")
    (halt.path / ".hidden").touch()
    (halt.path / "long.json").write_bytes(b'{"cause":"' + b"x" * FILE_BYTES_MAX + b'"}')
    Path(os.fsdecode(os.fsencode(halt.path) + b"/odd\xff")).touch()
    found = halt.read()
    assert sorted(file.name for file in found.files) == sorted(
        [".hidden", "empty", "folder", "link", "long.json", "odd\\xff", "pipe"]
    )
    assert {file.cause for file in found.files} == {UNREADABLE}
    assert decode("HaltDirectory", encode(found)) == found
    halt.remove(tuple(file.name for file in found.files))
    assert [file.name for file in halt.read().files] == ["folder"]


def test_a_person_may_write_one_by_hand(halt: HaltDir) -> None:
    """Rule 1: the cause is all that a hand-made file needs."""
    (halt.path / "stop").write_text('{"cause": "maintenance"}')
    (file,) = halt.read().files
    assert (file.name, file.cause, file.at_ms) == ("stop", "maintenance", 0)


def test_an_unreadable_directory_halts(tmp_path: Path) -> None:
    """Rule 2: no directory, or something else in its place, is halted; removing there is no error."""
    absent = HaltDir(tmp_path / "absent")
    file = HaltDir(tmp_path / "file")
    file.path.touch()
    for halt in (absent, file):
        assert halt.read() == HaltDirectory(readable=False)
        assert halt.read().halted
        halt.remove(("x",))


def test_a_halt_that_cannot_be_written_is_unrecoverable(tmp_path: Path) -> None:
    """Rule 1: the caller hears that nothing durable was made, and where."""
    with pytest.raises(Unrecoverable, match=r"absent/.*halt file cannot be written: No such file"):
        HaltDir(tmp_path / "absent").add("x", "", "risk")


def test_secrets_and_lengths(halt: HaltDir) -> None:
    """A halt file is read by people and sent around: no key in it, and no page of text."""
    secret = "c0ffee" * 10 + "beef"
    halt.add(f"c {secret}", f"e {secret}", "risk")
    halt.add("z" * (CAUSE_MAX + 1), "y" * (EVIDENCE_MAX + 1), "risk")
    assert all(secret.encode() not in path.read_bytes() for path in halt.path.iterdir())
    files = sorted(halt.read().files, key=lambda file: file.evidence)
    assert [(file.cause, file.evidence) for file in files] == [
        ("c ***", "e ***"),
        ("z" * CAUSE_MAX, "y" * EVIDENCE_MAX),
    ]


def test_a_flood_is_listed_in_part(halt: HaltDir) -> None:
    """The list fits a message however many files there are; clearing it shows the next ones."""
    for n in range(FILES_MAX + 2):
        (halt.path / f"{n:03}").touch()
    first = halt.read().files
    assert [file.name for file in first] == [f"{n:03}" for n in range(FILES_MAX)]
    halt.remove(tuple(file.name for file in first))
    assert len(halt.read().files) == 2


@pytest.mark.parametrize(("count", "halted"), [(FILES_MAX, False), (FILES_MAX + 1, True)])
def test_halts_of_single_coins_cannot_hide_another(halt: HaltDir, count: int, halted: bool) -> None:
    """Rule 4: behind the files that are listed may be the one that halts all, so more of them halt all."""
    for n in range(count):
        (halt.path / f"{n:03}").write_text(f'{{"cause": "cause {n}", "coin": "BTC"}}')
    found = halt.read()
    assert (found.halted, found.coins) == (halted, ("BTC",))
    assert [file.cause for file in found.files] == [f"cause {n}" for n in range(FILES_MAX)]


def test_long_words_are_kept_in_part(halt: HaltDir) -> None:
    """Rule 2 must not make our own file unreadable: whatever the length and the script, it reads as it was added."""
    file = halt.add("\0" * 9_000, "\U0001f600" * 9_000, "risk")
    assert halt.read().files == (file,)
    assert (file.cause, file.evidence) == ("\0" * CAUSE_MAX, "\U0001f600" * EVIDENCE_MAX)


@given(cause=st.text(), evidence=st.text(), by=st.text(max_size=100))
def test_any_words_are_kept(tmp_path_factory: pytest.TempPathFactory, cause: str, evidence: str, by: str) -> None:
    """Rule 1: `add` returns what `read` will say, and a message can carry it, lone surrogates included."""
    halt = HaltDir(tmp_path_factory.mktemp("halt"))
    file = halt.add(cause, evidence, by)
    assert halt.read() == HaltDirectory(files=(file,))
    assert decode("HaltDirectory", encode(halt.read())) == halt.read()


@given(content=st.binary() | st.sampled_from([b'{"cause":"\\ud800"}', b'{"cause":"x","at_ms":99999999999999999999}']))
def test_any_content_halts(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Rule 2: no content of a file makes the directory look empty, raise, or break a message."""
    halt = HaltDir(tmp_path_factory.mktemp("halt"))
    (halt.path / "x").write_bytes(content)
    assert len(halt.read().files) == 1
    assert decode("HaltDirectory", encode(halt.read())) == halt.read()
