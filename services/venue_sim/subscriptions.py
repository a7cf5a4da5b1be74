"""What a client may say on the WebSocket, and how the venue echoes it.

Rules
  1. Unknown keys are dropped, defaults are added, addresses become lower case: two subscriptions are the same
     when their normal forms are. That a book is not the fast one is only said since 2026.
  2. A frame that does not fit is answered on the error channel; the connection stays.
  3. A coin, a number of figures or a mantissa that the venue does not know breaks the connection.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from common.errors import PeerFault
from services.venue_sim.candles import INTERVALS_MS
from services.venue_sim.schema import NOT_JSON, Address

FIGURES: Final = (2, 3, 4, 5)
MANTISSAS: Final = (1, 2, 5)


class Channel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all subscriptions, as the client names them; `name` is the channel of what it then hears."""

    name: ClassVar[str]
    public: ClassVar[bool] = True  # about the market, not about one account

    @property
    def about(self) -> str | None:
        """Return the coin it names, if any."""
        return None

    @property
    def account(self) -> str | None:
        """Return the address it names, if any."""
        return None


class CoinChannel(Channel, frozen=True, kw_only=True):
    coin: str

    @property
    def about(self) -> str | None:
        return self.coin


class UserChannel(Channel, frozen=True, kw_only=True):
    public: ClassVar[bool] = False
    user: Address

    @property
    def account(self) -> str | None:
        return self.user


class AllMids(Channel, frozen=True, kw_only=True, tag_field="type", tag="allMids", omit_defaults=True):
    name: ClassVar = "allMids"
    dex: str | None = None


class L2Book(CoinChannel, frozen=True, kw_only=True, tag_field="type", tag="l2Book"):
    name: ClassVar = "l2Book"
    n_sig_figs: int | None = None
    mantissa: int | None = None
    fast: bool | msgspec.UnsetType = False  # unset is false, too, and not echoed


class Bbo(CoinChannel, frozen=True, kw_only=True, tag_field="type", tag="bbo"):
    name: ClassVar = "bbo"


class Trades(CoinChannel, frozen=True, kw_only=True, tag_field="type", tag="trades"):
    name: ClassVar = "trades"


class Candles(CoinChannel, frozen=True, kw_only=True, tag_field="type", tag="candle"):
    name: ClassVar = "candle"
    interval: str

    def __post_init__(self) -> None:
        if self.interval not in INTERVALS_MS:
            raise ValueError("unknown interval")


class ActiveAssetCtx(CoinChannel, frozen=True, kw_only=True, tag_field="type", tag="activeAssetCtx"):
    name: ClassVar = "activeAssetCtx"


class ActiveAssetData(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="activeAssetData"):
    name: ClassVar = "activeAssetData"
    coin: str

    @property
    def about(self) -> str | None:
        return self.coin


class OrderUpdates(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="orderUpdates"):
    name: ClassVar = "orderUpdates"


