"""The controls C1 to C28: what each is for, which rule asks for it, who owns it, and what proves it.

The numbers are those that metrics, postures and risk's own list use. None of the cited rules binds somebody who trades
own money; they are the best public statement of what a process of risk must do.
"""

from typing import Final

import msgspec

GATE_TESTS: Final = "tests/services/risk/test_gate.py"
WHOLE_MESH: Final = "tests/common/simulation/test_controls.py"
CORE_TESTS: Final = "tests/services/risk/test_core.py"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One control; `test` is a file of tests, and `metric` what an operator watches."""

    number: int
    title: str
    rule: str
    owner: str
    test: str
    metric: str = ""

    @property
    def name(self) -> str:
        return f"C{self.number}"

    @property
    def watched(self) -> str:
        return self.metric or f'mm_risk_block_total{{control="{self.name}"}}'


# number, title, rule, owner, test; what is not counted by control has its own metric below
_ROWS: Final = (
    (1, "Price collar of an order", "RTS 6 art. 15(1)(a)", "services/risk/gate.py", GATE_TESTS),
    (2, "Price collar of a period", "RTS 6 art. 15(1)(a)", "services/risk/monitors/market.py", WHOLE_MESH),
    (3, "Largest order by value", "RTS 6 art. 15(1)(b)", "services/risk/gate.py", GATE_TESTS),
    (4, "Largest order by book and volume", "RTS 6 art. 15(1)(c)", "services/risk/gate.py", WHOLE_MESH),
    (5, "Message rate", "RTS 6 art. 15(1)(d)", "services/risk/approvals.py", "tests/services/risk/test_approvals.py"),
    (6, "Venue request budget", "venue rule", "services/risk/monitors/data.py", WHOLE_MESH),
    (
        7,
        "Repeated execution",
        "RTS 6 art. 15(3)",
        "services/risk/monitors/trading.py",
        "tests/services/risk/monitors/test_trading.py",
    ),
    (8, "Duplicate orders", "15c3-5(c)(1)(ii)", "services/risk/repeats.py", "tests/services/risk/test_approvals.py"),
    (9, "Position, at its worst case", "RTS 6 art. 15(2)", "services/risk/gate.py", WHOLE_MESH),
    (10, "Open orders and what rests", "RTS 6 art. 8(b)", "services/risk/gate.py", GATE_TESTS),
    (
        11,
        "Margin and distance to liquidation",
        "15c3-5(c)(1)(i)",
        "services/risk/monitors/money.py",
        "tests/services/risk/monitors/test_money.py",
    ),
    (12, "Loss and drawdown", "15c3-5(c)(1)(i)", "services/risk/losses.py", WHOLE_MESH),
    (13, "No trade with oneself", "FIA automated trading guidance", "services/risk/gate.py", GATE_TESTS),
    (14, "Allowed coins, venues, actions", "15c3-5(c)(2)", "services/risk/signer.py", GATE_TESTS),
    (15, "Venue conformity of orders", "RTS 6 art. 6", "services/risk/gate.py", GATE_TESTS),
    (16, "Stale or contradictory data", "FIA automated trading guidance", "services/risk/references.py", WHOLE_MESH),
    (17, "Position velocity", "RTS 6 art. 15(3)", "services/risk/monitors/inventory.py", WHOLE_MESH),
    (18, "Rejects, unknowns and failed cancels", "exchange port policies", "services/risk/activity.py", WHOLE_MESH),
    (
        19,
        "Reconciliation of positions",
        "RTS 6 art. 17",
        "services/risk/agreement.py",
        "tests/services/risk/test_agreement.py",
    ),
    (20, "Who may ask", "15c3-5(c)(2)(iii)", "common/curve.py", "tests/common/test_curve.py"),
    (21, "Kill switch", "RTS 6 art. 12", "services/risk/halting.py", "tests/services/risk/test_halting.py"),
    (
        22,
        "Cancel on silence",
        "RTS 6 art. 12",
        "services/canceller/core.py",
        "tests/services/canceller/test_silence.py",
    ),
    (
        23,
        "Alert within five seconds",
        "RTS 6 art. 16",
        "services/metrics/alerts.py",
        "tests/services/metrics/test_alert_sink.py",
    ),
    (
        24,
        "Independent copy of fills",
        "RTS 6 art. 17",
        "services/risk/venue_watch.py",
        "tests/services/risk/test_venue_watch.py",
    ),
    (25, "Limits that are sane, or no start", "RTS 6 art. 11", "common/config.py", "tests/common/test_config.py"),
    (26, "One version of everything", "RTS 6 art. 11", "services/risk/roster.py", WHOLE_MESH),
    (
        27,
        "Surveillance of own orders",
        "RTS 6 art. 13",
        "services/risk/monitors/trading.py",
        "tests/services/risk/monitors/test_trading.py",
    ),
    (28, "A gate that is itself checked", "ours", "services/risk/signer.py", "tests/services/risk/test_signer.py"),
)
_METRICS: Final = {
    21: "mm_halt_contained",
    23: "mm_alerts_total",
    24: "mm_risk_findings_total",
    25: "mm_service_state",
}
CONTROLS: Final = tuple(
    Control(number=number, title=title, rule=rule, owner=owner, test=test, metric=_METRICS.get(number, ""))
    for number, title, rule, owner, test in _ROWS
)
BY_NAME: Final = {control.name: control for control in CONTROLS}
