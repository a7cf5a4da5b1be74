"""Somebody signs with risk's own key, past risk: trading ends as soon as that shows."""

from common.cloid import house_tag, make_cloid
from common.hyperliquid import wire
from common.messages import OrderIntent, TimeInForce
from common.messages.venue import Place
from common.units import Lots, Side
from services.replay.venue_link import ACCOUNT, EPOCH_MS, KEYS
from tests.common.simulation.test_controls import halted_by, quoting
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

TICKET = 10**9  # of a request that nobody in the mesh made


def post_behind_risks_back(mesh: WholeMesh, cloid: str) -> None:
    """Sign and post one bid that will never trade."""
    instruments, now = SETTINGS.instruments(), mesh.simulation.now
    price = instruments["BTC"].legal_floor(mesh.venue.venue.exchange.info.mark("BTC") * 0.8)
    order = OrderIntent(
        cloid=cloid, coin="BTC", side=Side.BUY, ticks=price, lots=Lots(1_000), reduce_only=False, tif=TimeInForce.ALO
    )
    action = wire.encode_action(Place((order,)), instruments)
    nonce = EPOCH_MS + now // 1_000_000 + 500
    signature = KEYS["risk"].sign_l1(action, nonce, SETTINGS.venue.network)
    body = wire.request_body(action, nonce, signature)
    mesh.venue.venue.request(TICKET, "POST", "/exchange", body, mesh.venue._venue_ms(now))


def test_an_order_of_ours_that_risk_never_approved_ends_trading() -> None:
    """It carries our tag and a good signature: the key is in other hands. Latched, cancelled, advice given."""
    mesh = quoting()
    cloid = make_cloid(house_tag(ACCOUNT), 1_800_000_000, 1, 0)
    post_behind_risks_back(mesh, cloid)
    mesh.run_for(4)
    assert any(order.cloid == cloid for order in mesh.judge.orders()), "the venue took it"
    assert "revoke the agents" in mesh.simulation.halt[0].evidence
    halted_by(mesh, "unapproved order")


def test_a_strangers_order_on_the_account_is_shown_and_left_alone() -> None:
    """Without our tag it is the owner's own business, however it was signed."""
    mesh = quoting()
    post_behind_risks_back(mesh, "0x" + "77" * 16)
    mesh.run_for(4)
    assert mesh.simulation.halt == []
    assert any(order.cloid == "0x" + "77" * 16 for order in mesh.judge.resting().values())
