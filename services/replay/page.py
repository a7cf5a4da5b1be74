"""A replay's report as one HTML page: numbers first, then plots, then what was not quoted and why."""

from decimal import Decimal
from html import escape
from typing import Final

from services.replay import plots
from services.replay.comparison import Comparison
from services.replay.measures import HORIZONS_S, CoinReport, MarkoutMean
from services.replay.run import Report

STYLE: Final = (
    "body{font:14px/1.45 system-ui,sans-serif;color:#24292f;max-width:900px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:.6em 0}td,th{padding:.15em .8em;border-bottom:1px solid #d0d7de;"
    "text-align:right;font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}"
    "svg text{font:11px system-ui,sans-serif;fill:#57606a}svg .title{font-weight:600;fill:#24292f}"
    ".bad{color:#d1242f;font-weight:600}"
)
ABSENCES_SHOWN: Final = 60
IDENTITY_USD_MAX: Final = Decimal("0.000001")


def page(report: Report) -> str:
    head = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Replay of {escape(report.tape)}</title>"
    return "".join(
        [
            head,
            f"<style>{STYLE}</style><h1>Replay of {escape(report.tape)}</h1>",
            _summary(report),
            "" if report.comparison is None else _comparison(report.comparison),
            *(_coin(coin, report) for coin in report.coins),
            _absences(report),
            "</html>\n",
        ]
    )


def _summary(report: Report) -> str:
    holds = abs(report.identity_error_usd) <= IDENTITY_USD_MAX
    per_fill = "no fills" if report.messages_per_fill is None else f"{report.messages_per_fill:.1f}"
    rows = [
        ("seed", str(report.seed)),
        ("recorded time", f"{report.seconds:,.1f} s from {report.skipped_s:,.1f} s on, {report.events:,} events"),
        ("net P&L, positions at the mid", f"{report.net_pnl_usd:,.4f} USD"),
        ("signed actions", f"{report.actions:,} ({per_fill} per fill)"),
        ("cash identity", f"{'holds' if holds else 'BROKEN'}: off by {report.identity_error_usd:.6f} USD"),
        ("posture", ", ".join(f"{name} {share:.1%}" for name, share in report.posture_shares.items())),
        ("halts", "; ".join(report.halted) or "none"),
    ]
    body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows)
    warning = "" if holds else "<p class='bad'>The venue's cash is not explained by fills, fees and funding.</p>"
    note = "<p>One recording is one day: a profit or loss here proves nothing about the next.</p>"
    return f"<table>{body}</table>{warning}{note}"


def _comparison(said: Comparison) -> str:
    horizons = "".join(f"<th>{horizon} s</th>" for horizon in HORIZONS_S)
    head = (
        f"<tr><th>strategy</th><th>net USD</th><th>volume</th><th>net bps</th><th>fills</th><th>quoted</th>{horizons}"
    )
    rows = "".join(
        f"<tr><td>{escape(side.strategy)} {escape(side.coin)}</td><td>{side.net_pnl_usd:,.4f}</td>"
        f"<td>{side.volume_usd:,.0f}</td><td>{side.net_bps:+.3f}</td><td>{side.fills}</td>"
        f"<td>{side.uptime_both:.1%}</td>{''.join(map(_markout, side.markouts))}</tr>"
        for side in said.sides
    )
    return f"<h2>Compared</h2><p>{escape(said.verdict)}</p><table>{head}</tr>{rows}</table><p>Markouts in bps.</p>"


def _markout(mean: MarkoutMean) -> str:
    error = "" if mean.error_bps is None else f" ± {mean.error_bps:.2f}"
    return f"<td>{mean.mean_bps:+.2f}{error}</td>" if mean.fills else "<td></td>"


def _coin(coin: CoinReport, report: Report) -> str:
    shades = [(each.from_s, each.until_s) for each in report.absences if each.coin == coin.coin and each.side == "bid"]
    split = [
        ("spread", coin.spread_captured_usd),
        ("adverse", coin.adverse_selection_usd),
        ("inventory", coin.inventory_carry_usd),
        ("funding", coin.funding_usd),
        ("fees", coin.fees_usd),
        ("net", coin.net_pnl_usd),
    ]
    colours = {"B": plots.COLOURS[2], "A": plots.COLOURS[1]}
    fills = [plots.Mark(mark.s, mark.px, colours[mark.side]) for mark in coin.fill_marks]
    markouts = [(f"{each.horizon_s} s ({each.fills})", each.mean_bps, each.error_bps) for each in coin.markouts]
    inventory = ", ".join(f"{name} {usd:,.0f}" for name, usd in coin.position_quantiles_usd.items())
    said = (
        f"<p>{coin.fills} fills, {coin.volume_usd:,.0f} USD, fill ratio {coin.fill_ratio:.1%}; quoted: both sides "
        f"{coin.uptime_both:.1%}, bid {coin.uptime_bid:.1%}, ask {coin.uptime_ask:.1%}; largest drawdown "
        f"{coin.drawdown_max_usd:,.2f} USD; position by time in USD: {escape(inventory)}</p>"
    )
    return "".join(
        [
            f"<h2>{escape(coin.coin)}</h2><table><tr><th>USD</th>",
            *(f"<th>{name}</th>" for name, _ in split),
            "</tr><tr><td></td>",
            *(f"<td>{usd:,.4f}</td>" for _, usd in split),
            "</tr></table>",
            said,
            plots.lines(
                "mid, our buys (green) and sells (red); grey: the bid was not quoted",
                "USD",
                {"mid": [(point.s, point.mid) for point in coin.curve]},
                fills,
                shades,
            ),
            plots.lines("net P&L", "USD", {"net": [(point.s, point.net_pnl_usd) for point in coin.curve]}, (), shades),
            plots.lines("position", "USD", {"position": [(point.s, point.position_usd) for point in coin.curve]}),
            plots.bars("P&L split", "USD", [(name, float(usd), None) for name, usd in split]),
            plots.bars("markouts after fills (number of fills), standard error", "bps", markouts),
            _reasons(coin.coin, report),
        ]
    )


def _reasons(coin: str, report: Report) -> str:
    rows = []
    for side in ("bid", "ask"):
        shares = report.reason_shares.get(f"{coin} {side}", {})
        words = ", ".join(f"{escape(name)} {share:.2%}" for name, share in shares.items())
        rows.append(f"<tr><td>{side}</td><td>{words}</td></tr>")
    return f"<table><tr><th>side</th><th>share of time wanted, or the reason why not</th></tr>{''.join(rows)}</table>"


def _absences(report: Report) -> str:
    shown = report.absences[:ABSENCES_SHOWN]
    rows = "".join(
        f"<tr><td>{escape(each.coin)} {each.side}</td><td>{escape(each.reason)}</td>"
        f"<td>{each.from_s:,.1f}</td><td>{each.until_s:,.1f}</td></tr>"
        for each in shown
    )
    more = len(report.absences) - len(shown)
    rest = f"<p>and {more} more in report.json</p>" if more else ""
    head = "<tr><th>side</th><th>reason</th><th>from s</th><th>until s</th></tr>"
    return f"<h2>Times without a quote</h2><table>{head}{rows}</table>{rest}"
