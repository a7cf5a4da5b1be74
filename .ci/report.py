"""One page about the test runs of .ci/run: times, slowest and skipped tests, and all counts.

`python .ci/report.py REPORTS DATA` reads REPORTS/steps and REPORTS/*.xml (JUnit). It ends with 1 when a run left no
report, or when tests of recorded data were skipped though the folder DATA exists.
"""
# ruff: noqa: INP001  # a script of its own, no part of a package

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

SLOWEST = 10
REPORTS = {"test": ("test",), "test-mesh": ("alone", "truths")}  # what each target of the Makefile leaves
DATA_MARK = "data"  # tests/conftest.py gives it to tests of recorded data


@dataclass(frozen=True)
class Case:
    """One test of one run."""

    name: str
    seconds: float
    outcome: str  # passed, failed or skipped
    reason: str
    data: bool


def cases(path: Path) -> Iterator[Case]:
    for node in ET.parse(path).iter("testcase"):  # noqa: S314  # written by pytest a moment ago
        outcome, reason = "passed", ""
        data = any(mark.get("name") == DATA_MARK for mark in node.iter("property"))
        for child in node:
            if child.tag in {"failure", "error"}:
                outcome = "failed"
            elif child.tag == "skipped" and outcome == "passed":
                outcome, reason = "skipped", child.get("message", "")
        yield Case(f"{node.get('classname')}::{node.get('name')}", float(node.get("time", 0)), outcome, reason, data)


def main(reports: Path, data: Path) -> int:
    say = sys.stdout.write
    seen: list[Case] = []
    wrong: list[str] = []
    say("\n== times\n")
    for line in (reports / "steps").read_text().splitlines():
        target, seconds, code = line.split()
        say(f"{seconds:>6} s  make {target}  {'ok' if code == '0' else f'FAILED ({code})'}\n")
        for name in REPORTS[target]:
            report = reports / f"{name}.xml"
            if report.exists():
                seen += cases(report)
            else:
                wrong.append(f"make {target} ended before the tests of {name} could report")
    say(f"== the {SLOWEST} slowest tests\n")
    for case in sorted(seen, key=lambda case: -case.seconds)[:SLOWEST]:
        say(f"{case.seconds:8.1f} s  {case.name}\n")
    skipped = [case for case in seen if case.outcome == "skipped"]
    say(f"== skipped: {len(skipped)}\n")
    for case in skipped:
        say(f"  {case.name}: {case.reason}\n")
    blind = sum(case.data for case in skipped)
    if blind and data.is_dir():
        wrong.append(f"{blind} tests of recorded data were skipped, but {data} is there")
    for fault in wrong:
        say(f"WRONG: {fault}\n")
    counts = {outcome: sum(case.outcome == outcome for case in seen) for outcome in ("passed", "failed", "skipped")}
    say(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
