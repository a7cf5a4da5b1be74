"""The venue's words: refusals as the live interface says them, and the order status each leaves.

Three layers: of one order (ends with the asset), of a whole payload before validation, of a whole action.
Where no source has the venue's text the line says "ours".
"""

from decimal import Decimal
from enum import StrEnum

from common.units import Micros


class Reject(StrEnum):
    """Per-order refusals; the member's name is irrelevant, `status` is what historicalOrders says."""

    TICK = "Price must be divisible by tick size."
    MIN_NOTIONAL = "Order must have minimum value of $10."
    MARGIN = "Insufficient margin to place order."
    REDUCE_ONLY = "Reduce only order would increase position."
    ALO = "Post only order would have immediately matched, bbo was"
    IOC = "Order could not immediately match against any resting orders."
    TRIGGER = "Invalid TP/SL price."
    NO_LIQUIDITY = "No liquidity available for market order."
    MAX_POSITION = "Order would cause position to exceed margin tier limit at current leverage"
    HALTED = "Trading is halted."  # ours
    INTEREST_INCREASE = "Order would increase open interest while open interest is capped."
    INTEREST_FLIP = "Order would increase open interest while open interest is capped. "  # same words, another status
    INTEREST_AGGRESSIVE = "Order rejected due to price more aggressive than oracle while at open interest cap."
    INTEREST_TOO_QUICK = "Order would increase open interest too quickly."
    MISSING = "Order was never placed, already canceled, or filled."

    @property
    def status(self) -> str:
        return STATUSES[self]

    def at(self, asset: int) -> str:
        return f"{self.value.rstrip()} asset={asset}"


STATUSES = {
    Reject.TICK: "tickRejected",
    Reject.MIN_NOTIONAL: "minTradeNtlRejected",
    Reject.MARGIN: "perpMarginRejected",
    Reject.REDUCE_ONLY: "reduceOnlyRejected",
    Reject.ALO: "badAloPxRejected",
    Reject.IOC: "iocCancelRejected",
    Reject.TRIGGER: "badTriggerPxRejected",
    Reject.NO_LIQUIDITY: "marketOrderNoLiquidityRejected",
    Reject.MAX_POSITION: "perpMaxPositionRejected",
    Reject.HALTED: "rejected",
    Reject.INTEREST_INCREASE: "positionIncreaseAtOpenInterestCapRejected",
    Reject.INTEREST_FLIP: "positionFlipAtOpenInterestCapRejected",
    Reject.INTEREST_AGGRESSIVE: "tooAggressiveAtOpenInterestCapRejected",
    Reject.INTEREST_TOO_QUICK: "openInterestIncreaseRejected",
}


# --- order life ------------------------------------------------------------------------------------

OPEN = "open"
FILLED = "filled"
CANCELED = "canceled"
TRIGGERED = "triggered"
MARGIN_CANCELED = "marginCanceled"
SELF_TRADE_CANCELED = "selfTradeCanceled"
REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
INTEREST_CANCELED = "openInterestCapCanceled"
SIBLING_CANCELED = "siblingFilledCanceled"
LIQUIDATED_CANCELED = "liquidatedCanceled"
DELISTED_CANCELED = "delistedCanceled"
SCHEDULED_CANCEL = "scheduledCancel"
NON_USER_CANCELS = (
    *(MARGIN_CANCELED, SELF_TRADE_CANCELED, SIBLING_CANCELED, LIQUIDATED_CANCELED),
    *(DELISTED_CANCELED, SCHEDULED_CANCEL),
)

# --- whole payload ---------------------------------------------------------------------------------

NO_ORDERS = "Orders are empty."
BAD_PRICE = "Order has invalid price."
BAD_SIZE = "Order has invalid size."
ZERO_SIZE = "Order has zero size."
TRIGGER_COUNT = "Unexpected number of trigger orders"
TRIGGER_NOT_REDUCE_ONLY = "TP/SL orders must be reduce only."  # ours
TOO_LARGE = "Order value too large"
TOO_MANY_OPEN = "Too many open orders."  # ours
DUPLICATE_CLOID = "Order has duplicate cloid."  # ours
POST_ONLY = "Only post-only orders allowed immediately after network upgrade"
DELISTED = "Asset is delisted."  # ours
WAITING_FOR_FILL = "waitingForFill"
WAITING_FOR_TRIGGER = "waitingForTrigger"

# --- whole action ----------------------------------------------------------------------------------

WEIGHT = "Signed action over weight limit of 200."
EXPIRED = "Action already expired"
UNKNOWN_ASSET = "Asset not listed."  # ours
DEAD_MODIFY = "Cannot modify canceled or filled order"
MODIFY_FAILED = "Error placing new order during modify: "
SCHEDULE_EARLY = "Scheduled cancel time too early, must be at least 5 seconds from now."
SCHEDULE_COUNT = "Scheduled cancel already triggered 10 times today."  # ours
SWITCH_MODE = "Cannot switch leverage type with open position."
NOT_ISOLATED = "Position does not use isolated margin."
BAD_LEVERAGE = "Invalid leverage value."  # ours
LEVERAGE_MARGIN = "Insufficient margin to change leverage."  # ours
ISOLATED_MARGIN = "Insufficient margin."  # ours
NO_BALANCE = "Insufficient balance for withdrawal."
BAD_SEND = "Invalid send"
NO_SPOT_BALANCE = "Insufficient spot balance asset={}"
BUILDER_UNAPPROVED = "Builder fee has not been approved"
BAD_BUILDER_FEE = "Invalid builder fee."  # ours
NO_REFERRER = "Referral code not registered"
MISSING_TWAP = "TWAP was never placed, already canceled, or filled."
NO_TWAP = "TWAP orders are not available."  # ours: the venue has them


def price_band(percent: int) -> str:
    return f"Order price cannot be more than {percent}% away from the reference price"


def bad_alo(bid: str, ask: str, asset: int) -> str:
    return f"{Reject.ALO.value} {bid}@{ask}. asset={asset}"


def unknown_wallet(signer: str) -> str:
    return f"User or API Wallet {signer} does not exist."


def must_deposit(user: str) -> str:
    return f"Must deposit before performing actions. User: {user}"


def vault_not_registered(vault: str) -> str:
    return f"Vault not registered: {vault}"


def duplicate_nonce(nonce: int) -> str:
    return f"Invalid nonce: duplicate nonce {nonce}"


def nonce_too_low(nonce: int, least: int) -> str:
    return f"Invalid nonce: nonce too low {nonce} < {least}"


def nonce_too_high(nonce: int, most: int) -> str:
    return f"Invalid nonce: nonce too high {nonce} > {most}"  # ours


def budget_spent(used: int, cap: int, volume: Micros) -> str:
    return (
        f"Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${usd(volume)}. "
        "Place taker orders to free up 1 request per USDC traded."
    )


def schedule_gate(required: Micros, volume: Micros) -> str:
    return (
        "Cannot set scheduled cancel time until enough volume traded. "
        f"Required: ${plain(Decimal(required).scaleb(-6))}. Traded: ${usd(volume)}."
    )


def usd(micros: Micros) -> str:
    """Cents, rounded down."""
    return f"{micros // 1_000_000}.{micros // 10_000 % 100:02}"


def plain(number: Decimal) -> str:
    """No exponent and no trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
