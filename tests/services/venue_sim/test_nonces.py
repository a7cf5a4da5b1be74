"""Rules of services/venue_sim/nonces.py: both sides of every limit."""

from services.venue_sim.nonces import NEWEST_MS, NONCES_MAX, OLDEST_MS, NonceSet

NOW = 1_700_000_000_000


def test_once() -> None:
    """Rule 1: the second use of a nonce is refused."""
    nonces = NonceSet()
    assert nonces.use(NOW, NOW) == ""
    assert nonces.use(NOW, NOW) == f"Invalid nonce: duplicate nonce {NOW}"


def test_out_of_order_within_a_hundred() -> None:
    """Rule 2: until the memory is full any unused nonce is good; then it must exceed the smallest."""
    nonces = NonceSet()
    for step in range(NONCES_MAX - 1):
        assert nonces.use(NOW + 2 * step, NOW) == ""
    assert nonces.use(NOW - 10, NOW) == "", "the hundredth may be the smallest"
    assert nonces.use(NOW - 11, NOW) == f"Invalid nonce: nonce too low {NOW - 11} < {NOW - 10}"
    assert nonces.use(NOW + 1, NOW) == "", "drops the smallest"
    assert nonces.use(NOW - 10, NOW) == f"Invalid nonce: nonce too low {NOW - 10} < {NOW}"


def test_window() -> None:
    """Rule 3: strictly within two days before and one day after block time."""
    assert NonceSet().use(NOW - OLDEST_MS + 1, NOW) == ""
    assert NonceSet().use(NOW - OLDEST_MS, NOW).startswith("Invalid nonce: nonce too low")
    assert NonceSet().use(NOW + NEWEST_MS - 1, NOW) == ""
    assert NonceSet().use(NOW + NEWEST_MS, NOW).startswith("Invalid nonce: nonce too high")
