"""The warning that orders could carry the position beyond a limit, should they all fill on one side."""

import msgspec

from common.actor import Effect, Record
from common.messages import FindingRecord
from common.units import Lots

KIND = "pending exposure"


class ExposureWarning(msgspec.Struct, frozen=True, kw_only=True):
    """One position and its open orders, where at least one worst case lies beyond the limit."""

    sides: str  # long, short or both
    position: Lots
    bid: Lots
    ask: Lots
    limit: Lots

    @property
    def text(self) -> str:
        worst_max, worst_min = self.position + self.bid, self.position - self.ask
        return (
            f"worst case beyond {self.limit} lots on {self.sides}: position {self.position}, bids {self.bid} "
            f"lead to {worst_max}, asks {self.ask} to {worst_min}"
        )


def check_pending_exposure_risk(position: Lots, bid: Lots, ask: Lots, limit: Lots) -> ExposureWarning | None:
    """Return a warning where a worst case is strictly beyond the limit."""
    long, short = position + bid > limit, ask - position > limit
    if not long and not short:
        return None
    sides = "both" if long and short else "long" if long else "short"
    return ExposureWarning(sides=sides, position=position, bid=bid, ask=ask, limit=limit)


def log_pending_exposure_warning(coin: str, warning: ExposureWarning) -> Effect:
    """Write the warning into the journal, where `mm` and people find it."""
    return Record(FindingRecord(kind=KIND, coin=coin, evidence=warning.text))
