"""From the bytes of a POST /exchange to a typed request of the core, or to the venue's refusal.

Rules
  1. A body that does not fit the schema is HTTP 422 and plain text, one that is no JSON is 400.
  2. The signature is checked over the canonical form (services/venue_sim/schema.py), so a client's key order,
     trailing zeros and upper case do not matter, as long as it signed the canonical form.
  3. A signature that no key can have made is "Unable to recover signer."; one over anything else than the
     canonical form recovers to a stranger, whom the exchange does not know.
  4. User-signed actions are typed data of their own: their nonce is the request's, their chain the venue's.
  5. Whoever orders spot has no balance for it: nothing trades there.
  6. A number that is off the coin's grid becomes the core's unrepresentable value, and the core names the fault.
"""

from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from common.config import Network
from common.errors import PeerFault
from common.hyperliquid.signing import Signature, action_hash, l1_digest, recover, user_signed_digest
from common.instrument import Instrument
from common.units import Lots, Micros, Millis, Side, Ticks
from services.venue_sim import api, other_actions, other_requests, schema, texts
from services.venue_sim.account_payloads import SPOT_PAIRS
from services.venue_sim.texts import Reject

UNRECOVERABLE: Final = "Unable to recover signer."
SPOT_ASSETS: Final = range(10_000, 10_000 + len(SPOT_PAIRS))
_CHAINS: Final = {Network.MAINNET: "Mainnet", Network.TESTNET: "Testnet"}


