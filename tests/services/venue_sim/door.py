"""A short language for stories at the venue's door: requests and frames in, answers out."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

import msgspec

from common import witness
from common.config import Network
from common.hyperliquid.signing import SigningKey, user_signed_digest
from common.units import Millis
from services.venue_sim.core import Exchange
from services.venue_sim.faulty_venue import FaultyVenue
from services.venue_sim.rules import ExchangeConfig
from services.venue_sim.streams import Drop, Say
from services.venue_sim.venue import Effect, HttpAnswer, Made, Market, Settings, Venue
from tests.services.venue_sim.stage import BLOCK_MS, START_MS, config

ALICE: Final = SigningKey(b"\x01" * 32)
BOB: Final = SigningKey(b"\x02" * 32)
AGENT: Final = SigningKey(b"\x03" * 32)
CLOID: Final = "0x" + "c1" * 16


class Quiet(Market):
    """A market in which nobody trades."""

    def step(self, exchange: Exchange, now_ms: int) -> None:
        """Do nothing."""


def limit(
    price: str, size: str, *, buy: bool = True, tif: str = "Gtc", asset: int = 0, cloid: str | None = None
) -> dict[str, Any]:
    """Return one order in canonical form."""
    order = {"a": asset, "b": buy, "p": price, "s": size, "r": False, "t": {"limit": {"tif": tif}}}
    return order if cloid is None else {**order, "c": cloid}


def place(*orders: dict[str, Any]) -> dict[str, Any]:
    return {"type": "order", "orders": list(orders), "grouping": "na"}


def cancel(*oids: int, asset: int = 0) -> dict[str, Any]:
    return {"type": "cancel", "cancels": [{"a": asset, "o": oid} for oid in oids]}


def signed(
    key: SigningKey,
    action: Mapping[str, object],
    nonce: int,
    *,
    network: Network = Network.TESTNET,
    expires_after: int | None = None,
    vault: str | None = None,
    sent: object = None,
) -> bytes:
    """Return a body; `sent` replaces the action in it after it was signed."""
    signature = key.sign_l1(action, nonce, network, vault=vault, expires_after=expires_after)
    body = {
        "action": action if sent is None else sent,
        "nonce": nonce,
        "signature": msgspec.to_builtins(signature),
        "vaultAddress": vault,
        "expiresAfter": expires_after,
    }
    return msgspec.json.encode(body)


def user_signed(key: SigningKey, action: Mapping[str, object], nonce: int) -> bytes:
    """Return the body of an action that the account's own key signs as typed data."""
    signature = msgspec.to_builtins(key.sign_digest(user_signed_digest(action)))
    return msgspec.json.encode({"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None})


class Door:
    """One venue on virtual time; every account is opened by the first query that names it."""

    def __init__(
        self,
        settings: Settings | None = None,
        exchange_config: ExchangeConfig | None = None,
        *,
        exchange: Exchange | None = None,
        now: int = START_MS,
        faults: bool = False,
    ) -> None:
        self.now = Millis(now)
        chosen = exchange_config or config()
        self.exchange = exchange or Exchange(chosen, now)
        self.venue = Venue(settings or Settings(), chosen, self.exchange, Quiet())
        self.front = FaultyVenue(self.venue, Random(1)) if faults else self.venue  # what clients meet
        self.nonce = now
        self.made: Made | None = None
        self._tickets = 0
        self._answers: dict[int, HttpAnswer] = {}
        self._said: dict[int, list[Any]] = {}
        self.dropped: dict[int, str] = {}
        self.block()

    def fault(self, name: str, /, **parameters: object) -> int:
        """Arm a fault, or have a deed done."""
        assert isinstance(self.front, FaultyVenue)
        number, effects = self.front.arm(name, parameters, self.now)
        self._take(effects)
        return number

    def clear(self, number: int | None = None) -> "Door":
        assert isinstance(self.front, FaultyVenue)
        self.front.clear(number, self.now)
        return self

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case HttpAnswer():
                    self._answers[effect.ticket] = effect
                case Say(connection=number, text=text):
                    self._said.setdefault(number, []).append(msgspec.json.decode(text))
                case Drop(connection=number, reason=reason):
                    self.dropped[number] = reason

    def block(self, after_ms: int = BLOCK_MS, count: int = 1) -> "Door":
        for _ in range(count):
            self.now = Millis(self.now + after_ms)
            self.made = self.front.step(self.now)
            self._take(self.made.effects)
        return self

    def wait(self, milliseconds: int) -> "Door":
        """Let time pass without a block."""
        self.now = Millis(self.now + milliseconds)
        self._take(self.front.release(self.now))
        return self

    # --- HTTP ---

    def post(self, path: str, body: bytes) -> int:
        self._tickets += 1
        self._take(self.front.request(self._tickets, "POST", path, body, self.now))
        return self._tickets

    def answer(self, ticket: int) -> tuple[int, str]:
        """Return status and text of an answer; KeyError while there is none."""
        answer = self._answers[ticket]
        return answer.status, answer.body.decode()

    def ask(self, kind: str, **fields: object) -> Any:
        """Ask /info; return the JSON."""
        status, text = self.answer(self.post("/info", msgspec.json.encode({"type": kind, **fields})))
        assert status == 200, text
        return msgspec.json.decode(text)

    def send(self, key: SigningKey, action: Mapping[str, object], **fields: Any) -> int:
        """Post a signed action; return its ticket."""
        self.nonce += 1
        return self.post("/exchange", signed(key, action, self.nonce, **fields))

    def do(self, key: SigningKey, action: Mapping[str, object], **fields: Any) -> Any:
        """Post a signed action, make a block, return the answer's JSON."""
        ticket = self.send(key, action, **fields)
        self.block()
        status, text = self.answer(ticket)
        assert status == 200, text
        return msgspec.json.decode(text)

    def do_signed(self, key: SigningKey, kind: str, *, stamp: str = "nonce", **fields: object) -> Any:
        """Post an action that the account's own key signs, make a block, return the answer's JSON."""
        self.nonce += 1
        chain = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
        action = {"type": kind, **chain, **fields, stamp: int(self.nonce)}
        ticket = self.post("/exchange", user_signed(key, action, int(self.nonce)))
        self.block()
        status, text = self.answer(ticket)
        assert status == 200, text
        return msgspec.json.decode(text)

    def meet(self, *keys: SigningKey) -> "Door":
        """Have accounts opened and funded."""
        for key in keys:
            self.ask("clearinghouseState", user=key.address, dex="")
        return self.block()

    def rest(self, key: SigningKey, *orders: dict[str, Any]) -> list[int]:
        """Place orders that rest; return their oids."""
        statuses = self.do(key, place(*orders))["response"]["data"]["statuses"]
        return [status["resting"]["oid"] for status in statuses]

    # --- WebSocket ---

    def open(self, number: int) -> "Door":
        self._take(self.front.open(number, self.now))
        return self

    def close(self, number: int) -> "Door":
        self.front.close(number, "gone", self.now)
        return self

    def say(self, number: int, frame: object) -> "Door":
        text = frame if isinstance(frame, str) else msgspec.json.encode(frame).decode()
        self._take(self.front.text(number, text, self.now))
        return self

    def subscribe(self, number: int, **subscription: object) -> "Door":
        return self.say(number, {"method": "subscribe", "subscription": subscription})

    def heard(self, number: int) -> list[Any]:
        """Return the messages since the last call."""
        return self._said.pop(number, [])

    def channels(self, number: int) -> list[str]:
        return [message["channel"] for message in self.heard(number)]

    # --- the log ---

    def log(self) -> list[witness.AnyLine]:
        """Return the witness lines since the last call."""
        return [witness.decode(line) for line in self.front.take_log().splitlines(keepends=True)]
