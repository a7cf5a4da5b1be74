"""What the venue's order status strings mean: one table, and a rule for the strings of tomorrow.

Rules
  1. A documented string means what the table says.
  2. An undocumented one is judged by its ending (Canceled, Rejected); any other is UNKNOWN: query, do not guess.
  3. "unknownOid" is UNKNOWN: the venue forgets orders, so it never proves by itself that there was none.
"""

from enum import StrEnum
from typing import Final

UNKNOWN_OID: Final = "unknownOid"


class StatusMeaning(StrEnum):
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    TRIGGERED = "triggered"  # a trigger order became a live one
    UNKNOWN = "unknown"


_CANCELLED: Final = (
    *("canceled", "marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled", "selfTradeCanceled"),
    *("reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled", "scheduledCancel"),
    *("outcomeSettledCanceled", "internalCancel"),
)
_REJECTED: Final = (
    *("rejected", "tickRejected", "minTradeNtlRejected", "minTradeSpotNtlRejected", "perpMarginRejected"),
    *("reduceOnlyRejected", "badAloPxRejected", "iocCancelRejected", "badTriggerPxRejected"),
    *("marketOrderNoLiquidityRejected", "positionIncreaseAtOpenInterestCapRejected"),
    *("positionFlipAtOpenInterestCapRejected", "tooAggressiveAtOpenInterestCapRejected"),
    *("openInterestIncreaseRejected", "insufficientSpotBalanceRejected", "oracleRejected"),
    *("perpMaxPositionRejected", "tooManyOpenOrdersRejected"),
)
DOCUMENTED: Final[dict[str, StatusMeaning]] = {
    "open": StatusMeaning.OPEN,
    "accepted": StatusMeaning.OPEN,
    "filled": StatusMeaning.FILLED,
    "triggered": StatusMeaning.TRIGGERED,
    UNKNOWN_OID: StatusMeaning.UNKNOWN,
    **dict.fromkeys(_CANCELLED, StatusMeaning.CANCELLED),
    **dict.fromkeys(_REJECTED, StatusMeaning.REJECTED),
}


def meaning(status: str) -> StatusMeaning:
    """Say what a status string of the venue means, documented or not."""
    known = DOCUMENTED.get(status)
    if known is not None:
        return known
    if status.endswith("Canceled"):
        return StatusMeaning.CANCELLED
    if status.endswith("Rejected"):
        return StatusMeaning.REJECTED
    return StatusMeaning.UNKNOWN
