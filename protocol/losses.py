"""The loss waterfall: account, its collateral, insurance, pool, deficit (WAT-1 to WAT-4)."""

from __future__ import annotations

from protocol.collateral import compute_token_value
from protocol.draft import Draft, DraftAccount
from protocol.env import Env
from protocol.ledger import add_cash, debit_pool, draw_insurance
from protocol.params import CollateralParams
from protocol.records import record
from protocol.state import State, Token
from protocol.units import BPS, Bps, Price, Units, Usd, cdiv, fdiv


@record
class Loss:
    """Bad debt of one account, and who covered it; what neither did is deficit."""

    total: Usd
    insurance: Usd
    pool: Usd


def compute_sale(debt: Usd, held: Units, price: Price, params: CollateralParams, discount: Bps) -> tuple[Units, Usd]:
    """Units to sell to the pool for a debt, and what they bring at oracle price less discount (WAT-1).

    Just enough units, rounded up to whole ones; their proceeds are rounded down. The price is positive: a
    liquidation refuses prices that are not.
    """
    scale = 10**params.decimals * BPS
    unit_price = price * (BPS - discount)
    units = min(held, cdiv(debt * scale, unit_price))
    return units, fdiv(units * unit_price, scale)


def sell_collateral(draft: Draft, account: DraftAccount, state: State, env: Env) -> None:
    """Sell collateral to the pool by ascending token id until the debt is paid (WAT-2).

    The pool pays with the claim it has on the account, so it needs no cash.
    """
    for token in list(account.collateral):
        if account.cash >= 0:
            return
        params = state.collateral_params[token - 1]
        held = account.collateral[token]
        units, proceeds = compute_sale(
            -account.cash, held, env.quote(params.feed).price, params, state.risk.sale_discount
        )
        account.put_collateral(token, held - units)
        add_cash(draft, account, proceeds)
        debit_pool(draft, proceeds)
        totals = draft.token(token)
        draft.report_collateral(account, token)
        draft.put_token(token, Token(totals.held, totals.inventory + units))


def cover_bad_debt(draft: Draft, account: DraftAccount) -> Loss:
    """Cover what the account still owes: insurance, then pool to zero, then deficit (WAT-3)."""
    debt = max(-account.cash, 0)
    from_insurance = draw_insurance(draft, debt)
    from_pool = min(draft.pool, debt - from_insurance)
    debit_pool(draft, debt - from_insurance)
    add_cash(draft, account, debt)
    return Loss(debt, from_insurance, from_pool)


def compute_collateral_value(state: State, account: DraftAccount, env: Env) -> Usd:
    """Market value of all collateral of an account (WAT-4)."""
    value = 0
    for token, units in account.collateral.items():
        params = state.collateral_params[token - 1]
        value += compute_token_value(units, env.quote(params.feed).price, params.decimals)
    return value
