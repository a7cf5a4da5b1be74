"""Actions about money, from wire to core; what this venue has not becomes a refusal in its words."""

from decimal import Decimal
from typing import Final

from common.errors import PeerFault
from common.units import MICROS_PER_USD, Micros
from services.venue_sim import api, schema, texts
from services.venue_sim.other_actions import (
    BUILDER_RATE_MAX,
    ApproveBuilderFee,
    CreateSubAccount,
    Declined,
    ReserveWeight,
    SubAccountTransfer,
    Transfer,
    Withdraw,
)

USDC: Final = "USDC"
PERPETUALS: Final = ""  # names of sendAsset's places
SPOT: Final = "spot"
_RATE_UNITS_PER_PERCENT: Final = 1_000  # a builder's rate counts tenths of a basis point


def typed(action: schema.MoneyAction) -> api.Action:
    """Return the core's action; PeerFault with the venue's text where no action can be made of it."""
    match action:
        case schema.UsdSend():
            return api.UsdSend(action.destination.lower(), _usd(action.amount))
        case schema.Withdraw3():
            return Withdraw(_usd(action.amount))
        case schema.SpotSend() | schema.UsdClassTransfer() | schema.SendAsset():
            return _transfer(action)
        case schema.ApproveBuilderFee():
            return ApproveBuilderFee(action.builder.lower(), _rate(action.max_fee_rate))
        case schema.CreateSubAccount(name=name):
            return CreateSubAccount(name)
        case schema.SubAccountTransfer():
            return SubAccountTransfer(action.sub_account_user.lower(), action.is_deposit, Micros(action.usd))
        case schema.ReserveRequestWeight(weight=weight):
            return ReserveWeight(weight)
        case schema.VaultTransfer(vault_address=vault):
            return Declined(texts=(texts.vault_not_registered(vault.lower()),))
        case schema.SetReferrer():
            return Declined(texts=(texts.NO_REFERRER,))
        case schema.TwapOrder():
            return Declined(texts=(texts.NO_TWAP,), kind="twapOrder")
        case schema.TwapCancel():
            return Declined(texts=(texts.MISSING_TWAP,), kind="twapCancel")


def _transfer(action: schema.SpotSend | schema.UsdClassTransfer | schema.SendAsset) -> Transfer:
    match action:
        case schema.UsdClassTransfer(to_perp=to_perp):
            amount, _, sub_account = action.amount.partition(" subaccount:")
            source = sub_account.lower()
            return Transfer(micros=_usd(amount), from_spot=to_perp, to_spot=not to_perp, source=source)
        case schema.SpotSend():
            places, source = (SPOT, SPOT), ""
        case schema.SendAsset():
            places, source = (action.source_dex, action.destination_dex), action.from_sub_account.lower()
    if action.token.partition(":")[0] != USDC or not set(places) <= {PERPETUALS, SPOT}:
        raise PeerFault(texts.BAD_SEND)
    return Transfer(
        micros=_usd(action.amount),
        from_spot=places[0] == SPOT,
        to_spot=places[1] == SPOT,
        source=source,
        destination=action.destination.lower(),
    )


def _usd(text: str) -> Micros:
    micros = Decimal(text) * MICROS_PER_USD
    if micros <= 0 or micros != micros.to_integral_value():
        raise PeerFault(texts.BAD_SEND)
    return Micros(int(micros))


def _rate(text: str) -> int:
    rate = Decimal(text.removesuffix("%")) * _RATE_UNITS_PER_PERCENT
    if rate != rate.to_integral_value() or not 0 <= rate <= BUILDER_RATE_MAX:
        raise PeerFault(texts.BAD_BUILDER_FEE)
    return int(rate)
