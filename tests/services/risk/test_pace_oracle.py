"""Message rate, repeats and ramp against their slow oracle, over random sequences."""

from decimal import Decimal
from itertools import count
from random import Random

import msgspec
import pytest

from common.messages import Approval, ArmRecord, HaltFile, OrderIntent
from common.rate import TokenBucket
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk.ramp import Ramp
from services.risk.references import PPM
from services.risk.repeats import Repeats
from tests.services.risk.pace_oracle import PaceOracle, ramped
from tests.services.risk.scene import SETTINGS, Scene, bid

RISK = msgspec.structs.replace(SETTINGS.risk, max_orders_per_s=4.0, orders_burst=12)  # so that the pace binds
PACED = msgspec.structs.replace(SETTINGS, risk=RISK)
SPAN_S = Decimal(RISK.repeat_window_ms) / 1_000


def of_the_settings() -> PaceOracle:
    return PaceOracle(
        per_second=Decimal(str(RISK.max_orders_per_s)),
        burst=Decimal(str(RISK.orders_burst)),
        most=RISK.max_repeats,
        span_s=SPAN_S,
    )


def seconds(now: Nanos) -> Decimal:
    return Decimal(now) / SECOND


@pytest.mark.parametrize("seed", range(20))
def test_pace_and_repeats_agree(seed: int) -> None:
    """Bursts and rests, few different orders; times end at either side of a refill and of the window."""
    chance = Random(seed)
    per_second, burst = Decimal(chance.choice([1, 4, 20])), Decimal(chance.choice([1, 3, 8]))
    most, span_ms = chance.choice([1, 2, 4]), chance.choice([100, 1_000])
    oracle = PaceOracle(per_second=per_second, burst=burst, most=most, span_s=Decimal(span_ms) / 1_000)
    rate = TokenBucket(per_second=float(per_second), burst=float(burst))
    repeats = Repeats(most, Nanos(span_ms * MILLISECOND))
    now, seen = Nanos(SECOND), set[str]()
    for _ in range(150):
        now = Nanos(now + chance.choice([0, 0, 0, 1, 50, 249, 250, 251, span_ms - 1, span_ms]) * MILLISECOND)
        order = bid(1, lots=chance.choice([800, 801]))
        found = "rate" if not rate.take(1, now) else "" if repeats.take(order, now) else "repeat"
        assert found == oracle.verdict(order, seconds(now)), now
        seen.add(found)
    assert "" in seen
    assert len(seen) > 1


@pytest.mark.parametrize("seed", range(2))
def test_risk_itself_agrees(seed: int) -> None:
    """Whole requests of several orders to the whole of risk, within every other limit; each order is gone at once."""
    chance, scene, oracle = Random(seed), Scene(settings=PACED).ready(), of_the_settings()
    numbers, seen = count(1), set[str]()
    for _ in range(60):
        if chance.random() < 0.3:
            scene.wait(chance.choice([0.25, 0.5, 1, float(SPAN_S)]))
        orders = [_small(next(numbers), chance) for _ in range(chance.choice([1, 2, 8]))]
        expected = {order.cloid: oracle.verdict(order, seconds(scene.now)) for order in orders}
        scene.send(scene.request(*orders))
        answer = scene.last(Approval)
        found = dict.fromkeys(answer.approved, "") | {veto.cloid: veto.code for veto in answer.vetoes}
        assert found == expected
        seen |= set(found.values())
        for order in orders:
            if not found[order.cloid]:
                scene.update(order, int(order.cloid[18:30], 16), "canceled")
    assert seen == {"", "rate", "repeat"}


def _small(number: int, chance: Random) -> OrderIntent:
    """12 USD just below the mark; mostly one of many, so that the pace binds, sometimes the same again."""
    return bid(number, lots=20 + chance.choice([0, chance.randint(1, 50)]))


@pytest.mark.parametrize("seed", range(5))
def test_the_ramp_agrees(seed: int) -> None:
    """Losses and other causes armed at any time, asked for at any other."""
    chance, ramp = Random(seed), Ramp(RISK)
    began: list[int] = []
    now_ms, length_ms = 10**6, RISK.ramp_s * 1_000
    share = Decimal(str(RISK.ramp_from))
    for _ in range(200):
        now_ms += chance.choice([0, 1, 999, length_ms // 7, length_ms])
        if chance.random() < 0.2:
            cause = chance.choice(["loss", "drawdown", "operator", "BTC position"])
            ramp.restore(ArmRecord(reason="x", cleared=(HaltFile(name="1", cause=cause),), at_ms=Millis(now_ms)))
            began += [now_ms] if cause in {"loss", "drawdown"} else []
        asked = chance.choice([None, now_ms, now_ms, now_ms - 1])
        found = ramp.ppm(None if asked is None else Millis(asked))
        assert found == int(ramped(began, asked, share, length_ms) * PPM)
