"""Frames of clients and their normal form."""

from typing import Any

import pytest

from common.errors import PeerFault
from services.venue_sim.subscriptions import Subscribe, echo, is_known, parse

USER = "0x" + "Ab" * 20


def normal(subscription: str) -> dict[str, Any]:
    frame = parse(f'{{"method":"subscribe","subscription":{subscription}}}')
    assert isinstance(frame, Subscribe)
    return echo(frame.subscription)


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (
            '{"type":"l2Book","coin":"BTC","unknown":1}',
            {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": False},
        ),
        (
            f'{{"user":"{USER}","type":"userFills"}}',
            {"type": "userFills", "user": USER.lower(), "aggregateByTime": False},
        ),
        ('{"type":"trades","coin":"SOL"}', {"type": "trades", "coin": "SOL"}),
        ('{"type":"allMids","dex":null}', {"type": "allMids"}),
        (
            f'{{"type":"activeAssetData","user":"{USER}","coin":"BTC"}}',
            {"type": "activeAssetData", "user": USER.lower(), "coin": "BTC"},
        ),
        ('{"type":"candle","coin":"BTC","interval":"1m"}', {"type": "candle", "coin": "BTC", "interval": "1m"}),
    ],
)
def test_normal_form(sent: str, echoed: dict[str, Any]) -> None:
    """Rule 1: unknown keys go, defaults come, addresses are lower case."""
    assert normal(sent) == echoed


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "{",
        '{"method":"subscribe"}',
        '{"method":"unheardOf"}',
        '{"method":"subscribe","subscription":{"type":"unheardOf"}}',
        '{"method":"subscribe","subscription":{"type":"trades","coin":["BTC"]}}',
        '{"method":"subscribe","subscription":{"type":"userFills","user":"0x12"}}',
        '{"method":"subscribe","subscription":{"type":"candle","coin":"BTC","interval":"7m"}}',
        '{"method":"post","request":{"type":"info","payload":{}}}',
        '{"method":"post","id":-1,"request":{"type":"info","payload":{}}}',
        '{"method":"post","id":1,"request":{"type":"explorer","payload":{}}}',
        '"\ud800"',
    ],
)
def test_senseless_frames(frame: str) -> None:
    """Rule 2: what does not fit is a fault of the peer, never a crash."""
    with pytest.raises(PeerFault):
        parse(frame)


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ('"coin":"BTC"', True),
        ('"coin":"btc"', False),
        ('"coin":"NOPE"', False),
        ('"coin":"BTC","nSigFigs":2', True),
        ('"coin":"BTC","nSigFigs":1', False),
        ('"coin":"BTC","nSigFigs":6', False),
        ('"coin":"BTC","nSigFigs":5,"mantissa":5', True),
        ('"coin":"BTC","nSigFigs":5,"mantissa":3', False),
        ('"coin":"BTC","nSigFigs":4,"mantissa":2', False),
        ('"coin":"BTC","mantissa":2', False),
    ],
)
def test_what_the_venue_has(fields: str, *, known: bool) -> None:
    """Rule 3: coins by their exact names; 2 to 5 figures; a mantissa only with 5."""
    frame = parse(f'{{"method":"subscribe","subscription":{{"type":"l2Book",{fields}}}}}')
    assert isinstance(frame, Subscribe)
    assert is_known(frame.subscription, frozenset({"BTC"})) is known
