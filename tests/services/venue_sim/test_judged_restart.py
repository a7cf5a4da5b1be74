"""A log over restarts is one log: what the new process states must follow from what the old one told."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from common import witness
from common.units import Millis
from common.witness_check import check
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.state_file import StateFile
from services.venue_sim.venue import Venue
from tests.services.venue_sim.door import AGENT, ALICE, limit, place, signed

START = 1_700_000_000_000
PLAN = Plan(coins=universe.coins({}), seed=3, account=ALICE.address, agents={"risk": AGENT.address})
BLOCKS = 150


class Process:
    """One run of the venue after another on the same state file; every block's lines are kept apart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now = START
        self.written: list[list[witness.AnyLine]] = []

    def run(self, *actions: dict[str, Any]) -> "Process":
        """Live a while, asking one thing after another; then die."""
        file = StateFile(self._path)
        sequence = self.written[-1][-1].seq if self.written else 0
        venue = assemble(PLAN, Millis(self._now + 1_000), file.load(), last_sequence=sequence)
        self._now = int(venue.exchange.info.time_ms)
        for number in range(BLOCKS):
            if number % 20 == 10 and number // 20 < len(actions):
                self._ask(venue, actions[number // 20])
            self._now += 70
            file.save(venue.step(Millis(self._now)).changes)
            lines = [witness.decode(line) for line in venue.take_log().splitlines(keepends=True)]
            if lines:
                self.written.append(lines)
        file.close()
        return self

    def _ask(self, venue: Venue, action: dict[str, Any]) -> None:
        body = signed(AGENT, action, self._now)
        venue.request(1, "POST", "/exchange", body, Millis(self._now))

    def findings(self) -> list[str]:
        return [str(finding) for finding in check(line for lines in self.written for line in lines).findings]


def busy(path: Path) -> Process:
    """Rest, trade, arm a stop, come back, trade again."""
    stop = {"trigger": {"isMarket": True, "triggerPx": "60000", "tpsl": "sl"}}
    first = (
        place(limit("90000", "0.01"), limit("130000", "0.02", tif="Ioc")),
        place({**limit("60000", "0.01", buy=False), "r": True, "t": stop}),
        place({**limit("150000", "0.01", buy=False), "r": True}),
    )
    return Process(path).run(*first).run(place(limit("130000", "0.01", tif="Ioc"))).run()


def test_nothing_is_lost(tmp_path: Path) -> None:
    """Money, positions, resting and waiting orders of clients are stated as they were told."""
    process = busy(tmp_path / "venue.sqlite")
    lines = [line for block in process.written for line in block]
    assert sum(isinstance(line, witness.Start) for line in lines) == 3
    assert any(isinstance(line, witness.Order) and line.status == "waiting" for line in lines)
    assert process.findings() == []


def test_a_lost_last_block_is_no_lie(tmp_path: Path) -> None:
    """A kill between state and log costs the log its last block: the next run is judged from its own opening."""
    process = Process(tmp_path / "venue.sqlite").run(place(limit("130000", "0.02", tif="Ioc")))
    fill = next(n for n, block in enumerate(process.written) if any(isinstance(line, witness.Fill) for line in block))
    assert process.findings() == []
    sequence = process.written[fill][0].seq
    del process.written[fill:]
    file = StateFile(tmp_path / "venue.sqlite")
    venue = assemble(PLAN, Millis(START + 100_000), file.load(), last_sequence=sequence - 1)
    file.close()
    process.written.append([witness.decode(line) for line in venue.take_log().splitlines(keepends=True)])
    assert process.findings() == []


@pytest.mark.parametrize("field", ["cash", "equity"])
def test_a_restart_that_forgets_is_found(field: str, tmp_path: Path) -> None:
    """Money that a restart changes is named."""
    process = Process(tmp_path / "venue.sqlite").run().run()
    openings = [block for block in process.written if any(isinstance(line, witness.Start) for line in block)]
    lines = openings[-1]
    place_of = next(
        n for n, line in enumerate(lines) if isinstance(line, witness.Account) and line.user == ALICE.address
    )
    lines[place_of] = structs.replace(lines[place_of], **{field: "1.0"})
    assert process.findings()
