"""Fixtures of `mm`'s tests."""

from collections.abc import Iterator

import pytest

from tests.services.cli.samples import FakeVenue, fake_venue


@pytest.fixture
def venue() -> Iterator[FakeVenue]:
    """A small venue over HTTP, on a free port."""
    with fake_venue() as running:
        yield running
