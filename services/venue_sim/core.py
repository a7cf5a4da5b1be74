"""The exchange: a pure state machine that executes actions and market data block by block.

Time is an argument, there is no chance in it: equal inputs give equal blocks, byte for byte. Reading happens through
`info` (info.py) between blocks.

Rules of a block, in this order
  1. The market's inputs (oracle, recorded books and trades), as they came, then what the venue itself does.
  2. Actions, sorted: first those that place no new Gtc or Ioc order, then cancels, then the rest; within a class as
     they came. Modifies sort by their new orders.
  3. Due scheduleCancels fire before the actions of the block that reaches their time.
  4. Mark, trigger orders, funding, liquidations.
  5. An action: batch of 200 at most; signer known (an agent signs for its master); nonce; expiresAfter; address
     budget; then the action itself. A refused batch or signer consumes no nonce.
"""

from typing import Final, TypeAlias

from common.units import Millis
from services.venue_sim import texts
from services.venue_sim.account import Account
from services.venue_sim.account_actions import AccountActions
from services.venue_sim.api import (
    Action,
    ActionAnswer,
    ActionRequest,
    AnswerKind,
    ApproveAgent,
    Block,
    CancelOrders,
    Deposit,
    ExternalBook,
    ExternalTrade,
    MarketInput,
    ModifyOrders,
    Noop,
    OracleUpdate,
    PlaceOrders,
    Refused,
    ScheduleCancel,
    TradingHalt,
    UpdateIsolatedMargin,
    UpdateLeverage,
    UsdSend,
)
from services.venue_sim.changing import Changing
from services.venue_sim.dead_man import DeadMan
from services.venue_sim.deleveraging import Deleveraging
from services.venue_sim.engine import Engine
from services.venue_sim.fee_tiers import FeeTiers
from services.venue_sim.floor import Floor
from services.venue_sim.funding import Funding
from services.venue_sim.info import Info
from services.venue_sim.interventions import Intervention, Interventions
from services.venue_sim.liquidation import Liquidation
from services.venue_sim.nonces import NonceSet
from services.venue_sim.notes import Note
from services.venue_sim.other_actions import (
    ApproveBuilderFee,
    CreateSubAccount,
    Declined,
    ReserveWeight,
    SubAccountTransfer,
    TopUpIsolated,
    Transfer,
    Withdraw,
)
from services.venue_sim.placing import Placing
from services.venue_sim.rules import BATCH_MAX, ExchangeConfig
from services.venue_sim.tape_book import Tape
from services.venue_sim.transfers import Transfers
from services.venue_sim.views import FeeRates

MAKING: Final = 0
CANCELLING: Final = 1
TAKING: Final = 2


MoneyAction: TypeAlias = UsdSend | Transfer | Withdraw | SubAccountTransfer | ReserveWeight


