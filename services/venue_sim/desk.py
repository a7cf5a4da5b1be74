"""The information desk: answers POST /info, and gives the streams the same payloads. Pure.

Rules
  1. An unknown type, a missing or a wrong field is HTTP 422 and plain text.
  2. What the venue does not know is an answer, not an error: an unknown user has nothing, an unknown coin is null.
  3. Addresses may come in any case and go out in lower case.
  4. Long answers are cut as the venue cuts them: 2,000 fills and orders, 500 of everything else with a time range.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from common.units import Millis
from services.venue_sim import absent, account_payloads, api, fast_contexts, payloads
from services.venue_sim.account_payloads import SPOT_META, SPOT_PAIRS
from services.venue_sim.candles import INTERVALS_MS, Candles
from services.venue_sim.info import Info
from services.venue_sim.numbers import price, usd
from services.venue_sim.payloads import Json
from services.venue_sim.questions import Question, Reply, needed
from services.venue_sim.rules import ExchangeConfig
from services.venue_sim.schema import NO_JSON, NOT_JSON, NOT_UNDERSTOOD
from services.venue_sim.subscriptions import FIGURES, MANTISSAS

FILLS_MAX: Final = 2_000
RANGE_MAX: Final = 500
RECENT_TRADES_MAX: Final = 30
MAIN_DEX: Final = ("", None)


_questions: Final[msgspec.json.Decoder[Question]] = msgspec.json.Decoder(Question)


class Desk:
    """Reads the exchange between blocks."""

    def __init__(self, config: ExchangeConfig, info: Info, candles: Candles) -> None:
        self._config = config
        self._info = info
        self._candles = candles
        self.instruments: Final = {coin.instrument.coin: coin.instrument for coin in config.coins}
        self._listed = account_payloads.meta(config.coins)
        self._now = Millis(0)
        self._answers: dict[str, Callable[[Question], Any]] = {
            **self._universe_answers(),
            **self._account_answers(),
            **self._order_answers(),
            **{kind: lambda question: absent.OF_VENUE[question.type] for kind in absent.OF_VENUE},
            **dict.fromkeys(absent.OF_USER, _nothing),
        }

    def read(self, body: bytes | msgspec.Raw) -> Question | Reply:
        """Understand one request, or refuse it (rule 1)."""
        try:
            question = _questions.decode(body)
        except msgspec.ValidationError as error:
            return Reply(http=422, data=f"{NOT_UNDERSTOOD}: {error}")
        except NOT_JSON:
            return Reply(http=400, data=NO_JSON)
        if question.type not in self._answers:
            return Reply(http=422, data=f"{NOT_UNDERSTOOD}: unknown variant `{question.type}`")
        return question

    def answer(self, question: Question, now: Millis) -> Reply:
        """Answer what `read` understood; `now` is venue time."""
        kind = question.type
        self._now = now
        if question.dex not in MAIN_DEX:
            return Reply(http=200, data=None, kind=kind)
        try:
            data = self._answers[kind](question)
        except ValueError as error:
            return Reply(http=422, data=f"{NOT_UNDERSTOOD}: {error}")
        if data is _BAD_BOOK:
            return Reply(http=500, data="null", kind=kind)
        return Reply(http=200, data=data, kind=kind, items=len(data) if isinstance(data, list) else 0)

    # --- the universe and the market ---

    def _universe_answers(self) -> dict[str, Callable[[Question], Any]]:
        return {
            "meta": lambda _: self._meta,
            "allPerpMetas": lambda _: [self._meta],
            "perpDexs": lambda _: [None],
            "metaAndAssetCtxs": lambda _: [self._meta, self.asset_contexts()],
            "spotMeta": lambda _: SPOT_META,
            "spotMetaAndAssetCtxs": lambda _: [SPOT_META, account_payloads.spot_contexts()],
            "allMids": lambda _: self.mids(),
            "l2Book": self._l2_book,
            "recentTrades": lambda question: self.trades(question.needed_coin)[::-1],
            "candleSnapshot": self._candle_snapshot,
            "fundingHistory": self._funding_history,
            "predictedFundings": lambda _: self._predicted_fundings(),
            "perpsAtOpenInterestCap": lambda _: self.capped(),
            "exchangeStatus": lambda _: {"time": self._now, "specialStatuses": None},
        }

    @property
    def _meta(self) -> Json:
        delisted = self._info.delisted()
        return account_payloads.meta(self._config.coins, delisted) if delisted else self._listed

    def capped(self) -> list[str]:
        """Return the coins at their cap on open interest."""
        return list(self._info.capped())

    def mids(self) -> dict[str, str]:
        """Return every mid; a coin with an empty side shows its last trade, or its mark; so do the spot pairs."""
        return {coin: self._mid(coin) for coin in self.instruments} | account_payloads.SPOT_MIDS

    def _mid(self, coin: str) -> str:
        instrument, top = self.instruments[coin], self._info.top(coin)
        if top.bid is not None and top.ask is not None:
            return payloads.mid(instrument, top.bid.ticks + top.ask.ticks)
        last = self._info.recent_trades(coin)[-1:]
        return price(instrument, last[0].ticks if last else self._info.context(coin).mark_ticks)

    def asset_contexts(self) -> list[Json]:
        return [self.asset_context(coin) for coin in self.instruments]

    def asset_context(self, coin: str) -> Json:
        if coin in SPOT_PAIRS:
            return account_payloads.spot_contexts()[SPOT_PAIRS.index(coin)]
        return account_payloads.asset_context(self.instruments[coin], self._info.context(coin))

    def prices(self) -> fast_contexts.Prices:
        """Return mark and mid of every coin."""
        contexts = {coin: self.asset_context(coin) for coin in self.instruments}
        return {coin: {name: context[name] for name in ("markPx", "midPx")} for coin, context in contexts.items()}

    def book(self, coin: str, figures: int | None = None, mantissa: int | None = None, levels_max: int = 20) -> Json:
        """Return one l2Book; a pair that only exists for its name is empty."""
        if coin in SPOT_PAIRS:
            return {"coin": coin, "time": self._info.time_ms, "levels": [[], []]}
        instrument = self.instruments[coin]
        if figures is None:
            return payloads.book(instrument, self._info.book(coin, levels_max), levels_max)
        view = self._info.book(coin)
        coarse = payloads.coarse_book(instrument, view, figures, mantissa, levels_max)
        return {**coarse, "spread": payloads.spread(instrument, view)}

    def _l2_book(self, question: Question) -> Any:
        figures, mantissa = question.n_sig_figs, question.mantissa
        if figures not in (None, *FIGURES) or mantissa not in (None, *MANTISSAS):
            return _BAD_BOOK
        if mantissa is not None and figures != FIGURES[-1]:
            return _BAD_BOOK
        if question.needed_coin not in (*self.instruments, *SPOT_PAIRS):
            return None
        return self.book(question.needed_coin, figures, mantissa)

    def bbo(self, coin: str) -> Json:
        if coin in SPOT_PAIRS:
            return {"coin": coin, "time": self._info.time_ms, "bbo": [None, None]}
        return payloads.bbo(self.instruments[coin], self._info.top(coin))

    def trades(self, coin: str) -> list[Json]:
        """Return the latest trades, oldest first."""
        if coin not in self.instruments:
            return account_payloads.spot_trades(coin) if coin in SPOT_PAIRS else []
        latest = self._info.recent_trades(coin)[-RECENT_TRADES_MAX:]
        return [payloads.trade(self.instruments[coin], event) for event in latest]

    def candle(self, coin: str, interval: str) -> Json | None:
        if coin not in self.instruments:
            return None
        current = self._candles.current(coin, interval)
        return None if current is None else payloads.candle(self.instruments[coin], interval, current)

    def _candle_snapshot(self, question: Question) -> list[Json]:
        asked = needed(question.req, "req")
        if asked.interval not in INTERVALS_MS:
            raise ValueError(f"unknown variant `{asked.interval}`")
        if asked.coin not in self.instruments:
            return []
        end = asked.end_time if asked.end_time is not None else self._now
        found = self._candles.between(asked.coin, asked.interval, asked.start_time, end)
        return [payloads.candle(self.instruments[asked.coin], asked.interval, each) for each in found]

    def _funding_history(self, question: Question) -> Any:
        if question.needed_coin not in self.instruments:
            return None
        rates = self._info.funding_history(question.needed_coin)
        return [account_payloads.funding_rate(each) for each in _within(rates, question.needed_start, question.end)]

    def _predicted_fundings(self) -> list[object]:
        contexts = (self._info.context(coin) for coin in self.instruments)
        return [account_payloads.predicted_funding(context, self._now) for context in contexts]

    # --- one account ---

    def _account_answers(self) -> dict[str, Callable[[Question], Any]]:
        info = self._info
        return {
            "clearinghouseState": lambda question: self.clearinghouse(question.needed_user),
            "spotClearinghouseState": lambda question: self.spot(question.needed_user),
            "userFees": lambda question: account_payloads.fees(
                info.fee_rates(question.needed_user), info.daily_volumes(question.needed_user)
            ),
            "userRateLimit": lambda question: account_payloads.rate_limit(info.rate_limit(question.needed_user)),
            "userRole": lambda question: account_payloads.role(info.role(question.needed_user)),
            "extraAgents": lambda question: account_payloads.extra_agents(info.agents(question.needed_user)),
            "activeAssetData": self._active_asset_data,
            "userFunding": self._user_funding,
            "userNonFundingLedgerUpdates": self._user_ledger,
            "portfolio": self._portfolio,
            "webData2": lambda question: self.web_data(question.needed_user, self._now),
            "maxBuilderFee": self._max_builder_fee,
            "subAccounts": self._sub_accounts,
            "referral": self._referral,
        }

    def clearinghouse(self, user: str) -> Json:
        return account_payloads.clearinghouse(self.instruments, self._info.account(user))

    def spot(self, user: str) -> Json:
        return account_payloads.spot_state(self._info.spot(user))

    def _sub_accounts(self, question: Question) -> list[Json] | None:
        found = [
            {
                "name": sub.name,
                "subAccountUser": address,
                "master": sub.master,
                "clearinghouseState": self.clearinghouse(address),
                "spotState": self.spot(address),
            }
            for address, sub in self._info.sub_accounts(question.needed_user)
        ]
        return found or None

    def active_asset(self, user: str, coin: str) -> Json:
        return account_payloads.active_asset(self.instruments[coin], user, self._info.active_asset(user, coin))

    def fundings(self, user: str) -> Sequence[api.FundingEvent]:
        """Return an account's funding payments, oldest first."""
        return self._info.fundings(user)

    def ledger(self, user: str) -> Sequence[api.LedgerEvent]:
        """Return an account's other movements of money, oldest first."""
        return self._info.ledger(user)

    def user_state(self, user: str, now: Millis) -> Json:
        """Return what both aggregates for web pages say about an account."""
        unnamed = next((agent for agent in self._info.agents(user) if not agent.name), None)
        return {
            "agentAddress": None if unnamed is None else unnamed.address,
            "agentValidUntil": None if unnamed is None else unnamed.valid_until,
            "cumLedger": usd(sum(event.micros for event in self._info.ledger(user))),
            "serverTime": now,
            "isVault": False,
            "user": user,
        }

    def web_data(self, user: str, now: Millis) -> Json:
        """Return the big aggregate that web pages hear."""
        return {
            **self.user_state(user, now),
            "clearinghouseState": self.clearinghouse(user),
            "leadingVaults": [],
            "totalVaultEquity": "0.0",
            "openOrders": self.frontend_orders(user),
            "meta": self._meta,
            "assetCtxs": self.asset_contexts(),
            "twapStates": [],
            "spotState": self.spot(user),
            "spotAssetCtxs": account_payloads.spot_contexts(),
            "perpsAtOpenInterestCap": self.capped(),
        }

    def _active_asset_data(self, question: Question) -> Any:
        coin = question.needed_coin
        return self.active_asset(question.needed_user, coin) if coin in self.instruments else None

    def _user_funding(self, question: Question) -> list[Json]:
        found = _within(self.fundings(question.needed_user), question.start_time or 0, question.end)
        return [payloads.funding_delta(self.instruments[event.coin], event) for event in found]

    def _user_ledger(self, question: Question) -> list[Json]:
        found = _within(self.ledger(question.needed_user), question.start_time or 0, question.end)
        return [payloads.ledger_delta(event) for event in found]

    def _portfolio(self, question: Question) -> list[object]:
        user = question.needed_user
        return account_payloads.portfolio(self._info.account(user), usd(self._info.rate_limit(user).volume))

    def _max_builder_fee(self, question: Question) -> int:
        builder = str(needed(question.builder, "builder")).lower()
        return self._info.builder_rate(question.needed_user, builder)

    def _referral(self, question: Question) -> Json:
        volume = usd(self._info.rate_limit(question.needed_user).volume)
        state = {"stage": "needToCreateCode", "data": None}
        return {"referredBy": None, "cumVlm": volume, "unclaimedRewards": "0.0", "referrerState": state}

    # --- one account's orders and fills ---

    def _order_answers(self) -> dict[str, Callable[[Question], Any]]:
        return {
            "openOrders": lambda question: self._open_orders(question.needed_user),
            "frontendOpenOrders": lambda question: self.frontend_orders(question.needed_user),
            "orderStatus": self._order_status,
            "historicalOrders": lambda question: self.order_history(question.needed_user),
            "userFills": self._user_fills,
            "userFillsByTime": self._user_fills_by_time,
        }

    def _open_orders(self, user: str) -> list[Json]:
        return [payloads.order(self.instruments[view.coin], view) for view in self._info.open_orders(user)]

    def frontend_orders(self, user: str) -> list[Json]:
        return [payloads.frontend_order(self.instruments[view.coin], view) for view in self._info.open_orders(user)]

    def _order_status(self, question: Question) -> Json:
        ref = needed(question.oid, "oid")
        record = self._info.order_status(question.needed_user, ref.lower() if isinstance(ref, str) else ref)
        if record is None:
            return {"status": "unknownOid"}
        return {"status": "order", "order": payloads.order_record(self.instruments[record.order.coin], record)}

    def order_history(self, user: str) -> list[Json]:
        """Return what became of an account's orders, newest first."""
        records = self._info.historical_orders(user)[:FILLS_MAX]
        return [payloads.order_record(self.instruments[record.order.coin], record) for record in records]

    def fills(self, user: str, count_max: int = FILLS_MAX) -> list[Json]:
        """Return an account's latest fills, newest first."""
        latest = list(self._info.fills(user))[-count_max:]
        return [payloads.fill(self.instruments[event.coin], event) for event in reversed(latest)]

    def _user_fills(self, question: Question) -> list[Json]:
        fills = self.fills(question.needed_user)
        return payloads.aggregated(fills) if question.aggregate_by_time else fills

    def _user_fills_by_time(self, question: Question) -> list[Json]:
        start, end = question.needed_start, question.end
        found = [event for event in self._info.fills(question.needed_user) if start <= event.time_ms <= end]
        chosen = found[::-1][:FILLS_MAX] if question.reversed else found[:FILLS_MAX]
        fills = [payloads.fill(self.instruments[event.coin], event) for event in chosen]
        return payloads.aggregated(fills) if question.aggregate_by_time else fills


def _nothing(question: Question) -> Any:
    """Answer for a user who has nothing of the kind."""
    assert question.needed_user
    return absent.OF_USER[question.type]


_BAD_BOOK: Final = object()  # figures or mantissa that the venue answers with 500


def _within(items: Sequence[Any], start: int, end: int) -> list[Any]:
    """Keep what lies in the asked time range, oldest first, cut to RANGE_MAX (rule 4)."""
    return [item for item in items if start <= item.time_ms <= end][:RANGE_MAX]
