"""The order key signs a closed list and nothing else, whatever the core asks."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from common.actor import Sign
from common.halt import HaltDir
from common.hyperliquid import signing
from common.hyperliquid.wire import encode_action
from common.messages import (
    AssetContext,
    Book,
    Cancel,
    ModifyIntent,
    OrderIntent,
    Signed,
    SignFailed,
    StreamFills,
    TimeInForce,
    TopOfBook,
    VenueAccount,
)
from common.messages.venue import (
    Action,
    CancelOrders,
    Modify,
    Noop,
    Place,
    ScheduleCancel,
    UpdateLeverage,
    VenuePosition,
)
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.risk.signer import OrderSigner
from tests.generators import sample
from tests.services.risk.scene import SETTINGS, ask, bid, cloid, fill_of

KEY = signing.SigningKey(bytes(range(1, 33)))
NONCE = 1_700_000_000_000


class Desk:
    """A signer with a halt directory, a mid of 60,000 USD, a flat account, and a clock that stands still."""

    def __init__(self, path: Path) -> None:
        self.halt = HaltDir(path)
        self.now = Nanos(10 * SECOND)
        self.nonce = NONCE
        self.signer = OrderSigner(SETTINGS, KEY, self.halt, lambda: self.now)
        self.mid(600_000)
        self.account({})

    def mid(self, ticks: int) -> None:
        self.signer.observe(
            Book(
                coin="BTC",
                venue_ms=Millis(0),
                bids=((Ticks(ticks - 10), Lots(1)),),
                asks=((Ticks(ticks + 10), Lots(1)),),
                received_at=self.now,
            )
        )

    def account(self, positions: dict[str, int], at_ms: int = 100) -> None:
        held = tuple(
            VenuePosition(coin=coin, lots=Lots(lots), entry=None, unrealized_pnl=Decimal(0), leverage=10, is_cross=True)
            for coin, lots in positions.items()
        )
        self.signer.observe(
            VenueAccount(
                query_id=0,
                venue_ms=Millis(at_ms),
                equity=Decimal(0),
                margin_used=Decimal(0),
                withdrawable=Decimal(0),
                positions=held,
                asked_at=self.now,
            )
        )

    def sign(self, action: Any, **fields: Any) -> Signed | SignFailed:  # broken cores ask for anything
        self.nonce += 1
        values = {"nonce": self.nonce, "expires_after": Millis(self.nonce + 2_000)} | fields
        return self.signer.sign(Sign(1, action, values["nonce"], values["expires_after"]))

    def place(self, *orders: OrderIntent) -> str:
        """Return why these were not signed; "" when they were."""
        answer = self.sign(Place(orders))
        return answer.reason if isinstance(answer, SignFailed) else ""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# --- rule 1: the list ----------------------------------------------------------------------------------

GOOD: dict[type, Action] = {
    Place: Place((bid(1),)),
    Modify: Modify((ModifyIntent(old_cloid=cloid(1), order=bid(2)),)),
    CancelOrders: CancelOrders((Cancel(coin="BTC", cloid=cloid(1)),)),
    Noop: Noop(),
    ScheduleCancel: ScheduleCancel(Millis(1)),
    UpdateLeverage: UpdateLeverage("BTC", 10),
}
SIGNED = {Place, Modify, CancelOrders, Noop, UpdateLeverage}
IN_A_HALT = {CancelOrders, Noop}


@pytest.mark.parametrize("kind", get_args(Action), ids=lambda kind: kind.__name__)
def test_the_list_is_closed(desk: Desk, kind: type) -> None:
    """Rule 1: every action that exists is either on the list or refused by name."""
    answer = desk.sign(GOOD[kind])
    assert isinstance(answer, Signed) is (kind in SIGNED)
    if isinstance(answer, SignFailed):
        assert answer.reason == f"the order key never signs {kind.__name__}"


@pytest.mark.parametrize("kind", get_args(Action), ids=lambda kind: kind.__name__)
def test_in_a_halt_only_cancels_and_noops(desk: Desk, kind: type) -> None:
    """Rule 2: the signer looks itself, so the core need not know yet."""
    desk.halt.add("a person", "", "cli")
    assert isinstance(desk.sign(GOOD[kind]), Signed) is (kind in IN_A_HALT)


@pytest.mark.parametrize(("coin", "reason"), [("BTC", "halted"), ("BCT", "halted"), ("ETH", "")])
def test_one_coin_may_be_halted_alone(desk: Desk, coin: str, reason: str) -> None:
    """Rule 2: the others are signed; a coin that is not ours is a mistake, and halts all."""
    desk.halt.add("a person", "", "cli", coin=coin)
    assert desk.place(bid(1)) == reason


@pytest.mark.parametrize(
    ("held", "changes", "signed"),
    [
        (800, {}, True),
        (799, {}, False),  # more than is held
        (-800, {}, False),  # adds
        (0, {}, False),
        (800, {"tif": TimeInForce.ALO}, False),
        (800, {"reduce_only": False}, False),
        (800, {"ticks": Ticks(594_000)}, True),  # twice 50 bps
        (800, {"ticks": Ticks(593_990)}, False),
        (800, {"coin": "ETH"}, False),
    ],
)
def test_a_flatten_is_the_only_way_through_a_halt(
    tmp_path: Path, held: int, changes: dict[str, Any], signed: bool
) -> None:
    """Rule 2: where the operator wants it, and only what sells the position near the mid, at once."""
    desk = Desk(tmp_path)
    desk.account({"BTC": held}, at_ms=200)
    order = msgspec.structs.replace(ask(1, 599_000, reduce_only=True), **({"tif": TimeInForce.IOC} | changes))
    desk.halt.add("a person", "", "cli")
    assert desk.place(order) == "halted"
    kill = msgspec.structs.replace(SETTINGS.kill, flatten=True)
    desk.signer._settings = msgspec.structs.replace(SETTINGS, kill=kill)
    assert desk.place(order) == ("" if signed else "halted")


def test_an_unreadable_halt_directory_is_a_halt(desk: Desk) -> None:
    """Rule 2: doubt is a halt."""
    desk.halt.path.rmdir()
    assert desk.place(bid(1)) == "halted"
    assert isinstance(desk.sign(Noop()), Signed)


def test_nothing_else_that_looks_like_an_action_is_signed(desk: Desk) -> None:
    """Rule 1: any other structure of the venue's messages, sent as an action by a broken core."""
    from common.messages import venue  # noqa: PLC0415  # walked as a whole

    kinds = [value for value in vars(venue).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)]
    others = [kind for kind in kinds if kind not in get_args(Action)]
    assert len(others) > 20
    for kind in others:
        answer = desk.sign(sample(kind))
        assert isinstance(answer, SignFailed), kind


