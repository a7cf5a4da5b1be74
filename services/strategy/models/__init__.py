"""Strategies, each one module with one pure function; `[strategy] model` names the module.

To add one, write a module anywhere on the import path, for example `house_models/touch_follower.py`:

    from common.units import Side
    from services.strategy.models.interface import Distances, Setup, View

    def quote(view: View, setup: Setup) -> Distances:
        share = setup.chosen.parameters["share"]                       # of the touch's own half-spread
        market = view.market
        touch_bps = (market.ask - market.bid) / market.mid_ticks * 5_000
        parts = {side: {"touch": share * touch_bps} for side in Side}  # each part is published under its name
        return Distances(parts=parts, skew=-setup.chosen.full_inventory_shift * touch_bps * view.inventory)

and name it, with its parameters, in the configuration:

    [strategy]
    model = "house_models.touch_follower"
    [strategy.parameters]
    share = 1.5

Fees, adverse selection, latency and the other premia, the ladder, limits and guards are not its business: they are
added for every strategy alike. What is no number is never quoted (`bad_model`).
"""

from importlib import import_module
from typing import cast

from common.errors import ConfigFault
from common.sections import BUILT_IN_MODELS
from services.strategy.models.interface import Model


def load(name: str) -> Model:
    """Return the strategy of this name; ConfigFault names what there is."""
    path = f"{__name__}.{name}" if name in BUILT_IN_MODELS else name
    try:
        return cast("Model", import_module(path).quote)
    except (ImportError, AttributeError, ValueError) as fault:
        known = ", ".join(BUILT_IN_MODELS)
        raise ConfigFault(
            f"strategy.model: {name!r} is none of {known}, and no module with a function `quote`: {fault}"
        ) from fault
