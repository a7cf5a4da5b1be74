"""Rules of services/venue_sim/agents.py, one story each."""

from services.venue_sim.agents import VALID_MAX_MS, VALID_MS, ZERO_ADDRESS, Agents

MASTER, OTHER = "0xmaster", "0xother"
NOW = 1_700_000_000_000


def approve(agents: Agents, agent: str, name: str = "", master: str = MASTER, *, is_account: bool = False) -> str:
    return agents.approve(master, agent, name, NOW, is_account=is_account)


def test_a_new_unnamed_agent_replaces_the_old() -> None:
    """Rule 1: there is one unnamed agent."""
    agents = Agents()
    assert (approve(agents, "0x1"), approve(agents, "0x2")) == ("", "")
    assert (agents.master("0x1", NOW), agents.master("0x2", NOW)) == (None, MASTER)


def test_three_named_agents() -> None:
    """Rule 1: the fourth name is refused, a known name is replaced, another account has its own three."""
    agents = Agents()
    assert [approve(agents, f"0x{n}", f"bot{n}") for n in range(3)] == ["", "", ""]
    assert approve(agents, "0x9", "bot9") == ("Too many extra agents for cumulative volume traded. Current limit is 3")
    assert approve(agents, "0x8", "bot1") == ""
    assert agents.master("0x1", NOW) is None
    assert approve(agents, "0x9", "bot9", OTHER) == ""
    assert [(view.name, view.address) for view in agents.of(MASTER, NOW)] == [
        ("bot0", "0x0"),
        ("bot1", "0x8"),
        ("bot2", "0x2"),
    ]


def test_the_zero_address_removes() -> None:
    """Rule 2: approving it under a name removes that agent."""
    agents = Agents()
    approve(agents, "0x1", "bot")
    assert approve(agents, ZERO_ADDRESS, "bot") == ""
    assert agents.master("0x1", NOW) is None
    assert agents.of(MASTER, NOW) == []


def test_names_and_validity() -> None:
    """Rule 3: 16 characters, 90 days unless said otherwise, 180 at most, nothing in the past."""
    agents = Agents()
    assert approve(agents, "0x1", "x" * 17) == "Extra agent name too long."
    assert approve(agents, "0x1", "x" * 16) == ""
    assert approve(agents, "0x2", f"soon valid_until {NOW + 5}") == ""
    assert approve(agents, "0x3", f"late valid_until {NOW + 10 * VALID_MAX_MS}") == ""
    assert approve(agents, "0x4", f"past valid_until {NOW}") == "Agent valid_until already expired."
    assert {view.name: view.valid_until - NOW for view in agents.of(MASTER, NOW)} == {
        "x" * 16: VALID_MS,
        "soon": 5,
        "late": VALID_MAX_MS,
    }


def test_an_address_serves_once() -> None:
    """Rule 4: taken, retired and acting addresses are refused; the same approval may be renewed."""
    agents = Agents()
    text = "Extra agent already used."
    approve(agents, "0x1", "bot")
    assert approve(agents, "0x1", "bot") == ""
    assert approve(agents, "0x1", "other") == text
    assert approve(agents, "0x1", "bot", OTHER) == text
    assert approve(agents, "0x5", is_account=True) == text
    approve(agents, "0x2", "bot")
    assert approve(agents, "0x1", "bot") == text


def test_expired_agents_sign_for_nobody() -> None:
    """Rule 5: from valid_until on the agent is unknown, and frees its name's place."""
    agents = Agents()
    approve(agents, "0x1", f"bot valid_until {NOW + 5}")
    assert (agents.master("0x1", NOW + 4), agents.master("0x1", NOW + 5)) == (MASTER, None)
    assert agents.of(MASTER, NOW + 5) == []
