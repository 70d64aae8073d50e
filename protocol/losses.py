"""The loss waterfall: account, its collateral, insurance, pool, deficit (WAT-1 to WAT-3)."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.collateral import compute_token_value
from protocol.draft import Draft, DraftAccount
from protocol.env import Env
from protocol.ledger import add_cash, debit_pool, draw_insurance
from protocol.margin import compute_ceiling, compute_maintenance_price
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

    All of it, unless a price of collateral, by their ``status`` together, is not accepted: then what the rest does not
    bring may wait, or it would pay again whenever there is a unit of something else to sell.
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
    return debt - min(left, compute_waiting(state, env, account.collateral, accepts))


def compute_waiting(state: State, env: Env, collateral: Mapping[int, Units], accepts: int) -> Usd:
    """The most that a debt can wait for: collateral without an accepted price, at what it can be worth (WAT-3).

    That is the ceiling in force, or the price moved by the stale band if there is one and it is higher.
    """
    waiting = 0
    for token, held in collateral.items():
        params, phase = state.collateral_params[token - 1], state.collateral_phases[token - 1]
        quote = env.quote(params.feed)
        if not is_accepted(accepts, quote.status):
            ceiling = compute_ceiling(params.ceiling, phase.ceiling, phase.until, env.now)
            most = max(ceiling, compute_maintenance_price(quote, True, state.risk.stale_band, ceiling))
            waiting += compute_token_value(held, most, params.decimals)
    return waiting


def cover_bad_debt(draft: Draft, account: DraftAccount, waiting: Usd = 0) -> tuple[Usd, Usd, Usd]:
    """Cover what the account still owes beyond ``waiting``: insurance, then pool to zero, then deficit (WAT-3).

    Returns the bad debt, and how much of it insurance and pool covered.
    """
    debt = max(-account.cash - waiting, 0)
    from_insurance = draw_insurance(draft, debt)
    from_pool = min(draft.pool, debt - from_insurance)
    debit_pool(draft, debt - from_insurance)
    add_cash(draft, account, debt)
    return debt, from_insurance, from_pool
