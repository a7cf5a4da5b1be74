"""What clients ask at /info, typed; which fields a type needs is checked by its answer."""

from typing import Any

import msgspec

from services.venue_sim.schema import Address, Cloid, Uint


class CandleRange(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    interval: str
    start_time: Uint
    end_time: Uint | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Every field that any /info type has; what a type needs is checked by its answer."""

    type: str
    user: Address | None = None
    coin: str | None = None
    dex: str | None = None
    oid: Uint | Cloid | None = None
    start_time: Uint | None = None
    end_time: Uint | None = None
    reversed: bool | None = None
    aggregate_by_time: bool | None = None
    n_sig_figs: int | None = None
    mantissa: int | None = None
    req: CandleRange | None = None
    builder: Address | None = None

    # --- fields that must be there; ValueError otherwise ---

    @property
    def needed_user(self) -> str:
        return str(needed(self.user, "user")).lower()

    @property
    def needed_coin(self) -> str:
        return str(needed(self.coin, "coin"))

    @property
    def needed_start(self) -> int:
        return int(needed(self.start_time, "startTime"))

    @property
    def end(self) -> int:
        return self.end_time if self.end_time is not None else 2**63 - 1


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`http` 200 and JSON, or an error and plain text. `items`: how long the answer is, for its weight."""

    http: int
    data: Any  # JSON tree, or the text of an error
    kind: str = ""
    items: int = 0


def needed(value: Any, field: str) -> Any:
    """Return a field that must be there; ValueError with the venue's text otherwise."""
    if value is None:
        raise ValueError(f"missing field `{field}`")
    return value
