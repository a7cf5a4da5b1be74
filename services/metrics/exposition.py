"""The HTTP shell: Prometheus text on the loopback address, from the gauges of the core.

Scrapes come from threads of the HTTP server. Each asks the loop for a copy, so a scrape never sees half a message,
and one that finds the loop wedged fails instead of showing old numbers as new.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from time import monotonic_ns
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.errors import ConfigFault
from common.units import SECOND, Nanos
from services.metrics.core import Gauges, MetricsCore
from services.metrics.families import AGES, FAMILIES, Family, Kind

HOST: Final = "127.0.0.1"  # never another: positions and profits are nobody else's business
COPY_S_MAX: Final = 1.0  # a loop that needs longer for a copy of some hundred numbers is wedged


def snapshot(core: MetricsCore, now: Nanos) -> Gauges:
    """Copy all samples; ages are as of `now`."""
    copy = {name: dict(samples) for name, samples in core.gauges.items()}
    for name, seen in core.seen_at.items():
        copy[name] = {labels: max(0, now - at) / SECOND for labels, at in seen.items()}
    return copy


def exposed(gauges: Gauges) -> Iterable[Metric]:
    """Yield the families that have samples, in the order of the table."""
    for name, family in {**FAMILIES, **AGES}.items():
        if samples := gauges.get(name):
            metric = _metric(name, family)
            for labels, value in sorted(samples.items()):
                metric.add_metric(labels, value)
            yield metric


def _metric(name: str, family: Family) -> GaugeMetricFamily | CounterMetricFamily:
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(name, family.text, labels=family.labels)


class CoreCollector(Collector):
    """What prometheus_client asks at each scrape."""

    def __init__(self, copy: Callable[[], Gauges]) -> None:
        self._copy = copy

    def collect(self) -> Iterable[Metric]:
        return exposed(self._copy())


def copier(core: MetricsCore, loop: asyncio.AbstractEventLoop) -> Callable[[], Gauges]:
    """Return a function for other threads that has `loop` copy the gauges; TimeoutError when it does not."""

    def copy() -> Gauges:
        done: Future[Gauges] = Future()
        loop.call_soon_threadsafe(lambda: done.set_result(snapshot(core, Nanos(monotonic_ns()))))
        return done.result(timeout=COPY_S_MAX)

    return copy


def serve(copy: Callable[[], Gauges], port: int) -> tuple[WSGIServer, str]:
    """Listen on `port` (0: a free one) and return the server and the URL; ConfigFault when the port is taken."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(CoreCollector(copy))
    try:
        server, _ = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        raise ConfigFault(
            f"metrics.port: {port} cannot be listened on ({error.strerror}); choose another with --metrics-port"
        ) from error
    return server, f"http://{HOST}:{server.server_port}/metrics"
