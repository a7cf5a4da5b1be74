"""The official Python client: every question, money in every way, refusals as it expects them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.signing import get_timestamp_ms

from tests.conformance.process import venue

pytestmark = pytest.mark.conformance

COIN = "ETH"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A venue of its own, on a free port."""
    with venue() as (found, _):
        yield found


@pytest.fixture(scope="module")  # its questions at the start are a good part of a minute's weight
def info(url: str) -> Iterator[Info]:
    """A client that only asks."""
    client = Info(url, skip_ws=True)
    yield client
    client.session.close()


@pytest.fixture
def exchange(url: str, info: Info) -> Iterator[Exchange]:
    """A client with a key of its own, funded by the first question about it."""
    wallet = Account.create()
    assert float(info.user_state(wallet.address)["marginSummary"]["accountValue"]) > 0
    client = Exchange(wallet, url)
    yield client
    client.session.close()
    client.info.session.close()


def status(answer: Any) -> Any:
    assert answer["status"] == "ok", answer
    (only,) = answer["response"]["data"]["statuses"]
    return only


def test_every_question(exchange: Exchange, info: Info) -> None:
    """Each method of Info that a trader can call has an answer for a new account, of the right JSON type."""
    me = exchange.wallet.address
    lists: list[Callable[[], Any]] = [
        *(method(me) for method in map(asking, (info.open_orders, info.frontend_open_orders, info.user_fills))),
        *(method(me) for method in map(asking, (info.historical_orders, info.portfolio, info.user_twap_slice_fills))),
        *(method(me) for method in map(asking, (info.user_vault_equities, info.user_staking_delegations))),
        *(method(me) for method in map(asking, (info.user_staking_rewards, info.delegator_history, info.extra_agents))),
        asking(info.user_fills_by_time)(me, 0),
        asking(info.user_funding_history)(me, 0),
        asking(info.user_non_funding_ledger_updates)(me, 0),
        asking(info.funding_history)("BTC", 0),
        asking(info.candles_snapshot)("BTC", "1m", 0, 2**45),
        *(asking(method)() for method in (info.meta_and_asset_ctxs, info.spot_meta_and_asset_ctxs, info.perp_dexs)),
    ]
    dicts: list[Callable[[], Any]] = [
        *(method(me) for method in map(asking, (info.user_state, info.spot_user_state, info.user_fees))),
        *(method(me) for method in map(asking, (info.user_staking_summary, info.query_referral_state))),
        *(method(me) for method in map(asking, (info.user_role, info.user_rate_limit))),
        *(method(me) for method in map(asking, (info.query_spot_deploy_auction_status,))),
        *(asking(method)() for method in (info.meta, info.spot_meta, info.all_mids)),
        asking(info.query_perp_deploy_auction_status)(),
        asking(info.l2_snapshot)("ETH"),
    ]
    assert [type(ask()) for ask in lists] == [list] * len(lists)
    assert [type(ask()) for ask in dicts] == [dict] * len(dicts)
    assert info.query_sub_accounts(me) is None
    assert info.query_user_to_multi_sig_signers(me) is None
    assert info.query_user_abstraction_state(me) == "default"


