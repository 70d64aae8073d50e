# @title How dollars move
# @notice Twin of protocol/ledger.py. Every booking keeps, exactly: sum of cash + pool + insurance + sum of impact ==
#         USDC held + deficit.

from modules import accounts
from modules import calc
from modules import treasury

uses: (accounts, treasury)


@internal
def add_cash(account: uint256, amount: int256):
    """Change an account balance and keep the total of the negative ones (LED-1)."""
    if amount == 0:
        return
    header: uint256 = accounts.headers[account]
    before: int256 = calc.signed_high(header)
    cash: int256 = before + amount
    accounts.headers[account] = (calc.half(cash) << 128) | (header & calc.MASK_128)
    if before < 0 or cash < 0:
        dues: uint256 = treasury.dues
        debt: int256 = convert(calc.low(dues), int256) + max(-cash, 0) - max(-before, 0)
        treasury.dues = calc.pack(calc.high(dues), convert(debt, uint256))


@internal
def debit_pool(amount: uint256):
    """Charge the pool; what it does not have becomes deficit, so no profit is ever refused (LED-2)."""
    funds: uint256 = treasury.funds
    pool: uint256 = calc.high(funds)
    paid: uint256 = min(pool, amount)
    treasury.funds = calc.pack(pool - paid, calc.low(funds))
    if paid != amount:
        dues: uint256 = treasury.dues
        treasury.dues = calc.pack(calc.high(dues) + amount - paid, calc.low(dues))


@internal
def credit_pool(amount: uint256):
    """Give the pool income; the deficit is repaid first (LED-3)."""
    if amount == 0:
        return
    dues: uint256 = treasury.dues
    deficit: uint256 = calc.high(dues)
    repaid: uint256 = min(deficit, amount)
    if repaid != 0:
        treasury.dues = calc.pack(deficit - repaid, calc.low(dues))
    funds: uint256 = treasury.funds
    treasury.funds = calc.pack(calc.high(funds) + amount - repaid, calc.low(funds))


@internal
def credit_insurance(amount: uint256):
    """Give the insurance fund income (LED-4)."""
    if amount == 0:
        return
    funds: uint256 = treasury.funds
    treasury.funds = calc.pack(calc.high(funds), calc.low(funds) + amount)


@internal
def draw_insurance(amount: uint256) -> uint256:
    """Take up to an amount from the insurance fund and return what it gave (LED-4)."""
    if amount == 0:
        return 0
    funds: uint256 = treasury.funds
    insurance: uint256 = calc.low(funds)
    drawn: uint256 = min(insurance, amount)
    treasury.funds = calc.pack(calc.high(funds), insurance - drawn)
    return drawn


@internal
def draw_pool(amount: uint256) -> uint256:
    """Take up to an amount from the pool, never leaving a deficit, and return what it gave (LED-2)."""
    if amount == 0:
        return 0
    funds: uint256 = treasury.funds
    pool: uint256 = calc.high(funds)
    drawn: uint256 = min(pool, amount)
    treasury.funds = calc.pack(pool - drawn, calc.low(funds))
    return drawn


@internal
def share_income(amount: uint256, insurance_share: uint256):
    """Split a fee or penalty: the insurance share rounded down, the pool takes the remainder (LED-5)."""
    to_insurance: uint256 = amount * insurance_share // calc.BPS
    self.credit_insurance(to_insurance)
    self.credit_pool(amount - to_insurance)


@internal
def settle_with_pool(account: uint256, pnl: int256):
    """Pay a realised profit from the pool, or a realised loss to it (LED-2, LED-3)."""
    if pnl == 0:
        return
    self.add_cash(account, pnl)
    if pnl > 0:
        self.debit_pool(convert(pnl, uint256))
    else:
        self.credit_pool(convert(-pnl, uint256))
