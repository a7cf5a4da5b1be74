"""Both sides of every limit of the gate, and a slow second opinion on everything."""

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from common.messages import OrderIntent, PostureLevel, TimeInForce
from common.units import Lots, Micros, Side, Ticks
from services.risk import gate
from services.risk.gate import CoinLimits, VetoCode, View, check, headroom, largest_order
from services.risk.references import References
from tests.services.risk import gate_oracle
from tests.services.risk.scene import SETTINGS

LIMITS = CoinLimits.of(SETTINGS, "BTC")  # 2,000 USD an order, 6,000 USD of position, 200 bps, 40 orders
MARK = Ticks(600_000)
PLAIN = View(
    limits=LIMITS,
    references=References(mark=MARK, oracle=MARK, mid_twice=2 * MARK),
    level=PostureLevel.NORMAL,
    position=Lots(0),
    worst_max=Lots(0),
    worst_min=Lots(0),
    open_orders=0,
    resting=Micros(0),
    depth=Lots(10**9),
    volume=Lots(10**9),
    reducing=Lots(0),
    best_bid=None,
    best_ask=None,
    cloid_ours=True,
    cloid_seen=False,
    replaces=None,
    account_others=Micros(0),
    account_max=Micros(10**15),
    margin_others=Micros(0),
    margin_max=Micros(10**15),
)


def order(side: Side = Side.BUY, ticks: int = 600_000, lots: int = 1_000, **fields: Any) -> OrderIntent:  # any field
    return OrderIntent(cloid="0x", coin="BTC", side=side, ticks=Ticks(ticks), lots=Lots(lots), **fields)


def view(**fields: Any) -> View:  # any field
    return msgspec.structs.replace(PLAIN, **fields)


def code(intent: OrderIntent, seen: View | None) -> str:
    veto = check(intent, seen)
    return veto.code if veto else ""


def test_a_plain_order_passes() -> None:
    """The premise of every test below."""
    assert code(order(), PLAIN) == ""
    assert code(order(Side.SELL), PLAIN) == ""


def test_only_configured_coins() -> None:
    """Rule 1: a coin without limits has no view."""
    assert code(order(), None) == VetoCode.COIN


@pytest.mark.parametrize(
    ("tif", "reduce_only", "expected"),
    [
        (TimeInForce.ALO, False, ""),
        (TimeInForce.ALO, True, ""),
        (TimeInForce.IOC, True, ""),
        (TimeInForce.IOC, False, "time_in_force"),
        (TimeInForce.GTC, False, "time_in_force"),
        (TimeInForce.GTC, True, "time_in_force"),
    ],
)
def test_time_in_force(tif: TimeInForce, reduce_only: bool, expected: str) -> None:
    """Rule 1: post-only, or immediate when it only reduces."""
    assert code(order(tif=tif, reduce_only=reduce_only), PLAIN) == expected


@pytest.mark.parametrize(
    ("ticks", "lots", "expected"),
    [
        (600_000, 1_000, ""),
        (600_010, 1_000, ""),
        (600_001, 1_000, "price"),  # 60,000.1 has six figures
        (0, 1_000, "price"),
        (-600_000, 1_000, "price"),
        (600_000, 0, "size"),
        (600_000, -1, "size"),
        (600_000, gate.LOTS_MAX + 1, "size"),
        (600_000, gate.LOTS_MAX, "order_notional"),
        (600_000, 17, ""),  # 10.20 USD
        (600_000, 16, "min_notional"),  # 9.60 USD
    ],
)
def test_form(ticks: int, lots: int, expected: str) -> None:
    """Rule 1: the venue's grid, a positive size, ten dollars."""
    assert code(order(ticks=ticks, lots=lots), PLAIN) == expected


@pytest.mark.parametrize(
    ("lots", "reduce_only", "position", "expected"),
    [
        (10, True, -10, ""),
        (9, True, -10, "min_notional"),
        (10, False, -10, "min_notional"),
        (10, True, 10, "min_notional"),
    ],
)
def test_small_orders_may_close(lots: int, reduce_only: bool, position: int, expected: str) -> None:
    """Rule 1: below ten dollars only what closes the whole position passes, with the reduce-only flag."""
    seen = view(position=Lots(position), worst_min=Lots(min(0, position)), worst_max=Lots(max(0, position)))
    assert code(order(lots=lots, reduce_only=reduce_only), seen) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cloid_ours": False}, "cloid"),
        ({"cloid_seen": True}, "duplicate"),
        ({"replaces": False}, "unknown_order"),
        ({"replaces": True}, ""),
    ],
)
def test_identity(fields: dict[str, bool], expected: str) -> None:
    """Rule 2: our tag, once, and a modify only of what may still fill."""
    assert code(order(), view(**fields)) == expected


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (PostureLevel.NORMAL, ""),
        (PostureLevel.WIDEN, ""),
        (PostureLevel.REDUCE_ONLY, "reduce_only"),
        (PostureLevel.PULL_QUOTES, "posture"),
        (PostureLevel.HALTED, "posture"),
    ],
)
def test_posture(level: PostureLevel, expected: str) -> None:
    """Rule 3: an increasing order passes in Normal and Widen alone."""
    assert code(order(), view(level=level)) == expected


