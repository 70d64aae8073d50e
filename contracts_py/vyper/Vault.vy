# pragma version 0.4.3
# pragma nonreentrancy on
# @title Vault: tokens in and out of accounts, between them, and what owners decide about them
# @notice Twin of protocol/vault.py and protocol/accounts.py; rules in specs/actions/.
# @custom:kill Deposits and withdrawals cannot be stopped.

from modules import storage
initializes: storage

from modules import accounts
from modules import calc
from modules import checks
from modules import events
from modules import ledger
from modules import markets
from modules import parameters
from modules import records
from modules import tiers
from modules import transfers
from modules import treasury
from modules import types

uses: (accounts, parameters, treasury)
initializes: tiers[parameters := parameters]
initializes: records[accounts := accounts, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: transfers[records := records, treasury := treasury]
initializes: checks[
    accounts := accounts,
    markets := markets,
    records := records,
    tiers := tiers,
]


@external
def deposit(account: uint256, token: uint256, units: uint256):
    """
    @notice Add tokens to an account; anyone may, and an account begins with its first deposit (DEP-1 to DEP-5).
    """
    assert account >> 96 != 0, "account/no-owner"
    self._check_token(token)
    self._check_amount(units)
    self._check_accepts(account, token)
    transfers.take_in(token, units)
    self._credit(account, token, units)
    if token != types.USDC:
        self._check_account_cap(account, token)
        held: uint256 = calc.high(treasury.token_totals[token])
        assert held <= (parameters.unit_caps[token] >> 64) & calc.MASK_96, "token/global-cap"
    transfers.pull(token, units)


@external
def withdraw(account: uint256, token: uint256, units: uint256):
    """
    @notice Pay tokens out to the owner, if the account keeps its initial margin (WDR-1 to WDR-6).
    """
    checks.check_no_orders(checks.check_owner(account))
    self._check_token(token)
    self._check_amount(units)
    self._debit(account, token, units)
    transfers.pay_out(token, units)
    checks.check_remaining_margin(account)
    transfers.push(token, units)


@external
def transfer(account: uint256, target: uint256, token: uint256, units: uint256):
    """
    @notice Move tokens between two accounts of one owner, if the source keeps its initial margin (TRF-1 to TRF-4).
    """
    checks.check_no_orders(checks.check_owner(account))
    assert checks.is_owner(target, msg.sender), "account/other-owner"
    assert target != account, "account/self-transfer"
    self._check_token(token)
    self._check_amount(units)
    self._check_accepts(target, token)
    self._debit(account, token, units)
    self._credit(target, token, units)
    if token != types.USDC:
        self._check_account_cap(target, token)
    checks.check_remaining_margin(account)


@external
def fund_insurance(units: uint256):
    """
    @notice Give USDC to the insurance fund; anyone may (INS-1).
    """
    self._check_amount(units)
    transfers.take_in(types.USDC, units)
    ledger.credit_insurance(units * calc.USDC_TO_W)
    records.report_ledger()
    transfers.pull(types.USDC, units)


@external
def create_isolated(account: uint256, market: uint256):
    """
    @notice Open an account that may hold only USDC and trade only one market, for good (ACC-1).
    """
    assert checks.is_owner(account, msg.sender), "account/not-owner"
    assert accounts.headers[account] & accounts.REGISTERED == 0, "account/exists"
    assert market < parameters.market_count, "market/unknown"
    records.register(account)
    accounts.headers[account] |= (market + 1) << accounts.ISOLATED_SHIFT
    records.report_account(account)
    log events.AccountIsolated(account=account, market=market)


@external
def set_operator(account: uint256, operator: address):
    """
    @notice Let one address trade for an account, or nobody with the zero address (ACC-2).
    """
    checks.check_owner(account)
    accounts.operators[account] = operator
    log events.OperatorSet(account=account, operator=operator)


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
@view
def _check_accepts(account: uint256, token: uint256):
    """Refuse collateral other than USDC in an isolated account (ACC-1), and a new kind beside a pending order."""
    if token != types.USDC:
        header: uint256 = accounts.headers[account]
        assert (header >> accounts.ISOLATED_SHIFT) & accounts.ISOLATED_MASK == 0, "account/isolated"
        if header & accounts.HAS_ORDERS != 0:
            assert (header >> (accounts.TOKENS_SHIFT + token - 1)) & 1 != 0, "order/pending"


@internal
@view
def _check_account_cap(account: uint256, token: uint256):
    """Refuse more of a token in one account than its cap (DEP-5)."""
    assert accounts.collateral[account][token] <= parameters.unit_caps[token] >> 160, "token/account-cap"


@internal
def _credit(account: uint256, token: uint256, units: uint256):
    """Add tokens to an account and report it; a USDC credit may repay its debt (DEP-4)."""
    is_new: bool = records.register(account)
    if token == types.USDC:
        owed: bool = calc.signed_high(accounts.headers[account]) < 0
        ledger.add_cash(account, convert(units * calc.USDC_TO_W, int256))
        records.report_account(account)
        if owed:
            records.report_ledger()
        return
    records.put_collateral(account, token, accounts.collateral[account][token] + units)
    if is_new:
        records.report_account(account)
    records.report_collateral(account, token)


@internal
def _debit(account: uint256, token: uint256, units: uint256):
    """Take tokens from an account and report it; never into debt (WDR-3, WDR-4)."""
    if token == types.USDC:
        amount: int256 = convert(units * calc.USDC_TO_W, int256)
        assert calc.signed_high(accounts.headers[account]) >= amount, "vault/negative-cash"
        ledger.add_cash(account, -amount)
        records.report_account(account)
        return
    held: uint256 = accounts.collateral[account][token]
    assert held >= units, "vault/insufficient-units"
    records.put_collateral(account, token, held - units)
    records.report_collateral(account, token)
