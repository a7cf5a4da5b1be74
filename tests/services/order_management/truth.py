"""What must hold at every moment, and what must hold once nothing moves. The venue's log judges."""

import msgspec

from common.ledger import fill_key
from common.messages import OrderIntent, OrderState, ServiceState
from common.units import Side
from services.order_management.core import OrderManagement
from tests.services.order_management.model_venue import Body, ModelVenue
from tests.services.order_management.parts import COINS

LEVELS = 3


def check(core: OrderManagement, venue: ModelVenue, foreign: set[int], flying: list[bytes]) -> None:
    """The worst case covers the truth, sums are sums, nothing is placed twice, no side has more than its levels."""
    store, ledger = core._desk.store, core._desk.ledger
    assert not venue.placed_twice
    assert all(order.pending() == 0 for order in store.retired.values())
    assert not any(order.terminal for order in store.open.values())
    for coin in COINS:
        bids = sum(order.pending() for order in store.side(coin, Side.BUY))
        asks = sum(order.pending() for order in store.side(coin, Side.SELL))
        others = sum(o.lots for o in store._foreign.values() if o.coin == coin and o.side is Side.BUY)
        assert store.exposure[coin].pending_exposure() == (bids + others, asks)
        if coin in ledger.coins:
            _check_worst_case(core, venue, coin, foreign, flying)
        for side in Side:
            live = [r for r in venue.open() if r.order.cloid and (r.order.coin, r.order.side) == (coin, side)]
            assert len(live) <= LEVELS, f"{len(live)} live on {coin} {side}"


def _check_worst_case(
    core: OrderManagement, venue: ModelVenue, coin: str, foreign: set[int], flying: list[bytes]
) -> None:
    """Fills of others that nobody told us of are left out: they are in no order of ours."""
    books, known = core._desk.ledger.coins[coin], core._desk.ledger._fills
    shortest, longest = core._desk.store.worst_case_positions(books.lots, coin)
    unheard = sum(
        fill.side.sign * fill.lots
        for fill in venue.fills
        if fill.oid in foreign and fill.coin == coin and fill.venue_ms > books.anchor_ms and fill_key(fill) not in known
    )
    position = venue.position.get(coin, 0) - unheard
    arriving = [order for raw in flying for order in _arriving(raw, venue) if order.coin == coin]
    buying = sum(order.lots for order in arriving if order.side is Side.BUY)
    selling = sum(order.lots for order in arriving if order.side is Side.SELL)
    assert longest >= position + venue.pending(coin, Side.BUY) + buying
    assert shortest <= position - venue.pending(coin, Side.SELL) - selling


def _arriving(raw: bytes, venue: ModelVenue) -> tuple[OrderIntent, ...]:
    """What these bytes may still place; of a modify also while its old order rests, for both legs must count."""
    body = msgspec.json.decode(raw, type=Body)
    if body.nonce in venue.nonces or venue.ms > body.expires_ms:
        return ()
    able = tuple(one.order for one in body.modifies if venue.rests(one.old_cloid))
    return body.orders + able


def unsettled(core: OrderManagement, venue: ModelVenue) -> str:
    """Return the first of positions, fills and open orders that is not the venue's, or a level that is not quoted."""
    store, ledger = core._desk.store, core._desk.ledger
    if core.state is not ServiceState.READY:
        return f"{core.state.value}: {core.detail}"
    for coin in COINS:
        if ledger.lots(coin) != venue.position.get(coin, 0):
            return f"{coin} position {ledger.lots(coin)}, the venue's is {venue.position.get(coin, 0)}"
    opened = {coin: books.opened_ms for coin, books in ledger.coins.items()}
    counted, _ = ledger.keys()
    if set(counted) != {fill_key(fill) for fill in venue.fills if fill.venue_ms > opened[fill.coin]}:
        return "fills differ"
    assert "finding.ledger identity" not in core._desk.counts
    live = {order.cloid: order.remaining() for order in store.open.values()}
    if live != {r.order.cloid: r.left for r in venue.open() if r.order.cloid}:
        return "open orders differ"
    if len(live) != len(COINS) * 2 * LEVELS:
        return f"{len(live)} orders rest"
    odd = {order.state for order in store.open.values()} - {OrderState.RESTING, OrderState.PARTIALLY_FILLED}
    return f"states {sorted(odd)}" if odd else ""