@pytest.mark.parametrize(
    ("side", "lots", "reduce_only", "reducing", "expected"),
    [
        (Side.SELL, 1_000, True, 0, ""),
        (Side.SELL, 1_001, True, 0, "reduce_only"),
        (Side.SELL, 600, True, 400, ""),
        (Side.SELL, 600, True, 401, "reduce_only"),
        (Side.SELL, 1_000, False, 0, "reduce_only"),
        (Side.BUY, 1_000, True, 0, "reduce_only"),
    ],
)
def test_reduce_only(side: Side, lots: int, reduce_only: bool, reducing: int, expected: str) -> None:
    """Rule 3: against the position, with the flag, all together no more than the position."""
    seen = view(
        level=PostureLevel.REDUCE_ONLY,
        position=Lots(1_000),
        worst_max=Lots(1_000),
        worst_min=Lots(1_000),
        reducing=Lots(reducing),
    )
    assert code(order(side, lots=lots, reduce_only=reduce_only), seen) == expected


def test_no_references_no_orders() -> None:
    """Rule 4: also not for orders that reduce."""
    assert code(order(reduce_only=True), view(references=None, position=Lots(-5_000))) == "reference"


@pytest.mark.parametrize(
    ("ticks", "expected"), [(612_000, ""), (612_010, "price_band"), (588_000, ""), (587_990, "price_band")]
)
@pytest.mark.parametrize("name", ["mark", "oracle", "mid_twice"])
def test_price_band(name: str, ticks: int, expected: str) -> None:
    """Rule 4: 200 bps around each of mark, oracle and mid; the end itself is allowed."""
    at_price = {"mark": ticks, "oracle": ticks, "mid_twice": 2 * ticks}
    at_price[name] = 1_200_000 if name == "mid_twice" else 600_000
    references = References(
        mark=Ticks(at_price["mark"]), oracle=Ticks(at_price["oracle"]), mid_twice=at_price["mid_twice"]
    )
    assert code(order(ticks=ticks), view(references=references)) == expected


@pytest.mark.parametrize(("lots", "expected"), [(3_333, ""), (3_334, "order_notional")])
def test_order_notional(lots: int, expected: str) -> None:
    """Rule 5: 2,000 USD at its own price: 1,999.80 passes, 2,000.40 does not."""
    assert code(order(lots=lots), PLAIN) == expected


def test_the_order_limit_itself_is_allowed() -> None:
    """Rule 5: exactly 2,000 USD."""
    half = Ticks(500_000)
    seen = view(references=References(mark=half, oracle=half, mid_twice=2 * half))
    assert code(order(ticks=half, lots=4_000), seen) == ""


@pytest.mark.parametrize(("depth", "expected"), [(1_000, ""), (999, "depth"), (0, "depth")])
def test_depth(depth: int, expected: str) -> None:
    """Rule 5: an order is no larger than what the thinner side of the book shows."""
    assert code(order(), view(depth=Lots(depth))) == expected


@pytest.mark.parametrize(("volume", "lots"), [(10_000, 1_000), (0, 33), (9, 33), (340, 34)])
def test_volume(volume: int, lots: int) -> None:
    """Rule 5: a tenth of what the last minute traded; 20 USD at the dearest reference are never too much."""
    assert code(order(lots=lots), view(volume=Lots(volume))) == ""
    assert code(order(lots=lots + 1), view(volume=Lots(volume))) == "volume"


@pytest.mark.parametrize(("resting", "expected"), [(8_400_000_000, ""), (8_400_000_001, "resting")])
def test_resting_value(resting: int, expected: str) -> None:
    """Rule 6: 600 USD more on a side that may hold one and a half times 6,000."""
    assert code(order(), view(resting=Micros(resting))) == expected


