"""Where things lie: private, short enough for sockets, and named when absent."""

import stat
from pathlib import Path

import pytest

from common.errors import ConfigFault
from common.home import RUN_PATH_BYTES_MAX, SERVICES, Home


def test_looking_creates_nothing(tmp_path: Path) -> None:
    """Names are only names until `prepare`."""
    home = Home(tmp_path / "home")
    names = [home.config, home.endpoints, home.run_record, home.halt, home.keys, home.passphrases, home.logs]
    names += [home.witness, home.tapes, home.default_run()]
    names += [place(service) for place in (home.database, home.lock, home.mark) for service in SERVICES]
    assert len(set(names)) == len(names)
    assert not home.path.exists()


def test_prepared_directories_are_private(tmp_path: Path) -> None:
    """Keys, journals and the halt directory are nobody else's; preparing twice is no error."""
    home = Home(tmp_path / "deep" / "home")
    home.prepare()
    home.prepare()
    made = [home.path, home.halt, home.keys, home.passphrases, home.logs, home.witness, home.tapes]
    made += [home.database("risk").parent, home.lock("risk").parent]
    for directory in made:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700, directory


def test_run_directory_is_recorded(tmp_path: Path) -> None:
    """Every process finds the sockets through the record, and says how to get one."""
    home = Home(tmp_path)
    with pytest.raises(ConfigFault, match=r"run: cannot be read .*mm up"):
        home.run()
    home.run_record.write_text("/run/ballast-1\n")
    assert home.run() == Path("/run/ballast-1")


@pytest.mark.parametrize("record", [b"\xff\xfe", b"", b"relative", b"/run/\0"])
def test_a_damaged_record_is_named(tmp_path: Path, record: bytes) -> None:
    """Whatever the disk made of the record, commands say so in one line, a halt among them."""
    home = Home(tmp_path)
    home.run_record.write_bytes(record)
    with pytest.raises(ConfigFault, match=r"run: names no directory; delete it and run `mm up`"):
        home.run()


def test_run_names_differ_by_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two homes never share sockets, one home always has the same, by whatever path it is called."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    first, second = Home(tmp_path / "a"), Home(tmp_path / "b")
    assert first.default_run() != second.default_run()
    assert first.default_run() == Home(tmp_path / "b" / ".." / "a").default_run()
    assert first.default_run().parent == Path("/run/user/1")


def test_run_names_fit_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides of the limit: an ipc path ends at 107 bytes, and the fault names the way out."""
    name = len(Home(tmp_path).default_run().name) + 1
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * (RUN_PATH_BYTES_MAX - name - 1))
    assert len(str(Home(tmp_path).default_run())) == RUN_PATH_BYTES_MAX
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * (RUN_PATH_BYTES_MAX - name))
    with pytest.raises(ConfigFault, match="too long for ipc sockets; set XDG_RUNTIME_DIR"):
        Home(tmp_path).default_run()
