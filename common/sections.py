"""Bounded numbers of the configuration, and two of its sections; common/config.py reads them."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Usd: TypeAlias = Annotated[float, Meta(gt=0, le=100_000_000)]  # a limit beyond that is none
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


class Kill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows a contained halt."""

    flatten: bool = False  # sell what is held: reduce-only, immediate or cancel
    slippage_bps: Annotated[float, Meta(gt=0, le=500)] = 50.0  # of the last try; the earlier ones go a part of it
    retries: Annotated[int, Meta(ge=0, le=20)] = 5


class Estimation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    half_life_s: Positive = 60.0  # of volatility
    fast_half_life_s: Positive = 10.0
    slow_half_life_s: Positive = 300.0
    sigma_prior_per_sqrt_s: Positive = 0.0001
    microprice_tilt: Annotated[float, Meta(ge=0, le=1)] = 0.5  # share of the half-spread at most
    warm_up_ms: Annotated[int, Meta(ge=0)] = 15_000
    variance_window_s: Annotated[float, Meta(ge=2)] = 10.0  # of realised variance, for the process that drives it
    variance_half_life_s: Positive = 7_200.0
    arrival_from_bps: Positive = 0.5  # depths at which we quote: market orders are counted from here
    arrival_to_bps: Positive = 3.0  # and told apart up to here
    arrival_half_life_s: Positive = 600.0
    arrival_k_prior_per_bps: Positive = 1.3
    arrival_a_prior_per_s: Positive = 0.2
    vpin_bucket_usd: Positive = 100_000.0
    momentum_threshold: Positive = 5.0  # sigmas of a move within 0.5 or 1 s from which the quotes in its way are pulled
    cascade_pull_severity: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    markout_half_life_s: Positive = 3_600.0
