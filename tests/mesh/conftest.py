"""One mesh for all tests of a module, because a start costs more than most tests."""

from collections.abc import Iterator

import pytest

from tests.mesh.live import LiveMesh, live_mesh
from tests.mesh.trial import Trial


@pytest.fixture(scope="module")
def mesh(request: pytest.FixtureRequest) -> Iterator[LiveMesh]:
    """Give a mesh that quotes, with the module's CHANGES to the settings; a test must leave it quoting."""
    with live_mesh(getattr(request.module, "CHANGES", None)) as living:
        living.wait_ready()
        living.wait_quoting()
        yield living


@pytest.fixture
def trial(mesh: LiveMesh) -> Iterator[Trial]:
    """Give the module's mesh as it quotes; whatever happens, no fault outlives a test."""
    yield Trial(mesh)
    mesh.venue.clear()
