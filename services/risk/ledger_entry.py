"""One order of ours in risk's ledger: what of it may still fill, at its worst."""

from dataclasses import dataclass
from typing import Final

from common.messages import OrderIntent
from common.units import Lots, Millis, Nanos

UNCAPPED: Final = 1 << 62


@dataclass(slots=True, kw_only=True)
class Entry:
    """Counts `total`, less its fills, never more than `cap`.

    `total` is its full size while it may live, and what the venue says was filled once it is gone. `cap` is what
    the venue listed as remaining, from an account state on that was asked for later: fills before it are held there.
    """

    order: OrderIntent
    expires_after: Millis
    noticed_at: Nanos  # signed, or last shown by the venue
    signed_at: Nanos = Nanos(0)
    shown: bool = False  # the venue named it at least once
    missing: bool = False  # shown once, absent or odd now
    oid: int | None = None
    filled: int = 0  # by fills that were heard
    total: int = -1
    cap: int = UNCAPPED
    listed: int = 0
    listed_at: Nanos | None = None
    gone_ms: Millis | None = None  # the venue's time of its end
    expired_at: Nanos | None = None  # when its expiry plus margin was seen to have passed
    unknown: int = 0  # answers "unknownOid" after that
    word: str = ""  # what was last heard of it: the venue's status, or the proof that it never arrived
    ended: int | None = None  # lots that it filled in all, by the venue's word of its end

    def __post_init__(self) -> None:
        if self.total < 0:
            self.total = self.order.lots

    @property
    def leaves(self) -> Lots:
        return Lots(max(0, min(self.total - self.filled, self.cap)))