def asking(method: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """Return what binds arguments to a method, to be asked later."""
    return lambda *arguments: lambda: method(*arguments)


def test_expired_actions(exchange: Exchange, info: Info) -> None:
    """An action that comes too late is refused and costs five requests; noop burns its nonce."""
    now = get_timestamp_ms()
    exchange.set_expires_after(now - 1_000)
    assert exchange.order(COIN, True, 0.2, 1_100, {"limit": {"tif": "Gtc"}})["response"] == "Action already expired"
    exchange.set_expires_after(now + 60_000)
    assert "resting" in status(exchange.order(COIN, True, 0.2, 1_100, {"limit": {"tif": "Gtc"}}))
    exchange.set_expires_after(None)
    assert info.user_rate_limit(exchange.wallet.address)["nRequestsUsed"] == 6
    nonce = get_timestamp_ms()
    assert exchange.noop(nonce)["status"] == "ok"
    assert exchange.noop(nonce)["response"] == f"Invalid nonce: duplicate nonce {nonce}"


def test_sub_account(exchange: Exchange, info: Info, url: str) -> None:
    """A sub-account is created, funded, traded for by vaultAddress, and listed."""
    sub = exchange.create_sub_account("maker")["response"]["data"]
    assert exchange.sub_account_transfer(sub, True, 5_000_000_000)["status"] == "ok"
    maker = Exchange(exchange.wallet, url, vault_address=sub)
    oid = status(maker.order(COIN, True, 0.2, 1_100, {"limit": {"tif": "Alo"}}))["resting"]["oid"]
    assert [order["oid"] for order in info.open_orders(sub)] == [oid]
    assert status(maker.cancel(COIN, oid)) == "success"
    assert [found["subAccountUser"] for found in info.query_sub_accounts(exchange.wallet.address)] == [sub]
    maker.session.close()
    maker.info.session.close()


def test_transfer(exchange: Exchange, info: Info) -> None:
    """Money sent arrives."""
    there = Account.create().address
    before = float(info.user_state(there)["withdrawable"])
    assert exchange.usd_transfer(1.0, there)["status"] == "ok"
    assert float(info.user_state(there)["withdrawable"]) == before + 1


def test_refusals_are_errors_of_the_client(exchange: Exchange, url: str) -> None:
    """A stranger's signature, and an order that is too small, come back as the client expects them."""
    stranger = Exchange(Account.create(), url)
    refused = stranger.order(COIN, True, 0.2, 1_000, {"limit": {"tif": "Gtc"}})
    assert refused["status"] == "err"
    assert "does not exist" in refused["response"]
    small = status(exchange.order(COIN, True, 0.0001, 1_000, {"limit": {"tif": "Gtc"}}))
    assert small["error"].startswith("Order must have minimum value of $10.")
    stranger.session.close()
    stranger.info.session.close()


def test_money_in_every_way(exchange: Exchange, info: Info) -> None:
    """Between classes, to others, out of the venue; what is not here is refused, never a crash."""
    me, other = exchange.wallet.address, Account.create().address
    assert exchange.usd_class_transfer(10.0, to_perp=False)["status"] == "ok"
    assert info.spot_user_state(me)["balances"][0]["total"] == "10.0"
    assert exchange.spot_transfer(4.0, other, "USDC:0x6d1e7cde53ba9467b783cb7c530ce054")["status"] == "ok"
    assert exchange.send_asset(other, "", "spot", "USDC:0x6d1e7cde53ba9467b783cb7c530ce054", 1.0)["status"] == "ok"
    assert exchange.withdraw_from_bridge(5.0, me)["status"] == "ok"
    assert exchange.approve_builder_fee(other, "0.01%")["status"] == "ok"
    assert exchange.set_referrer("CODE")["response"] == "Referral code not registered"
    assert exchange.vault_usd_transfer(other.lower(), True, 5)["response"] == f"Vault not registered: {other.lower()}"
    spot = status(exchange.order("PURR/USDC", True, 20, 1.0, {"limit": {"tif": "Gtc"}}))
    assert spot["error"] == "Insufficient spot balance asset=10000"
    assert "error" in status(exchange.cancel("PURR/USDC", 5))


def test_questions_that_are_none(info: Info) -> None:
    """An unknown type, and a user that is no address, are errors of the client with the venue's text."""
    for question in ({"type": "unheardOf"}, {"type": "openOrders", "user": "0x12"}):
        with pytest.raises(ClientError) as refused:
            info.post("/info", question)
        assert refused.value.status_code == 422
        assert refused.value.error_message.startswith("Failed to deserialize the JSON body into the target type")
