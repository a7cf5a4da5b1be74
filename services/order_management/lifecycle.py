"""The life of an order as a closed table: (state, evidence) -> state. All else is refused, by name.

Rules
  1. Every pair of a state and an evidence is listed: as a transition or as refused, never both.
  2. A final state is left by one evidence alone: the venue shows the order where none can be (`CONTRADICTION`).
     A final state in which everything was filled is never left.
  3. The venue's word that an order is gone is final: an older answer that still shows it changes nothing.
  4. Doubt never ends an order: it becomes Unknown, which counts at its worst until a venue fact settles it.
  5. An order that is to be replaced by a modify is ModifyPending from before the bytes leave until its own leg is
     proven: gone, or not touched. The replacement is an order of its own and counts in full beside it.
"""

from enum import StrEnum, unique
from typing import Final

from common.messages import OrderState
from common.messages.orders import OrderState as S


@unique
class Evidence(StrEnum):
    """What can become known of an order."""

    APPROVAL = "approval"  # risk signed it
    VETO = "veto"  # risk refused it, did not answer in time, or it is not wanted any more before it was posted
    POSTED = "posted"  # its bytes are handed to the venue link
    UNPLACED = "unplaced"  # proof that it never arrived and cannot arrive any more
    DOUBT = "doubt"  # no answer, or an answer that means nothing to us
    RESTS = "rests"  # the venue has it on its book, nothing filled
    PART_FILLED = "part filled"  # the venue has or had it, something is filled, fills or leaves are outstanding
    FULLY_FILLED = "fully filled"  # its fills reach its size
    REJECTION = "rejection"  # the venue refused it
    CANCEL_ASKED = "cancel asked"  # the canceller is asked for its cancel
    MODIFY_SENT = "modify sent"  # the action that cancels and replaces it is handed to the venue link
    MODIFY_OFF = "modify off"  # what was to replace it is proven not placed; whether it was cancelled is to be asked
    GONE = "gone"  # the venue says that it left the book; fills may be outstanding
    ENDED = "ended"  # it left the book, and every fill until then is here
    CONTRADICTION = "contradiction"  # a venue fact shows an order that had ended or was never sent


