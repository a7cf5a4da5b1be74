"""The real risk and its real signer, one step at a time from any state that they can be in.

Rules
  1. `Core` is the process: risk's actor, its signer and its journal. It performs effects as the shell does, and stops
     before the signature of an order: whatever else may happen, may happen there.
  2. What a core does follows from its state and from what it is told, so each such step is made once and remembered.
"""

import hashlib
import io
import pickle
from collections import deque
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from common.actor import Ask, Effect, Post, Record, Send, Sign
from common.halt import HaltDir
from common.hyperliquid.signing import SigningKey
from common.messages import (
    Approval,
    DecisionRecord,
    HaltDirectory,
    HaltFile,
    Message,
    Posted,
    Signed,
    StreamUp,
    VenueOpenOrders,
    VenueTime,
    Wake,
)
from common.messages.venue import Modify, Noop, OpenOrdersQuery, OrderStatusQuery, Place
from common.units import SECOND, Nanos
from services.risk.audit import Kind
from services.risk.core import Inbox
from services.risk.signer import OrderSigner
from tests.services.risk.played_venue import VENUE_START
from tests.services.risk.scene import SETTINGS, Scene, bid, cloid, venue_order

EXPIRY_MS: Final = 2_000
ASKED_UNTIL: Final = 1  # seconds; later approvals are the same stories, told later
ONE_COIN: Final = msgspec.structs.replace(
    SETTINGS,
    coins={"BTC": SETTINGS.coins["BTC"]},
    orders=msgspec.structs.replace(SETTINGS.orders, order_expiry_ms=EXPIRY_MS, margin_ms=1_000),
    liveness=msgspec.structs.replace(SETTINGS.liveness, unit_ms=2_000),  # nobody falls silent in these seconds
)
FILE: Final = HaltDirectory(files=(HaltFile(name="a.json", cause="a person", by="cli"),))
KEY: Final = SigningKey(b"\x01" * 32)


class Placed(NamedTuple):
    """An order's signed bytes."""

    number: int
    nonce: int
    expires_ms: int


class Told(NamedTuple):
    """What came out of one step of a core."""

    placed: tuple[Placed, ...] = ()  # handed to order_management
    signed: bool = False  # an order, whoever got the bytes
    noops: frozenset[int] = frozenset()
    listing: bool = False  # the open orders were asked for


