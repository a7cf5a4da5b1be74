"""What estimation says reaches its metrics; what it does not know disappears."""

from services.metrics.core import MetricsCore
from tests.script import Script
from tests.services.metrics.estimate_samples import MARKOUT, flow, leader, markouts, volatility
from tests.services.metrics.samples import BTC, estimate


def test_a_process_that_is_not_ready_has_no_parameters() -> None:
    """Zeros of an unready estimator are no measurement."""
    core = MetricsCore({"BTC": BTC})
    Script(core).send(volatility(), volatility(ready=False)).expect()
    assert core.gauges["mm_variance_process"] == {}
    assert core.gauges["mm_sigma_variant_per_sqrt_second"][("BTC", "slow")] == 2.0


def test_what_is_stale_is_absent() -> None:
    """VPIN of a minute ago, a leader that never spoke, a markout that no fill has, an error of one sample."""
    core = MetricsCore({"BTC": BTC})
    Script(core).send(leader(), leader(age_ms=None)).expect()
    assert core.gauges["mm_leader_price_age_seconds"] == {}
    Script(core).send(flow(), flow(vpin=None), markouts(), markouts(error=None, placement_samples=0.0)).expect()
    assert core.gauges["mm_vpin"] == {}
    assert core.gauges["mm_markout_bps"] == {(*MARKOUT, "fill"): 1.5}
    assert core.gauges["mm_markout_error_bps"] == {(*MARKOUT, "fill"): 0.5}


def test_one_regime_at_a_time() -> None:
    """The others are 0, so that a graph shows when each was left."""
    core = MetricsCore({"BTC": BTC})
    Script(core).send(estimate()).expect()
    assert sum(core.gauges["mm_regime"].values()) == 1.0
    assert core.gauges["mm_regime"][("BTC", "normal")] == 1.0
