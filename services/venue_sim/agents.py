"""Who may sign for whom.

Rules
  1. An account has one unnamed agent (a new one replaces it) and at most three named ones, and two more per
     sub-account (same name replaces).
  2. Approving the zero address removes the agent of that name.
  3. A name has at most 16 characters and may end in " valid_until <ms>": 90 days by default, 180 at most.
  4. An address serves once: others' agents, accounts that ever acted and replaced agents are refused.
  5. An expired agent signs for nobody.
"""

import re
from typing import Final

import msgspec

from common.units import Millis
from services.venue_sim.rules import DAY_MS
from services.venue_sim.views import AgentView

NAMED_MAX: Final = 3
NAMED_PER_SUB_ACCOUNT: Final = 2
NAME_LENGTH_MAX: Final = 16
VALID_MS: Final = 90 * DAY_MS
VALID_MAX_MS: Final = 180 * DAY_MS
ZERO_ADDRESS: Final = "0x" + "0" * 40
_VALIDITY: Final = re.compile(r"^(.*) valid_until (\d{1,15})$")


class Approval(msgspec.Struct, frozen=True):
    master: str
    name: str
    valid_until: int


class Agents:
    """All approvals of the venue."""

    def __init__(self) -> None:
        self._approvals: dict[str, Approval] = {}  # by agent
        self._named: dict[tuple[str, str], str] = {}  # (master, name) -> agent
        self._retired: set[str] = set()  # never iterated

    def master(self, agent: str, now_ms: int) -> str | None:
        """Return whom this agent signs for."""
        approval = self._approvals.get(agent)
        return approval.master if approval is not None and now_ms < approval.valid_until else None

    def approve(  # each is a fact of its own
        self, master: str, agent: str, name: str, now_ms: int, *, is_account: bool, sub_accounts: int = 0
    ) -> str:
        """Return the refusal's text, empty when approved or removed. `is_account`: the agent has acted for itself."""
        validity = _VALIDITY.match(name)
        label = validity.group(1) if validity else name
        until = int(validity.group(2)) if validity else now_ms + VALID_MS
        if len(label) > NAME_LENGTH_MAX:
            return "Extra agent name too long."  # ours
        if agent == ZERO_ADDRESS:
            self._remove(master, label)
            return ""
        if until <= now_ms:
            return "Agent valid_until already expired."
        holder = self._approvals.get(agent)
        renewed = holder is not None and (holder.master, holder.name) == (master, label)
        if not renewed and (is_account or holder is not None or agent in self._retired):
            return "Extra agent already used."
        named_max = NAMED_MAX + NAMED_PER_SUB_ACCOUNT * sub_accounts
        if label and (master, label) not in self._named and len(self.of(master, now_ms, named=True)) >= named_max:
            return f"Too many extra agents for cumulative volume traded. Current limit is {named_max}"
        if not renewed:
            self._remove(master, label)
        self._approvals[agent] = Approval(master, label, min(until, now_ms + VALID_MAX_MS))
        self._named[master, label] = agent
        return ""

    def of(self, master: str, now_ms: int, *, named: bool = False) -> list[AgentView]:
        """List the living agents of an account by name."""
        return [
            AgentView(name=name, address=agent, valid_until=Millis(self._approvals[agent].valid_until))
            for (owner, name), agent in sorted(self._named.items())
            if owner == master and now_ms < self._approvals[agent].valid_until and (name or not named)
        ]

    def dump(self) -> tuple[dict[str, Approval], tuple[str, ...]]:
        """Return approvals by agent, and the agents that are never taken again."""
        return dict(self._approvals), tuple(sorted(self._retired))

    def restore(self, approvals: dict[str, Approval], retired: tuple[str, ...]) -> None:
        self._approvals = dict(approvals)
        self._named = {(approval.master, approval.name): agent for agent, approval in approvals.items()}
        self._retired = set(retired)

    def _remove(self, master: str, label: str) -> None:
        old = self._named.pop((master, label), None)
        if old is not None:
            del self._approvals[old]
            self._retired.add(old)