TRANSITIONS: Final[dict[OrderState, dict[Evidence, OrderState]]] = {
    S.INTENT: {
        Evidence.APPROVAL: S.APPROVED,
        Evidence.VETO: S.VETOED,
        Evidence.CONTRADICTION: S.UNKNOWN,
    },
    S.APPROVED: {
        Evidence.POSTED: S.SENT,
        Evidence.VETO: S.VETOED,
        Evidence.CONTRADICTION: S.UNKNOWN,
    },
    S.SENT: {
        Evidence.UNPLACED: S.REJECTED,
        Evidence.DOUBT: S.UNKNOWN,
        Evidence.RESTS: S.RESTING,
        Evidence.PART_FILLED: S.PARTIALLY_FILLED,
        Evidence.FULLY_FILLED: S.FILLED_IMMEDIATELY,
        Evidence.REJECTION: S.REJECTED,
        Evidence.CANCEL_ASKED: S.CANCEL_PENDING,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.UNKNOWN: {
        Evidence.UNPLACED: S.REJECTED,
        Evidence.DOUBT: S.UNKNOWN,
        Evidence.RESTS: S.RESTING,
        Evidence.PART_FILLED: S.PARTIALLY_FILLED,
        Evidence.FULLY_FILLED: S.FILLED,
        Evidence.REJECTION: S.REJECTED,
        Evidence.CANCEL_ASKED: S.CANCEL_PENDING,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.RESTING: {
        Evidence.DOUBT: S.UNKNOWN,
        Evidence.RESTS: S.RESTING,
        Evidence.PART_FILLED: S.PARTIALLY_FILLED,
        Evidence.FULLY_FILLED: S.FILLED,
        Evidence.REJECTION: S.REJECTED,
        Evidence.CANCEL_ASKED: S.CANCEL_PENDING,
        Evidence.MODIFY_SENT: S.MODIFY_PENDING,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.PARTIALLY_FILLED: {
        Evidence.DOUBT: S.UNKNOWN,
        Evidence.PART_FILLED: S.PARTIALLY_FILLED,
        Evidence.FULLY_FILLED: S.FILLED,
        Evidence.CANCEL_ASKED: S.CANCEL_PENDING,
        Evidence.MODIFY_SENT: S.MODIFY_PENDING,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.MODIFY_PENDING: {
        Evidence.DOUBT: S.MODIFY_PENDING,
        Evidence.RESTS: S.MODIFY_PENDING,
        Evidence.PART_FILLED: S.MODIFY_PENDING,
        Evidence.FULLY_FILLED: S.FILLED,
        Evidence.REJECTION: S.REJECTED,
        Evidence.CANCEL_ASKED: S.CANCEL_PENDING,
        Evidence.MODIFY_OFF: S.UNKNOWN,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.CANCEL_PENDING: {
        Evidence.UNPLACED: S.REJECTED,
        Evidence.DOUBT: S.CANCEL_PENDING,
        Evidence.RESTS: S.CANCEL_PENDING,
        Evidence.PART_FILLED: S.FILLED_DURING_CANCEL,
        Evidence.FULLY_FILLED: S.FILLED_DURING_CANCEL,
        Evidence.REJECTION: S.REJECTED,
        Evidence.CANCEL_ASKED: S.CANCEL_PENDING,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.FILLED_DURING_CANCEL: {
        Evidence.DOUBT: S.FILLED_DURING_CANCEL,
        Evidence.PART_FILLED: S.FILLED_DURING_CANCEL,
        Evidence.FULLY_FILLED: S.FILLED_DURING_CANCEL,
        Evidence.CANCEL_ASKED: S.FILLED_DURING_CANCEL,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.CANCEL_CONFIRMED: {
        Evidence.DOUBT: S.CANCEL_CONFIRMED,
        Evidence.RESTS: S.CANCEL_CONFIRMED,
        Evidence.PART_FILLED: S.CANCEL_CONFIRMED,
        Evidence.FULLY_FILLED: S.FILLED_DURING_CANCEL,
        Evidence.GONE: S.CANCEL_CONFIRMED,
        Evidence.ENDED: S.CANCELLED,
    },
    S.VETOED: {Evidence.CONTRADICTION: S.UNKNOWN},
    S.REJECTED: {Evidence.CONTRADICTION: S.UNKNOWN},
    S.CANCELLED: {Evidence.CONTRADICTION: S.UNKNOWN},
    S.FILLED: {},
    S.FILLED_IMMEDIATELY: {},
}

_ASKING: Final = frozenset({Evidence.APPROVAL, Evidence.VETO, Evidence.POSTED})
_VENUE: Final = frozenset(
    {
        *(Evidence.UNPLACED, Evidence.DOUBT, Evidence.RESTS, Evidence.PART_FILLED, Evidence.FULLY_FILLED),
        *(Evidence.REJECTION, Evidence.CANCEL_ASKED, Evidence.GONE, Evidence.ENDED),
    }
)
_MODIFY: Final = frozenset({Evidence.MODIFY_SENT, Evidence.MODIFY_OFF})
# asked once only, nothing contradicts what is not final, and only what rests is modified
_LIVE: Final = _ASKING | _MODIFY | {Evidence.CONTRADICTION}

REFUSED: Final[dict[OrderState, frozenset[Evidence]]] = {
    # nothing was sent yet, so the venue cannot speak of it: that is a contradiction, not evidence
    S.INTENT: _VENUE | _MODIFY | {Evidence.POSTED},
    S.APPROVED: _VENUE | _MODIFY | {Evidence.APPROVAL},
    S.SENT: _LIVE,
    S.UNKNOWN: _LIVE,
    # it arrived: nothing can prove that it did not; an "open" from before the first fill is old news
    S.RESTING: _LIVE - {Evidence.MODIFY_SENT} | {Evidence.UNPLACED},
    S.PARTIALLY_FILLED: _LIVE - {Evidence.MODIFY_SENT} | {Evidence.UNPLACED, Evidence.RESTS, Evidence.REJECTION},
    # it rested, and one replacement at a time is enough
    S.MODIFY_PENDING: _LIVE - {Evidence.MODIFY_OFF} | {Evidence.UNPLACED},
    S.CANCEL_PENDING: _LIVE,
    S.FILLED_DURING_CANCEL: _LIVE | {Evidence.UNPLACED, Evidence.RESTS, Evidence.REJECTION},
    S.CANCEL_CONFIRMED: _LIVE | {Evidence.UNPLACED, Evidence.REJECTION, Evidence.CANCEL_ASKED},
    # final: late and repeated words of the venue change nothing
    S.VETOED: _ASKING | _VENUE | _MODIFY,
    S.REJECTED: _ASKING | _VENUE | _MODIFY,
    S.CANCELLED: _ASKING | _VENUE | _MODIFY,
    S.FILLED: frozenset(Evidence),
    S.FILLED_IMMEDIATELY: frozenset(Evidence),
}

# States with nothing after them; FilledDuringCancel is final once its leaves are 0 (tracked_order.py).
FINAL: Final = frozenset({S.VETOED, S.REJECTED, S.CANCELLED, S.FILLED, S.FILLED_IMMEDIATELY})
MAY_STILL_FILL: Final = frozenset(
    {
        *(S.APPROVED, S.SENT, S.UNKNOWN, S.RESTING, S.PARTIALLY_FILLED, S.MODIFY_PENDING),
        *(S.CANCEL_PENDING, S.FILLED_DURING_CANCEL, S.CANCEL_CONFIRMED),
    }
)


def next_state(state: OrderState, evidence: Evidence) -> OrderState | None:
    """Return where `evidence` leads; None when it is refused."""
    return TRANSITIONS[state].get(evidence)
