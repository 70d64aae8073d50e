"""What holds in every reachable state, by the ids of specs/invariants.md. Prose points here, not the reverse."""

from __future__ import annotations

from protocol.errors import InvariantBroken
from protocol.state import USDC, State
from protocol.units import USDC_TO_W


def check_all(state: State) -> None:
    """Raise ``InvariantBroken`` at the first statement that does not hold."""
    check_money(state)
    check_collateral_units(state)
    check_market_totals(state)
    check_ledger_signs(state)
    check_shares(state)
    check_records(state)


def check_money(state: State) -> None:
    """C1 for USDC: balances, pool and insurance are the USDC held plus the deficit, exactly."""
    cash = sum(account.cash for account in state.accounts.values())
    ours = cash + state.ledger.pool + state.ledger.insurance
    theirs = state.tokens[USDC].held * USDC_TO_W + state.ledger.deficit
    _hold("C1", ours == theirs, f"ledgers sum to {ours}, USDC held plus deficit is {theirs}")


def check_collateral_units(state: State) -> None:
    """C1 for every other token: account units and pool inventory are the units held, exactly."""
    totals = [token.inventory for token in state.tokens]
    for account in state.accounts.values():
        for token, units in account.collateral.items():
            totals[token] += units
    for token, record in enumerate(state.tokens):
        if token != USDC:
            _hold("C1", totals[token] == record.held, f"token {token}: {totals[token]} owned, {record.held} held")
    _hold("C1", state.tokens[USDC].inventory == 0, "USDC is never inventory")


def check_market_totals(state: State) -> None:
    """C5, C6: market totals are the sums over positions, exactly; an empty market's are 0."""
    for market, totals in enumerate(state.markets):
        positions = [a.positions[market] for a in state.accounts.values() if market in a.positions]
        longs = sum(p.size for p in positions if p.size > 0)
        shorts = sum(-p.size for p in positions if p.size < 0)
        cost = sum(p.cost for p in positions)
        sums = (longs, shorts, cost)
        stored = (totals.long_oi, totals.short_oi, totals.cost)
        _hold("C5", sums == stored, f"market {market}: positions sum to {sums}, totals are {stored}")


def check_ledger_signs(state: State) -> None:
    """C7: no ledger is negative except an account balance, and the total of those is known."""
    ledger = state.ledger
    amounts = (ledger.pool, ledger.insurance, ledger.deficit, ledger.trader_debt, ledger.shares)
    _hold("C7", min(amounts) >= 0, f"a ledger is negative: {amounts}")
    _hold("C7", ledger.deficit == 0 or ledger.pool == 0, "a pool with dollars left has a deficit")
    debt = sum(max(-account.cash, 0) for account in state.accounts.values())
    _hold("C7", debt == ledger.trader_debt, f"debts sum to {debt}, trader_debt is {ledger.trader_debt}")


def check_shares(state: State) -> None:
    """P5: the shares of all owners are the shares in existence."""
    total = sum(state.shares.values())
    _hold("P5", total == state.ledger.shares, f"shares sum to {total}, the ledger says {state.ledger.shares}")


def check_records(state: State) -> None:
    """R1: an account lists only what it holds, by ascending id, of tokens and markets that exist."""
    for account_id, account in state.accounts.items():
        for entries, limit in ((account.collateral, len(state.tokens)), (account.positions, len(state.markets))):
            ids = list(entries)
            _hold("R1", ids == sorted(ids) and all(i < limit for i in ids), f"account {account_id} lists {ids}")
        _hold("R1", all(units > 0 for units in account.collateral.values()), f"account {account_id}: zero units")
        _hold("R1", all(p.size != 0 for p in account.positions.values()), f"account {account_id}: zero size")


def _hold(rule: str, holds: bool, detail: str) -> None:
    if not holds:
        raise InvariantBroken(f"{rule}: {detail}")
