"""Models are found by name; the worked example is one; risk aversion is solved."""

import pytest

from common.errors import ConfigFault
from services.strategy import models
from services.strategy.models import glft
from services.strategy.models.interface import Setup, solve_gamma
from tests.market import SETTINGS
from tests.services.strategy import example_model


def test_by_name() -> None:
    """A built-in one by its short name, anybody's by the module's."""
    assert models.load("glft") is glft.quote
    assert models.load("tests.services.strategy.example_model") is example_model.quote


@pytest.mark.parametrize("name", ["nonsense", "services.strategy.market", "os.nothing"])
def test_what_is_no_strategy(name: str) -> None:
    """One error that names the setting and what there is."""
    with pytest.raises(ConfigFault, match=r"strategy.model: .* glft, avellaneda_stoikov, symmetric"):
        models.load(name)


def test_the_reference_is_the_estimators_prior() -> None:
    """1 bp per sqrt(second), 0.2 a second, 1.3 per bp, twelve orders of 500 USD."""
    setup = Setup.of(SETTINGS, "BTC")
    assert setup.sigma_bps == pytest.approx(1)
    assert (setup.arrival.a_per_s, setup.arrival.k_per_bps, setup.orders_at_limit) == (0.2, 1.3, 12)


def test_bisection() -> None:
    """To the last digits of anything that grows."""
    assert solve_gamma(lambda gamma: gamma**2, 2.0) == pytest.approx(2**0.5, rel=1e-12)
