"""The metrics service: every fact of the mesh as a number for Prometheus, and alerts for people."""

import asyncio
import time

from common import endpoints, process
from common.shell import Parts
from common.units import SECOND, Nanos
from services.metrics.alert_sink import AlertSink
from services.metrics.alerts import Alerts
from services.metrics.core import Inbox, MetricsCore
from services.metrics.exposition import copier, serve
from services.metrics.receivers import receivers


def build(context: process.Context) -> Parts:
    settings = context.settings
    silence = settings.liveness.units(settings.liveness.canceller_silence)
    alerts = Alerts(repeat=Nanos(settings.alerts.repeat_s * SECOND), silence=silence)
    core = MetricsCore(settings.instruments(), alerts)
    path = context.home.path / settings.alerts.file
    sink = AlertSink(core, path, receivers(settings.alerts), lambda: Nanos(time.monotonic_ns()))

    def listen() -> None:
        _, url = serve(copier(core, asyncio.get_running_loop()), settings.metrics.port)
        endpoints.write(context.home, endpoints.METRICS, url)
        sink.start()

    return Parts(actor=core, started=listen)


if __name__ == "__main__":
    process.run(process.Service(name="metrics", inbox=Inbox, build=build, roster=False))
