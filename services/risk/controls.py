"""The catalogue of controls, and which of them a refusal or a restraint is counted under.

Rules
  1. Every refusal of the gate and every monitor belongs to exactly one control.
  2. An order that only the posture refuses counts under the control that set this posture.
"""

from enum import StrEnum, unique
from typing import Final

from services.risk.gate import VetoCode


@unique
class Control(StrEnum):
    """Numbered as in the catalogue that operators and auditors read."""

    PRICE_COLLAR = "C1"
    PRICE_COLLAR_PERIOD = "C2"
    ORDER_NOTIONAL = "C3"
    ORDER_QUANTITY = "C4"
    MESSAGE_RATE = "C5"
    VENUE_BUDGET = "C6"
    REPEATED_EXECUTION = "C7"
    DUPLICATE_ORDER = "C8"
    POSITION = "C9"
    OPEN_ORDERS = "C10"
    MARGIN = "C11"
    LOSS = "C12"
    SELF_MATCH = "C13"
    ALLOW_LIST = "C14"
    CONFORMITY = "C15"
    DATA_STALENESS = "C16"
    POSITION_VELOCITY = "C17"
    REJECT_RATE = "C18"
    RECONCILIATION = "C19"
    AUTHORISATION = "C20"
    KILL = "C21"
    DEAD_MAN = "C22"
    SOFTWARE_VERSION = "C26"
    SURVEILLANCE = "C27"
    SELF_TEST = "C28"


CONTROL_OF_CODE: Final[dict[VetoCode, Control]] = {
    VetoCode.LATE: Control.DATA_STALENESS,
    VetoCode.OLD_EPOCH: Control.AUTHORISATION,
    VetoCode.NOT_RECONCILED: Control.RECONCILIATION,
    VetoCode.NOT_READY: Control.RECONCILIATION,
    VetoCode.HALTED: Control.KILL,
    VetoCode.STOPPING: Control.KILL,
    VetoCode.VENUE_CLOCK: Control.DATA_STALENESS,
    VetoCode.TARGET_LAPSED: Control.DATA_STALENESS,
    VetoCode.BATCH: Control.ALLOW_LIST,
    VetoCode.COIN: Control.ALLOW_LIST,
    VetoCode.TIME_IN_FORCE: Control.CONFORMITY,
    VetoCode.PRICE: Control.CONFORMITY,
    VetoCode.SIZE: Control.CONFORMITY,
    VetoCode.MIN_NOTIONAL: Control.CONFORMITY,
    VetoCode.CLOID: Control.AUTHORISATION,
    VetoCode.DUPLICATE: Control.DUPLICATE_ORDER,
    VetoCode.UNKNOWN_ORDER: Control.DUPLICATE_ORDER,
    VetoCode.REPEAT: Control.DUPLICATE_ORDER,
    VetoCode.REFERENCE: Control.DATA_STALENESS,
    VetoCode.PRICE_BAND: Control.PRICE_COLLAR,
    VetoCode.ORDER_NOTIONAL: Control.ORDER_NOTIONAL,
    VetoCode.DEPTH: Control.ORDER_QUANTITY,
    VetoCode.VOLUME: Control.ORDER_QUANTITY,
    VetoCode.OPEN_ORDERS: Control.OPEN_ORDERS,
    VetoCode.RESTING: Control.OPEN_ORDERS,
    VetoCode.SELF_CROSS: Control.SELF_MATCH,
    VetoCode.POSITION: Control.POSITION,
    VetoCode.ACCOUNT: Control.POSITION,
    VetoCode.MARGIN: Control.MARGIN,
    VetoCode.RATE: Control.MESSAGE_RATE,
    VetoCode.SIGNER: Control.SELF_TEST,
}

# Rule 2
BY_POSTURE: Final = frozenset({VetoCode.POSTURE, VetoCode.REDUCE_ONLY})
