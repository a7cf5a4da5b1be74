"""Why a side is not quoted: the codes that the target, `mm why` and the time shares speak in."""

from enum import StrEnum


class Reason(StrEnum):
    """Exactly one for each side without a level, the first that applies."""

    STOPPING = "stopping"
    NO_POSTURE = "no_posture"  # never heard
    POSTURE_UNHEARD = "posture_unheard"  # for `liveness.posture_unheard` units
    HALTED = "halted"
    PULL_QUOTES = "pull_quotes"
    NO_MARKET = "no_market"  # no book, estimate or feed health was ever heard
    FEED_NOT_FRESH = "feed_not_fresh"  # market_data says so
    STALE_BOOK = "stale_book"  # older than `liveness.book_feed` units
    STALE_ESTIMATE = "stale_estimate"
    WARMING_UP = "warming_up"  # the estimators have not seen `estimation.warm_up_ms` of this market yet
    ONE_SIDED_BOOK = "one_sided_book"
    ECHO = "echo"  # on one side at least the book holds our own orders alone: nobody makes a market here
    BAD_ESTIMATE = "bad_estimate"  # not positive and finite, or further from the mid than `risk.reference_gap_bps`
    NO_EXPOSURE = "no_exposure"  # position never heard, or risk's exposure not for `liveness.posture_unheard` units
    POSITION_UNPROVEN = "position_unproven"
    BAD_MODEL = "bad_model"  # the chosen strategy answered with something that is no number
    REDUCE_ONLY = "reduce_only"  # this side would add
    FLAT = "flat"  # only reducing is allowed and there is nothing to reduce
    MOMENTUM = "momentum"  # the price runs over this side, which would add
    CASCADE = "cascade"  # forced trading runs over this side, which would add
    SWEPT = "swept"  # `strategy.sweep_fills` fills of this side within two seconds
    NO_HEADROOM = "no_headroom"  # the limits leave less than the venue's smallest order
    BELOW_MINIMUM = "below_minimum"  # max_order_usd is less than the venue's smallest order
    THIN_BOOK = "thin_book"  # our share of what the book shows is less than the venue's smallest order
    OUTSIDE_BAND = "outside_band"  # so wide that risk's price band would refuse it
