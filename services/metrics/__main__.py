"""The metrics service: every fact of the mesh as a number for Prometheus."""

import asyncio

from common import endpoints, process
from common.shell import Parts
from services.metrics.core import Inbox, MetricsCore
from services.metrics.exposition import copier, serve


def build(context: process.Context) -> Parts:
    core = MetricsCore(context.settings.instruments())

    def listen() -> None:
        _, url = serve(copier(core, asyncio.get_running_loop()), context.settings.metrics.port)
        endpoints.write(context.home, endpoints.METRICS, url)

    return Parts(actor=core, started=listen)


if __name__ == "__main__":
    process.run(process.Service(name="metrics", inbox=Inbox, build=build, roster=False))
