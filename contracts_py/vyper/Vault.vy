# pragma version 0.4.3
# pragma nonreentrancy on
# @title Vault: tokens in and out of accounts, the pool and the insurance fund
# @notice Twin of protocol/vault.py and protocol/pool.py; rules in specs/actions/.
# @custom:kill Deposits and withdrawals cannot be stopped.

from modules import storage
initializes: storage

from snekmate.utils import math

from modules import accounts
from modules import calc
from modules import checks
from modules import ledger
from modules import markets
from modules import parameters
from modules import prices
from modules import records
from modules import roles
from modules import treasury
from modules import types
from modules import valuation

from ethereum.ercs import IERC20

uses: (accounts, markets, parameters, treasury)
initializes: prices[roles := roles]
initializes: checks[accounts := accounts]
initializes: records[accounts := accounts, markets := markets, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]

VIRTUAL: constant(uint256) = 10**6  # virtual shares and dollars that make share-price inflation unprofitable


@external
def deposit(account: uint256, token: uint256, units: uint256):
    """
    @notice Add tokens to an account; anyone may, and an account begins with its first deposit (DEP-1 to DEP-3).
    """
    assert account >> 96 != 0, "account/no-owner"
    self._check_token(token)
    self._check_amount(units)
    self._take_in(token, units)
    is_new: bool = records.register(account)
    if token == types.USDC:
        owed: bool = calc.signed_high(accounts.headers[account]) < 0
        ledger.add_cash(account, convert(units * calc.USDC_TO_W, int256))
        records.report_account(account)
        if owed:
            records.report_ledger()
    else:
        records.put_collateral(account, token, accounts.collateral[account][token] + units)
        if is_new:
            records.report_account(account)
        records.report_collateral(account, token)
    self._pull(token, units)


@external
def withdraw(account: uint256, token: uint256, units: uint256):
    """
    @notice Pay tokens out to the owner, if the account keeps its initial margin (WDR-1 to WDR-6).
    """
    records.check_owner(account)
    self._check_token(token)
    self._check_amount(units)
    if token == types.USDC:
        amount: int256 = convert(units * calc.USDC_TO_W, int256)
        assert calc.signed_high(accounts.headers[account]) >= amount, "vault/negative-cash"
        ledger.add_cash(account, -amount)
    else:
        held: uint256 = accounts.collateral[account][token]
        assert held >= units, "vault/insufficient-units"
        records.put_collateral(account, token, held - units)
    self._pay_out(token, units)
    checks.check_initial_margin(account)
    if token == types.USDC:
        records.report_account(account)
    else:
        records.report_collateral(account, token)
    self._push(token, units)


@external
def fund_insurance(units: uint256):
    """
    @notice Give USDC to the insurance fund; anyone may (INS-1).
    """
    self._check_amount(units)
    self._take_in(types.USDC, units)
    ledger.credit_insurance(units * calc.USDC_TO_W)
    records.report_ledger()
    self._pull(types.USDC, units)


@external
def deposit_to_pool(units: uint256):
    """
    @notice Buy pool shares with USDC at the pool's present value (LPD-1 to LPD-4).
    """
    self._check_amount(units)
    assert calc.high(treasury.dues) == 0, "pool/deficit"
    deposit_value: uint256 = 0
    status: uint256 = 0
    deposit_value, status = self._compute_deposit_value()
    prices.check_usable(status)
    supply: uint256 = treasury.share_supply
    assert deposit_value != 0 or supply == 0, "pool/no-value"
    self._take_in(types.USDC, units)
    amount: uint256 = units * calc.USDC_TO_W
    funds: uint256 = treasury.funds
    treasury.funds = calc.pack(calc.high(funds) + amount, calc.low(funds))
    # Amount and supply are below 2**128, so the quotient fits.
    bought: uint256 = math._mul_div(amount, supply + VIRTUAL, deposit_value + VIRTUAL, False)
    assert bought != 0, "pool/no-shares"
    assert supply + bought < calc.UNSIGNED_LIMIT, "sys/domain"
    treasury.share_supply = supply + bought
    records.put_shares(msg.sender, treasury.shares[msg.sender] + bought)
    records.report_ledger()
    self._pull(types.USDC, units)


@internal
@view
def _compute_deposit_value() -> (uint256, uint256):
    """What the pool is worth to a depositor, and the status of the prices used (LPD-1)."""
    statuses: uint256 = 0
    price: uint256 = 0
    status: uint256 = 0
    traders_pnl: int256 = 0
    for market: uint256 in range(parameters.market_count, bound=types.MAX_MARKETS):
        open_interest: uint256 = markets.open_interest[market]
        if open_interest == 0:
            continue
        price, status = prices.quote((parameters.market_words[market] >> 8) & 65535)
        statuses |= status
        skew: int256 = convert(calc.high(open_interest), int256) - convert(calc.low(open_interest), int256)
        traders_pnl += valuation.compute_pnl(skew, markets.costs[market], price)
    deposit_value: uint256 = calc.high(treasury.funds) + calc.magnitude(min(traders_pnl, 0))
    for token: uint256 in range(1, parameters.collateral_count + 1, bound=types.MAX_TOKENS):
        inventory: uint256 = calc.low(treasury.token_totals[token])
        if inventory == 0:
            continue
        word: uint256 = parameters.collateral_words[token]
        price, status = prices.quote(word >> 240)
        statuses |= status
        deposit_value += calc.ucdiv(inventory * price, 10 ** ((word >> 232) & 255))
    return deposit_value, statuses


@internal
@view
def _check_token(token: uint256):
    """Refuse a token that is neither USDC nor a listed collateral."""
    assert token <= parameters.collateral_count, "token/unknown"


@internal
@pure
def _check_amount(units: uint256):
    """Refuse an amount of nothing, or more than the protocol stores."""
    assert units != 0, "amount/zero"
    assert units < calc.UNITS_LIMIT, "sys/domain"


@internal
def _take_in(token: uint256, units: uint256):
    """Record tokens received."""
    totals: uint256 = treasury.token_totals[token]
    records.put_token(token, calc.high(totals) + units, calc.low(totals))


@internal
def _pay_out(token: uint256, units: uint256):
    """Record tokens paid, if the vault holds them (WDR-5)."""
    totals: uint256 = treasury.token_totals[token]
    assert calc.high(totals) >= units, "vault/insufficient-cash"
    records.put_token(token, calc.high(totals) - units, calc.low(totals))


@internal
def _pull(token: uint256, units: uint256):
    """Take tokens from the sender; a token that delivers another amount is refused (DEP-3)."""
    contract: address = treasury.token_addresses[token]
    before: uint256 = staticcall IERC20(contract).balanceOf(self)
    self._call_token(
        contract,
        abi_encode(msg.sender, self, units, method_id=method_id("transferFrom(address,address,uint256)")),
    )
    assert staticcall IERC20(contract).balanceOf(self) == before + units, "token/amount-mismatch"


@internal
def _push(token: uint256, units: uint256):
    """Send tokens to the sender."""
    self._call_token(
        treasury.token_addresses[token],
        abi_encode(msg.sender, units, method_id=method_id("transfer(address,uint256)")),
    )


@internal
def _call_token(contract: address, data: Bytes[100]):
    """Call a token; one that fails or answers false is refused, one that answers nothing is accepted."""
    success: bool = False
    response: Bytes[32] = b""
    success, response = raw_call(contract, data, max_outsize=32, revert_on_failure=False)
    assert success and (len(response) == 0 or convert(response, uint256) == 1), "token/transfer-failed"
