"""Rules of services/venue_sim/budget.py: both sides of every limit."""

from common.units import Micros
from services.venue_sim.budget import CANCEL_EXTRA, PASS_MS, AddressBudget

NOW = 1_700_000_000_000


def test_cap_grows_with_volume() -> None:
    """Rule 1: 10,000 and one per whole USD; a batch of n costs n."""
    budget = AddressBudget(10_000)
    assert budget.spend(10_000, NOW, is_cancel=False) == ""
    assert budget.spend(2, NOW, is_cancel=False) != ""
    budget.volume = Micros(2_999_999)
    assert budget.view().cap == 10_002
    assert budget.spend(2, NOW, is_cancel=False) == ""


def test_refusal_has_the_figures() -> None:
    """Rule 1: the text says requests, cap and volume."""
    budget = AddressBudget(10_000)
    budget.volume, budget.used = Micros(87_456_460_000), 97_456
    assert budget.spend(4, NOW, is_cancel=False) == (
        "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded $87456.46. "
        "Place taker orders to free up 1 request per USDC traded."
    )


def test_cancels_have_a_larger_cap() -> None:
    """Rule 2: twice the cap while it is small, 100,000 more when it is large."""
    budget = AddressBudget(10_000)
    assert budget.spend(20_000, NOW, is_cancel=True) == ""
    assert budget.spend(2, NOW, is_cancel=True) != ""
    rich = AddressBudget(500_000)
    assert rich.spend(500_000 + CANCEL_EXTRA, NOW, is_cancel=True) == ""
    assert rich.spend(2, NOW, is_cancel=True) != ""


def test_one_passes_every_ten_seconds() -> None:
    """Rule 3: over the cap single requests pass 10 s apart; refused ones neither cost nor push the window."""
    budget = AddressBudget(0)
    assert budget.spend(1, NOW, is_cancel=False) == ""
    assert budget.spend(1, NOW + PASS_MS - 1, is_cancel=False) != ""
    assert budget.used == 1
    assert budget.spend(1, NOW + PASS_MS, is_cancel=False) == ""


def test_expired_costs_five() -> None:
    """Rule 4: what arrives after its expiresAfter is charged five."""
    budget = AddressBudget(10_000)
    budget.fine()
    assert budget.view().used == 5
