"""Fields of a question that must be there."""

import msgspec
import pytest

from services.venue_sim.questions import Question


def test_needed_fields() -> None:
    """A user comes out in lower case; what is missing is named in the venue's words; no end is far away."""
    asked = msgspec.convert({"type": "x", "user": "0x" + "AB" * 20, "startTime": 5}, Question)
    assert (asked.needed_user, asked.needed_start) == ("0x" + "ab" * 20, 5)
    assert asked.end > 10**15
    with pytest.raises(ValueError, match="missing field `coin`"):
        assert asked.needed_coin
