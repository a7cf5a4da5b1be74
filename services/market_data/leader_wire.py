"""What the leader's stream says: Binance's bookTicker on a combined stream, of futures or spot. Pure.

Rules
  1. A frame is a price of a configured coin with positive sizes and bid below ask, newer than the coin's last one on
     this connection, or a PeerFault that says what is wrong with it. Nothing else is ever raised.
"""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from common.errors import PeerFault
from common.messages import LeaderTop
from common.sections import Leader
from common.units import Nanos

LOCAL: Final = "/leader"  # where the local venue has its own leader

# No exponent, sign, NaN or infinity; 32 digits are more than any market has.
Number: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{1,16}(\.[0-9]{1,16})?$", max_length=33)]


class Ticker(msgspec.Struct, frozen=True):
    """Best bid b with size B, best ask a with size A, after update u; more fields come with futures."""

    s: str
    b: Number
    B: Number
    a: Number
    A: Number
    u: int


class Combined(msgspec.Struct, frozen=True):
    data: Ticker


_combined: Final = msgspec.json.Decoder(Combined)


def stream_url(leader: Leader, venue_url: str) -> str:
    """Return where the leader speaks of all its coins; `venue_url` is the local venue's, where it is the leader."""
    at = leader.url or venue_url.replace("http", "ws", 1) + LOCAL
    return at.rstrip("/") + stream_path(leader)


def stream_path(leader: Leader) -> str:
    return "/stream?streams=" + "/".join(f"{symbol}@bookTicker" for symbol in leader.symbols.values())


class LeaderReader:
    """Reads one connection."""

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self._coins = {symbol: coin for coin, symbol in symbols.items()}
        self._updates: dict[str, int] = {}  # by coin

    def read(self, raw: bytes, received_at: Nanos) -> LeaderTop:
        """Return the price in a frame (rule 1)."""
        try:
            said = _combined.decode(raw).data
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PeerFault(f"leader: {error}") from error
        coin = self._coins.get(said.s.lower())
        if coin is None:
            raise PeerFault(f"leader: speaks of {said.s[:32]!r}, which was not asked for")
        bid, bid_size, ask, ask_size = map(float, (said.b, said.B, said.a, said.A))
        if not 0 < bid < ask or min(bid_size, ask_size) <= 0:
            raise PeerFault(f"leader: {coin} is no market: {said.B} @ {said.b}, {said.A} @ {said.a}")
        if said.u < self._updates.get(coin, said.u):
            raise PeerFault(f"leader: {coin} update {said.u} came after {self._updates[coin]}")
        self._updates[coin] = said.u
        return LeaderTop(coin=coin, bid=bid, ask=ask, received_at=received_at)
