"""One signature: the bare key, and risk's signer with its limits and look at the halt directory."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns, perf_counter_ns
from typing import Final

from common.actor import Ask, Sign
from common.halt import HaltDir
from common.hyperliquid.wire import encode_action
from common.messages import Signed
from common.messages.venue import AccountQuery, Place
from common.units import Millis, Nanos
from services.risk.signer import OrderSigner
from tests.bench.approval import KEY, SETTINGS, World
from tests.bench.report import Table, spread
from tests.services.risk import scene

SIGNATURES: Final = 3_000
SHARES: Final = (0.5, 0.99, 0.999)
ACTION: Final = Place((scene.bid(1), scene.ask(2)))


def measure() -> Iterator[Table]:
    action = encode_action(ACTION, SETTINGS.instruments())
    with tempfile.TemporaryDirectory(prefix="bl") as halt:
        signer = OrderSigner(SETTINGS, KEY, HaltDir(Path(halt)), lambda: Nanos(monotonic_ns()))
        world = World(signer.observe)
        world.live()
        signer.observe(world._answer(Ask(1, AccountQuery())))

        def sign(nonce: int) -> None:
            signed = signer.sign(Sign(1, ACTION, nonce, Millis(nonce + 1)))
            assert isinstance(signed, Signed), signed

        bare = durations_us(lambda nonce: KEY.sign_l1(action, nonce, SETTINGS.venue.network, expires_after=nonce + 1))
        whole = durations_us(sign)
    yield Table(
        title="One signature of a place of two orders",
        columns=("one signature, us", "count", "p50", "p99", "p99.9", "max"),
        rows=(
            ("action hash and signature", *spread(bare, SHARES)),
            ("risk's signer: limits, halt directory, request body too", *spread(whole, SHARES)),
        ),
    )


def durations_us(act: Callable[[int], object]) -> list[float]:
    """Time `act` with ever new nonces."""
    times = []
    for nonce in range(1, SIGNATURES + 1):
        began = perf_counter_ns()
        act(nonce)
        times.append((perf_counter_ns() - began) / 1_000)
    return times
