"""How dollars move between an account balance, the pool, the insurance fund and the deficit (LED-1 to LED-5).

Every booking keeps, exactly: ``sum of cash + pool + insurance == USDC held + deficit``.
"""

from __future__ import annotations

from protocol.draft import Draft, DraftAccount, check_range
from protocol.units import BPS, SIGNED_LIMIT, UNSIGNED_LIMIT, Bps, Usd, fdiv


def add_cash(draft: Draft, account: DraftAccount, amount: Usd) -> None:
    """Change an account balance and keep the total of the negative ones (LED-1).

    Refuses: sys/domain.
    """
    before = account.cash
    after = account.cash = before + amount
    check_range(after, -SIGNED_LIMIT, SIGNED_LIMIT)
    if before < 0 or after < 0:
        draft.trader_debt += max(-after, 0) - max(-before, 0)
        check_range(draft.trader_debt, 0, UNSIGNED_LIMIT)


def debit_pool(draft: Draft, amount: Usd) -> None:
    """Charge the pool; what it does not have becomes deficit, so no profit is ever refused (LED-2).

    Refuses: sys/domain.
    """
    paid = min(draft.pool, amount)
    draft.pool -= paid
    draft.deficit += amount - paid
    check_range(draft.deficit, 0, UNSIGNED_LIMIT)


def credit_pool(draft: Draft, amount: Usd) -> None:
    """Give the pool income; the deficit is repaid first (LED-3).

    Refuses: sys/domain.
    """
    repaid = min(draft.deficit, amount)
    draft.deficit -= repaid
    draft.pool += amount - repaid
    check_range(draft.pool, 0, UNSIGNED_LIMIT)


def credit_insurance(draft: Draft, amount: Usd) -> None:
    """Give the insurance fund income (LED-4).

    Refuses: sys/domain.
    """
    draft.insurance += amount
    check_range(draft.insurance, 0, UNSIGNED_LIMIT)


def draw_insurance(draft: Draft, amount: Usd) -> Usd:
    """Take up to ``amount`` from the insurance fund and return what it gave (LED-4)."""
    drawn = min(draft.insurance, amount)
    draft.insurance -= drawn
    return drawn


def draw_pool(draft: Draft, amount: Usd) -> Usd:
    """Take up to ``amount`` from the pool, never leaving a deficit, and return what it gave (LED-2)."""
    drawn = min(draft.pool, amount)
    draft.pool -= drawn
    return drawn


def share_income(draft: Draft, amount: Usd, insurance_share: Bps) -> None:
    """Split a fee or penalty: the insurance share rounded down, the pool takes the remainder (LED-5)."""
    if amount == 0:
        return
    to_insurance = fdiv(amount * insurance_share, BPS)
    credit_insurance(draft, to_insurance)
    credit_pool(draft, amount - to_insurance)


def settle_with_pool(draft: Draft, account: DraftAccount, pnl: Usd) -> None:
    """Pay a realised profit from the pool, or a realised loss to it (LED-2, LED-3)."""
    if pnl == 0:
        return
    add_cash(draft, account, pnl)
    if pnl > 0:
        debit_pool(draft, pnl)
    else:
        credit_pool(draft, -pnl)
