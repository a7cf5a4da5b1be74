"""The ledger: fills once, positions from a snapshot plus fills, money exact."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from common.instrument import Instrument
from common.ledger import FILL_KEYS_MAX, Ledger, SeenKeys, chained, fill_key
from common.messages import Fill, LedgerRecord
from common.messages.venue import FundingPayment
from common.units import Lots, Millis, Side, Ticks

COIN = Instrument(coin="BTC", asset=0, size_decimals=5)  # price 0.1, size 0.00001


def fill(tid: int, side: Side, lots: int, ticks: int = 1_000_000, *, ms: int = 2_000, start: int = 0) -> Fill:
    return Fill(
        coin="BTC",
        side=side,
        ticks=Ticks(ticks),
        lots=Lots(lots),
        venue_ms=Millis(ms),
        tid=tid,
        oid=tid,
        cloid=None,
        start_position=Lots(start),
        fee=Decimal("0.5"),
        closed_pnl=Decimal(3),
        crossed=False,
    )


def books(lots: int = 0, entry: str | None = None, at_ms: int = 1_000) -> Ledger:
    ledger = Ledger({"BTC": COIN})
    ledger.open("BTC", Lots(lots), Decimal(entry) if entry else None, Millis(at_ms))
    return ledger


def test_a_fill_counts_once() -> None:
    """Rule 1: the same key twice is one fill, another time or tid is another."""
    ledger = books()
    assert ledger.count(fill(1, Side.BUY, 10))
    assert not ledger.count(fill(1, Side.BUY, 10))
    assert ledger.count(fill(2, Side.BUY, 10))
    assert ledger.count(fill(1, Side.BUY, 10, ms=2_001))
    assert ledger.lots("BTC") == 30
    assert ledger.coins["BTC"].fills == 3


def test_position_is_snapshot_plus_later_fills() -> None:
    """Rule 2: after an adoption a fill at its very millisecond is inside it, one a millisecond later is not."""
    ledger = books()
    ledger.coins["BTC"].adopt(Lots(100), Decimal(90_000), Millis(5_000))
    assert ledger.count(fill(1, Side.BUY, 10, ms=5_000))
    assert ledger.lots("BTC") == 100
    assert ledger.coins["BTC"].realized_pnl == 3, "the venue's word, for our own entry of then is gone"
    assert ledger.count(fill(2, Side.BUY, 10, ms=5_001))
    assert ledger.lots("BTC") == 110


def test_adoption_keeps_fills_after_it() -> None:
    """Rule 2: fills that came after the adopted moment, but were heard before, are not lost, and earn nothing twice."""
    ledger = books()
    ledger.count(fill(1, Side.BUY, 10, ms=2_000))
    ledger.count(fill(2, Side.SELL, 10, 1_000_100, ms=9_000))
    earned = ledger.coins["BTC"].realized_pnl
    ledger.coins["BTC"].adopt(Lots(15), Decimal(100_000), Millis(5_000))
    assert ledger.lots("BTC") == 5
    assert ledger.coins["BTC"].realized_pnl == earned == Decimal("0.001")


def test_nothing_before_the_books() -> None:
    """Rule 3: fills and funding before the opening, at it, and of coins without books are not ours to count."""
    ledger = books(at_ms=2_000)
    assert not ledger.count(fill(1, Side.BUY, 10, ms=2_000))
    assert not Ledger({"BTC": COIN}).count(fill(1, Side.BUY, 10))
    assert not ledger.fund(FundingPayment(coin="BTC", usd=Decimal(1), venue_ms=Millis(2_000)))
    assert not ledger.fund(FundingPayment(coin="ETH", usd=Decimal(1), venue_ms=Millis(3_000)))
    assert ledger.lots("ETH") == 0


def test_funding_counts_once() -> None:
    """Rule 5: received is positive; the same hour of the same coin counts once."""
    ledger = books()
    payment = FundingPayment(coin="BTC", usd=Decimal("-1.5"), venue_ms=Millis(3_000))
    assert ledger.fund(payment)
    assert not ledger.fund(payment)
    assert ledger.coins["BTC"].funding == Decimal("-1.5")


def test_same_millisecond_chains_by_start_position() -> None:
    """Rule 4: 5 -> 8 -> 6 -> 7, whatever the tids say; what does not chain follows by tid."""
    first = fill(9, Side.BUY, 3, start=5)
    second = fill(1, Side.SELL, 2, start=8)
    third = fill(5, Side.BUY, 1, start=6)
    assert chained([second, third, first]) == [first, second, third]
    stray = fill(2, Side.BUY, 1, start=100)
    assert set(map(fill_key, chained([stray, second, first]))) == set(map(fill_key, [stray, second, first]))
    earlier = fill(99, Side.BUY, 1, ms=1_999)
    assert chained([first, earlier])[0] == earlier


def test_a_circle_of_fills_is_kept_whole() -> None:
    """Rule 4: bought and sold back in one millisecond has no beginning; nothing is lost."""
    there, back = fill(1, Side.BUY, 3, start=0), fill(2, Side.SELL, 3, start=3)
    assert len(chained([back, there])) == 2


def test_average_entry_and_realised() -> None:
    """Rule 5: average on adding, realised on closing, a flip opens at the fill's price, flat has no entry."""
    ledger = books()
    ledger.count(fill(1, Side.BUY, 100_000, 1_000_000))  # 1 BTC at 100,000
    ledger.count(fill(2, Side.BUY, 100_000, 1_000_200))  # 1 BTC at 100,020
    held = ledger.coins["BTC"]
    assert held.entry == Decimal(100_010)
    ledger.count(fill(3, Side.SELL, 50_000, 1_000_300))
    assert (held.entry, held.realized_pnl) == (Decimal(100_010), Decimal(10))
    ledger.count(fill(4, Side.SELL, 250_000, 1_000_000))
    assert (held.lots, held.entry, held.realized_pnl) == (-100_000, Decimal(100_000), Decimal(-5))
    ledger.count(fill(5, Side.BUY, 100_000, 999_000))
    assert (held.lots, held.realized_pnl) == (0, Decimal(95))
    assert held.entry is None
    assert held.fees == Decimal("2.5")


