"""A leader that falls silent, is wrong, or talks nonsense. Pure."""

from decimal import Decimal
from itertools import cycle
from typing import Final

import msgspec

from common.units import Millis
from services.venue_sim import faults
from services.venue_sim.armoury import Armoury
from services.venue_sim.streams import Led, Say
from services.venue_sim.venue import Effect

# In turn: cut off, no numbers, crossed, of nobody, no JSON, longer than any client takes.
NONSENSE: Final = ("cut", "nan", "crossed", "stranger", "noise", "flood")


class FailingLeader:
    """Spoils what the leader says."""

    def __init__(self, armoury: Armoury) -> None:
        self._armoury = armoury
        self._nonsense = cycle(NONSENSE)

    def take(self, say: Say, now: Millis) -> list[Effect]:
        """Take one price of the leader; return what is sent."""
        for armed, stalled in self._armoury.of(faults.LeaderStall, now):
            if _fits(stalled, say) and self._armoury.strikes(armed):
                return []
        text = say.text
        for armed, wrong in self._armoury.of(faults.LeaderWrong, now):
            if _fits(wrong, say) and self._armoury.strikes(armed):
                factor = 1 + Decimal(wrong.bps) / 10_000
                text = _priced(text, bid=factor, ask=factor)
        for armed, senseless in self._armoury.of(faults.LeaderNonsense, now):
            if _fits(senseless, say) and self._armoury.strikes(armed):
                text = _senseless(text, next(self._nonsense))
        return [Say(say.connection, text, say.about)]


def _fits(fault: faults.LeaderFault, say: Say) -> bool:
    assert isinstance(say.about, Led)
    return fault.coin in ("", say.about.coin)


def _priced(text: bytes, *, bid: Decimal, ask: Decimal) -> bytes:
    tree = msgspec.json.decode(text)
    for key, factor in (("b", bid), ("a", ask)):
        tree["data"][key] = f"{Decimal(tree['data'][key]) * factor:.8f}"
    return msgspec.json.encode(tree)


def _senseless(text: bytes, kind: str) -> bytes:
    match kind:
        case "cut":
            return text[: len(text) // 2]
        case "nan":
            return text.replace(b'"b":"', b'"b":"NaN')
        case "crossed":
            return _priced(text, bid=Decimal("1.01"), ask=Decimal(1))
        case "stranger":
            return text.replace(b'"s":"', b'"s":"NOT')
        case "noise":
            return b"\x00nonsense" * 20
        case _:
            return text + b" " * 100_000
