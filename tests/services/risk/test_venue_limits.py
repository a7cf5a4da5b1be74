"""What the venue allows binds, shrinks with its age, and closes where nobody knows it."""

from common.messages import Approval, PostureLevel, VenueCapacity
from common.messages.venue import CapacityQuery
from common.units import Lots, Nanos, Side
from services.risk.venue_limits import FRESH, OLD, VenueLimits
from tests.services.risk.scene import Scene, bid, codes

BUY, SELL = Side.BUY, Side.SELL


def capacity(buy: int, sell: int) -> VenueCapacity:
    return VenueCapacity(query_id=1, coin="BTC", buy=Lots(buy), sell=Lots(sell))


def test_allowed_is_what_may_be_held_and_what_may_be_traded_besides() -> None:
    """Rule 1: on each side, from the worst case of the moment of the answer."""
    limits = VenueLimits(["BTC"])
    limits.on_answer(capacity(100, 40), (Lots(30), Lots(-20)), Nanos(0))
    assert limits.most("BTC", BUY, Nanos(0)) == 130
    assert limits.most("BTC", SELL, Nanos(0)) == 60


def test_an_old_answer_allows_half_and_then_nothing() -> None:
    """Rules 2 and 3, both sides of each limit."""
    limits = VenueLimits(["BTC"])
    assert limits.most("BTC", BUY, Nanos(0)) == 0
    limits.on_answer(capacity(100, 100), (Lots(0), Lots(0)), Nanos(0))
    assert limits.most("BTC", BUY, FRESH) == 100
    assert limits.most("BTC", BUY, Nanos(FRESH + 1)) == 50
    assert limits.most("BTC", BUY, OLD) == 50
    assert limits.most("BTC", BUY, Nanos(OLD + 1)) == 0


def test_the_coins_take_turns() -> None:
    """Rule 4, and what is not read yet is known to be so."""
    limits = VenueLimits(["ETH", "BTC"])
    assert [limits.query() for _ in range(3)] == [CapacityQuery("BTC"), CapacityQuery("ETH"), CapacityQuery("BTC")]
    limits.on_answer(capacity(1, 1), (Lots(0), Lots(0)), Nanos(0))
    assert limits.behind(Nanos(0))
    limits.on_answer(VenueCapacity(query_id=2, coin="ETH", buy=Lots(1), sell=Lots(1)), (Lots(0), Lots(0)), Nanos(0))
    assert not limits.behind(FRESH)
    assert limits.behind(Nanos(FRESH + 1))


def test_the_gate_holds_to_the_venue_where_it_is_tighter() -> None:
    """500 lots are allowed: 500 pass, one more does not, and nobody has to be asked about the other side."""
    scene = Scene()
    scene.capacity = Lots(500)
    scene.ready()
    scene.send(scene.request(bid(1, lots=500)))
    assert codes(scene.last(Approval)) == set()
    scene.send(scene.request(bid(2, lots=17)))
    assert codes(scene.last(Approval)) == {"position"}
    assert scene.level() is PostureLevel.NORMAL
