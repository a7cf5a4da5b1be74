"""The table of families keeps the rules of Prometheus, which nobody else would notice to be broken."""

import re

import pytest

from services.metrics.families import AGES, FAMILIES, Family, Kind

every_family = pytest.mark.parametrize(("name", "family"), [*FAMILIES.items(), *AGES.items()])


@every_family
def test_counters_and_only_counters_end_in_total(name: str, family: Family) -> None:
    """Prometheus adds the suffix to counters by itself: a name without it would appear under another one."""
    assert name.endswith("_total") is (family.kind is Kind.COUNTER)


@every_family
def test_names_and_labels_are_legal(name: str, family: Family) -> None:
    """One prefix for the house; no label twice, and none of those that Prometheus keeps for itself."""
    assert re.fullmatch(r"mm_[a-z0-9]+(_[a-z0-9]+)*", name)
    assert all(re.fullmatch(r"[a-z]+", label) for label in family.labels)
    assert len(set(family.labels)) == len(family.labels)
    assert not {"le", "quantile", "job", "instance"} & set(family.labels)


@every_family
def test_every_family_says_what_it_is(name: str, family: Family) -> None:
    """In one line that is more than its name."""
    assert family.text
    assert "\n" not in family.text
    assert family.text != name


def test_ages_are_gauges_in_seconds_and_nothing_else_is_one() -> None:
    """An age is made at the scrape; a family in both tables would be shown twice."""
    assert not set(AGES) & set(FAMILIES)
    assert all(name.endswith("_age_seconds") and family.kind is Kind.GAUGE for name, family in AGES.items())