def test_the_signature_is_over_exactly_these_bytes(desk: Desk) -> None:
    """Rule 1: the body carries action, nonce and expiry, and recovers to this key."""
    answer = desk.sign(Place((bid(1), ask(2))))
    assert isinstance(answer, Signed)
    body = json.loads(answer.body)
    assert body["action"] == encode_action(Place((bid(1), ask(2))), SETTINGS.instruments())
    assert (body["nonce"], body["expiresAfter"]) == (desk.nonce, desk.nonce + 2_000)
    digest = signing.l1_digest(
        signing.action_hash(body["action"], body["nonce"], expires_after=body["expiresAfter"]),
        SETTINGS.venue.network,
    )
    assert signing.recover(digest, signing.Signature.parse(**body["signature"])) == KEY.address


@pytest.mark.parametrize(("ahead", "signed"), [(2_000, True), (2_001, False), (None, False)])
def test_every_order_expires(desk: Desk, ahead: int | None, signed: bool) -> None:
    """Rule 1: no further than order_expiry_ms after its nonce, and never without."""
    expires = None if ahead is None else Millis(desk.nonce + 1 + ahead)
    assert isinstance(desk.sign(Place((bid(1),)), expires_after=expires), Signed) is signed


def test_a_nonce_places_once(desk: Desk) -> None:
    """Rule 1: the next one is above; a noop may use it again, which is its purpose."""
    assert isinstance(desk.sign(Place((bid(1),)), nonce=NONCE + 5), Signed)
    assert isinstance(desk.sign(Place((bid(2),)), nonce=NONCE + 5), SignFailed)
    assert isinstance(desk.sign(Noop(), nonce=NONCE + 5, expires_after=None), Signed)


@pytest.mark.parametrize(
    ("action", "signed"),
    [
        (UpdateLeverage("BTC", 10), True),
        (UpdateLeverage("BTC", 11), False),
        (UpdateLeverage("BTC", 9), False),
        (UpdateLeverage("BTC", 10, is_cross=False), False),
        (UpdateLeverage("SOL", 10), False),
    ],
)
def test_leverage_is_exactly_the_configured_one(desk: Desk, action: UpdateLeverage, signed: bool) -> None:
    """Rule 1: neither more nor less, crossed, of a configured coin."""
    assert isinstance(desk.sign(action), Signed) is signed


def test_leverage_changes_only_while_flat(desk: Desk) -> None:
    """Rule 1: one lot is a position."""
    desk.account({"BTC": 1}, 200)
    assert isinstance(desk.sign(UpdateLeverage("BTC", 10)), SignFailed)


# --- rule 3: each order --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ticks", "reason"),
    [
        (630_000, ""),
        (630_010, "BTC price 500 bps from the mid"),
        (570_000, ""),
        (569_990, "BTC price 500 bps from the mid"),
    ],
)
def test_deviation(desk: Desk, ticks: int, reason: str) -> None:
    """Rule 3: 500 bps from the last own mid; the end itself is allowed."""
    assert desk.place(bid(1, ticks=ticks)) == reason


@pytest.mark.parametrize(("lots", "reason"), [(8_333, ""), (8_334, "BTC order above the second limit")])
def test_order_notional(desk: Desk, lots: int, reason: str) -> None:
    """Rule 3: 5,000 USD at its own price."""
    assert desk.place(bid(1, ticks=600_000, lots=lots)) == reason


