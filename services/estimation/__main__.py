"""The estimation service as a process."""

from common import process
from common.shell import Parts
from services.estimation.core import Estimation, Inbox


def build(context: process.Context) -> Parts:
    return Parts(actor=Estimation(context.settings, context.boot))


if __name__ == "__main__":
    process.run(process.Service(name="estimation", inbox=Inbox, build=build))
