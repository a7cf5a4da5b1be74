"""Every documented status string, and strings that nobody documented."""

import pytest

from common.hyperliquid.statuses import DOCUMENTED, UNKNOWN_OID, StatusMeaning, meaning


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *(("open", StatusMeaning.OPEN), ("filled", StatusMeaning.FILLED), ("triggered", StatusMeaning.TRIGGERED)),
        *(("canceled", StatusMeaning.CANCELLED), ("scheduledCancel", StatusMeaning.CANCELLED)),
        *(("marginCanceled", StatusMeaning.CANCELLED), ("internalCancel", StatusMeaning.CANCELLED)),
        *(("rejected", StatusMeaning.REJECTED), ("badAloPxRejected", StatusMeaning.REJECTED)),
    ],
)
def test_documented(status: str, expected: StatusMeaning) -> None:
    """Rule 1: the table decides."""
    assert meaning(status) is expected


def test_table_is_complete() -> None:
    """Rule 1: 12 ways to be cancelled, 18 to be rejected, and the five others."""
    counts = {kind: list(DOCUMENTED.values()).count(kind) for kind in StatusMeaning}
    assert (counts[StatusMeaning.CANCELLED], counts[StatusMeaning.REJECTED], len(DOCUMENTED)) == (12, 18, 35)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *(("moonPhaseCanceled", StatusMeaning.CANCELLED), ("moonPhaseRejected", StatusMeaning.REJECTED)),
        *(("", StatusMeaning.UNKNOWN), ("Canceled?", StatusMeaning.UNKNOWN), ("OPEN", StatusMeaning.UNKNOWN)),
        *((UNKNOWN_OID, StatusMeaning.UNKNOWN), ("partiallyFilled", StatusMeaning.UNKNOWN)),
    ],
)
def test_undocumented(status: str, expected: StatusMeaning) -> None:
    """Rules 2 and 3: the ending decides, anything else is unknown and never a guess."""
    assert meaning(status) is expected