def test_a_mid_grows_old(desk: Desk) -> None:
    """Rule 3: five seconds, not a nanosecond more; a new quote of either feed renews it, a crossed one does not."""
    desk.now = Nanos(15 * SECOND)
    assert desk.place(bid(1)) == ""
    desk.now = Nanos(15 * SECOND + 1)
    assert desk.place(bid(2)) == "no recent mid of BTC"
    top = TopOfBook(
        coin="BTC",
        venue_ms=Millis(1),
        bid=(Ticks(600_000), Lots(1)),
        ask=(Ticks(600_000), Lots(1)),
        received_at=desk.now,
    )
    desk.signer.observe(top)
    assert desk.place(bid(3)) == "no recent mid of BTC"
    desk.signer.observe(msgspec.structs.replace(top, bid=(Ticks(599_990), Lots(1))))
    assert desk.place(bid(4)) == ""


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (bid(1, coin="SOL"), "SOL is not configured"),
        (bid(1, coin="ETH"), "no recent mid of ETH"),
        (bid(1, lots=0), "0 lots at 599900 ticks"),
        (bid(1, ticks=-5), "800 lots at -5 ticks"),
        (msgspec.structs.replace(bid(1), tif=TimeInForce.GTC), "Gtc may take and add"),
        (msgspec.structs.replace(bid(1), tif=TimeInForce.IOC, reduce_only=True), ""),
    ],
)
def test_form(desk: Desk, order: OrderIntent, reason: str) -> None:
    """Rule 3: configured, positive, post-only unless it reduces."""
    assert desk.place(order) == reason


def test_what_cannot_be_encoded_is_refused(desk: Desk) -> None:
    """Rule 1: an empty batch, a cancel of an unknown coin."""
    assert isinstance(desk.sign(Place(())), SignFailed)
    assert isinstance(desk.sign(CancelOrders((Cancel(coin="SOL", cloid=cloid(1)),))), SignFailed)


# --- rules 4 and 5 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "reason"), [(25_000, ""), (25_001, "BTC position above the second limit")])
@pytest.mark.parametrize("side", list(Side))
def test_position(desk: Desk, side: Side, held: int, reason: str) -> None:
    """Rule 4: 20,000 USD are 33,333 lots; with 8,333 more than 25,000 are too many, on either side."""
    desk.account({"BTC": side.sign * held}, 200)
    order = OrderIntent(cloid=cloid(1), coin="BTC", side=side, ticks=Ticks(600_000), lots=Lots(8_333))
    assert desk.place(order) == reason


def test_a_batch_counts_together(desk: Desk) -> None:
    """Rule 4: four orders of one side fit, the fifth of the same batch does not."""
    orders = [bid(number, ticks=600_000, lots=8_333) for number in range(1, 6)]
    assert desk.place(*orders[:4]) == ""
    assert desk.place(*orders) == "BTC position above the second limit"


def test_the_way_back_is_open(desk: Desk) -> None:
    """Rule 4: far beyond the limit an order that reduces is signed."""
    desk.account({"BTC": 90_000}, 200)
    assert desk.place(ask(1)) == ""
    assert desk.place(bid(2)) == "BTC position above the second limit"


def test_fills_after_the_account_state_count(desk: Desk) -> None:
    """Rule 4: each once, only later ones, and the next state takes over."""
    desk.account({"BTC": 30_000}, 200)
    old, new = fill_of(bid(1), 500, 200, 1), fill_of(bid(1), 500, 201, 2)
    for _ in range(2):
        desk.signer.observe(StreamFills(fills=(old, new), snapshot=False, received_at=desk.now))
    assert desk.signer.limits.position("BTC") == 30_500
    desk.account({"BTC": 1}, 199)
    assert desk.signer.limits.position("BTC") == 30_500
    desk.account({"BTC": 30_500}, 201)
    assert desk.signer.limits.position("BTC") == 30_500


def test_an_unknown_position_signs_nothing(tmp_path: Path) -> None:
    """Rule 4: before the first account state; other messages are no such state."""
    desk = Desk.__new__(Desk)
    desk.halt, desk.now, desk.nonce = HaltDir(tmp_path), Nanos(10 * SECOND), NONCE
    desk.signer = OrderSigner(SETTINGS, KEY, desk.halt, lambda: desk.now)
    desk.mid(600_000)
    desk.signer.observe(sample(AssetContext))
    assert desk.place(bid(1)) == "position unknown"


def test_rate(desk: Desk) -> None:
    """Rule 5: fifty at once, then one every 20 ms; cancels and noops are free."""
    reasons = [desk.place(bid(number, lots=20)) for number in range(51)]
    assert reasons == [""] * 50 + ["too many signatures a second"]
    assert isinstance(desk.sign(Noop()), Signed)
    assert isinstance(desk.sign(GOOD[CancelOrders]), Signed)
    desk.now = Nanos(desk.now + SECOND // 50)
    assert desk.place(bid(60, lots=20)) == ""
