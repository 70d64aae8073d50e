"""The loss waterfall: account, its collateral, insurance, pool, deficit (WAT-1 to WAT-3)."""

from __future__ import annotations

from protocol.draft import Draft, DraftAccount
from protocol.env import Env
from protocol.ledger import add_cash, debit_pool, draw_insurance
from protocol.params import CollateralParams
from protocol.peg import read_usdc, sell_for_usdc
from protocol.policy import is_accepted
from protocol.state import Account, State, Token
from protocol.units import BPS, Bps, Price, Units, Usd, cdiv, fdiv


def compute_sale(debt: Usd, held: Units, price: Price, params: CollateralParams, discount: Bps) -> tuple[Units, Usd]:
    """Units to sell to the pool for a debt, and what they bring at oracle price less discount (WAT-1).

    Just enough units, rounded up to whole ones; their proceeds are rounded down. The price is positive: a
    liquidation refuses prices that are not.
    """
    scale = 10**params.decimals * BPS
    unit_price = price * (BPS - discount)
    units = min(held, cdiv(debt * scale, unit_price))
    return units, fdiv(units * unit_price, scale)


def sell_collateral(draft: Draft, account: DraftAccount, env: Env, accepts: int) -> None:
    """Sell collateral to the pool by ascending token id until the debt is paid (WAT-2).

    It brings what it is worth in USDC. One whose price has a fault that is not accepted is kept. The pool pays
    with the claim it has on the account, so it needs no cash.
    """
    state = draft.base
    usdc = read_usdc(state.risk, env).mid
    for token in list(account.collateral):
        if account.cash >= 0:
            return
        params = state.collateral_params[token - 1]
        quote = env.quote(params.feed)
        if not is_accepted(accepts, quote.status):
            continue
        held = account.collateral[token]
        price = sell_for_usdc(quote.mid, usdc)
        units, proceeds = compute_sale(-account.cash, held, price, params, state.risk.sale_discount)
        account.put_collateral(token, held - units)
        add_cash(draft, account, proceeds)
        debit_pool(draft, proceeds)
        totals = draft.token(token)
        draft.report_collateral(account, token)
        draft.put_token(token, Token(totals.held, totals.inventory + units))


def compute_settled(state: State, env: Env, account: Account, accepts: int, status: int) -> Usd:
    """The part of the debt of an account without positions that its liquidation can settle (RWD-2).

    All of it, unless a price of collateral, by their ``status`` together, is not accepted: then at most what the rest
    brings, or a debt that waits would pay again whenever there is a unit of something else to sell.
    """
    debt = left = -account.cash
    if is_accepted(accepts, status):
        return debt
    usdc = read_usdc(state.risk, env).mid
    for token, held in account.collateral.items():
        params = state.collateral_params[token - 1]
        quote = env.quote(params.feed)
        if left and is_accepted(accepts, quote.status):
            price = sell_for_usdc(quote.mid, usdc)
            left -= min(left, compute_sale(left, held, price, params, state.risk.sale_discount)[1])
    return debt - left


def cover_bad_debt(draft: Draft, account: DraftAccount) -> tuple[Usd, Usd, Usd]:
    """Cover what the account still owes: insurance, then pool to zero, then deficit (WAT-3).

    Returns the bad debt, and how much of it insurance and pool covered.
    """
    debt = max(-account.cash, 0)
    from_insurance = draw_insurance(draft, debt)
    from_pool = min(draft.pool, debt - from_insurance)
    debit_pool(draft, debt - from_insurance)
    add_cash(draft, account, debt)
    return debt, from_insurance, from_pool
