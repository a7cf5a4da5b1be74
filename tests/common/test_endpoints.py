"""The file of chosen URLs: each writer its own key, never half a file."""

import threading
from pathlib import Path

import pytest

from common import endpoints
from common.errors import ConfigFault
from common.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.prepare()
    return made


def test_each_key_is_its_own(home: Home) -> None:
    """A second writer leaves the first one's URL, and may change its own."""
    assert endpoints.read(home) == {}
    endpoints.write(home, endpoints.VENUE, "http://a")
    endpoints.write(home, endpoints.METRICS, "http://b")
    endpoints.write(home, endpoints.VENUE, "http://c")
    assert endpoints.read(home) == {"venue": "http://c", "metrics": "http://b"}


def test_writers_at_once_lose_nothing(home: Home) -> None:
    """Services that start together each find their URL there afterwards."""
    names = [f"service{n}" for n in range(8)]
    threads = [threading.Thread(target=endpoints.write, args=(home, name, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endpoints.read(home) == {name: name for name in names}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"venue": 1}', b"\xff"])
def test_a_damaged_file_is_named(home: Home, text: bytes) -> None:
    """A person reads which file to delete."""
    home.endpoints.write_bytes(text)
    with pytest.raises(ConfigFault, match=r"endpoints\.json: cannot be read"):
        endpoints.read(home)
