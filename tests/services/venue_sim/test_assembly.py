"""A venue is put together for a home, and put together again after it was killed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from common import config, witness
from common.errors import ConfigFault
from common.hyperliquid.signing import user_signed_digest
from common.keys import PublicKeys
from common.units import MICROS_PER_USD, Millis
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble, plan_of
from services.venue_sim.state_file import StateFile
from services.venue_sim.streams import Say
from services.venue_sim.truth import Truth
from services.venue_sim.venue import HttpAnswer, Venue
from tests.services.venue_sim.door import AGENT, ALICE, BOB, Quiet, limit, place, signed

START = Millis(1_700_000_000_000)
PLAN = Plan(coins=universe.coins({}), seed=3, account=ALICE.address, agents={"risk": AGENT.address})


def ask(venue: Venue, now: int, **question: object) -> object:
    (answer,) = venue.request(1, "POST", "/info", msgspec.json.encode(question), Millis(now))
    assert isinstance(answer, HttpAnswer)
    return msgspec.json.decode(answer.body)


def test_a_home_is_admitted() -> None:
    """Rule 1: before the first block the account has money and its agent signs for it."""
    venue = assemble(PLAN, START, None, last_sequence=0)
    assert ask(venue, START, type="userRole", user=AGENT.address) == {"role": "agent", "data": {"user": ALICE.address}}
    state = ask(venue, START, type="clearinghouseState", user=ALICE.address)
    assert isinstance(state, dict)
    assert state["withdrawable"] == "100000.0"


def test_switches_of_the_configuration() -> None:
    """What an operator writes into [venue_sim] is how the venue behaves: gate, band, part fills, patience."""
    text = (Path(__file__).parents[3] / "deploy" / "sim.toml").read_text()
    text += (
        "[venue_sim]\nschedule_cancel_volume_usd = 1_000_000.0\npartial_fill_rests = false\n"
        "price_band_percent = 80\nabort_unknown = false\n"
        'witness = "clients"\nwitness_fsync = true\nfunding_interval_ms = 60_000\nopen_interest_max_usd = 5e6\n'
    )
    public = PublicKeys(account=ALICE.address, agents={"risk": AGENT.address}, operator=BOB.address)
    plan = plan_of(config.parse(text.encode(), "home"), public, seed=1)
    venue = assemble(plan, START, None, last_sequence=0)
    assert plan.witness_fsync
    settings = venue.exchange.floor.config
    assert (settings.quotes_noted, settings.funding_interval_ms) == (False, 60_000)
    assert settings.open_interest_max == 5_000_000 * MICROS_PER_USD

    def told(action: dict[str, Any], nonce: int) -> str:
        venue.request(nonce, "POST", "/exchange", signed(AGENT, action, START + nonce), START)
        return str(
            [effect.body for effect in venue.step(Millis(START + nonce)).effects if isinstance(effect, HttpAnswer)]
        )

    assert "until enough volume traded. Required: $1000000." in told({"type": "scheduleCancel"}, 1)
    mark = venue.exchange.info.mark("ETH") // 100
    assert "80% away from the reference price" in told(place(limit(str(mark // 6), "1", asset=1)), 2)
    ask = venue.exchange.info.top("ETH").ask
    assert ask is not None
    price = venue.exchange.info.instrument("ETH").price(ask.ticks)
    filled = told(place(limit(f"{price.normalize():f}", "200", asset=1)), 3)
    assert "filled" in filled
    assert "resting" not in filled
    venue.open(1, START)
    (said,) = venue.text(1, '{"method":"subscribe","subscription":{"type":"bbo","coin":"NOPE"}}', START)
    assert isinstance(said, Say)
    assert b"Invalid subscription" in said.text


def test_an_unknown_scenario_is_refused() -> None:
    """With the names; so is a scenario beside a recording."""
    with pytest.raises(ConfigFault, match="no scenario 'storm'; choose one of calm, volatile"):
        assemble(msgspec.structs.replace(PLAN, scenario="storm"), START, None, last_sequence=0)
    with pytest.raises(ConfigFault, match="exclude each other"):
        assemble(msgspec.structs.replace(PLAN, scenario="calm"), START, None, last_sequence=0, recording=Quiet())


def test_a_scenario_is_played() -> None:
    """The plan's scenario decides what the market does: the log knows its phases."""
    plan = msgspec.structs.replace(PLAN, scenario="one-sided")
    venue, phases = assemble(plan, START, None, last_sequence=0), dict[str, None]()
    for now in range(START, START + 50_000, 70):
        venue.step(Millis(now))
        for raw in venue.take_log().splitlines(keepends=True):
            line = witness.decode(raw)
            if isinstance(line, witness.Truth):
                phases[msgspec.convert(line.facts, Truth).phase] = None
    assert list(phases) == ["before", "no asks", "between"]


def lived(path: Path, plan: Plan) -> tuple[Venue, int]:
    """Run a venue for a minute and save it."""
    venue, file, now = assemble(plan, START, None, last_sequence=0), StateFile(path), int(START)
    for _ in range(850):
        now += 70
        file.save(venue.step(Millis(now)).changes)
    file.close()
    return venue, now


def test_prices_go_on(tmp_path: Path) -> None:
    """Rule 2: the market comes back around the last oracle price, blocks count on, and time does not go back."""
    before, now = lived(tmp_path / "venue.sqlite", PLAN)
    oracle, block = before.exchange.info.oracle("BTC"), before.exchange.info.block
    assert oracle != before.exchange.info.rules("BTC").oracle_ticks
    saved = StateFile(tmp_path / "venue.sqlite").load()
    after = assemble(PLAN, START, saved, last_sequence=0)
    assert after.exchange.info.time_ms == now
    assert after.exchange.info.oracle("BTC") == oracle
    after.step(Millis(now + 70))
    assert after.exchange.info.block == block + 1
    top = after.exchange.info.top("BTC")
    assert top.bid is not None
    assert top.ask is not None
    assert top.bid.ticks < top.ask.ticks
    assert abs(top.bid.ticks - oracle) < oracle * 0.001


def test_a_revoked_agent_stays_out(tmp_path: Path) -> None:
    """Rule 1 does not undo what the account did: an agent that it removed is not approved again."""
    venue, file, now = assemble(PLAN, START, None, last_sequence=0), StateFile(tmp_path / "venue.sqlite"), int(START)
    removal: dict[str, object] = {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": "0x" + "0" * 40,
        "agentName": "risk",
        "nonce": now,
    }
    signature = msgspec.to_builtins(ALICE.sign_digest(user_signed_digest(removal)))
    body = msgspec.json.encode({"action": removal, "nonce": now, "signature": signature})
    venue.request(1, "POST", "/exchange", body, START)
    file.save(venue.step(Millis(now + 70)).changes)
    assert ask(venue, now + 70, type="userRole", user=AGENT.address) == {"role": "missing"}
    again = assemble(PLAN, Millis(now + 140), file.load(), last_sequence=0)
    file.close()
    assert ask(again, now + 140, type="userRole", user=AGENT.address) == {"role": "missing"}
    assert ask(again, now + 140, type="userRole", user=ALICE.address) == {"role": "user"}
