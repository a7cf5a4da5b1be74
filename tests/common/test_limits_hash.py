"""One hash for the limits in force: every limit changes it, and nothing else does."""

import msgspec
import pytest

from common.config import Settings
from common.limits_hash import SECTIONS, limits_hash
from tests.services.risk.scene import SETTINGS


def changed(section: str, key: str, value: object) -> Settings:
    part = msgspec.structs.replace(getattr(SETTINGS, section), **{key: value})
    return msgspec.structs.replace(SETTINGS, **{section: part})


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "coins"])
def test_every_limit_changes_it(section: str) -> None:
    """Each key of each section that a control reads, however small the change."""
    whole = {limits_hash(SETTINGS)}
    for key in (part := getattr(SETTINGS, section)).__struct_fields__:
        value = getattr(part, key)
        whole.add(limits_hash(changed(section, key, not value if isinstance(value, bool) else value + 1)))
    assert len(whole) == 1 + len(part.__struct_fields__)


def test_a_coin_changes_it() -> None:
    """A dollar less an order, or a coin less."""
    coins = SETTINGS.coins
    btc = msgspec.structs.replace(coins["BTC"], max_order_usd=1_999.0)
    fewer = msgspec.structs.replace(SETTINGS, coins={"BTC": coins["BTC"]})
    smaller = msgspec.structs.replace(SETTINGS, coins={**coins, "BTC": btc})
    assert len({limits_hash(each) for each in (SETTINGS, fewer, smaller)}) == 3


def test_nothing_else_does() -> None:
    """Another port, another strategy and another order of the coins are the same limits."""
    elsewhere = msgspec.structs.replace(changed("venue_sim", "port", 4_000), strategy=SETTINGS.strategy)
    turned = msgspec.structs.replace(SETTINGS, coins=dict(reversed(SETTINGS.coins.items())))
    levels = changed("strategy", "levels", 7)
    assert {limits_hash(each) for each in (elsewhere, turned, levels)} == {limits_hash(SETTINGS)}
