"""Both keys are asked for in turn, and one that the venue disowns is believed at the second word."""

from common.messages import PostureLevel, VenueUserRole
from common.messages.venue import UserRoleQuery
from services.risk.agents import Agents

US = "0x" + "AB" * 20
KEYS = {"risk": "0x1", "canceller": "0x2"}


def role(name: str, master: str = "") -> VenueUserRole:
    return VenueUserRole(query_id=1, role=name, master=master)


def test_the_keys_take_turns() -> None:
    """Rule 1: a good answer moves on to the other key, whatever the case of an address."""
    agents = Agents(US, KEYS)
    assert agents
    assert not Agents(US, {})
    asked = []
    for _ in range(3):
        asked.append(agents.query())
        assert agents.on_role(role("agent", US.lower())) == ""
        assert agents.causes() == []
    assert asked == [UserRoleQuery(user="0x2"), UserRoleQuery(user="0x1"), UserRoleQuery(user="0x2")]


def test_twice_is_a_kill_once_is_a_pull() -> None:
    """Rule 1: the same key is asked for again; one good word takes the doubt back."""
    agents = Agents(US, KEYS)
    assert agents.on_role(role("missing")) == ""
    assert agents.doubted
    assert [cause.level for cause in agents.causes()] == [PostureLevel.PULL_QUOTES]
    assert agents.query() == UserRoleQuery(user="0x2")
    assert agents.on_role(role("agent", US)) == ""
    assert not agents.doubted
    assert agents.on_role(role("agent", "0xelse")) == ""
    assert agents.on_role(role("missing")) == "the venue calls 0x1, the key of risk, missing"
    assert agents.doubted
