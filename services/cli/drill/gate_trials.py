"""Orders that the gate must refuse, asked for with order_management's own key.

Each returns its evidence: the refusal's code, the count of its control, and that the venue never saw the order.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from common.errors import PeerFault
from common.messages import OrderIntent, TimeInForce
from common.units import Side, Ticks
from services.cli.drill.stage import SETTLE_S_MAX, TRIP_S_MAX, NotTripped, Stage

QUIET_USD_MAX: Final = 20.2  # what always passes, at a price above the reference
TINY_USD: Final = 12.0  # above the venue's least
BATCH_MAX: Final = 100  # orders that risk takes in one request
SHY_BPS: Final = 20.0  # below the touch: inside every sane band, and far from a fill
STRANGE_COIN: Final = "NOSUCH"
UNKNOWN_S_MAX: Final = 50.0  # less than the minute in which they are counted
EXPIRED_S: Final = 6.0  # an expiry, its margin, and two answers of the venue


def price_collar(stage: Stage) -> str:
    """C1: twice the band away."""

    def make() -> list[OrderIntent]:
        coin = stage.coins[0]
        bid, _ = stage.touch(coin)
        share = 1 - 2 * stage.settings.risk.price_band_bps / 10_000
        return [stage.asker.order(coin, Side.BUY, Ticks(round(bid * share)), 4 * TINY_USD)]

    return _refused(stage, "C1", ("price_band",), make)


def order_notional(stage: Stage) -> str:
    """C3: a fifth above the largest order."""
    coin = stage.coins[0]
    usd = 1.2 * stage.settings.coins[coin].max_order_usd
    return _refused(stage, "C3", ("order_notional",), lambda: [_shy(stage, coin, usd)])


def quantity(stage: Stage) -> str:
    """C4: more than its share of what the book shows, drilled with a share that orders of this size can exceed.

    Then a risk that hears no trades: it refuses what a market without trades cannot bear, and little is quoted.
    """
    coin = stage.coins[0]
    usd = 0.9 * stage.settings.coins[coin].max_order_usd
    shown = _refused(stage, "C4", ("depth",), lambda: [_shy(stage, coin, usd)])
    with stage.fault("freeze_stream", channel="trades"):
        stage.restart("risk")
        traded = _refused(stage, "C4", ("volume",), lambda: [_shy(stage, coin, 4 * TINY_USD)], anew=True)
        stage.until(
            f"quotes of at most {QUIET_USD_MAX:g} USD",
            lambda: all(map(stage.log.refresh().quoted, stage.coins)) and stage.log.largest_usd() <= QUIET_USD_MAX,
            SETTLE_S_MAX,
        )
    return f"{shown}; without trades {traded}, and quotes of at most {stage.log.largest_usd():.2f} USD"


def message_rate(stage: Stage) -> str:
    """C5: the whole burst and a hundred orders more, at once; with nothing left of it, cancels go out all the same."""
    batches = stage.settings.risk.orders_burst // BATCH_MAX + 2
    coin = stage.coins[0]

    def burst() -> list[OrderIntent]:
        order = _shy(stage, coin, TINY_USD)
        for _ in range(batches - 1):
            stage.asker.ask(*_copies(stage, order))
        return _copies(stage, order)

    refused = _refused(stage, "C5", ("rate",), burst)
    return f"{refused}; {_cancelled_meanwhile(stage, burst)}"


def duplicates(stage: Stage) -> str:
    """C8: one order under many names."""
    coin, most = stage.coins[0], stage.settings.risk.max_repeats
    return _refused(
        stage, "C8", ("repeat",), lambda: _copies(stage, _shy(stage, coin, TINY_USD), min(BATCH_MAX, most + 5))
    )


def position(stage: Stage) -> str:
    """C9: orders that are each allowed, and too much together."""
    coin = stage.coins[0]
    limits = stage.settings.coins[coin]
    usd = 0.9 * limits.max_order_usd
    count = min(BATCH_MAX, int(limits.max_position_usd / usd) + 2)
    return _refused(stage, "C9", ("position",), lambda: _ladder(stage, coin, usd, count))


def open_orders(stage: Stage) -> str:
    """C10: more orders than may be open."""
    coin = stage.coins[-1]
    count = min(BATCH_MAX, stage.settings.risk.max_open_orders + 1)
    return _refused(stage, "C10", ("open_orders", "resting"), lambda: _ladder(stage, coin, TINY_USD, count))


def unknown_orders(stage: Stage) -> str:
    """C18: orders that are signed and never arrive, until a minute has seen more of them than it may."""
    coin, most, sent = stage.coins[-1], stage.settings.monitors.troubles_max, 0
    end = time.monotonic() + UNKNOWN_S_MAX
    while not stage.blocks("C18") and time.monotonic() < end:
        room = min(BATCH_MAX, most + 1 - sent)  # never twice as many, which would kill
        if room > 0:
            with contextlib.suppress(PeerFault):
                sent += len(stage.asker.ask(*_ladder(stage, coin, TINY_USD, room)).approved)
        with contextlib.suppress(NotTripped):
            stage.until("C18 counted", lambda: stage.blocks("C18"), EXPIRED_S)
    stage.until("C18 counted", lambda: stage.blocks("C18"), EXPIRED_S)
    stage.until(f"nothing of {coin} rests", lambda: stage.empty(coin))
    return f"counted {stage.blocks('C18'):g}; posture of {coin} {stage.posture(coin).name}; nothing of it rested"


def margin(stage: Stage) -> str:
    """C11: more initial margin than its share of equity; drilled with a share that fits the account."""
    coin = stage.coins[0]
    limits = stage.settings.coins[coin]
    count = min(BATCH_MAX, int(2 * limits.max_order_usd / limits.order_usd) + 2)
    return _refused(stage, "C11", ("margin",), lambda: _ladder(stage, coin, limits.order_usd, count))


def self_match(stage: Stage) -> str:
    """C13: a bid above our own asks."""

    def make() -> list[OrderIntent]:
        coin = stage.coins[0]
        _, ask = stage.touch(coin)
        share = 1 + min(50.0, stage.settings.risk.price_band_bps / 2) / 10_000
        return [stage.asker.order(coin, Side.BUY, Ticks(round(ask * share)), TINY_USD)]

    return _refused(stage, "C13", ("self_cross",), make)


def allow_list(stage: Stage) -> str:
    """C14: a coin that is not configured."""

    def make() -> list[OrderIntent]:
        order = _shy(stage, stage.coins[0], TINY_USD)
        return [OrderIntent(cloid=order.cloid, coin=STRANGE_COIN, side=order.side, ticks=order.ticks, lots=order.lots)]

    return _refused(stage, "C14", ("coin",), make)


def conformity(stage: Stage) -> str:
    """C15: an order that may take, and a price between two ticks."""
    coin = stage.coins[0]

    def make() -> list[OrderIntent]:
        bid, _ = stage.touch(coin)
        step = stage.settings.instrument(coin).step(bid)
        taking = stage.asker.order(coin, Side.BUY, bid, TINY_USD, tif=TimeInForce.GTC)
        crooked = stage.asker.order(coin, Side.BUY, Ticks(0 if step == 1 else bid + 1), TINY_USD, on_grid=False)
        return [taking, crooked]

    return _refused(stage, "C15", ("time_in_force", "price"), make, all_of_them=True)


def authorisation(stage: Stage) -> str:
    """C20: an earlier life of order_management, and a key that may not ask for orders at all."""
    order = _shy(stage, stage.coins[0], TINY_USD)
    try:
        stage.asker.ask(order, key="strategy")
    except PeerFault:
        pass
    else:
        raise NotTripped("risk answered a request that came with strategy's key")
    old = _refused(stage, "C20", ("old_epoch",), lambda: [_shy(stage, stage.coins[0], TINY_USD)], older=1)
    return f"{old}; strategy's key got no answer"


def second_limits(stage: Stage) -> str:
    """C28: what the gate lets through and the signer does not; drilled with a signer that is stricter than the gate."""
    coin = stage.coins[0]
    most = stage.settings.signer.max_deviation_bps

    def make() -> list[OrderIntent]:
        bid, _ = stage.touch(coin)
        return [stage.asker.order(coin, Side.BUY, Ticks(round(bid * (1 - 1.5 * most / 10_000))), TINY_USD)]

    return _refused(stage, "C28", ("signer",), make)


def _cancelled_meanwhile(stage: Stage, burst: Callable[[], list[OrderIntent]]) -> str:
    """Have a coin pulled while the tokens are exhausted: its cancels arrive at the venue."""
    mark, pulled = stage.log.refresh().seq, stage.coins[-1]
    if stage.log.resting(pulled) == 0:
        raise NotTripped(f"nothing of {pulled} rests that could be cancelled")
    exhausted = []

    def empty() -> bool:
        exhausted.append("rate" in stage.asker.codes(*burst()))
        return stage.empty(pulled)

    with stage.fault("freeze_stream", channel="l2Book", coin=pulled):
        stage.until(f"nothing of {pulled} rests", empty, TRIP_S_MAX)
    cancels = sum(stage.log.cancels_by(agent, mark) for agent in stage.agents.values())
    if not all(exhausted) or not cancels:
        raise NotTripped(f"{cancels} cancel actions arrived; exhausted were {sum(exhausted)} of {len(exhausted)} looks")
    return f"with no token left {cancels} cancel actions arrived, and nothing of {pulled} rested"


# --- parts -------------------------------------------------------------------------------------------


def _shy(stage: Stage, coin: str, usd: float) -> OrderIntent:
    """Return a bid that would only rest."""
    bid, _ = stage.touch(coin)
    away = min(SHY_BPS, stage.settings.risk.price_band_bps / 2)
    return stage.asker.order(coin, Side.BUY, Ticks(round(bid * (1 - away / 10_000))), usd)


def _copies(stage: Stage, order: OrderIntent, count: int = BATCH_MAX) -> list[OrderIntent]:
    return [stage.asker.again(order) for _ in range(count)]


def _ladder(stage: Stage, coin: str, usd: float, count: int) -> list[OrderIntent]:
    """Return bids below each other."""
    first = _shy(stage, coin, usd)
    step = stage.settings.instrument(coin).step(first.ticks)

    def rungs() -> Iterator[OrderIntent]:
        for number in range(count):
            yield stage.asker.again(first, Ticks(first.ticks - number * step))

    return list(rungs())


def _refused(
    stage: Stage,
    control: str,
    codes: tuple[str, ...],
    make: Callable[[], list[OrderIntent]],
    *,
    older: int = 0,
    all_of_them: bool = False,
    anew: bool = False,
) -> str:
    """Ask until the gate refuses with one of these codes, or with all; then count and look at the venue.

    `anew`: risk has just been started, and counts from zero.
    """
    before, seen = 0.0 if anew else stage.blocks(control), dict[str, int]()

    def attempt() -> bool:
        seen.clear()
        seen.update(stage.asker.codes(*make(), older=older))
        return (all if all_of_them else any)(code in seen for code in codes)

    try:
        stage.until(f"a refusal as {' or '.join(codes)}", attempt, TRIP_S_MAX)
    except NotTripped as fault:
        raise NotTripped(f"{fault}; risk said {seen or 'nothing'}") from fault
    stage.until(f"{control} counted", lambda: stage.blocks(control) > before)
    if arrived := stage.log.refresh().knows(stage.asker.cloids):
        raise NotTripped(f"{len(arrived)} orders of the drill reached the venue")
    refused = ", ".join(f"{count} {code}" for code, count in sorted(seen.items()) if code in codes)
    return f"refused {refused}; counted {before:g} -> {stage.blocks(control):g}; nothing of it at the venue"
