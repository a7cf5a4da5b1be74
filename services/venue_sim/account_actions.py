"""What an account may do to itself: leverage, isolated margin, agents, sub-accounts.

Rules
  1. Leverage: 1 to the asset's maximum; lowering it needs the margin; cross and isolated never change with a position.
  2. Isolated margin: moves between the account and an isolated position, leaving both their initial margin.
  3. Agents: services/venue_sim/agents.py.
  4. A top-up adds what is missing to an isolated position's margin at a leverage; nothing when nothing is.
  5. Sub-accounts: services/venue_sim/sub_accounts.py. They start without money.
"""

from decimal import ROUND_CEILING, Decimal

from common.units import Micros
from services.venue_sim import texts
from services.venue_sim.account import Account
from services.venue_sim.api import ApproveAgent, UpdateIsolatedMargin, UpdateLeverage
from services.venue_sim.floor import Floor
from services.venue_sim.margin import initial
from services.venue_sim.other_actions import CreateSubAccount, TopUpIsolated
from services.venue_sim.views import Leverage


class AccountActions:
    """Each method returns the refusal's text, empty when done."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def update_leverage(self, account: Account, action: UpdateLeverage) -> str:
        coin = self._floor.coins[action.coin]
        if not 1 <= action.leverage <= coin.instrument.leverage_max:
            return texts.BAD_LEVERAGE
        if account.lots(action.coin) and account.is_cross(action.coin) != action.is_cross:
            return texts.SWITCH_MODE
        before = account.leverage(action.coin, coin.instrument.leverage_max)
        account.leverages[action.coin] = Leverage(action.leverage, action.is_cross)
        margins = self._floor.margins
        if action.leverage < before.value and margins.required_all(account) > margins.sums(account).equity:
            account.leverages[action.coin] = before
            return texts.LEVERAGE_MARGIN
        return ""

    def update_isolated_margin(self, account: Account, action: UpdateIsolatedMargin) -> str:
        margins = self._floor.margins
        holding = account.holdings.get(action.coin)
        if holding is None or not holding.lots or account.is_cross(action.coin):
            return texts.NOT_ISOLATED
        needed = initial(abs(margins.value(action.coin, holding.lots)), margins.leverage(account, action.coin))
        free = margins.isolated_equity(action.coin, holding) - needed
        if action.micros > margins.withdrawable(account) or -action.micros > max(0, free):
            return texts.ISOLATED_MARGIN
        account.cash -= action.micros
        holding.cash += action.micros
        return ""

    def top_up_isolated(self, account: Account, action: TopUpIsolated) -> str:
        margins = self._floor.margins
        holding = account.holdings.get(action.coin)
        if holding is None or not holding.lots or account.is_cross(action.coin):
            return texts.NOT_ISOLATED
        if not 1 <= action.leverage <= self._floor.coins[action.coin].instrument.leverage_max:
            return texts.BAD_LEVERAGE
        needed = Decimal(abs(margins.value(action.coin, holding.lots))) / action.leverage
        missing = int(needed.to_integral_value(ROUND_CEILING)) - margins.isolated_equity(action.coin, holding)
        return self.update_isolated_margin(account, UpdateIsolatedMargin(action.coin, Micros(max(0, missing))))

    def approve_agent(self, account: Account, action: ApproveAgent) -> str:
        floor = self._floor
        namesake = floor.accounts.get(action.agent)
        acted = namesake is not None and (namesake.internal or namesake.budget.used > 0)
        count = len(floor.sub_accounts.of(account.user))
        return floor.agents.approve(
            account.user, action.agent, action.name, floor.now_ms, is_account=acted, sub_accounts=count
        )

    def create_sub_account(self, account: Account, action: CreateSubAccount) -> tuple[str, str]:
        """Return the new address and nothing, or nothing and the refusal's text."""
        address, text = self._floor.sub_accounts.create(account.user, action.name)
        if not text:
            self._floor.open_account(address)
        return address, text
