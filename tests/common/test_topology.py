"""The graph of the mesh: every fact that somebody hears has a producer, and nobody hears itself."""

from importlib import import_module
from typing import get_args

import pytest

from common import topology
from common.messages import FULL_STATE, Book, FeedHealth, Message, QuoteTarget, topic

FACTS = sorted(topology.PRODUCER, key=topic)
REQUESTS = sorted(topology.REQUESTS, key=topic)


def inbox(service: str) -> tuple[type[Message], ...]:
    kinds: tuple[type[Message], ...] = get_args(import_module(f"services.{service}.core").Inbox)
    return kinds


def test_an_inbox_is_a_subscription() -> None:
    """A fact type in the Inbox makes the mesh connect to its producer."""
    wanted = topology.subscriptions("strategy", (FeedHealth, QuoteTarget))
    assert wanted == {"market_data": ("FeedHealth",)}


def test_risk_believes_its_own_socket_only() -> None:
    """A broken market_data must not be able to move risk's price references."""
    assert "Book" not in topology.subscriptions("risk", (Book,)).get("market_data", ())


@pytest.mark.parametrize("service", topology.ACTORS)
def test_every_heard_heartbeat_has_its_type_in_the_inbox(service: str) -> None:
    """A subscription whose messages the actor does not take would be silence that nobody notices."""
    if topology.HEARTBEATS.get(service):
        assert "Heartbeat" in {kind.__name__ for kind in inbox(service)}


@pytest.mark.parametrize("kind", FACTS, ids=topic)
def test_every_fact_is_heard_by_somebody(kind: type[Message]) -> None:
    """A fact without a listener is dead code on the bus."""
    assert any(kind in inbox(service) for service in topology.ACTORS)


def test_full_state_topics_have_producers() -> None:
    """A snapshot can only be asked of somebody."""
    assert {kind.__name__ for kind in FULL_STATE} <= {kind.__name__ for kind in topology.PRODUCER} | {"Heartbeat"}


@pytest.mark.parametrize("kind", REQUESTS, ids=topic)
def test_every_request_reaches_an_inbox(kind: type[Message]) -> None:
    """A request that its receiver does not handle would always time out."""
    if kind.__name__ != "SnapshotRequest":
        _, receivers = topology.REQUESTS[kind]
        assert all(kind in inbox(service) for service in receivers)