@pytest.mark.parametrize(("margin", "expected"), [(60_000_000, ""), (59_999_999, "margin")])
def test_margin(margin: int, expected: str) -> None:
    """Rule 9: 600 USD at ten times leverage need 60 USD."""
    assert code(order(), view(margin_max=Micros(margin))) == expected
    assert code(order(), view(margin_others=None)) == "margin"


@pytest.mark.parametrize(("count", "expected"), [(39, ""), (40, "open_orders")])
def test_open_orders(count: int, expected: str) -> None:
    """Rule 6: the fortieth is allowed."""
    assert code(order(), view(open_orders=count)) == expected


@pytest.mark.parametrize(
    ("side", "own", "expected"),
    [
        (Side.BUY, 600_010, ""),
        (Side.BUY, 600_000, "self_cross"),
        (Side.SELL, 599_990, ""),
        (Side.SELL, 600_000, "self_cross"),
    ],
)
def test_no_trade_with_ourselves(side: Side, own: int, expected: str) -> None:
    """Rule 7: at the same price they would trade; orders of the same side never do."""
    other = {"best_ask": Ticks(own)} if side is Side.BUY else {"best_bid": Ticks(own)}
    same = {"best_bid": Ticks(590_000)} if side is Side.BUY else {"best_ask": Ticks(610_000)}
    assert code(order(side), view(**other, **same)) == expected


@pytest.mark.parametrize(("worst", "expected"), [(9_000, ""), (9_001, "position")])
@pytest.mark.parametrize("side", list(Side))
def test_worst_case_position(side: Side, worst: int, expected: str) -> None:
    """Rule 8: 6,000 USD are 10,000 lots at the mark; the limit itself is allowed, one lot more is not."""
    fields = {"worst_max": Lots(worst)} if side is Side.BUY else {"worst_min": Lots(-worst)}
    assert code(order(side), view(**fields)) == expected


@pytest.mark.parametrize(("oracle", "expected"), [(600_000, ""), (600_010, "position")])
def test_the_dearest_reference_prices_the_position(oracle: int, expected: str) -> None:
    """Rule 8: of all references the one at which the position is worth most."""
    references = References(mark=MARK, oracle=Ticks(oracle), mid_twice=2 * MARK)
    assert code(order(), view(worst_max=Lots(9_000), references=references)) == expected


def test_the_way_back_is_never_barred() -> None:
    """Rule 8: far beyond the limit on one side, the other side still passes."""
    beyond = view(position=Lots(50_000), worst_max=Lots(50_000), worst_min=Lots(50_000))
    assert code(order(Side.SELL), beyond) == ""
    assert code(order(Side.BUY), beyond) == "position"


@pytest.mark.parametrize(("others", "expected"), [(400_000_000, ""), (400_000_001, "account")])
def test_account(others: int, expected: str) -> None:
    """Rule 9: all worst cases together: 600 USD here and 400 USD elsewhere fit 1,000 USD."""
    assert code(order(), view(account_others=Micros(others), account_max=Micros(1_000_000_000))) == expected


def test_an_unknown_account_lets_only_what_adds_nothing_through() -> None:
    """Rule 9: without equity nothing may grow, and a position may still shrink."""
    assert code(order(), view(account_others=None)) == "account"
    held = view(account_others=None, position=Lots(5_000), worst_max=Lots(5_000), worst_min=Lots(5_000))
    assert code(order(Side.SELL), held) == ""


def test_every_code_is_used_once() -> None:
    """The set of codes is closed: each is distinct and written as metrics show it."""
    assert len({item.value for item in VetoCode}) == len(VetoCode)
    assert all(item.value == item.name.lower() for item in VetoCode)


# --- headroom ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"worst_max": Lots(4_000), "worst_min": Lots(-2_500), "position": Lots(1_000)},
        {"account_max": Micros(3_000_000_000), "account_others": Micros(1_000_000_000)},
        {"account_max": Micros(3_000_000_000), "worst_max": Lots(4_500), "worst_min": Lots(-100)},
        {"level": PostureLevel.REDUCE_ONLY, "position": Lots(700), "worst_max": Lots(700), "worst_min": Lots(700)},
        {"level": PostureLevel.PULL_QUOTES},
        {"references": None},
        {"margin_max": Micros(300_000_000), "margin_others": Micros(100_000_000)},
        {"resting": Micros(5_000_000_000)},
        {"account_others": None, "worst_max": Lots(500), "worst_min": Lots(-2_000)},
    ],
)
def test_headroom_is_what_the_gate_would_still_pass(side: Side, fields: dict[str, Any]) -> None:
    """So many lots pass, one more does not; limits of the single order apart."""
    hard = LIMITS.position_max
    unlimited = msgspec.structs.replace(LIMITS, order_max=Micros(10**18), soft_max=hard, resting_max=hard)
    seen = view(**fields | {"limits": unlimited})
    room = headroom(side, seen)
    flag = seen.level is PostureLevel.REDUCE_ONLY
    if room > 0:
        assert code(order(side, lots=max(17, room), reduce_only=flag), seen) == ""
    assert code(order(side, lots=max(17, room + 1), reduce_only=flag), seen) != ""


