"""The strategy service as a process."""

from common import process
from common.shell import Parts
from services.strategy.core import Inbox, Strategy


def build(context: process.Context) -> Parts:
    return Parts(actor=Strategy(context.settings, context.boot))


if __name__ == "__main__":
    process.run(process.Service(name="strategy", inbox=Inbox, build=build))
