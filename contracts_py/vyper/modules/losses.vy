# @title The loss waterfall
# @notice Twin of protocol/losses.py.

from modules import accounts
from modules import calc
from modules import ledger
from modules import parameters
from modules import peg
from modules import policy
from modules import prices
from modules import records
from modules import tiers
from modules import treasury
from modules import types
from modules import valuation

uses: (accounts, ledger, parameters, peg, prices, records, tiers, treasury)


@internal
@pure
def compute_sale(
    debt: uint256, held: uint256, price: uint256, decimals: uint256, discount: uint256
) -> (uint256, uint256):
    """Units to sell to the pool for a debt, and what they bring at oracle price less discount (WAT-1)."""
    # Below 2**221: debts are below 2**127, the scale below 2**94.
    scale: uint256 = 10**decimals * calc.BPS
    unit_price: uint256 = price * (calc.BPS - discount)
    units: uint256 = min(held, calc.ucdiv(debt * scale, unit_price))
    return units, units * unit_price // scale


@internal
@view
def compute_settled(account: uint256, debt: uint256, accepts: uint256, price_status: uint256) -> uint256:
    """
    The part of the debt of an account without positions that its liquidation can settle (RWD-2). All of it, unless a
    price of collateral is not accepted: then what the rest does not bring may wait. Refuses if nothing can be sold or
    is certain to be lost (LIQ-3).
    """
    if policy.is_accepted(accepts, price_status):
        return debt
    discount: uint256 = (parameters.state_word >> 32) & calc.MASK_16
    bid: uint256 = 0
    usdc: uint256 = 0
    price: uint256 = 0
    status: uint256 = 0
    bid, usdc, status = peg.read_usdc()
    left: uint256 = debt
    waiting: uint256 = 0
    is_sellable: bool = False
    faults: uint256 = 0
    tokens: uint256 = (accounts.headers[account] >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    for token: uint256 in range(1, types.MAX_TOKENS):
        if tokens == 0 or left == 0:
            break
        if tokens & 1 != 0:
            word: uint256 = parameters.collateral_words[token]
            held: uint256 = accounts.collateral[account][token]
            price, status = prices.quote(word >> 240)
            if policy.is_accepted(accepts, status):
                is_sellable = True
                units: uint256 = 0
                proceeds: uint256 = 0
                brings: uint256 = peg.sell_for_usdc(price, usdc)
                units, proceeds = self.compute_sale(left, held, brings, (word >> 232) & 255, discount)
                left -= min(left, proceeds)
            else:
                faults |= status
                waiting += self._compute_most(token, word, held, price, status)
        tokens >>= 1
    if not is_sellable and debt <= waiting:
        policy.check_accepted(accepts, faults)
    return debt - min(left, waiting)


@internal
@view
def _compute_most(token: uint256, word: uint256, held: uint256, price: uint256, status: uint256) -> uint256:
    """What units of a collateral without an accepted price can be worth at most (WAT-3)."""
    return valuation.compute_token_value(held, tiers.compute_most(token, word, price, status), (word >> 232) & 255)


@internal
@view
def _compute_waiting(account: uint256, accepts: uint256) -> uint256:
    """The most that a debt can wait for: collateral without an accepted price, at what it can be worth (WAT-3)."""
    waiting: uint256 = 0
    price: uint256 = 0
    status: uint256 = 0
    tokens: uint256 = (accounts.headers[account] >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    for token: uint256 in range(1, types.MAX_TOKENS):
        if tokens == 0:
            break
        if tokens & 1 != 0:
            word: uint256 = parameters.collateral_words[token]
            price, status = prices.quote(word >> 240)
            if not policy.is_accepted(accepts, status):
                waiting += self._compute_most(token, word, accounts.collateral[account][token], price, status)
        tokens >>= 1
    return waiting


@internal
def sell_collateral(account: uint256, accepts: uint256):
    """Sell collateral with accepted prices to the pool by ascending token id until the debt is paid (WAT-2)."""
    discount: uint256 = (parameters.state_word >> 32) & calc.MASK_16
    bid: uint256 = 0
    usdc: uint256 = 0
    unused: uint256 = 0
    bid, usdc, unused = peg.read_usdc()
    tokens: uint256 = (accounts.headers[account] >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    price: uint256 = 0
    status: uint256 = 0
    units: uint256 = 0
    proceeds: uint256 = 0
    for token: uint256 in range(1, types.MAX_TOKENS):
        cash: int256 = calc.signed_high(accounts.headers[account])
        if tokens == 0 or cash >= 0:
            return
        if tokens & 1 != 0:
            word: uint256 = parameters.collateral_words[token]
            price, status = prices.quote(word >> 240)
            if policy.is_accepted(accepts, status):
                held: uint256 = accounts.collateral[account][token]
                units, proceeds = self.compute_sale(
                    convert(-cash, uint256), held, peg.sell_for_usdc(price, usdc), (word >> 232) & 255, discount
                )
                records.put_collateral(account, token, held - units)
                ledger.add_cash(account, convert(proceeds, int256))
                ledger.debit_pool(proceeds)
                totals: uint256 = treasury.token_totals[token]
                records.report_collateral(account, token)
                records.put_token(token, calc.high(totals), calc.low(totals) + units)
        tokens >>= 1


@internal
def cover_bad_debt(account: uint256, accepts: uint256) -> (uint256, uint256, uint256):
    """
    Cover what the account still owes beyond what it can wait for: insurance, then pool to zero, then deficit (WAT-3).
    """
    cash: int256 = calc.signed_high(accounts.headers[account])
    if cash >= 0:
        return 0, 0, 0
    debt: uint256 = convert(-cash, uint256)
    debt -= min(debt, self._compute_waiting(account, accepts))
    from_insurance: uint256 = ledger.draw_insurance(debt)
    from_pool: uint256 = min(calc.high(treasury.funds), debt - from_insurance)
    ledger.debit_pool(debt - from_insurance)
    ledger.add_cash(account, convert(debt, int256))
    return debt, from_insurance, from_pool