class UserEvents(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userEvents"):
    name: ClassVar = "user"


class UserFills(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userFills"):
    name: ClassVar = "userFills"
    aggregate_by_time: bool = False


class UserFundings(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userFundings"):
    name: ClassVar = "userFundings"


class LedgerUpdates(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userNonFundingLedgerUpdates"):
    name: ClassVar = "userNonFundingLedgerUpdates"


class HistoricalOrders(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userHistoricalOrders"):
    name: ClassVar = "userHistoricalOrders"


class Notifications(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="notification"):
    name: ClassVar = "notification"


class WebData2(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="webData2"):
    name: ClassVar = "webData2"


class OpenOrders(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="openOrders", omit_defaults=True):
    name: ClassVar = "openOrders"
    dex: str | None = None


class ClearinghouseState(
    UserChannel, frozen=True, kw_only=True, tag_field="type", tag="clearinghouseState", omit_defaults=True
):
    name: ClassVar = "clearinghouseState"
    dex: str | None = None


class AllDexsState(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="allDexsClearinghouseState"):
    name: ClassVar = "allDexsClearinghouseState"


class WebData3(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="webData3"):
    name: ClassVar = "webData3"


class SpotState(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="spotState"):
    name: ClassVar = "spotState"


class TwapStates(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="twapStates", omit_defaults=True):
    name: ClassVar = "twapStates"
    dex: str | None = None


class TwapHistory(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userTwapHistory"):
    name: ClassVar = "userTwapHistory"


class TwapSliceFills(UserChannel, frozen=True, kw_only=True, tag_field="type", tag="userTwapSliceFills"):
    name: ClassVar = "userTwapSliceFills"


class AssetCtxs(Channel, frozen=True, kw_only=True, tag_field="type", tag="assetCtxs", omit_defaults=True):
    name: ClassVar = "assetCtxs"
    dex: str | None = None


class AllDexsAssetCtxs(Channel, frozen=True, kw_only=True, tag_field="type", tag="allDexsAssetCtxs"):
    name: ClassVar = "allDexsAssetCtxs"


class SpotAssetCtxs(Channel, frozen=True, kw_only=True, tag_field="type", tag="spotAssetCtxs"):
    name: ClassVar = "spotAssetCtxs"


class FastAssetCtxs(Channel, frozen=True, kw_only=True, tag_field="type", tag="fastAssetCtxs"):
    name: ClassVar = "fastAssetCtxs"


Subscription: TypeAlias = (
    AllMids
    | L2Book
    | Bbo
    | Trades
    | Candles
    | ActiveAssetCtx
    | ActiveAssetData
    | OrderUpdates
    | UserEvents
    | UserFills
    | UserFundings
    | LedgerUpdates
    | HistoricalOrders
    | Notifications
    | WebData2
    | OpenOrders
    | ClearinghouseState
    | AllDexsState
    | WebData3
    | SpotState
    | TwapStates
    | TwapHistory
    | TwapSliceFills
    | AssetCtxs
    | AllDexsAssetCtxs
    | SpotAssetCtxs
    | FastAssetCtxs
)


class Subscribe(msgspec.Struct, frozen=True, tag_field="method", tag="subscribe"):
    subscription: Subscription


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="method", tag="unsubscribe"):
    subscription: Subscription


class Ping(msgspec.Struct, frozen=True, tag_field="method", tag="ping"):
    """Answered by pong."""


class PostRequest(msgspec.Struct, frozen=True):
    type: Literal["info", "action"]
    payload: msgspec.Raw


class Post(msgspec.Struct, frozen=True, tag_field="method", tag="post"):
    id: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    request: PostRequest


Frame: TypeAlias = Subscribe | Unsubscribe | Ping | Post

_frames: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)


def parse(text: str, *, slow_is_said: bool = True) -> Frame:
    """Return what the client said, in normal form; PeerFault when it does not fit (rule 2)."""
    try:
        frame = _frames.decode(text)
    except NOT_JSON as error:
        raise PeerFault(str(error)) from error
    match frame:
        case Subscribe(subscription=subscription):
            return Subscribe(_normal(subscription, slow_is_said=slow_is_said))
        case Unsubscribe(subscription=subscription):
            return Unsubscribe(_normal(subscription, slow_is_said=slow_is_said))
        case _:
            return frame


def _normal(subscription: Subscription, *, slow_is_said: bool) -> Subscription:
    if isinstance(subscription, L2Book) and not subscription.fast:
        return msgspec.structs.replace(subscription, fast=False if slow_is_said else msgspec.UNSET)
    if isinstance(subscription, UserChannel):
        return msgspec.structs.replace(subscription, user=subscription.user.lower())
    return subscription


def echo(subscription: Subscription) -> dict[str, Any]:
    """Return the normal form as JSON (rule 1)."""
    return dict(msgspec.to_builtins(subscription))


def is_known(subscription: Subscription, coins: frozenset[str]) -> bool:
    """Say whether the venue has what is asked for (rule 3)."""
    if subscription.about is not None and subscription.about not in coins:
        return False
    if isinstance(subscription, L2Book):
        if subscription.n_sig_figs not in (None, *FIGURES) or subscription.mantissa not in (None, *MANTISSAS):
            return False
        return subscription.mantissa is None or subscription.n_sig_figs == FIGURES[-1]
    return True
