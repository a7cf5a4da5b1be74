"""Latency as an operator writes it in TOML, and what is refused."""

import msgspec
import pytest

from common.delays import ConstantDelay, Latency, LognormalDelay, RecordedDelay, UniformDelay


def read(to_venue: str) -> object:
    return msgspec.toml.decode(f"to_venue = {to_venue}", type=Latency).to_venue


def test_models_are_named() -> None:
    """Each by its kind; nothing is no delay."""
    assert read('{ kind = "constant", ms = 30 }') == ConstantDelay(ms=30)
    assert read('{ kind = "uniform", least_ms = 5, most_ms = 9 }') == UniformDelay(least_ms=5, most_ms=9)
    assert read('{ kind = "lognormal", median_ms = 80, sigma = 0.5 }') == LognormalDelay(median_ms=80.0, sigma=0.5)
    assert read('{ kind = "recorded", ms = [31, 35, 290] }') == RecordedDelay(ms=(31, 35, 290))
    assert msgspec.toml.decode("", type=Latency) == Latency(to_venue=ConstantDelay(), to_client=ConstantDelay())


@pytest.mark.parametrize(
    "text",
    [
        '{ kind = "gamma", ms = 3 }',
        '{ kind = "constant", ms = -1 }',
        '{ kind = "constant", ms = 60001 }',
        '{ kind = "constant", least_ms = 1 }',
        '{ kind = "lognormal", median_ms = 0.0, sigma = 0.5 }',
        '{ kind = "lognormal", median_ms = 80.0, sigma = 3.1 }',
        '{ kind = "recorded", ms = [] }',
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    """Unknown kinds and keys, and numbers outside of the limits."""
    with pytest.raises(msgspec.ValidationError):
        read(text)
