"""Two thousand orders of a real mesh while 5 % of the answers never come; the venue judges."""

from functools import partial
from typing import Final

import pytest

from common.witness_check import check
from tests.mesh.trial import MANY_ORDERS, Trial

pytestmark = pytest.mark.mesh

SIZES: Final = {"leverage": 10, "order_usd": 200.0, "max_order_usd": 2_000.0, "max_position_usd": 6_000.0}
CHANGES = {
    "venue_sim": {"faults": True, "trade_rate": 2.0},
    # many small orders that are requoted at nearly every price, and limits that let them
    "coins": {"BTC": {"asset": 0, "size_decimals": 5, **SIZES}, "ETH": {"asset": 1, "size_decimals": 4, **SIZES}},
    "strategy": {"levels": 10, "level_ratio": 1.2},
    "orders": {"price_tolerance": 0.001, "queue_tolerance": 0.001},
    "risk": {"max_open_orders": 200, "max_orders_per_s": 1_000.0, "orders_burst": 10_000, "max_repeats": 1_000},
    "signer": {"max_signatures_per_s": 1_000.0},
    "canceller": {"max_cancels_per_s": 1_000},
    "monitors": MANY_ORDERS,
}
ORDERS: Final = 2_000
PROGRESS: Final = 100  # orders that must not take longer than:
PROGRESS_S_MAX: Final = 15  # an idle machine needs 3 s


def test_lost_acks(trial: Trial) -> None:
    """5 % of all answers to actions never come, over 2,000 orders."""
    began = trial.accepted()
    trial.fault("lose_ack", share=0.05)
    for orders in range(PROGRESS, ORDERS + 1, PROGRESS):
        trial.wait(f"{orders} orders", partial(trial.has_placed, began + orders), PROGRESS_S_MAX)
    assert trial.struck() >= 15
    trial.check()
    report = check(trial.mesh.judge.refresh().lines)
    assert report.ok, report.findings[:5]
