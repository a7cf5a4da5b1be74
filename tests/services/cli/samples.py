"""What the tests of `mm` share: a configuration, messages of services, and a small venue over HTTP."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

from common import config, curve
from common.cloid import house_tag, make_cloid
from common.config import Settings
from common.home import Home
from common.instrument import Instrument
from common.messages import LedgerCheck, LiveOrder, OrderState, Position
from common.units import Lots, Millis, Side, Ticks

ACCOUNT: Final = "0x" + "ab" * 20
TAG: Final = house_tag(ACCOUNT)
BTC: Final = Instrument(coin="BTC", asset=0, size_decimals=5)  # one tick 0.1 USD, one lot 0.00001 BTC
CONFIG: Final = """
profile = "sim"
[venue]
url = "http://127.0.0.1:3001"
network = "testnet"
[coins.BTC]
asset = 0
size_decimals = 5
max_position_usd = 6000.0
max_order_usd = 2000.0
order_usd = 500.0
[risk]
max_daily_loss_usd = 1000.0
max_hourly_loss_usd = 500.0
max_drawdown_share = 0.05
min_equity_usd = 20.0
[signer]
max_order_usd = 5000.0
max_position_usd = 20000.0
"""


def settings(text: str = CONFIG) -> Settings:
    return config.parse(text.encode(), "sample")


def made_home(path: Path, *, url: str = "", text: str = CONFIG, public: bool = True) -> Home:
    """A home as `mm up` leaves it, without keys that open."""
    home = Home(path)
    home.prepare()
    home.config.write_text(text.replace("http://127.0.0.1:3001", url) if url else text)
    home.run_record.write_text(f"{path / 'sockets'}\n")
    (path / "sockets").mkdir(mode=0o700, exist_ok=True)
    curve.prepare(home)
    if public:
        agents = {"risk": "0x" + "01" * 20, "canceller": "0x" + "02" * 20}
        text = json.dumps({"account": ACCOUNT, "agents": agents, "operator": "0x" + "03" * 20})
        (home.keys / "public.json").write_text(text)
    return home


def cloid(slot: int = 0) -> str:
    return make_cloid(TAG, 1_700_000_000, 1, slot)


def live_order(side: Side, ticks: int, *, slot: int = 0, state: OrderState = OrderState.RESTING) -> LiveOrder:
    return LiveOrder(
        cloid=cloid(slot), oid=77, side=side, ticks=Ticks(ticks), lots=Lots(500), reduce_only=False, state=state
    )


def position(lots: int = -2_000, entry: str | None = "100100") -> Position:
    return Position(
        coin="BTC",
        lots=Lots(lots),
        entry=None if entry is None else Decimal(entry),
        realized_pnl=Decimal("12.5"),
        fees=Decimal("-0.25"),
        funding=Decimal(0),
        fills=42,
        as_of_ms=Millis(1),
        proven=True,
    )


def wire_order(name: str | None, *, side: str = "B", oid: int = 77, coin: str = "BTC") -> dict[str, Any]:
    """One element of the venue's list of open orders."""
    return {
        "coin": coin,
        "side": side,
        "limitPx": "99999.0",
        "sz": "0.005",
        "oid": oid,
        "timestamp": 1,
        "origSz": "0.005",
        "reduceOnly": False,
        "cloid": name,
        "orderType": "Limit",
        "tif": "Alo",
        "isTrigger": False,
    }


META: Final[dict[str, Any]] = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 50},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 50},
    ]
}


@dataclass
class FakeVenue:
    """Answers by query type; an int is an HTTP error."""

    url: str = ""
    date: str = "Sun, 06 Nov 1994 08:49:37 GMT"
    step_s: int | None = None  # its clock goes on by so much with every answer
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(
        default_factory=lambda: {
            "meta": META,
            "frontendOpenOrders": [],
            "health": {"pid": 7, "uptime_s": 3.5, "block": 9, "epoch": 11},
        }
    )


@contextlib.contextmanager
def fake_venue() -> Iterator[FakeVenue]:
    """Serve on a free port of the loopback address."""
    venue = FakeVenue()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(self.path.strip("/"))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(body["type"])

        def _answer(self, kind: str) -> None:
            venue.asked.append(kind)
            found = venue.answers[kind]
            text = b"" if isinstance(found, int) else found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response_only(found if isinstance(found, int) else 200)
            date = venue.date if venue.step_s is None else formatdate(venue.step_s * len(venue.asked), usegmt=True)
            if date:
                self.send_header("Date", date)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        venue.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield venue
        finally:
            server.shutdown()
            thread.join()


def books() -> LedgerCheck:
    """The account's ledger, with three micro-USD that nobody can explain."""
    return LedgerCheck(
        equity=Decimal(100_000),
        realized_pnl=Decimal("12.5"),
        unrealized_pnl=Decimal("2.25"),
        fees=Decimal("-0.25"),
        funding=Decimal("0.75"),
        transfers=Decimal(100),
        residual=Decimal("0.000003"),
        since_ms=Millis(1),
        as_of_ms=Millis(2),
    )
