"""The compressed channel: what a client unpacks, and what it hears again."""

import base64
import json
import zlib

from services.venue_sim.fast_contexts import FastContexts, packed


def test_packed() -> None:
    """Rule 1: base64, raw DEFLATE, JSON."""
    prices: dict[str, dict[str, str | None]] = {"BTC": {"markPx": "100000.0", "midPx": None}}
    assert json.loads(zlib.decompress(base64.b64decode(packed(prices)), wbits=-15)) == prices


def test_only_news() -> None:
    """Rule 2: everything is new at first; then coins and fields that changed, a vanished mid among them."""
    contexts = FastContexts()
    first: dict[str, dict[str, str | None]] = {
        "BTC": {"markPx": "100000.0", "midPx": "100000.5"},
        "ETH": {"markPx": "4000.0", "midPx": "4000.5"},
    }
    assert contexts.news(first) == first
    assert contexts.news(first) == {}
    assert contexts.news({**first, "BTC": {"markPx": "100000.0", "midPx": None}}) == {"BTC": {"midPx": None}}
    assert contexts.news(first) == {"BTC": {"midPx": "100000.5"}}
