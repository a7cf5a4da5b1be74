"""The cancel key: knows how to ask for cancels and nothing else, whatever the core says."""

from collections.abc import Mapping

from common.actor import Sign
from common.config import Network
from common.hyperliquid import signing, wire
from common.instrument import Instrument
from common.messages import Signed, SignFailed
from common.messages.venue import CancelOrders, ScheduleCancel


class CancelSigner:
    """Signs CancelOrders and ScheduleCancel."""

    def __init__(self, key: signing.SigningKey, network: Network, instruments: Mapping[str, Instrument]) -> None:
        self._key = key
        self._network = network
        self._instruments = instruments

    def sign(self, effect: Sign) -> Signed | SignFailed:
        if not isinstance(effect.action, CancelOrders | ScheduleCancel):
            reason = f"the cancel key never signs {type(effect.action).__name__}"
            return SignFailed(sign_id=effect.sign_id, nonce=effect.nonce, reason=reason)
        try:
            action = wire.encode_action(effect.action, self._instruments)
        except (KeyError, ValueError) as error:
            return SignFailed(sign_id=effect.sign_id, nonce=effect.nonce, reason=f"cannot be encoded: {error}")
        signature = self._key.sign_l1(
            action, nonce=effect.nonce, network=self._network, expires_after=effect.expires_after
        )
        body = wire.request_body(action, nonce=effect.nonce, signature=signature, expires_after=effect.expires_after)
        return Signed(sign_id=effect.sign_id, nonce=effect.nonce, body=body)
