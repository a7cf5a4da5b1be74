"""The venue in the same process: recordings and synthetic markets behind the real wire."""

import random
from pathlib import Path

import pytest

from common import witness
from common.actor import Ask
from common.errors import ConfigFault
from common.messages import VenueOpenOrders
from common.messages.venue import OpenOrdersQuery
from common.units import MILLISECOND, Nanos
from services.replay.venue_link import EPOCH_MS, LATENCY_MS, LocalVenue, recorded, synthetic
from tests.common.simulation.whole_mesh import SETTINGS
from tests.data import data_file


def first(venue: LocalVenue, kind: type[witness.AnyLine], blocks: int = 100) -> witness.AnyLine:
    """Step the venue until it writes a line of this kind."""
    for block in range(1, blocks + 1):
        venue.step(Nanos(block * 70 * MILLISECOND))
        for line in venue.lines:
            if isinstance(line, kind):
                return line
    raise AssertionError(f"no {kind.__name__} in {blocks} blocks")


def test_equal_seeds_are_equal_markets() -> None:
    """Whatever a replay shows must come from the settings, not from chance."""
    books = [first(synthetic(SETTINGS, random.Random(seed)), witness.Book) for seed in (3, 3, 4)]
    assert books[0] == books[1] != books[2]


def test_an_answer_arrives_after_both_ways() -> None:
    """Our orders are as late as they would be."""
    venue = synthetic(SETTINGS, random.Random(1))
    venue.ask("risk", Ask(7, OpenOrdersQuery()), Nanos(0))
    arrivals = [each for block in range(1, 4) for each in venue.step(Nanos(block * 70 * MILLISECOND))]
    answers = [(at, message) for at, _, message in arrivals if isinstance(message, VenueOpenOrders)]
    assert [(message.query_id, message.orders) for _, message in answers] == [(7, ())]
    assert answers[0][0] >= 2 * LATENCY_MS[0] * MILLISECOND


@pytest.mark.data
def test_a_recording_is_played_from_its_first_book() -> None:
    """Set A begins with BTC above 110,000 USD."""
    path = data_file("A_hl_book_trades_20250904")
    book = first(recorded(SETTINGS, random.Random(1), path, print), witness.Book)
    assert isinstance(book, witness.Book)
    assert book.t >= EPOCH_MS
    assert 105_000 < float(book.bids[0][0]) < float(book.asks[0][0]) < 115_000


def test_a_path_without_a_recording_says_so(tmp_path: Path) -> None:
    """One line that names the path and what was expected in it."""
    with pytest.raises(ConfigFault, match="no recording of the configured coins"):
        recorded(SETTINGS, random.Random(1), tmp_path, print)
