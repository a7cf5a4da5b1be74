"""Names of our orders: exact bits, known as ours without any record, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cloid import EPOCH_MAX, SEQUENCE_MAX, SLOT_MAX, epoch_of, house_tag, is_ours, make_cloid

ACCOUNT = "0x" + "ab" * 20
TAG = house_tag(ACCOUNT)


def test_the_tag_follows_from_the_account_alone() -> None:
    """However the address is written; another account is another house."""
    assert TAG == house_tag(ACCOUNT.upper().replace("0X", "0x")) == "7659ed4f"
    assert house_tag("0x" + "ac" * 20) != TAG


def test_the_parts_stand_where_they_are_documented() -> None:
    """0x, house tag, epoch, sequence, slot."""
    assert make_cloid("00c0ffee", 0x12, 0x345, 0x6) == "0x00c0ffee000000120000000003450006"


@pytest.mark.parametrize(
    ("epoch", "sequence", "slot"),
    [
        (EPOCH_MAX, 0, 0),
        (0, SEQUENCE_MAX, 0),
        (0, 0, SLOT_MAX),
        (-1, 0, 0),
        (0, -1, 0),
        (0, 0, -1),
    ],
)
def test_what_does_not_fit_is_refused(epoch: int, sequence: int, slot: int) -> None:
    """A name that ran over into its neighbour's bits could be given twice."""
    with pytest.raises(ValueError, match="does not fit a cloid"):
        make_cloid(TAG, epoch, sequence, slot)


@given(st.integers(0, EPOCH_MAX - 1), st.integers(0, SEQUENCE_MAX - 1), st.integers(0, SLOT_MAX - 1))
def test_every_name_is_a_cloid_of_ours(epoch: int, sequence: int, slot: int) -> None:
    """Venue rule: 128 bits; and the epoch is read back from it."""
    name = make_cloid(TAG, epoch, sequence, slot)
    assert len(name) == 34
    assert int(name, 16) < 1 << 128
    assert is_ours(name, TAG)
    assert epoch_of(name) == epoch


@pytest.mark.parametrize(
    "name", [None, "", f"0x{TAG}", "0x" + "11" * 16, make_cloid(TAG, 1, 1, 1) + "0", TAG + "0" * 26]
)
def test_foreign_names_are_not_ours(name: str | None) -> None:
    """No name, another house's, or one of another length."""
    assert not is_ours(name, TAG)
