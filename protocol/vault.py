"""Tokens entering and leaving accounts and the insurance fund, and moving between accounts (DEP, WDR, TRF, INS)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import Deposit, FundInsurance, Transfer, Withdraw
from protocol.checks import check_amount, check_no_orders, check_owner, check_remaining_margin, check_token
from protocol.draft import Draft, DraftAccount, Outcome
from protocol.env import Env
from protocol.ledger import add_cash, credit_insurance
from protocol.state import USDC, State, Token, owner_of
from protocol.units import USDC_TO_W, Units


def process_deposit(state: State, env: Env, action: Deposit) -> Outcome:
    """Add tokens to an account; anyone may, and an account begins with its first deposit (DEP-1 to DEP-5).

    Needs no price. Refuses: account/no-owner, token/unknown, amount/zero, sys/domain, account/isolated,
    order/pending, token/account-cap, token/global-cap.
    """
    if owner_of(action.account) == 0:
        raise errors.NoOwner
    check_token(state, action.token)
    check_amount(action.units)
    draft = Draft(state)
    account = draft.account(action.account)
    check_accepts(account, action.token)
    take_in(draft, action.token, action.units)
    credit(draft, account, action.token, action.units)
    if action.token != USDC:
        check_caps(draft, account, action.token)
    return draft.commit()


def process_withdraw(state: State, env: Env, action: Withdraw) -> Outcome:
    """Pay tokens out to the owner, if the account keeps its initial margin (WDR-1 to WDR-6).

    An account without a position and without debt needs no price. Refuses: account/unknown, account/not-owner,
    order/pending, token/unknown, amount/zero, sys/domain, vault/negative-cash, vault/insufficient-units,
    vault/insufficient-cash, oracle/*, margin/initial, margin/equity-tier.
    """
    check_no_orders(check_owner(state, env, action.account))
    check_token(state, action.token)
    check_amount(action.units)
    draft = Draft(state)
    account = draft.account(action.account)
    debit(draft, account, action.token, action.units)
    pay_out(draft, action.token, action.units)
    check_remaining_margin(draft, env, account)
    return draft.commit()


def process_transfer(state: State, env: Env, action: Transfer) -> Outcome:
    """Move tokens between two accounts of one owner, if the source keeps its initial margin (TRF-1 to TRF-4).

    The target begins with it if it is new. Refuses: account/unknown, account/not-owner, order/pending,
    account/other-owner, account/self-transfer, token/unknown, amount/zero, sys/domain, account/isolated,
    vault/negative-cash, vault/insufficient-units, token/account-cap, oracle/*, margin/initial, margin/equity-tier.
    """
    check_no_orders(check_owner(state, env, action.account))
    if owner_of(action.target) != env.sender:
        raise errors.OtherOwner
    if action.target == action.account:
        raise errors.SelfTransfer
    check_token(state, action.token)
    check_amount(action.units)
    draft = Draft(state)
    source, target = draft.account(action.account), draft.account(action.target)
    check_accepts(target, action.token)
    debit(draft, source, action.token, action.units)
    credit(draft, target, action.token, action.units)
    if action.token != USDC:
        check_account_cap(draft, target, action.token)
    check_remaining_margin(draft, env, source)
    return draft.commit()


def process_fund_insurance(state: State, env: Env, action: FundInsurance) -> Outcome:
    """Give USDC to the insurance fund; anyone may (INS-1).

    Refuses: amount/zero, sys/domain.
    """
    check_amount(action.units)
    draft = Draft(state)
    take_in(draft, USDC, action.units)
    credit_insurance(draft, action.units * USDC_TO_W)
    draft.report_ledger()
    return draft.commit()


def check_accepts(account: DraftAccount, token: int) -> None:
    """Refuse collateral other than USDC in an isolated account (ACC-1), and a new kind beside a pending order.

    The price of a new kind may have a fault, which would keep the order from being settled.

    Refuses: account/isolated, order/pending.
    """
    if token == USDC:
        return
    if account.isolated:
        raise errors.IsolatedAccount(token=token)
    if account.orders and token not in account.collateral:
        raise errors.OrderPending(token=token)


def check_caps(draft: Draft, account: DraftAccount, token: int) -> None:
    """Refuse a deposit beyond the token's cap for an account or for the vault (DEP-5).

    Refuses: token/account-cap, token/global-cap.
    """
    check_account_cap(draft, account, token)
    held = draft.token(token).held
    if held > draft.base.collateral_params[token - 1].global_cap:
        raise errors.GlobalCapReached(held=held)


def check_account_cap(draft: Draft, account: DraftAccount, token: int) -> None:
    """Refuse more of a token in one account than its cap (DEP-5).

    Refuses: token/account-cap.
    """
    units = account.collateral[token]
    if units > draft.base.collateral_params[token - 1].account_cap:
        raise errors.AccountCapReached(units=units)


def credit(draft: Draft, account: DraftAccount, token: int, units: Units) -> None:
    """Add tokens to an account and report it; a USDC credit may repay its debt (DEP-4)."""
    if token == USDC:
        owed = account.cash < 0
        add_cash(draft, account, units * USDC_TO_W)
        draft.report_account(account)
        if owed:
            draft.report_ledger()
        return
    account.put_collateral(token, account.collateral.get(token, 0) + units)
    if account.id not in draft.base.accounts:
        draft.report_account(account)
    draft.report_collateral(account, token)


def debit(draft: Draft, account: DraftAccount, token: int, units: Units) -> None:
    """Take tokens from an account and report it; never into debt (WDR-3, WDR-4).

    Refuses: vault/negative-cash, vault/insufficient-units.
    """
    if token == USDC:
        if account.cash < units * USDC_TO_W:
            raise errors.NegativeCash(cash=account.cash)
        add_cash(draft, account, -units * USDC_TO_W)
        draft.report_account(account)
        return
    held = account.collateral.get(token, 0)
    if held < units:
        raise errors.InsufficientCollateral(held=held)
    account.put_collateral(token, held - units)
    draft.report_collateral(account, token)


def take_in(draft: Draft, token: int, units: Units) -> None:
    """Record tokens received."""
    totals = draft.token(token)
    draft.put_token(token, Token(totals.held + units, totals.inventory))


def pay_out(draft: Draft, token: int, units: Units) -> None:
    """Record tokens paid, if the vault holds them (WDR-5).

    Refuses: vault/insufficient-cash.
    """
    totals = draft.token(token)
    if totals.held < units:
        raise errors.InsufficientCash(held=totals.held)
    draft.put_token(token, Token(totals.held - units, totals.inventory))
