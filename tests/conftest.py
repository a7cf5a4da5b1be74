"""What holds for every test: no hypothesis deadline, and reports that know the tests of recorded data."""

import signal

import pytest
from hypothesis import settings

# A slow turn of a shared machine is no failure. Where CI=true, hypothesis repeats the same examples in every run.
settings.register_profile("house", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("house")


def pytest_configure() -> None:
    """End by SIGTERM as by Ctrl-C: a mesh that a test started must not outlive it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name tests of recorded data in JUnit reports: .ci/run refuses to skip them where the data is there."""
    for item in items:
        if item.get_closest_marker("data"):
            item.user_properties.append(("data", True))