@pytest.mark.parametrize(("worst", "room"), [(0, 8_000), (7_999, 1), (8_000, 0), (9_000, 0)])
def test_headroom_ends_at_the_soft_limit(worst: int, room: int) -> None:
    """4,800 of 6,000 USD: what obeys it shrinks to nothing there, while the gate blocks at the hard limit only."""
    assert headroom(Side.BUY, view(worst_max=Lots(worst))) == room
    assert code(order(lots=17), view(worst_max=Lots(worst))) == ""


@pytest.mark.parametrize(
    ("depth", "volume", "lots"),
    [(10**9, 10**9, 3_333), (3_000, 10**9, 3_000), (0, 10**9, 0), (10**9, 30_009, 3_000), (33, 0, 33), (20, 0, 20)],
)
def test_the_largest_order(depth: int, volume: int, lots: int) -> None:
    """By value, by what the book shows and by what was traded; without references there is none. It passes itself."""
    assert largest_order(seen := view(depth=Lots(depth), volume=Lots(volume))) == lots
    assert largest_order(view(references=None)) == 0
    assert lots == 0 or code(order(lots=lots), seen) == ""
    assert code(order(lots=lots + 1), seen) != ""


def test_limits_fit_a_small_account() -> None:
    """Of 100 USD: orders of 50, positions of 200 with their soft limit and resting value; ramped by half as well."""
    small = LIMITS.capped(Micros(50_000_000), Micros(200_000_000))
    expected = (50_000_000, 200_000_000, 160_000_000, 300_000_000)
    assert (small.order_max, small.position_max, small.soft_max, small.resting_max) == expected
    half = LIMITS.capped(Micros(10**15), Micros(10**15), ramp_ppm=500_000)
    assert (half.order_max, half.position_max) == (LIMITS.order_max // 2, LIMITS.position_max // 2)
    assert LIMITS.capped(Micros(10**15), Micros(10**15)) == LIMITS


# --- a gate that proves itself -------------------------------------------------------------------------


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_self_test_passes(coin: str) -> None:
    """The gate as it is refuses both probes."""
    assert gate.self_test(CoinLimits.of(SETTINGS, coin)) == ""


@pytest.mark.parametrize("broken", [{"band_ppm": 10**7}, {"order_max": Micros(10**30)}])
def test_self_test_notices_a_limit_that_is_none(broken: dict[str, Any]) -> None:
    """A limit that was broken at run time lets a probe through, or refuses it for another reason."""
    assert gate.self_test(msgspec.structs.replace(LIMITS, **broken)) != ""


# --- a second opinion ----------------------------------------------------------------------------------


def compare(count: int, seed: int) -> Counter[str]:
    """Ask both for a verdict so many times; return how often each was given."""
    chance = Random(seed)
    given: Counter[str] = Counter()
    for number in range(count):
        intent, seen = gate_oracle.case(chance)
        expected = gate_oracle.verdict(intent, seen) or ""
        assert code(intent, seen) == expected, f"seed {seed}, case {number}: {intent} {seen}"
        given[expected] += 1
    return given


ORDER_CODES = set(VetoCode) - {
    *(VetoCode.LATE, VetoCode.OLD_EPOCH, VetoCode.NOT_RECONCILED, VetoCode.NOT_READY, VetoCode.HALTED),
    *(VetoCode.STOPPING, VetoCode.VENUE_CLOCK, VetoCode.TARGET_LAPSED, VetoCode.BATCH),
    *(VetoCode.COIN, VetoCode.RATE, VetoCode.REPEAT, VetoCode.SIGNER),
}


def test_the_gate_agrees_with_a_second_opinion() -> None:
    """Rules 1 to 9: same verdict, same reason, near every limit; and every verdict was given."""
    given = compare(2_000, seed=1)
    assert set(given) == {"", *(item.value for item in ORDER_CODES)}


@pytest.mark.truth
def test_the_gate_agrees_with_a_second_opinion_at_length() -> None:
    """Rules 1 to 9, 50,000 cases; every verdict was given at least a hundred times."""
    given = compare(50_000, seed=2)
    assert min(given.values()) >= 100, given
