# pragma version 0.4.3
# pragma nonreentrancy on
# @title Liquidation: closing accounts below maintenance, and the loss waterfall
# @notice Twin of protocol/liquidation.py and protocol/losses.py; rules in specs/actions/liquidate.md.
# @custom:kill Liquidation cannot be stopped.

from modules import storage
initializes: storage

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import events
from modules import ledger
from modules import losses
from modules import markets
from modules import parameters
from modules import prices
from modules import records
from modules import roles
from modules import states
from modules import treasury
from modules import types
from modules import valuation

uses: (accounts, parameters)
initializes: prices[roles := roles]
initializes: states[parameters := parameters]
initializes: records[accounts := accounts, markets := markets, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: losses[
    accounts := accounts,
    ledger := ledger,
    parameters := parameters,
    prices := prices,
    records := records,
    treasury := treasury,
]


@external
def liquidate(account: uint256):
    """
    @notice Close every position of an account below maintenance, and settle what it leaves (LIQ-1 to LIQ-8).
            The reward is credited to the account balance of the sender's account 0.
    """
    header: uint256 = records.check_registered(account)
    keeper: uint256 = convert(convert(msg.sender, bytes32), uint256) << 96
    assert keeper != account, "liq/self"
    health: types.Health = staticcall ISelf(self).self_health(account)
    prices.check_usable(health.price_status)
    assert health.equity_mm < convert(health.maintenance_margin, int256), "liq/not-liquidatable"

    records.register(keeper)
    state: uint256 = states.compute_account_state(health)
    closed_notional: uint256 = self._close_all(account, header & accounts.MARKETS_MASK)
    base: uint256 = closed_notional
    if header & accounts.MARKETS_MASK == 0:
        base = convert(-calc.signed_high(header), uint256)
    charges: uint256 = parameters.charges_word
    worth: int256 = convert(losses.compute_collateral_value(account), int256)
    reward: uint256 = self._compute_reward(base, (charges >> 16) & 65535)
    reward_from_account: uint256 = self._pay_from_account(account, worth, reward)
    shortfall: uint256 = reward - reward_from_account
    from_insurance: uint256 = ledger.draw_insurance(shortfall)
    reward = reward_from_account + from_insurance + ledger.draw_pool(shortfall - from_insurance)
    ledger.add_cash(keeper, convert(reward, int256))
    penalty: uint256 = self._pay_from_account(
        account, worth, calc.ucdiv(closed_notional * ((charges >> 96) & calc.MASK_64), calc.W)
    )
    ledger.share_income(penalty, (charges >> 32) & 65535)
    losses.sell_collateral(account, charges & 65535)
    bad_debt: uint256 = 0
    bad_debt_insurance: uint256 = 0
    bad_debt_pool: uint256 = 0
    bad_debt, bad_debt_insurance, bad_debt_pool = losses.cover_bad_debt(account)
    records.report_account(account)
    records.report_account(keeper)
    records.report_ledger()
    log events.AccountLiquidated(
        account=account,
        keeper=keeper,
        account_state=state,
        equity_raw=health.equity_raw,
        equity_mm=health.equity_mm,
        maintenance_margin=health.maintenance_margin,
        closed_notional=closed_notional,
        reward=reward,
        reward_from_account=reward_from_account,
        penalty=penalty,
        bad_debt=bad_debt,
        bad_debt_insurance=bad_debt_insurance,
        bad_debt_pool=bad_debt_pool,
    )


@internal
def _close_all(account: uint256, listed: uint256) -> uint256:
    """Close every position at the oracle price, by ascending market, and return their notional (LIQ-4)."""
    notional: uint256 = 0
    bits: uint256 = listed
    for market: uint256 in range(types.MAX_MARKETS):
        if bits == 0:
            break
        if bits & 1 != 0:
            price: uint256 = 0
            status: uint256 = 0
            price, status = prices.quote((parameters.market_words[market] >> 8) & 65535)
            size: int256 = calc.signed_high(accounts.positions[account][market])
            notional += valuation.compute_notional(size, price)
            extcall ISelf(self).self_fill(account, market, -size, price, 0)
        bits >>= 1
    return notional


@internal
@view
def _compute_reward(base: uint256, cap_share: uint256) -> uint256:
    """The keeper's reward for a notional closed, or a debt settled, rounded down against the keeper (LIQ-5)."""
    word: uint256 = parameters.reward_word
    reward: uint256 = (word >> 160) + base * (word & calc.MASK_64) // calc.W
    return min(min(reward, (word >> 64) & calc.MASK_96), base * cap_share // calc.BPS)


@internal
def _pay_from_account(account: uint256, worth: int256, amount: uint256) -> uint256:
    """Charge a reward or penalty, at most what the account is worth, and return what it paid (LIQ-7)."""
    equity: int256 = max(calc.signed_high(accounts.headers[account]) + worth, 0)
    paid: uint256 = min(amount, convert(equity, uint256))
    ledger.add_cash(account, -convert(paid, int256))
    return paid
