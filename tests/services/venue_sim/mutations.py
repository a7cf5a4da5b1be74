"""Nonsense for the venue's door: valid requests with something broken in them, drawn from a seed."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import msgspec

from common.errors import PeerFault
from common.hyperliquid.signing import SigningKey
from tests.services.venue_sim.door import ALICE, BOB, CLOID, cancel, limit, place, signed

VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, 1e308),
    *("", "0", "-0", "-1", "1e5", "0.00000001", "0.000000001", "NaN", "Infinity", "9" * 20, "9" * 400, "BTC", "NOPE"),
    *("\u0000", "\ud83d", "\u202e", "0x", "0x" + "f" * 40, "0x" + "0" * 40, "0x" + "f" * 32, "Gtc", "tp", "1" * 5_000),
    *([], {}, [[]], [None], {"": None}, {"p": 1}, {"limit": {"tif": "Ioc"}}, [[[[[[[[[[]]]]]]]]]]),
)
TOKENS: Final = (
    b"null",
    b"1e999",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
)
DEEP: Final = b"[" * 20_000
STOP: Final = {"trigger": {"isMarket": True, "triggerPx": "90000", "tpsl": "sl"}}
MODIFIES: Final = [{"oid": CLOID, "order": limit("90000", "0.01")}]
ACTIONS: Final[tuple[dict[str, Any], ...]] = (
    place(limit("90000", "0.01", cloid=CLOID), limit("100000", "0.01", buy=False, tif="Ioc")),
    place({**limit("90000", "0.01", buy=False), "r": True, "t": STOP}),
    {**place(limit("90000", "0.01", tif="Alo")), "grouping": {"p": 1}, "builder": {"b": "0x" + "b" * 40, "f": 1}},
    {"type": "order", "orders": [limit("90000", "0.01"), {**limit("1", "1"), "t": STOP}], "grouping": "normalTpsl"},
    cancel(1, 2, 3),
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}], "f": True},
    {"type": "modify", "oid": 5, "order": limit("90000", "0.01")},
    {"type": "batchModify", "modifies": MODIFIES, "a": True},
    {"type": "scheduleCancel", "time": 1_700_000_000_000},
    {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5},
    {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 1_000_000},
    {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "5"},
    {"type": "reserveRequestWeight", "weight": 5},
    {"type": "createSubAccount", "name": "x"},
    {"type": "subAccountTransfer", "subAccountUser": "0x" + "1" * 40, "isDeposit": True, "usd": 5},
    {"type": "twapOrder", "twap": {"a": 0, "b": True, "s": "1", "r": False, "m": 5, "t": False}},
    {"type": "noop"},
)
USER: Final = BOB.address
QUESTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 1}},
    {"type": "orderStatus", "user": USER, "oid": 5},
    {"type": "orderStatus", "user": USER, "oid": CLOID},
    {"type": "userFillsByTime", "user": USER, "startTime": 0, "endTime": None, "aggregateByTime": True},
    {"type": "userFunding", "user": USER, "startTime": 0},
    {"type": "activeAssetData", "user": USER, "coin": "BTC"},
    {"type": "fundingHistory", "coin": "BTC", "startTime": 0},
    {"type": "maxBuilderFee", "user": USER, "builder": USER},
    {"type": "webData2", "user": USER},
    {"type": "meta", "dex": ""},
)
SUBSCRIPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
    {"type": "candle", "coin": "BTC", "interval": "1m"},
    {"type": "userFills", "user": USER, "aggregateByTime": True},
    {"type": "activeAssetData", "user": USER, "coin": "BTC"},
    {"type": "clearinghouseState", "user": USER, "dex": ""},
    {"type": "fastAssetCtxs"},
    {"type": "allMids"},
)


class Nonsense:
    """Draws requests; the same seed gives the same ones."""

    def __init__(self, seed: int, keys: tuple[SigningKey, ...] = (ALICE, BOB)) -> None:
        self._random = Random(seed)
        self._keys = keys
        self.nonce = 0  # of the next action; the caller sets it to venue time

    # --- requests ---

    def body(self) -> tuple[str, bytes]:
        """Return a path and what is posted to it."""
        if self._random.random() < 0.4:
            return "/info", self._bytes(self._tree(self._random.choice(QUESTIONS)))
        return "/exchange", self._action()

    def frame(self) -> bytes:
        """Return what is said on a WebSocket."""
        chance = self._random
        subscription = self._tree(chance.choice(SUBSCRIPTIONS))
        post: dict[str, Any] = {"method": "post", "id": chance.choice((1, 2**40))}
        frames = (
            {"method": chance.choice(("subscribe", "unsubscribe")), "subscription": subscription},
            {"method": "ping"},
            {**post, "request": {"type": "info", "payload": self._tree(chance.choice(QUESTIONS))}},
            {**post, "request": {"type": "action", "payload": json.loads(self._signed(chance.choice(ACTIONS)))}},
        )
        return self._bytes(self._tree(chance.choice(frames)))

    def _action(self) -> bytes:
        action = self._random.choice(ACTIONS)
        if self._random.random() < 0.5:
            return self._signed(self._tree(action))  # what nobody would ask for, but signed
        return self._bytes(self._tree(json.loads(self._signed(action))))

    def _signed(self, action: Any) -> bytes:
        self.nonce += 1
        key = self._random.choice(self._keys)
        try:
            return signed(key, action, self.nonce)
        except (PeerFault, msgspec.MsgspecError, UnicodeEncodeError, OverflowError):
            return signed(key, {"type": "noop"}, self.nonce, sent=action if json_ready(action) else 5)

    # --- what is broken in them ---

    def _tree(self, tree: Any) -> Any:
        """Replace, remove or add some parts of a JSON tree."""
        copy = json.loads(json.dumps(tree))
        for _ in range(self._random.choice((0, 1, 1, 2, 5))):
            places = list(_places(copy))
            if not places:
                break
            holder, key = self._random.choice(places)
            match self._random.randrange(4):
                case 0 if isinstance(holder, dict):
                    del holder[key]
                case 1 if isinstance(holder, dict):
                    holder[self._random.choice(("extra", "type", "user", "coin", ""))] = self._value()
                case _:
                    holder[key] = self._value()
        return copy

    def _value(self) -> Any:
        return json.loads(json.dumps(self._random.choice(VALUES)))

    def _bytes(self, tree: Any) -> bytes:
        """Encode a tree, sometimes badly."""
        text = json.dumps(tree).encode()
        for _ in range(self._random.choice((0, 0, 1, 3))):
            at = self._random.randrange(len(text) + 1)
            match self._random.randrange(5):
                case 0:
                    text = text[:at]
                case 1:
                    text = text[:at] + self._random.choice(TOKENS) + text[at:]
                case 2:
                    text = text[:at] + bytes([self._random.randrange(256)]) + text[at + 1 :]
                case 3:
                    text = text[:at] + text[at // 2 :]
                case _ if self._random.random() < 0.05:
                    text = text[:at] + DEEP + text[at:]
        return text


def json_ready(tree: Any) -> bool:
    """Say whether msgspec can write it."""
    try:
        msgspec.json.encode(tree)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError):
        return False
    return True


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Walk every holder and key of a tree."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
