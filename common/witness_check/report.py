"""What a check found: each breach of a rule, with the line that shows it."""

from typing import Final

import msgspec

FINDINGS_MAX: Final = 1_000  # kept; one fault early in a log may be seen in every line after it


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    seq: int  # of the line that shows it
    place: str  # file:line, where the log was read from files
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.place or f'seq {self.seq}'}: {self.rule}: {self.text}"


class Report:
    """Collects findings; the checker says at which line it is."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.left_out = 0  # past FINDINGS_MAX
        self.lines = 0
        self.kinds: dict[str, int] = {}  # lines by kind
        self.seq = 0
        self.place = ""

    @property
    def ok(self) -> bool:
        return not self.findings

    def found(self, rule: str, text: str) -> None:
        if len(self.findings) >= FINDINGS_MAX:
            self.left_out += 1
            return
        self.findings.append(Finding(seq=self.seq, place=self.place, rule=rule, text=text))

    def expect(self, rule: str, what: str, said: object, ours: object) -> None:
        """Note when the log says something else than follows from it."""
        if said != ours:
            self.found(rule, f"{what} is {said}, must be {ours}")
