"""The status for people: two tables on a terminal, one line elsewhere. Pure but for rich's drawing."""

from collections.abc import Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.status import CoinStatus, Quote, Status

UNKNOWN: Final = "-"
REQUESTS_FEW: Final = 6_000  # below it order_management requotes less often
COIN_COLUMNS: Final = (
    *("coin", "mid", "bids", "asks", "position", "pending", "worst case", "resting USD", "fills", "realized"),
    *("unrealized", "fees", "funding", "foreign orders"),
)
LEADER_COLUMN: Final = "leader"  # shown where a coin has one

COLOURS: Final = {
    "READY": "green",
    "DEGRADED": "yellow",
    "RECONCILING": "yellow",
    "STARTING": "yellow",
    "DOWN": "red",
    "HALTED": "bold red",
}


def screen(status: Status, details: Mapping[str, str]) -> RenderableType:
    """Return the whole picture."""
    return Group(_headline(status), _services(status, details), _coins(status))


def line(status: Status) -> str:
    """Say the essential on one line."""
    parts = [status.state, f"posture {status.posture or UNKNOWN}"]
    if status.halted:
        parts.append("HALTED")
    parts += [f"{coin} HALTED" for coin in status.halted_coins]
    late = [f"{name} {service.state}" for name, service in status.services.items() if service.state != "READY"]
    if late:
        parts.append(", ".join(late))
    for coin, found in status.coins.items():
        parts.append(
            f"{coin} {len(found.bids)}x{len(found.asks)} pos {found.position or UNKNOWN} "
            f"fills {UNKNOWN if found.fills is None else found.fills} pnl {_profit(found)}"
        )
    return " | ".join(parts)


def _headline(status: Status) -> Text:
    text = Text("ballast ", style="bold")
    text.append(status.state, style=COLOURS[status.state])
    text.append(f"   posture {status.posture or UNKNOWN}   equity {status.account.equity or UNKNOWN}")
    used, cap = status.account.address_requests_used, status.account.address_requests_cap
    if used is not None and cap is not None:
        text.append(f"   requests left {cap - used:,}", style="" if cap - used > REQUESTS_FEW else "yellow")
    books = status.account
    if books.realized_pnl is not None:
        text.append(f"   earned {books.realized_pnl} + {books.unrealized_pnl} open - fees {books.fees}")
        text.append(f" + funding {books.funding} + transfers {books.transfers}, unexplained {books.ledger_residual}")
    if status.halted:
        text.append("   HALTED: see `mm arm`", style="bold red")
    for coin in status.halted_coins:
        text.append(f"   {coin} HALTED: see `mm arm`", style="bold red")
    if status.endpoints.metrics:
        text.append(f"   {status.endpoints.metrics}", style="dim")
    return text


def _services(status: Status, details: Mapping[str, str]) -> Table:
    table = Table("process", "state", "pid", "uptime", "heartbeat", "lag", "detail", expand=False)
    for name, service in status.services.items():
        error = service.error if isinstance(service.error, str) else ""
        table.add_row(
            name,
            Text(service.state, style=COLOURS[service.state]),
            UNKNOWN if service.pid is None else str(service.pid),
            _number(service.uptime_s, "s"),
            _number(service.heartbeat_age_ms, "ms"),
            _number(service.loop_lag_ms, "ms"),
            Text(error or details.get(name, "")),
        )
    return table


def _coins(status: Status) -> Table:
    led = any(found.leader_tilt_bps is not None for found in status.coins.values())
    table = Table(*COIN_COLUMNS, *([LEADER_COLUMN] if led else []))
    for coin, found in status.coins.items():
        table.add_row(
            coin,
            found.mid or UNKNOWN,
            _quotes(found.bids),
            _quotes(found.asks),
            found.position or UNKNOWN,
            f"{found.pending_bid_exposure or UNKNOWN} / {found.pending_ask_exposure or UNKNOWN}",
            f"{found.worst_case_min_position or UNKNOWN} .. {found.worst_case_max_position or UNKNOWN}",
            f"{found.resting_bid_notional or UNKNOWN} / {found.resting_ask_notional or UNKNOWN}",
            UNKNOWN if found.fills is None else str(found.fills),
            found.realized_pnl or UNKNOWN,
            found.unrealized_pnl or UNKNOWN,
            found.fees or UNKNOWN,
            found.funding or UNKNOWN,
            UNKNOWN if found.foreign_orders is None else str(found.foreign_orders),
            *([_leader(found)] if led else []),
        )
    return table


def _quotes(quotes: tuple[Quote, ...]) -> str:
    return "\n".join(f"{quote.sz} @ {quote.px}" for quote in quotes) or UNKNOWN


def _leader(found: CoinStatus) -> str:
    if found.leader_tilt_bps is None:
        return UNKNOWN
    return f"{found.leader_tilt_bps:+.2f} bps, {_number(found.leader_age_ms, 'ms')} old"


def _number(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else f"{value:.0f} {unit}"


def _profit(found: CoinStatus) -> str:
    return f"{found.realized_pnl or UNKNOWN}/{found.unrealized_pnl or UNKNOWN}"