class Core(Scene):
    """Risk and its signer; `waiting` is the order before its signature."""

    def __init__(self, halt: HaltDir, rows: Iterable[Message] = (), **life: Any) -> None:  # life: of Scene
        super().__init__(rows, settings=ONE_COIN, **life)
        self.signer = OrderSigner(ONE_COIN, KEY, halt, self.clock)
        self.waiting: Sign | None = None
        self.online = False  # from then on posts and lists take their time
        self.consulted = False  # the venue was asked for an order by its name
        self._made: dict[int, Sign] = {}
        self._told: dict[str, Any] = {}

    def clock(self) -> Nanos:
        return self.now

    def send(self, *messages: Inbox) -> list[Effect]:
        """As a scene does; the signer hears what the venue says."""
        inner: deque[Inbox] = deque(messages)
        while inner:
            message = inner.popleft()
            self.signer.observe(message)
            for effect in self.risk.handle(message, self.now):
                inner.extendleft(reversed(self.perform(effect)))
        return []

    def perform(self, effect: Effect) -> list[Inbox]:
        match effect:
            case Sign(action=Place() | Modify()) if self.online:
                self.waiting = effect
                return []
            case Sign() if self.online:
                self._made[effect.sign_id] = effect
                return [self.signer.sign(effect)]
            case Post() if self.online:
                self._on_post(self._made.pop(effect.post_id))
                return []
            case Ask(query=OpenOrdersQuery()) if self.online:
                self._told["listing"] = True
                return []
            case Ask(query=OrderStatusQuery()):
                self.consulted = True
                return super().perform(effect)
            case Send(message=Approval(body=body) as answer) if body:
                made = Placed(int(answer.approved[0][18:30], 16), answer.nonce, answer.expires_after)
                self._told["placed"] = (made,)
                return []
            case Record():
                self.rows.append(effect.row)
                return []
            case _:
                answers = super().perform(effect)
                for kept in (self.sent, self.posts, self.asks, self.performed, self.signs):
                    kept.clear()
                return answers

    def sign(self) -> None:
        """Go on with the signature."""
        assert self.waiting is not None
        effect, self.waiting = self.waiting, None
        answer = self.signer.sign(effect)
        self._told["signed"] = isinstance(answer, Signed)
        self.send(answer)

    def tick(self, *, alive: bool) -> None:
        """A second has passed; nobody but the venue needs to speak once nothing is asked for any more."""
        if alive:
            self.live()
        self.send(VenueTime(venue_ms=self.venue_ms, resolution_ms=1), Wake())

    def state_now(self) -> tuple[object, ...]:
        """Return what its next steps depend on; left out are counters, and once it is halted what approvals need."""
        risk, facts = self.risk, self.risk._facts
        halting, decisions, turn = risk._halting, facts.decisions, risk._watch._audit._turns[Kind.ORDERS]
        apart = {"_decisions", "_cancel_at"}
        contained = tuple(value for key, value in vars(halting.containment).items() if key not in apart)
        orders = tuple(
            (e.order.cloid, e.shown, e.missing, e.unknown, e.expired_at, e.gone_ms, e.leaves)
            for e in facts.ledger.entries()
        )
        opened = tuple(one.nonce for one in decisions.open())
        burning = {action.nonce for action in risk._own._posting.values()} & set(opened)
        trading = (decisions.last_nonce, tuple(decisions._nonces), facts.board.level("BTC"), self.signer._last_nonce)
        return (
            *(halting.halted, halting._notice_until, contained, orders, opened, sorted(burning)),
            *(() if halting.halted else trading),
            *(risk._readiness.burning, tuple(risk._duties._burner._next.items()), risk._watch._recovery.missing),
            *(turn.due_at, turn.asked_at, turn.query_id is None, self.waiting and self.waiting.nonce),
            tuple(row.nonce for row in self.rows if isinstance(row, DecisionRecord)),
        )

    def hear(self, asked_at: int, numbers: frozenset[int]) -> None:
        """The venue answers what was asked last for the open orders."""
        query_id = self.risk._watch._audit._turns[Kind.ORDERS].query_id
        if query_id is not None:
            orders = tuple(venue_order(bid(number), number) for number in sorted(numbers))
            self.send(VenueOpenOrders(query_id=query_id, orders=orders, asked_at=Nanos(asked_at)))

    def burned(self, nonce: int, *, taken: bool) -> None:
        """The venue answers a noop."""
        posts = [post_id for post_id, action in self.risk._own._posting.items() if action.nonce == nonce]
        error = "" if taken else f"Invalid nonce: duplicate nonce {nonce}"
        self.send(*(Posted(post_id=post_id, error=error) for post_id in posts[:1]))

    def reborn(self, halt: HaltDir) -> "Core":
        """A new process with the same journal, which reads the directory before anything else."""
        life = Core(halt, self.rows, epoch=8, now=self.now, directory=self.directory)
        life.statuses, life.online = self.statuses, True
        life.send(life.directory, StreamUp(connection=2))
        life.live()
        return life

    def taken(self) -> Told:
        told, self._told = self._told, {}
        return Told(**told)

    def _on_post(self, made: Sign) -> None:
        """Noops are on their way now; of cancels the canceller's tell the same stories."""
        if isinstance(made.action, Noop):
            self._told["noops"] = self._told.get("noops", frozenset()) | {made.nonce}


class Seen(NamedTuple):
    """What a core shows of itself."""

    halted: bool
    contained: bool
    waiting: bool


