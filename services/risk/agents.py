"""Whether the venue still takes our two keys for agents of this account.

Rules
  1. The keys are asked for in turn. One that is no agent of ours is asked for again soon: nothing is quoted until
     the venue has said it a second time, which kills, or has taken it back.
  2. A lost key of the canceller is no smaller matter than one of risk: the next silence would find nobody who cancels.
"""

from collections.abc import Mapping

from common.messages import PostureLevel, VenueUserRole
from common.messages.venue import UserRoleQuery
from services.risk.controls import Control
from services.risk.posture import Cause

AGENT = "agent"


class Agents:
    """Names and addresses as the home knows them; without any nothing is asked."""

    def __init__(self, account: str, agents: Mapping[str, str]) -> None:
        self.account = account.lower()
        self._agents = tuple(sorted(agents.items()))
        self._turn = 0
        self._doubted = ""  # what the venue said of the key in turn

    def __bool__(self) -> bool:
        return bool(self._agents)

    @property
    def doubted(self) -> bool:
        return bool(self._doubted)

    def query(self) -> UserRoleQuery:
        """Ask for the key in turn."""
        return UserRoleQuery(user=self._agents[self._turn][1])

    def on_role(self, answer: VenueUserRole) -> str:
        """Take the answer for the key in turn; returns why trading must end, "" when it need not (rule 1)."""
        if answer.role == AGENT and answer.master.lower() == self.account:
            self._doubted = ""
            self._turn = (self._turn + 1) % len(self._agents)
            return ""
        name, address = self._agents[self._turn]
        found = f"the venue calls {address}, the key of {name}, {answer.role} {answer.master}".rstrip()
        evidence, self._doubted = (found if self._doubted else ""), found
        return evidence

    def causes(self) -> list[Cause]:
        if not self._doubted:
            return []
        return [Cause(PostureLevel.PULL_QUOTES, "an agent is not approved", control=Control.AUTHORISATION)]
