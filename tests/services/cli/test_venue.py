"""Reads of the venue: ours and foreign apart, and no answer is ever read as "no orders"."""

import socket

import pytest

from common.errors import ConfigFault, PeerFault
from services.cli.venue import Health, VenueReader
from tests.services.cli.samples import ACCOUNT, BTC, FakeVenue, cloid, wire_order


def reader(venue: FakeVenue, account: str = ACCOUNT) -> VenueReader:
    return VenueReader(venue.url, account, {"BTC": BTC}, timeout_s=2.0)


def test_ours_are_known_by_the_house_tag(venue: FakeVenue) -> None:
    """Another cloid, or none, is somebody else's."""
    venue.answers["frontendOpenOrders"] = [
        wire_order(cloid(1), oid=1),
        wire_order("0x" + "00" * 16, oid=2),
        wire_order(None, oid=3),
    ]
    found = reader(venue).open_orders()
    assert [order.oid for order in found.ours] == [1]
    assert [order.oid for order in found.foreign] == [2, 3]
    assert found.venue_s == 784111777


def test_an_order_in_a_coin_that_is_not_configured_is_seen(venue: FakeVenue) -> None:
    """The coin may have been removed from the configuration while its order rests."""
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1), coin="ETH")]
    assert [order.coin for order in reader(venue).open_orders().ours] == ["ETH"]


def test_the_universe_is_asked_for_once(venue: FakeVenue) -> None:
    """It does not change, and costs as much of the budget as the orders."""
    again = reader(venue)
    again.open_orders()
    again.open_orders()
    assert venue.asked == ["meta", "frontendOpenOrders", "frontendOpenOrders"]


@pytest.mark.parametrize("answer", [500, 429, b"", b"null", b"{}", b"[1]", b"not json"])
def test_no_believable_answer_is_a_fault(venue: FakeVenue, answer: int | bytes) -> None:
    """An HTTP error, an empty body and other shapes are never "no orders"."""
    venue.answers["frontendOpenOrders"] = answer
    with pytest.raises(PeerFault):
        reader(venue).open_orders()


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_missing_or_broken_date_is_none(venue: FakeVenue, date: str) -> None:
    """The proof of a halt does not count such an answer."""
    venue.date = date
    assert reader(venue).open_orders().venue_s is None


def test_health_of_the_local_venue(venue: FakeVenue) -> None:
    """Its own words, strictly read."""
    assert reader(venue).health() == Health(pid=7, uptime_s=3.5, block=9, epoch=11)
    venue.answers["health"] = {"pid": "seven"}
    with pytest.raises(PeerFault, match="venue health"):
        reader(venue).health()


def test_a_dead_venue_is_a_fault() -> None:
    """Nothing listens there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(PeerFault, match="does not answer"):
            VenueReader(f"http://127.0.0.1:{port}", ACCOUNT, {}).open_orders()


def test_a_silent_venue_costs_its_time_out() -> None:
    """One that accepts and never answers does not hang the command."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PeerFault, match="does not answer"):
            VenueReader(url, ACCOUNT, {}, timeout_s=0.05).health()


def test_an_address_that_is_none_is_named() -> None:
    """A file path or a bare name is a mistake in the configuration."""
    for url in ("ftp://venue", "venue:3001", ""):
        with pytest.raises(ConfigFault, match=r"venue\.url"):
            VenueReader(url, ACCOUNT, {})


def test_without_an_account_nothing_is_asked(venue: FakeVenue) -> None:
    """Open orders belong to an account."""
    with pytest.raises(ConfigFault, match=r"venue\.account"):
        reader(venue, account="").open_orders()