class Cores:
    """Every core that was ever reached, by the digest of its state (rule 2)."""

    def __init__(self, folder: Path) -> None:
        self._halt = HaltDir(folder)
        self._empty, self._latched = folder / "empty", folder / "latched"
        for path in (self._empty, self._latched):
            path.mkdir()
        HaltDir(self._latched).add("a person", "", "cli")
        shared = [KEY, ONE_COIN, self._halt, *(getattr(ONE_COIN, name) for name in ONE_COIN.__struct_fields__)]
        self._shared = {id(one): one for one in shared if not isinstance(one, int | str)}
        self._states: dict[bytes, bytes] = {}
        self._seen: dict[bytes, Seen] = {}
        self._made: dict[tuple[object, ...], tuple[bytes, Told]] = {}
        self._halt.path = self._empty
        core = Core(self._halt)
        core.ready()
        core.online = True
        core.taken()
        self._began = core.now
        self.first = self._keep(core)

    def __getitem__(self, name: bytes) -> Seen:
        return self._seen[name]

    def __len__(self) -> int:
        return len(self._states)

    def step(self, name: bytes, move: tuple[Any, ...], second: int, *, file: bool, venue: Any) -> tuple[bytes, Told]:
        """Tell a core something; return what it is then, and what came out of it."""
        key: tuple[object, ...] = (name, move, second, file)
        key = key if key in self._made else (*key, venue)
        if key not in self._made:
            core = self._load(name)
            core.consulted = False
            core.now = Nanos(self._began + second * SECOND)
            core.directory = FILE if file else HaltDirectory()
            core.statuses = {cloid(n): (status, venue_order(bid(n), n)) for n, status in venue}
            self._halt.path = self._latched if file else self._empty
            core = self._move(core, second, *move)
            told = core.taken()
            key = key if core.consulted else key[:-1]  # whatever the venue has, it was not asked
            self._made[key] = self._keep(core), told
        return self._made[key]

    @cache  # noqa: B019  # as long as the test
    def buried(self, name: bytes) -> bytes:
        """Return what is left of a core that dies: its journal."""
        rows = tuple(row.nonce for row in self._load(name).rows if isinstance(row, DecisionRecord))
        grave = b"journal " + repr(rows).encode()
        self._states.setdefault(grave, self._states[name])
        self._seen[grave] = Seen(halted=False, contained=False, waiting=False)
        return grave

    def _move(self, core: Core, second: int, name: str, *facts: Any) -> Core:
        match name, facts:
            case "tick", ():
                core.tick(alive=second <= ASKED_UNTIL)
            case "approve", (number,):
                core.send(core.request(bid(number)))
            case "sign", ():
                core.sign()
            case "look", ():
                core.send(core.directory)
            case "hear", (asked_at, numbers):
                core.hear(self._began + asked_at * SECOND, numbers)
            case "burned", (nonce, taken):
                core.burned(nonce, taken=taken)
            case "returns", ():
                return core.reborn(self._halt)
            case _:
                raise AssertionError(name)
        return core

    def venue_ms(self, second: int) -> int:
        return VENUE_START + (self._began + second * SECOND) // 1_000_000

    def _keep(self, core: Core) -> bytes:
        name = hashlib.blake2b(repr(core.state_now()).encode(), digest_size=16).digest()
        if name not in self._states:
            out = io.BytesIO()
            _Pickler(out, self._shared).dump(core)
            self._states[name] = out.getvalue()
            halting = core.risk._halting
            self._seen[name] = Seen(halting.halted, halting.containment.contained, core.waiting is not None)
        return name

    def _load(self, name: bytes) -> Core:
        core: Core = _Unpickler(io.BytesIO(self._states[name]), self._shared).load()
        return core


class _Pickler(pickle.Pickler):
    """Writes a state; what never changes is named, not copied."""

    def __init__(self, out: io.BytesIO, shared: Mapping[int, object]) -> None:
        super().__init__(out, 5)
        self._shared = shared

    def persistent_id(self, one: object) -> int | None:
        return id(one) if id(one) in self._shared else None


class _Unpickler(pickle.Unpickler):
    """Reads what `_Pickler` wrote."""

    def __init__(self, state: io.BytesIO, shared: Mapping[int, object]) -> None:
        super().__init__(state)
        self._shared = shared

    def persistent_load(self, name: Any) -> object:
        return self._shared[name]
