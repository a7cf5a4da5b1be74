"""A tape gives back exactly what was heard, and says where it stops being believable."""

import resource
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigFault
from common.messages import Message, StreamDown, Trade, Wake
from common.tape import CHUNK_BYTES_MAX, CHUNK_SPAN_MAX, TapeWriter, read
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks

Day = list[tuple[Nanos, Message]]


def record(path: Path, day: Day) -> Path:
    writer = TapeWriter(path)
    for now, message in day:
        writer.write(now, message)
    writer.close()
    return path


def trades(count: int, step: int = SECOND // 4) -> Day:
    return [(Nanos(n * step), trade(n)) for n in range(count)]


def trade(tid: int) -> Trade:
    return Trade(
        coin="BTC",
        venue_ms=Millis(tid),
        side=Side.BUY,
        ticks=Ticks(1_000_000 + tid),
        lots=Lots(5),
        tid=tid,
        received_at=Nanos(tid),
    )


def until_damage(path: Path) -> tuple[Day, str]:
    """What a tape gives before its damage, and what is said of the damage ("" when there is none)."""
    day: Day = []
    try:
        for now, message in read(path):
            day.append((now, message))  # what came before the fault must be kept
    except ConfigFault as fault:
        return day, str(fault)
    return day, ""


def test_round_trip(tmp_path: Path) -> None:
    """What was written is read, in order, across chunks."""
    day = [*trades(50), (Nanos(20 * SECOND), Wake()), (Nanos(21 * SECOND), StreamDown(connection=1, reason="gone"))]
    assert until_damage(record(tmp_path / "a" / "risk.tape", day)) == (day, "")


def test_an_empty_tape_is_a_tape(tmp_path: Path) -> None:
    """Nothing heard is not the same as nothing recorded."""
    assert until_damage(record(tmp_path / "t", [])) == ([], "")


def test_large_messages_and_chunks(tmp_path: Path) -> None:
    """Chunks end by size as well, and a message larger than a chunk survives."""
    day: Day = [(Nanos(0), StreamDown(connection=n, reason="x" * (CHUNK_BYTES_MAX // 3))) for n in range(10)]
    day.append((Nanos(0), StreamDown(connection=0, reason="y" * (3 * CHUNK_BYTES_MAX))))
    assert until_damage(record(tmp_path / "t", day)) == (day, "")


def test_equal_days_give_equal_bytes(tmp_path: Path) -> None:
    """Rule 1: nothing of the moment of recording is in a tape; another time is another tape."""
    first, second = record(tmp_path / "a", trades(100)), record(tmp_path / "b", trades(100))
    assert first.read_bytes() == second.read_bytes()
    assert record(tmp_path / "c", trades(100, SECOND // 5)).read_bytes() != first.read_bytes()


@pytest.mark.parametrize(("step", "kept"), [(CHUNK_SPAN_MAX - 1, 2), (CHUNK_SPAN_MAX, 3)])
def test_a_killed_service_loses_one_chunk(tmp_path: Path, step: int, kept: int) -> None:
    """Rule 2: a tape that was never closed gives all but its last second, then says so."""
    writer = TapeWriter(tmp_path / "t")
    for now, message in trades(4, step):
        writer.write(now, message)
    day, fault = until_damage(tmp_path / "t")
    assert day == trades(4, step)[:kept]
    assert f"t: message {kept + 1}: the tape is cut" in fault
    writer.close()


@given(st.data())
def test_any_cut_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Rule 2: wherever a tape is cut, a prefix of the day comes first and then the fault with its place."""
    day = trades(20)
    path = record(tmp_path_factory.mktemp("tape") / "t", day)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    seen, fault = until_damage(path)
    assert seen == day[: len(seen)]
    assert fault.startswith(f"{path}: message {len(seen) + 1}: ")


@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_any_flip_is_noticed(tmp_path_factory: pytest.TempPathFactory, place: float, change: int) -> None:
    """Rule 2: whichever byte changed, a prefix of the day comes first and then the fault with its place."""
    day = trades(20)
    path = record(tmp_path_factory.mktemp("tape") / "t", day)
    whole = bytearray(path.read_bytes())
    whole[int(place * len(whole))] ^= change
    path.write_bytes(whole)
    seen, fault = until_damage(path)
    assert seen == day[: len(seen)]
    assert len(seen) >= int(place * len(day)) - 8, "the chunks before the damage come first"
    assert fault.startswith(f"{path}: message {len(seen) + 1}: ")


def test_appended_bytes_are_noticed(tmp_path: Path) -> None:
    """Rule 2: two tapes in one file are no tape; the first one's messages come first."""
    path = record(tmp_path / "t", trades(3))
    path.write_bytes(path.read_bytes() * 2)
    assert until_damage(path) == (trades(3), f"{path}: message 4: the tape goes on after its end")


def test_missing_and_unreadable_tapes_are_named(tmp_path: Path) -> None:
    """Rule 2: no file, a directory, and any other file are faults that name the path."""
    (tmp_path / "text").write_text("hello")
    for name, said in (("absent", "No such file"), (".", "Is a directory"), ("text", "no tape")):
        assert until_damage(tmp_path / name)[0] == []
        assert str(tmp_path / name) in until_damage(tmp_path / name)[1]
        assert said in until_damage(tmp_path / name)[1]


def test_a_tape_is_never_overwritten(tmp_path: Path) -> None:
    """An old day is worth more than the start of a new one."""
    path = record(tmp_path / "t", trades(3))
    with pytest.raises(ConfigFault, match=r"t: tape cannot be made .*move an old one away"):
        TapeWriter(path)
    assert until_damage(path) == (trades(3), "")


def test_a_full_disk_ends_the_tape_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule 3: the service goes on with one line in its log; what was on disk before is still read."""
    writer = TapeWriter(tmp_path / "t")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, limits[1]))
    try:
        for now, message in trades(100):
            writer.write(now, message)
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().out.count("tape ends early") == 1
    day, fault = until_damage(tmp_path / "t")
    assert day == trades(100)[: len(day)]
    assert len(day) > 3
    assert "damaged or cut" in fault


messages = st.builds(StreamDown, connection=st.integers(0, 2**63), reason=st.text()) | st.just(Wake())
steps = st.integers(0, 2 * SECOND)


@given(heard=st.lists(st.tuples(steps, messages), max_size=30))
def test_every_day_comes_back(tmp_path_factory: pytest.TempPathFactory, heard: list[tuple[int, Message]]) -> None:
    """Rule 1 and the round trip, for any day: same messages, same times, same bytes twice."""
    now, day = 0, []
    for step, message in heard:
        now += step
        day.append((Nanos(now), message))
    folder = tmp_path_factory.mktemp("tape")
    first, second = record(folder / "a", day), record(folder / "b", day)
    assert until_damage(first) == (day, "")
    assert first.read_bytes() == second.read_bytes()
    assert all(early <= late for (early, _), (late, _) in pairwise(read(first)))
