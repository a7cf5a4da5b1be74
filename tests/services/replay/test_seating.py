"""Every actor of the order path has a seat, and can be built anew from what it wrote down."""

from common.actor import Boot
from common.config import MESH_SERVICES
from common.units import Nanos
from services.replay.seating import ORDER, seats
from services.replay.venue_link import ACCOUNT, OPERATOR
from tests.common.simulation.whole_mesh import SETTINGS


def test_everybody_on_the_order_path_is_seated() -> None:
    """Metrics decides nothing; all others of the mesh do."""
    assert set(ORDER) == set(MESH_SERVICES) - {"metrics"}
    assert set(seats(SETTINGS, ACCOUNT, OPERATOR, {})) == set(ORDER)


def test_a_seat_builds_a_new_actor_each_time() -> None:
    """A crash must leave nothing of the old one behind."""
    boot = Boot(epoch=1, started_at=Nanos(0), build="b")
    for seat in seats(SETTINGS, ACCOUNT, OPERATOR, {}).values():
        assert seat.build(boot, []) is not seat.build(boot, [])
