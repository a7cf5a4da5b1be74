"""The worked example of services/strategy/models: quotes a multiple of the touch's own half-spread."""

from common.units import Side
from services.strategy.models.interface import Distances, Setup, View


def quote(view: View, setup: Setup) -> Distances:
    share = setup.chosen.parameters["share"]
    market = view.market
    touch_bps = (market.ask - market.bid) / market.mid_ticks * 5_000
    parts = {side: {"touch": share * touch_bps} for side in Side}
    return Distances(parts=parts, skew=-setup.chosen.full_inventory_shift * touch_bps * view.inventory)
