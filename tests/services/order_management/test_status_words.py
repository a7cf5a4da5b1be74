"""Each status that the venue documents, as the last word on an order that rests."""

import pytest

from common.hyperliquid.statuses import DOCUMENTED
from common.messages.orders import OrderState as S
from services.order_management.facts import VenueFacts
from tests.services.order_management.parts import desk, listed, seconds, tracked, update

T = seconds(1)
LIVE = ("open", "accepted", "triggered")
GONE = (
    *("canceled", "marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled", "selfTradeCanceled"),
    *("reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled", "scheduledCancel"),
    *("outcomeSettledCanceled", "internalCancel"),
)
REFUSED = (
    *("rejected", "tickRejected", "minTradeNtlRejected", "perpMarginRejected", "reduceOnlyRejected"),
    *("badAloPxRejected", "iocCancelRejected", "badTriggerPxRejected", "marketOrderNoLiquidityRejected"),
    *("positionIncreaseAtOpenInterestCapRejected", "positionFlipAtOpenInterestCapRejected"),
    *("tooAggressiveAtOpenInterestCapRejected", "openInterestIncreaseRejected", "insufficientSpotBalanceRejected"),
    *("oracleRejected", "perpMaxPositionRejected", "minTradeSpotNtlRejected", "tooManyOpenOrdersRejected"),
)


@pytest.mark.parametrize(
    ("word", "state", "counts"),
    [
        *((word, S.RESTING, 500) for word in LIVE),
        *((word, S.CANCEL_CONFIRMED, 500) for word in GONE),
        *((word, S.REJECTED, 0) for word in REFUSED),
        ("filled", S.PARTIALLY_FILLED, 500),
        *((word, S.UNKNOWN, 500) for word in ("unknownOid", "somethingNobodyKnows", "", "OPEN")),
        *(("tomorrowCanceled", S.CANCEL_CONFIRMED, 500), ("tomorrowRejected", S.REJECTED, 0)),
    ],
)
def test_a_word_of_the_venue(word: str, state: S, counts: int) -> None:
    """A word that says it is gone ends nothing before its fills are here; an unknown one is doubt and a question."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING, oid=77)
    facts.on_updates(update(listed(order, left=400), word), T)
    assert order.state is state
    assert place.store.exposure["BTC"].pending_exposure() == (counts, 0)
    assert place.queries.pending(f"status {order.cloid}") is (state is S.UNKNOWN)


def test_every_documented_word_is_here() -> None:
    """The table of the house and this list are of the same words."""
    assert {*LIVE, *GONE, *REFUSED, "filled", "unknownOid"} == set(DOCUMENTED)
