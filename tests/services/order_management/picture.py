"""The picture of the life-cycle in ARCHITECTURE.md, drawn from the table itself.

`python -m tests.services.order_management.picture` puts it there.
"""

from pathlib import Path
from typing import Final

from common.messages import OrderState
from services.order_management.lifecycle import FINAL, MAY_STILL_FILL, TRANSITIONS

ARCHITECTURE: Final = Path(__file__).parents[3] / "ARCHITECTURE.md"
BEGIN: Final = "<!-- drawn from services/order_management/lifecycle.py -->\n"
END: Final = "<!-- end of the drawing -->\n"


def picture() -> str:
    """Return the block: every move from one state to another; what leaves a state as it is has no arrow."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {OrderState.INTENT}"]
    for state in OrderState:
        arrows: dict[OrderState, list[str]] = {}
        for evidence, after in TRANSITIONS[state].items():
            if after is not state:
                arrows.setdefault(after, []).append(evidence.value)
        lines += [f"    {state} --> {after}: {', '.join(words)}" for after, words in arrows.items()]
        if state in FINAL:
            lines.append(f"    {state} --> [*]")
    counted = ", ".join(state.value for state in OrderState if state in MAY_STILL_FILL)
    return "\n".join([*lines, "```", "", f"Counted as what may still fill: {counted}.", ""])


def drawn(text: str) -> str:
    """Return the document with the picture between its marks; ValueError where they are not there once each."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"ARCHITECTURE.md has no place for the drawing: {BEGIN.strip()} ... {END.strip()}")
    return before + BEGIN + picture() + END + after


if __name__ == "__main__":
    ARCHITECTURE.write_text(drawn(ARCHITECTURE.read_text()))