class Refusal(msgspec.Struct, frozen=True):
    """What is answered without asking the exchange. `http` 200 is `{"status":"err"}`, anything else plain text."""

    http: int
    text: str


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may go into a block, and its action as it was signed (for the witness log)."""

    request: api.ActionRequest
    action: dict[str, Any]  # canonical JSON


Outcome: TypeAlias = Received | Refusal


class Reception:
    """Reads requests for one universe; `instruments` are in the order of their asset ids."""

    def __init__(self, instruments: tuple[Instrument, ...], network: Network) -> None:
        self._instruments = instruments
        self._network = network

    def receive(self, body: bytes, request_id: int) -> Outcome:
        """Take one body."""
        try:
            parsed = schema.parse(body)
            action = schema.canonical(parsed.action)
        except PeerFault as fault:
            text = str(fault)
            return Refusal(400 if text == schema.NO_JSON else 422, text)
        wrong = self._contradiction(parsed)
        if wrong:
            return Refusal(200, wrong)
        try:
            signer = self._signer(parsed, action)
        except PeerFault:
            return Refusal(200, UNRECOVERABLE)
        try:
            typed = self._typed(parsed.action)
        except PeerFault as fault:
            return Refusal(200, str(fault))
        request = api.ActionRequest(
            request_id=request_id,
            signer=signer,
            action=typed,
            nonce=parsed.nonce,
            expires_after=None if parsed.expires_after is None else Millis(parsed.expires_after),
            vault=None if parsed.vault_address is None else parsed.vault_address.lower(),
        )
        return Received(request=request, action=action)

    def by_hand(self, user: str, action: dict[str, Any], nonce: int, request_id: int) -> Received:
        """Take an action of an account's owner that nobody signed here."""
        parsed: schema.WireAction = msgspec.convert(action, schema.WireAction)
        request = api.ActionRequest(request_id=request_id, signer=user, action=self._typed(parsed), nonce=nonce)
        return Received(request=request, action=schema.canonical(parsed))

    # --- who signed ---

    def _contradiction(self, body: schema.Body) -> str:
        action = body.action
        if not isinstance(action, schema.UserSigned):
            return ""
        own = action.time if isinstance(action, schema.Timed) else action.nonce
        if own != body.nonce:
            return f"Invalid nonce: nonce {body.nonce} of the request is not the action's {own}"
        if action.hyperliquid_chain != _CHAINS[self._network]:
            return f"Invalid chain: {action.hyperliquid_chain}"
        return ""

    def _signer(self, body: schema.Body, action: dict[str, Any]) -> str:
        signature = Signature.parse(body.signature.r, body.signature.s, body.signature.v)
        if isinstance(body.action, schema.UserSigned):
            return recover(user_signed_digest(action), signature)
        connection_id = action_hash(action, body.nonce, body.vault_address, body.expires_after)
        return recover(l1_digest(connection_id, self._network), signature)

    # --- what is asked ---

    def _typed(self, action: schema.WireAction) -> api.Action:
        match action:
            case schema.Order():
                return self._place(action)
            case schema.Modify(oid=oid, order=order, a=always):
                return api.ModifyOrders((self._modify(oid, order),), always_place=always, single=True)
            case schema.BatchModify(modifies=modifies, a=always):
                return api.ModifyOrders(
                    tuple(self._modify(modify.oid, modify.order) for modify in modifies), always_place=always
                )
            case schema.Cancel(cancels=by_oid):
                return self._cancel([(cancel.a, cancel.o) for cancel in by_oid])
            case schema.CancelCloid(cancels=by_cloid):
                return self._cancel([(item.asset, item.cloid.lower()) for item in by_cloid])
            case schema.ScheduleCancel(time=at):
                return api.ScheduleCancel(None if at is None else Millis(at))
            case schema.UpdateLeverage():
                coin = self._instrument(action.asset).coin
                return api.UpdateLeverage(coin, action.is_cross, action.leverage)
            case schema.UpdateIsolatedMargin():
                return api.UpdateIsolatedMargin(self._instrument(action.asset).coin, Micros(action.ntli))
            case schema.TopUpIsolatedOnlyMargin(asset=asset, leverage=leverage):
                return other_actions.TopUpIsolated(self._instrument(asset).coin, Decimal(leverage))
            case schema.Noop():
                return api.Noop()
            case schema.ApproveAgent():
                return api.ApproveAgent(action.agent_address.lower(), action.agent_name or "")
            case _:
                return other_requests.typed(action)

    def _place(self, action: schema.Order) -> api.Action:
        if any(order.a in SPOT_ASSETS for order in action.orders):
            refusals = tuple(texts.NO_SPOT_BALANCE.format(order.a) for order in action.orders)
            return other_actions.Declined(texts=refusals, kind="order")
        grouping = api.Grouping.NONE if isinstance(action.grouping, schema.Priority) else api.Grouping(action.grouping)
        fee = action.builder
        builder = other_actions.Builder(fee.b.lower(), fee.f) if fee is not None and fee.f else None
        return api.PlaceOrders(tuple(self._order(order, builder) for order in action.orders), grouping)

    def _cancel(self, targets: list[tuple[int, int | str]]) -> api.Action:
        if any(asset in SPOT_ASSETS for asset, _ in targets):
            refusals = tuple(Reject.MISSING.at(asset) for asset, _ in targets)
            return other_actions.Declined(texts=refusals, kind="cancel")
        return api.CancelOrders(tuple(self._target(asset, ref) for asset, ref in targets))

    def _modify(self, ref: int | str, order: schema.WireOrder) -> api.ModifyTarget:
        return api.ModifyTarget(ref=ref.lower() if isinstance(ref, str) else ref, order=self._order(order))

    def _target(self, asset: int, ref: int | str) -> api.CancelTarget:
        return api.CancelTarget(coin=self._instrument(asset).coin, ref=ref)

    def _order(self, order: schema.WireOrder, builder: other_actions.Builder | None = None) -> api.OrderSpec:
        instrument = self._instrument(order.a)
        trigger = order.t.trigger
        return api.OrderSpec(
            coin=instrument.coin,
            side=Side.BUY if order.b else Side.SELL,
            ticks=_ticks(instrument, order.p),
            lots=_lots(instrument, order.s),
            tif=api.Tif(order.t.limit.tif) if order.t.limit is not None else api.Tif.GTC,
            reduce_only=order.r,
            cloid=None if order.c is None else order.c.lower(),
            trigger=None
            if trigger is None
            else api.Trigger(
                ticks=_ticks(instrument, trigger.trigger_px),
                is_market=trigger.is_market,
                tpsl=api.Tpsl(trigger.tpsl),
            ),
            builder=builder,
        )

    def _instrument(self, asset: int) -> Instrument:
        if asset >= len(self._instruments):
            raise PeerFault(f"Order has invalid asset. asset={asset}")
        return self._instruments[asset]


def _ticks(instrument: Instrument, text: str) -> Ticks:
    try:
        return instrument.ticks(text)
    except ValueError:
        return api.UNREPRESENTABLE_TICKS


def _lots(instrument: Instrument, text: str) -> Lots:
    try:
        return instrument.lots(text)
    except ValueError:
        return api.UNREPRESENTABLE_LOTS
