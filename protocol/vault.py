"""Tokens entering and leaving accounts and the insurance fund (DEP, WDR, INS)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import Deposit, FundInsurance, Withdraw
from protocol.draft import Draft, DraftAccount, Outcome, check_range
from protocol.env import Env, check_usable
from protocol.ledger import add_cash, credit_insurance
from protocol.margin import compute_health
from protocol.state import USDC, State, Token, owner_of
from protocol.units import UNITS_LIMIT, USDC_TO_W, Units


def process_deposit(state: State, env: Env, action: Deposit) -> Outcome:
    """Add tokens to an account; anyone may, and an account begins with its first deposit (DEP-1 to DEP-3).

    Needs no price. Refuses: account/no-owner, token/unknown, amount/zero, sys/domain.
    """
    if owner_of(action.account) == 0:
        raise errors.NoOwner
    check_token(state, action.token)
    check_amount(action.units)
    draft = Draft(state)
    account = draft.account(action.account)
    take_in(draft, action.token, action.units)
    if action.token == USDC:
        owed = account.cash < 0
        add_cash(draft, account, action.units * USDC_TO_W)
        draft.report_account(account)
        if owed:
            draft.report_ledger()
    else:
        account.put_collateral(action.token, account.collateral.get(action.token, 0) + action.units)
        if action.account not in state.accounts:
            draft.report_account(account)
        draft.report_collateral(account, action.token)
    return draft.commit()


def process_withdraw(state: State, env: Env, action: Withdraw) -> Outcome:
    """Pay tokens out to the owner, if the account keeps its initial margin (WDR-1 to WDR-6).

    An account without a position and without debt needs no price. Refuses: account/unknown, account/not-owner,
    token/unknown, amount/zero, sys/domain, vault/negative-cash, vault/insufficient-units,
    vault/insufficient-cash, oracle/*, margin/initial.
    """
    check_owner(state, env, action.account)
    check_token(state, action.token)
    check_amount(action.units)
    draft = Draft(state)
    account = draft.account(action.account)
    if action.token == USDC:
        if account.cash < action.units * USDC_TO_W:
            raise errors.NegativeCash(cash=account.cash)
        add_cash(draft, account, -action.units * USDC_TO_W)
    else:
        held = account.collateral.get(action.token, 0)
        if held < action.units:
            raise errors.InsufficientCollateral(held=held)
        account.put_collateral(action.token, held - action.units)
    pay_out(draft, action.token, action.units)
    check_initial_margin(state, env, account)
    if action.token == USDC:
        draft.report_account(account)
    else:
        draft.report_collateral(account, action.token)
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


def check_owner(state: State, env: Env, account: int) -> None:
    """Refuse a sender who does not own the account.

    Refuses: account/unknown, account/not-owner.
    """
    if account not in state.accounts:
        raise errors.UnknownAccount
    if owner_of(account) != env.sender:
        raise errors.NotOwner


def check_token(state: State, token: int) -> None:
    """Refuse a token that is neither USDC nor a listed collateral.

    Refuses: token/unknown.
    """
    if token > len(state.collateral_params):
        raise errors.UnknownToken(token=token)


def check_amount(units: Units) -> None:
    """Refuse an amount of nothing, or more than the protocol stores.

    Refuses: amount/zero, sys/domain.
    """
    if units == 0:
        raise errors.ZeroAmount
    check_range(units, 0, UNITS_LIMIT)


def take_in(draft: Draft, token: int, units: Units) -> None:
    """Record tokens received."""
    record = draft.token(token)
    draft.put_token(token, Token(record.held + units, record.inventory))


def pay_out(draft: Draft, token: int, units: Units) -> None:
    """Record tokens paid, if the vault holds them (WDR-5).

    Refuses: vault/insufficient-cash.
    """
    record = draft.token(token)
    if record.held < units:
        raise errors.InsufficientCash(held=record.held)
    draft.put_token(token, Token(record.held - units, record.inventory))


def check_initial_margin(state: State, env: Env, account: DraftAccount) -> None:
    """Refuse an account left below its initial margin; one that owes nothing and holds no position passes (MRG-6).

    Refuses: oracle/*, margin/initial.
    """
    if account.cash >= 0 and not account.positions:
        return
    health = compute_health(state, account, env)
    check_usable(health.price_status)
    if health.equity_im < health.initial_margin:
        raise errors.BelowInitialMargin(equity_im=health.equity_im, initial_margin=health.initial_margin)
