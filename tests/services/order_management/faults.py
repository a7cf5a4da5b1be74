"""What can go wrong on the wires, and how often it does in a storm."""

from enum import StrEnum, unique
from typing import Final


@unique
class Fault(StrEnum):
    REQUEST_NOT_HANDED_OVER = "request not handed over"
    POST_NOT_SENT = "post not sent"
    RISK_SILENT = "risk silent"
    VETO = "veto"  # of one order
    POST_LATE = "post late"  # no answer, and it may arrive after all
    REFUSED = "refused"  # every order of the action, by the venue
    ARRIVES_TWICE = "arrives twice"
    ANSWER_LOST = "answer lost"
    NEW_LEG_FIRST = "new leg first"  # of a modify, in orderUpdates
    CANCEL_LOST = "cancel lost"
    CANCEL_FAILED = "cancel failed"
    CANCEL_ANSWER_LOST = "cancel answer lost"
    QUERY_FAILED = "query failed"
    TOLD_TWICE = "told twice"
    PEERS_SILENT = "peers silent"


SHARES: Final = {
    **dict.fromkeys(Fault, 0.1),
    Fault.REQUEST_NOT_HANDED_OVER: 0.03,
    Fault.POST_NOT_SENT: 0.03,
    Fault.ARRIVES_TWICE: 0.03,
    Fault.RISK_SILENT: 0.05,
    Fault.NEW_LEG_FIRST: 0.5,
}