class Exchange:
    """`submit` and `feed` queue; `step` executes one block. `now_ms` is venue time and never goes back."""

    def __init__(self, config: ExchangeConfig, now_ms: int) -> None:
        self._floor = Floor(config, now_ms)
        engine = Engine(self._floor)
        self._placing = Placing(self._floor, engine)
        self._changing = Changing(self._floor, self._placing)
        self._dead_man = DeadMan(self._floor)
        self._account_actions = AccountActions(self._floor)
        self._transfers = Transfers(self._floor)
        self._tape = Tape(self._floor, engine)
        self._fee_tiers = FeeTiers(self._floor)
        self._funding = Funding(self._floor)
        self._deleveraging = Deleveraging(self._floor, engine)
        self._liquidation = Liquidation(self._floor, engine)
        self._interventions = Interventions(self._floor, engine, self._funding)
        self._nonces: dict[str, NonceSet] = {}
        self._queue: list[ActionRequest] = []
        self._inputs: list[MarketInput] = []
        self.info = Info(self._floor)

    # --- in ---

    def submit(self, request: ActionRequest) -> None:
        """Queue a signed action for the next block; every coin in it must be listed in `info.coins`."""
        self._queue.append(request)

    def feed(self, market: MarketInput) -> None:
        """Queue what the world outside did, for the head of the next block."""
        self._inputs.append(market)

    def sight(self, user: str) -> None:
        """Open and fund an account the first time that a query names it; agents own nothing."""
        if self._floor.agents.master(user, self._floor.now_ms) is None:
            self._floor.sight(user)

    def set_fees(self, user: str, rates: FeeRates) -> None:
        """Put an account on another tier, from the next trade on."""
        self._floor.set_fees(self._floor.sight(user), rates)

    def upgrade(self, until_ms: int) -> None:
        """Take Alo orders alone until then, as the venue does after a network upgrade."""
        self._floor.post_only_until = until_ms

    def intervene(self, item: Intervention) -> None:
        """Have the venue itself do something, at the head of the next block."""
        self._interventions.queue(item)

    # --- what survives the process (durable.py) ---

    @property
    def floor(self) -> Floor:
        return self._floor

    def nonces(self, signer: str) -> tuple[int, ...]:
        found = self._nonces.get(signer)
        return () if found is None else found.highest

    def restore_nonces(self, signer: str, highest: list[int]) -> None:
        self._nonces[signer] = NonceSet(highest)

    def scheduled_cancel(self, user: str) -> Millis | None:
        return self._dead_man.armed(user)

    def restore_scheduled_cancel(self, user: str, at_ms: Millis) -> None:
        self._dead_man.arm(self._floor.accounts[user], at_ms)

    # --- one block ---

    def step(self, now_ms: int) -> Block:
        floor = self._floor
        assert now_ms >= floor.now_ms, "venue time went back"
        if floor.begin(now_ms):
            self._fee_tiers.end_day()
        inputs, self._inputs = self._inputs, []
        for market in inputs:
            self._take_input(market)
        self._interventions.execute()
        self._dead_man.fire()
        queue, self._queue = self._queue, []
        answers = tuple(self._execute(request) for request in sorted(queue, key=urgency))
        self._settle()
        story = floor.end()
        events = tuple(each for each in story if not isinstance(each, Note))
        return Block(number=floor.block, time_ms=Millis(now_ms), answers=answers, events=events, story=story)

    def _take_input(self, market: MarketInput) -> None:
        match market:
            case OracleUpdate():
                coin = self._floor.coins[market.coin]
                coin.pricing.oracle = market.ticks
                self._floor.note_prices(coin)
            case ExternalBook() | ExternalTrade() if self._floor.coins[market.coin].is_delisted:
                pass
            case ExternalBook():
                self._tape.snapshot(market)
            case ExternalTrade():
                self._tape.trade(market)
            case TradingHalt():
                self._floor.coins[market.coin].halted = market.halted
            case Deposit():
                account = self._floor.accounts.get(market.user) or self._floor.open_account(market.user)
                self._floor.move_cash(account, int(market.micros), "deposit")

    def _settle(self) -> None:
        """Move marks and draw the consequences (rule 4)."""
        floor = self._floor
        moved = [coin for coin in floor.coins.values() if not coin.halted and coin.pricing.update(floor.now_ms)]
        for coin in moved:
            floor.note_prices(coin)
        for coin in moved:
            self._placing.triggers.fire(coin)
        paid = self._funding.pay()
        judged = floor.accounts if moved or paid else floor.traded
        for account in tuple(judged.values()):
            if not account.internal:
                self._liquidation.judge(account)
        if judged:
            self._deleveraging.restore()
        floor.traded.clear()

    # --- one action (rule 5) ---

    def _execute(self, request: ActionRequest) -> ActionAnswer:
        account = self._floor.accounts.get(request.signer)
        if account is None or not account.internal:
            if items(request) > BATCH_MAX:
                return self._refuse(request, texts.WEIGHT)
            found = self._principal(request)
            if isinstance(found, str):
                return self._refuse(request, found)
            account = found
            text = self._admit(request, account)
            if text:
                return self._refuse(request, text)
        return self._run(request, account)

    def _principal(self, request: ActionRequest) -> Account | str:
        """Return whose action this is, or the refusal's text."""
        accounts, signer = self._floor.accounts, request.signer
        master = self._floor.agents.master(signer, self._floor.now_ms)
        if is_user_signed(request.action):
            return texts.must_deposit(signer) if master is not None or signer not in accounts else accounts[signer]
        user = master or signer
        if user not in accounts:
            return texts.unknown_wallet(signer)
        if request.vault is None:
            return accounts[user]
        if self._floor.sub_accounts.master(request.vault) == user:
            return accounts[request.vault]
        return texts.vault_not_registered(request.vault)

    def _admit(self, request: ActionRequest, account: Account) -> str:
        now_ms = self._floor.now_ms
        nonces = self._nonces.get(request.signer)
        if nonces is None:
            nonces = self._nonces[request.signer] = NonceSet()
        text = nonces.use(request.nonce, now_ms)
        if text:
            return text
        if request.expires_after is not None and now_ms > request.expires_after:
            account.budget.fine()
            return texts.EXPIRED
        cancels = isinstance(request.action, CancelOrders)
        return account.budget.spend(items(request), now_ms, is_cancel=cancels)

    def _refuse(self, request: ActionRequest, text: str) -> ActionAnswer:
        return ActionAnswer(request_id=request.request_id, error=text)

    def _run(self, request: ActionRequest, account: Account) -> ActionAnswer:
        number, action = request.request_id, request.action
        match action:
            case PlaceOrders(orders=orders) if not all(account.approved(order.builder) for order in orders):
                error = texts.BUILDER_UNAPPROVED
            case PlaceOrders():
                statuses = self._placing.place_all(account, action)
                return ActionAnswer(request_id=number, kind=AnswerKind.ORDER, statuses=statuses)
            case CancelOrders():
                statuses = self._changing.cancel(account, action)
                return ActionAnswer(request_id=number, kind=AnswerKind.CANCEL, statuses=statuses)
            case ModifyOrders(single=True):
                error = self._changing.modify_one(account, action)
            case ModifyOrders():
                statuses = self._changing.modify(account, action)
                return ActionAnswer(request_id=number, kind=AnswerKind.ORDER, statuses=statuses)
            case ScheduleCancel():
                error = self._dead_man.schedule(account, action.at_ms)
            case Noop():
                error = ""
            case UpdateLeverage():
                error = self._account_actions.update_leverage(account, action)
            case UpdateIsolatedMargin():
                error = self._account_actions.update_isolated_margin(account, action)
            case TopUpIsolated():
                error = self._account_actions.top_up_isolated(account, action)
            case ApproveAgent():
                error = self._account_actions.approve_agent(account, action)
            case ApproveBuilderFee(builder=address, rate=rate):
                account.builders[address] = rate
                error = ""
            case CreateSubAccount():
                address, error = self._account_actions.create_sub_account(account, action)
                return ActionAnswer(request_id=number, kind=AnswerKind.CREATE_SUB_ACCOUNT, error=error, data=address)
            case Declined(kind="default", texts=(error,)):
                pass
            case Declined(kind=kind, texts=refusals):
                return ActionAnswer(request_id=number, kind=AnswerKind(kind), statuses=tuple(map(Refused, refusals)))
            case _:
                error = self._move(account, action)
        return ActionAnswer(request_id=number, error=error)

    def _move(self, account: Account, action: MoneyAction) -> str:
        match action:
            case UsdSend():
                return self._transfers.send(account, action)
            case Transfer():
                return self._transfers.transfer(account, action)
            case Withdraw():
                return self._transfers.withdraw(account, action)
            case SubAccountTransfer():
                return self._transfers.sub_account(account, action)
            case ReserveWeight():
                return self._transfers.reserve(account, action)


def items(request: ActionRequest) -> int:
    """Return what the action costs the address budget."""
    match request.action:
        case PlaceOrders(orders=parts) | CancelOrders(cancels=parts) | ModifyOrders(modifies=parts):
            return max(1, len(parts))
        case Declined(texts=refusals):
            return max(1, len(refusals))
        case _:
            return 1


def is_user_signed(action: Action) -> bool:
    """Say whether only the account's own key may have signed it."""
    return isinstance(action, ApproveAgent | ApproveBuilderFee | UsdSend | Transfer | Withdraw)


def urgency(request: ActionRequest) -> int:
    """Return the action's class in the block (rule 2)."""
    match request.action:
        case CancelOrders():
            return CANCELLING
        case PlaceOrders(orders=orders):
            takes = any(order.tif.takes and order.trigger is None for order in orders)
        case ModifyOrders(modifies=modifies):
            takes = any(modify.order.tif.takes and modify.order.trigger is None for modify in modifies)
        case _:
            return MAKING
    return TAKING if takes else MAKING
