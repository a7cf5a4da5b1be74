"""What clients asked, and what the venue answered.

Rules
  1. Each action has one answer, in this run of the venue and within PATIENCE_MS; no answer comes without an action.
     Their numbers grow.
  2. A signer's nonce is accepted once.
  3. Nothing is accepted after its expiresAfter.
  4. In a block, actions that place nothing that takes come first, then cancels, then the rest.
  5. What an answer says of an order is so: an order that rests is known, a cancelled one has ended.
"""

from typing import Any, Final

from common import witness
from common.witness_check.report import Report

PATIENCE_MS: Final = 60_000


class Actions:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: dict[int, witness.Action] = {}
        self._accepted: set[tuple[str, int]] = set()
        self._last_id = 0
        self._class = 0  # of the last action executed in this block
        self.placed: set[int] = set()  # oids that must be known at the end of the block
        self.cancelled: set[int] = set()  # oids that must have ended by then

    def action(self, line: witness.Action) -> None:
        if line.id <= self._last_id:
            self._report.found("verdict", f"action {line.id} comes after action {self._last_id}")
        self._last_id = line.id
        self._waiting[line.id] = line

    def verdict(self, line: witness.Verdict) -> None:
        action = self._waiting.pop(line.id, None)
        if action is None:
            self._report.found("verdict", f"answer {line.id} is to no action")
            return
        place = urgency(action.action)
        if place < self._class:
            self._report.found("block order", f"action {line.id} ran after less urgent ones")
        self._class = max(place, self._class)
        if line.error:
            return
        if action.expires_after is not None and line.t > action.expires_after:
            self._report.found("expiry", f"action {line.id} ran {line.t - action.expires_after} ms after it expired")
        if (action.signer, action.nonce) in self._accepted:
            self._report.found("nonce", f"nonce {action.nonce} of {action.signer} was accepted again")
        self._accepted.add((action.signer, action.nonce))
        self._statuses(action.action, line)

    def _statuses(self, action: dict[str, Any], line: witness.Verdict) -> None:
        """Remember what the answer claims (rule 5)."""
        asked = action.get("orders") or action.get("cancels") or action.get("modifies") or ()
        if len(line.statuses) != len(asked) and len(line.statuses) > 1:
            self._report.found("verdict", f"answer {line.id} has {len(line.statuses)} statuses for {len(asked)} items")
        for item, status in zip(asked, line.statuses, strict=False):
            if status == "success" and "o" in item:
                self.cancelled.add(int(item["o"]))
            elif isinstance(status, dict):
                self.placed.update(
                    int(status[word]["oid"]) for word in ("resting", "filled") if isinstance(status.get(word), dict)
                )

    def start(self) -> None:
        """Forget what a former process did not answer: it never ran."""
        self._waiting.clear()

    def end_block(self) -> None:
        self._class = 0
        self.placed.clear()
        self.cancelled.clear()

    def end(self, last_ms: int) -> None:
        for action in self._waiting.values():
            if last_ms - action.t > PATIENCE_MS:
                self._report.found("verdict", f"action {action.id} was never answered")


def urgency(action: dict[str, Any]) -> int:
    """Return an action's place in the block (rule 4)."""
    if action["type"] in ("cancel", "cancelByCloid"):
        return 1
    orders = action.get("orders") or [each["order"] for each in action.get("modifies", ())]
    if action["type"] == "modify":
        orders = [action["order"]]
    takes = any("limit" in order["t"] and order["t"]["limit"]["tif"] != "Alo" for order in orders)
    return 2 if takes else 0
