"""The venue in the same process: recordings and synthetic markets behind the real wire."""

import random
from pathlib import Path

import pytest

from common import witness
from common.actor import Ask, Post, Sign
from common.errors import ConfigFault
from common.messages import PostFailed, QueryFailed, Signed, VenueOpenOrders
from common.messages.venue import Noop, OpenOrdersQuery
from common.units import MILLISECOND, Nanos
from services.replay.venue_link import EPOCH_MS, LATENCY_MS, PATIENCE, LocalVenue, recorded, synthetic
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


@pytest.mark.parametrize(("name", "said"), [("hang", "no answer in time"), ("http_502", "HTTP 502")])
def test_a_question_that_fails_is_given_up(name: str, said: str) -> None:
    """As by the real link: within its patience, once, and a late answer is nobody's."""
    venue = synthetic(SETTINGS, random.Random(1))
    venue.fault(name, Nanos(0), path="info", count=1)
    venue.ask("risk", Ask(7, OpenOrdersQuery()), Nanos(0))
    arrivals = [each for block in range(1, 900) for each in venue.step(Nanos(block * 70 * MILLISECOND))]
    (failed,) = [(at, message) for at, _, message in arrivals if isinstance(message, QueryFailed)]
    assert failed[1] == QueryFailed(query_id=7, reason=said)
    assert failed[0] <= PATIENCE + 200 * MILLISECOND


def test_a_lost_ack_is_given_up() -> None:
    """The post fails as sent after the link's patience; the venue has executed it."""
    venue = synthetic(SETTINGS, random.Random(1))
    list(venue.restarted("canceller", Nanos(0)))
    venue.fault("lose_ack", Nanos(0))
    nonce = int(EPOCH_MS) + 1
    signed = venue.sign("canceller", Sign(sign_id=1, action=Noop(), nonce=nonce))
    assert isinstance(signed, Signed)
    venue.post("canceller", Post(post_id=9, body=signed.body, deadline=Nanos(0)), Nanos(0))
    arrivals = [each for block in range(1, 90) for each in venue.step(Nanos(block * 70 * MILLISECOND))]
    (failed,) = [(at, message) for at, _, message in arrivals if isinstance(message, PostFailed)]
    assert failed[1] == PostFailed(post_id=9, sent=True, reason="no answer in time")
    assert PATIENCE < failed[0] <= PATIENCE + 200 * MILLISECOND
    assert any(isinstance(line, witness.Verdict) and not line.error for line in venue.lines)
