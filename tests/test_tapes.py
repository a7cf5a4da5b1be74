"""The recording in the tree: it replays to equal effects, and the local venue plays it."""

from pathlib import Path
from random import Random

import pytest

from common import tape
from common.actor import Effect, replay
from common.messages import Book, Estimate, Trade
from common.units import Lots, Millis, Nanos, Side
from services.estimation.core import Estimation
from services.venue_sim.api import ActionRequest, Block, FillEvent, OrderSpec, PlaceOrders, Tif
from services.venue_sim.core import Exchange
from services.venue_sim.rules import CoinRules, ExchangeConfig
from services.venue_sim.tape_market import TapeMarket
from tests.data import data_file
from tests.market import BOOT, SETTINGS

OWN = Path(__file__).parent / "tapes" / "synthetic.tape"
ACCOUNT = "0x" + "ab" * 20
START_MS = 1_790_000_000_000
BLOCK_MS = 70
RECORDINGS = ["own", pytest.param("A_hl_book_trades_20250904", marks=pytest.mark.data)]


def recording(name: str) -> Path:
    return OWN if name == "own" else data_file(name)


def estimated() -> list[list[Effect]]:
    """Live the recorded minutes again, in a fresh estimator."""
    actor = Estimation(SETTINGS, BOOT)
    heard = ((at, message) for at, message in tape.read(OWN) if isinstance(message, Book | Trade))
    return list(replay(actor, heard))


def test_equal_tapes_give_equal_effects() -> None:
    """A decision that cannot be replayed from what was received depends on something hidden."""
    first, second = estimated(), estimated()
    assert first == second
    sent = [effect for effects in first for effect in effects]
    assert sum(isinstance(getattr(effect, "message", None), Estimate) for effect in sent) > 100


def played(name: str, seconds: int, seed: int) -> list[Block]:
    """Play a recording on the exchange, with one order of ours resting at each touch of the first book."""
    instruments = SETTINGS.instruments()
    market = TapeMarket(recording(name), tuple(instruments.values()), speed=4.0, loop=False, say=lambda _: None)
    oracles = market.first_oracles()
    rules = tuple(
        CoinRules(instrument=instrument, oracle_ticks=oracles[coin], external=True)
        for coin, instrument in instruments.items()
    )
    exchange = Exchange(ExchangeConfig(coins=rules), START_MS)
    exchange.sight(ACCOUNT)
    blocks = []
    chance = Random(seed)
    for number in range(1, seconds * 1_000 // BLOCK_MS):
        now = START_MS + number * BLOCK_MS
        market.step(exchange, now)
        blocks.append(exchange.step(now))
        top = exchange.info.top("BTC")
        if number % 20 == 5 and top.bid and top.ask:
            side = chance.choice((Side.BUY, Side.SELL))
            ticks = top.bid.ticks if side is Side.BUY else top.ask.ticks
            order = OrderSpec(coin="BTC", side=side, ticks=ticks, lots=Lots(20), tif=Tif.ALO)
            request = ActionRequest(
                request_id=number,
                signer=ACCOUNT,
                action=PlaceOrders((order,)),
                nonce=now,
                expires_after=Millis(now + 500),
            )
            exchange.submit(request)
    return blocks


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_venue_plays_it_and_fills_us(name: str) -> None:
    """Our orders wait behind the recorded queue, then fill as makers; the same seed gives the same blocks."""
    blocks = played(name, 60, 3)
    fills = [event for block in blocks for event in block.events if isinstance(event, FillEvent)]
    assert fills
    assert not any(fill.crossed for fill in fills if fill.user == ACCOUNT)
    assert blocks == played(name, 60, 3)
    assert blocks[-1].time_ms <= Nanos(START_MS + 60_000)
