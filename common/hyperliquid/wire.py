"""The exchange's JSON into our messages and back: the one door to all that speaks px, sz and szi.

wire_actions  what we sign and post           wire_posts    what the venue says of it
wire_streams  frames of the WebSocket         wire_answers  queries over HTTP and their answers
wire_types    the objects that these share    wire_pages    histories that come in pages
wire_ledger   deposits and transfers
subscriptions which streams who listens to    statuses      what order status strings mean
"""

from common.hyperliquid.statuses import UNKNOWN_OID, StatusMeaning, meaning
from common.hyperliquid.subscriptions import (
    Subscription,
    market_subscriptions,
    risk_subscriptions,
    user_subscriptions,
)
from common.hyperliquid.wire_actions import (
    ITEMS_MAX,
    PostedItems,
    WireAction,
    encode_action,
    posted_items,
    request_body,
)
from common.hyperliquid.wire_answers import WEIGHTS, Weight, WholeQuery, decode_answer, query_body, weight
from common.hyperliquid.wire_pages import Page, PagedQuery, Pages, decode_page
from common.hyperliquid.wire_posts import decode_action_answer, decode_post_answer, post_frame
from common.hyperliquid.wire_streams import (
    PING,
    Acknowledged,
    Facts,
    Frame,
    FrameReader,
    Pong,
    PostAnswer,
    Refused,
    already_subscribed,
    refused_post,
)

__all__ = [
    "ITEMS_MAX",
    "PING",
    "UNKNOWN_OID",
    "WEIGHTS",
    "Acknowledged",
    "Facts",
    "Frame",
    "FrameReader",
    "Page",
    "PagedQuery",
    "Pages",
    "Pong",
    "PostAnswer",
    "PostedItems",
    "Refused",
    "StatusMeaning",
    "Subscription",
    "Weight",
    "WholeQuery",
    "WireAction",
    "already_subscribed",
    "decode_action_answer",
    "decode_answer",
    "decode_page",
    "decode_post_answer",
    "encode_action",
    "market_subscriptions",
    "meaning",
    "post_frame",
    "posted_items",
    "query_body",
    "refused_post",
    "request_body",
    "risk_subscriptions",
    "user_subscriptions",
    "weight",
]
