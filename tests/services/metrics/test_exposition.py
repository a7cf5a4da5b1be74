"""The HTTP shell of metrics: loopback only, ages as of the scrape, a wedged loop fails the scrape."""

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from common.errors import ConfigFault
from common.messages import Heartbeat, Missed, ServiceState
from common.units import SECOND, Nanos
from services.metrics import exposition
from services.metrics.core import Gauges, MetricsCore

BEAT = Heartbeat(service="risk", epoch=7, state=ServiceState.READY)


def core() -> MetricsCore:
    actor = MetricsCore({})
    actor.handle(BEAT, Nanos(10 * SECOND))
    actor.handle(Missed(sender="order_management", topic="Fill", coin="", count=2), Nanos(0))
    return actor


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in another thread, as the service's own does while a scrape comes in."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


def test_ages_grow_until_the_scrape() -> None:
    """Rule 4 of the core: the age is the time since the heartbeat arrived, and never below zero."""
    name = "mm_heartbeat_age_seconds"
    assert exposition.snapshot(core(), Nanos(13 * SECOND))[name] == {("risk",): 3.0}
    assert exposition.snapshot(core(), Nanos(9 * SECOND))[name] == {("risk",): 0.0}


def test_a_scrape_sees_a_copy() -> None:
    """What the core learns later does not change the numbers that a scrape is writing."""
    actor = core()
    copy = exposition.snapshot(actor, Nanos(0))
    actor.handle(Missed(sender="order_management", topic="Fill", coin="", count=5), Nanos(0))
    assert copy["mm_missed_messages_total"] == {("order_management", "Fill"): 2.0}


def test_http_shows_the_gauges(loop: asyncio.AbstractEventLoop) -> None:
    """Port 0 is a free one; the text names kind, labels and value, and families without samples are absent."""
    server, url = exposition.serve(exposition.copier(core(), loop), 0)
    try:
        assert url == f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own URL
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert '\nmm_service_state{service="risk",state="READY"} 1.0\n' in text
    assert '\nmm_service_state{service="risk",state="HALTED"} 0.0\n' in text
    assert "\n# TYPE mm_missed_messages_total counter\n" in text
    assert '\nmm_missed_messages_total{service="order_management",topic="Fill"} 2.0\n' in text
    assert "mm_position" not in text
    assert "_created" not in text


def test_a_taken_port_is_named(loop: asyncio.AbstractEventLoop) -> None:
    """A person reads which key to change, not a traceback."""
    server, _ = exposition.serve(exposition.copier(core(), loop), 0)
    try:
        with pytest.raises(ConfigFault, match=f"metrics.port: {server.server_port} cannot be listened on"):
            exposition.serve(exposition.copier(core(), loop), server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def test_a_wedged_loop_fails_the_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that does not run gives no copy, so no old number is shown as new."""
    monkeypatch.setattr(exposition, "COPY_S_MAX", 0.01)
    idle = asyncio.new_event_loop()
    try:
        with pytest.raises(TimeoutError):
            exposition.copier(core(), idle)()
    finally:
        idle.close()


def test_a_scrape_that_fails_is_an_http_error() -> None:
    """Prometheus marks the target as down."""

    def broken() -> Gauges:
        raise TimeoutError

    server, url = exposition.serve(broken, 0)
    try:
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(url, timeout=5)  # noqa: S310  # our own URL
    finally:
        server.shutdown()
        server.server_close()