def test_position_at_an_earlier_moment() -> None:
    """A comparison with an older snapshot leaves newer fills out; the moment of a fill includes it."""
    ledger = books()
    ledger.count(fill(1, Side.BUY, 10, ms=2_000))
    ledger.count(fill(2, Side.SELL, 4, ms=3_000))
    held = ledger.coins["BTC"]
    assert [held.position_at(Millis(ms)) for ms in (1_999, 2_000, 2_999, 3_000)] == [0, 10, 10, 6]


def test_restore_continues() -> None:
    """A row carries everything on; a coin that is not configured any more is left out."""
    ledger = books()
    ledger.count(fill(1, Side.BUY, 10))
    row = ledger.coins["BTC"].record("test")
    again = Ledger({"BTC": COIN})
    again.restore(row)
    again.remember(*ledger.keys())
    assert again.coins["BTC"].record("test") == row
    assert not again.count(fill(1, Side.BUY, 10))
    again.restore(LedgerRecord(**{**{f: getattr(row, f) for f in row.__struct_fields__}, "coin": "DOGE"}))
    assert list(again.coins) == ["BTC"]


def test_seen_keys_forget_the_oldest() -> None:
    """Memory is bounded: of one more than the limit the first is forgotten, and none but the first."""
    seen = SeenKeys[tuple[Millis, str, int]](2)
    keys = [(Millis(at), "BTC", at) for at in range(3)]
    assert all(seen.add(one) for one in keys)
    assert keys[0] not in seen
    assert not seen.add(keys[1])
    assert FILL_KEYS_MAX > 10_000, "the venue serves 10,000"


deals = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 500), st.integers(999_000, 1_001_000)), max_size=30)


@given(deals, st.randoms(use_true_random=False))
def test_law_equity_does_not_depend_on_order(trades: list[tuple[Side, int, int]], chance: object) -> None:
    """In any order of arrival position and total profit (realised plus unrealised at one mark) are the same."""
    fills = [fill(tid, side, lots, ticks, ms=2_000 + tid) for tid, (side, lots, ticks) in enumerate(trades)]
    shuffled = list(fills)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    mark = Decimal(100_000)
    outcomes = []
    for story in (fills, shuffled, [*shuffled, *fills]):
        ledger = books()
        for one in story:
            ledger.count(one)
        held = ledger.coins["BTC"]
        unrealised = (mark - (held.entry or mark)) * COIN.size(held.lots)
        outcomes.append((held.lots, round(held.realized_pnl + unrealised, 9)))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    cash = sum(one.side.sign * COIN.size(one.lots) * (mark - COIN.price(one.ticks)) for one in fills)
    assert outcomes[0] == (sum(one.side.sign * one.lots for one in fills), round(cash, 9))
