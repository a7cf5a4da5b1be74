"""How long things are on the way to the local venue and back, as an operator writes it."""

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

DELAY_MS_MAX: Final = 60_000  # no peer waits longer

DelayMs: TypeAlias = Annotated[int, Meta(ge=0, le=DELAY_MS_MAX)]


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of all models: unknown keys are refused."""


class ConstantDelay(Model, frozen=True, kw_only=True, tag="constant"):
    ms: DelayMs = 0


class UniformDelay(Model, frozen=True, kw_only=True, tag="uniform"):
    least_ms: DelayMs
    most_ms: DelayMs


class LognormalDelay(Model, frozen=True, kw_only=True, tag="lognormal"):
    median_ms: Annotated[float, Meta(gt=0, le=DELAY_MS_MAX)]
    sigma: Annotated[float, Meta(gt=0, le=3)]  # sd of the logarithm


class RecordedDelay(Model, frozen=True, kw_only=True, tag="recorded"):
    """Each delay is one of the list, drawn evenly."""

    ms: Annotated[tuple[DelayMs, ...], Meta(min_length=1, max_length=100_000)]


Delay: TypeAlias = ConstantDelay | UniformDelay | LognormalDelay | RecordedDelay


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far away the local venue is."""

    to_venue: Delay = ConstantDelay()
    to_client: Delay = ConstantDelay()
