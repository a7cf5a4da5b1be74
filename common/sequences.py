"""Sequence numbers of facts: what was published, what was heard, and which of it is missing.

A sequence runs per (sender, boot epoch, topic, coin). Nothing here touches a socket.
"""

from typing import Final

import msgspec

from common.messages import FULL_STATE, Envelope, Message, Snapshot, encode, key
from common.units import Nanos

FULL_STATE_TOPICS: Final = frozenset(kind.__name__ for kind in FULL_STATE)

_encoder = msgspec.msgpack.Encoder()


class Outbox:
    """What this service publishes: sequences per (topic, coin) and the last message of each full-state topic."""

    def __init__(self, service: str, epoch: int) -> None:
        self._service = service
        self._epoch = epoch
        self._sequences: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], tuple[bytes, bytes]] = {}

    def frames(self, message: Message, now: Nanos) -> list[bytes]:
        """Number, encode and remember one fact."""
        name, coin = type(message).__name__, key(message)
        sequence = self._sequences.get((name, coin), 0) + 1
        self._sequences[(name, coin)] = sequence
        envelope = self.envelope(sequence, now, coin)
        body = encode(message)
        if name in FULL_STATE_TOPICS:
            self._last[(name, coin)] = (envelope, body)
        return [name.encode() + b"\0", envelope, body]

    def envelope(self, sequence: int, now: Nanos, coin: str = "") -> bytes:
        return _encoder.encode(
            Envelope(sender=self._service, epoch=self._epoch, sequence=sequence, sent_at=now, key=coin)
        )

    def sequences(self) -> dict[str, int]:
        """Return what a heartbeat says of the full-state topics."""
        return {
            f"{name}/{coin}": sequence
            for (name, coin), sequence in self._sequences.items()
            if name in FULL_STATE_TOPICS and name != "Heartbeat"
        }

    def snapshot(self, request_id: int) -> Snapshot:
        return Snapshot(
            request_id=request_id,
            frames=tuple(
                (name.encode() + b"\0" + envelope, body) for (name, _), (envelope, body) in self._last.items()
            ),
        )


class Heard:
    """What has been heard of each (sender, topic, coin): newest wins, gaps are counted."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str, str], tuple[int, int]] = {}
        self._epochs: dict[str, int] = {}
        self.gaps = 0

    def take(self, name: str, envelope: Envelope) -> tuple[bool, int, bool]:
        """Return (deliver it, messages missed before it, sender has a new epoch)."""
        place = (envelope.sender, name, envelope.key)
        last = self._heard.get(place)
        if last is not None and (envelope.epoch, envelope.sequence) <= last:
            return False, 0, False
        self._heard[place] = (envelope.epoch, envelope.sequence)
        renewed = envelope.epoch > self._epochs.get(envelope.sender, -1)
        if renewed:
            self._epochs[envelope.sender] = envelope.epoch
        missed = 0
        if last is not None and last[0] == envelope.epoch:
            missed = envelope.sequence - last[1] - 1
            self.gaps += missed
        return True, missed, renewed

    def behind(self, sender: str, epoch: int, sequences: dict[str, int], topics: frozenset[str]) -> bool:
        """Say whether a heartbeat names a later message of these topics than any that was heard."""
        for place, sequence in sequences.items():
            name, _, coin = place.partition("/")
            if name in topics and self._heard.get((sender, name, coin), (0, 0)) < (epoch, sequence):
                return True
        return False
