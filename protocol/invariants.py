"""What holds in every reachable state, by the ids of specs/invariants.md. Prose points here, not the reverse."""

from __future__ import annotations

from itertools import pairwise

from protocol.errors import InvariantBroken
from protocol.params import MAX_POSITIONS
from protocol.state import RING, USDC, State
from protocol.units import USDC_TO_W


def check_all(state: State) -> None:
    """Raise ``InvariantBroken`` at the first statement that does not hold.

    Records first: the sums over them take it that they name only what is listed.
    """
    check_records(state)
    check_money(state)
    check_collateral_units(state)
    check_market_totals(state)
    check_ledger_signs(state)
    check_stakes(state)
    check_orders(state)
    check_windows(state)


def check_money(state: State) -> None:
    """C1 for USDC: balances, pool, insurance, impact and escrow are the USDC held plus the deficit, exactly."""
    cash = sum(account.cash for account in state.accounts.values())
    impact = sum(market.impact for market in state.markets)
    ours = cash + state.ledger.pool + state.ledger.insurance + impact + state.escrow
    theirs = state.tokens[USDC].held * USDC_TO_W + state.ledger.deficit
    _hold("C1", ours == theirs, "ledgers sum to {}, USDC held plus deficit is {}", ours, theirs)


def check_collateral_units(state: State) -> None:
    """C1 for every other token: account units and pool inventory are the units held, exactly."""
    totals = [token.inventory for token in state.tokens]
    for account in state.accounts.values():
        for token, units in account.collateral.items():
            totals[token] += units
    for token, record in enumerate(state.tokens):
        if token != USDC:
            _hold("C1", totals[token] == record.held, "token {}: {} owned, {} held", token, totals[token], record.held)
    _hold("C1", state.tokens[USDC].inventory == 0, "USDC is never inventory")


def check_market_totals(state: State) -> None:
    """C5, C6: market totals are the sums over positions, exactly; an empty market's are 0; without skew no impact."""
    sums = [[0, 0, 0, 0] for _ in state.markets]
    for account in state.accounts.values():
        for market, position in account.positions.items():
            total = sums[market]
            total[0] += max(position.size, 0)
            total[1] += max(-position.size, 0)
            total[2] += position.cost
            total[3] += position.size * position.entry_index
    for market, (record, total) in enumerate(zip(state.markets, sums, strict=True)):
        stored = [record.long_oi, record.short_oi, record.cost, record.index_cost]
        _hold("C5", total == stored, "market {}: positions sum to {}, totals are {}", market, total, stored)
        empty = record.long_oi == record.short_oi == 0
        _hold("C6", not empty or record.reserved == 0, "market {} is empty and reserves dollars", market)
        _hold("C6", record.skew != 0 or record.impact == 0, "market {} has no skew and holds impact", market)


def check_ledger_signs(state: State) -> None:
    """C7, P6: no ledger is negative except an account balance; the totals of debts and reserves are known."""
    ledger = state.ledger
    amounts = (ledger.pool, ledger.insurance, ledger.deficit, ledger.trader_debt, ledger.shares, ledger.reserved)
    _hold("C7", min(amounts) >= 0, "a ledger is negative: {}", amounts)
    _hold("C7", all(market.impact >= 0 for market in state.markets), "an impact ledger is negative")
    _hold("C7", ledger.deficit == 0 or ledger.pool == 0, "a pool with dollars left has a deficit")
    debt = sum(max(-account.cash, 0) for account in state.accounts.values())
    _hold("C7", debt == ledger.trader_debt, "debts sum to {}, trader_debt is {}", debt, ledger.trader_debt)
    reserved = sum(market.reserved for market in state.markets)
    _hold("P6", reserved == ledger.reserved, "markets reserve {}, the ledger says {}", reserved, ledger.reserved)


def check_stakes(state: State) -> None:
    """P5: the shares of all owners are the shares in existence, and nobody asks for more than they have."""
    total = sum(stake.shares for stake in state.stakes.values())
    _hold("P5", total == state.ledger.shares, "shares sum to {}, the ledger says {}", total, state.ledger.shares)
    for owner, stake in state.stakes.items():
        _hold("P5", 0 <= stake.requested <= stake.shares, "owner {} asks for more shares than it has", owner)


def check_orders(state: State) -> None:
    """O1: the fees of all pending orders are in escrow, exactly; an order is in a listed market and asks for a size."""
    fees = 0
    for account_id, account in state.accounts.items():
        ids = list(account.orders)
        listed = ids == sorted(ids) and all(market < len(state.markets) for market in ids)
        _hold("O1", listed, "account {} has orders in {}", account_id, ids)
        for order in account.orders.values():
            fees += order.fee
            sound = (
                order.size_delta != 0 and 0 <= order.cancel_fee <= order.fee and order.settles_from < order.expires_at
            )
            _hold("O1", sound, "account {}: {}", account_id, order)
    _hold("O1", fees == state.escrow, "fees of orders sum to {}, escrow is {}", fees, state.escrow)


def check_records(state: State) -> None:
    """R1, M10: an account lists only what it holds, by ascending id; an isolated one holds one market and USDC."""
    tokens, markets = range(USDC + 1, len(state.tokens)), range(len(state.markets))
    for account_id, account in state.accounts.items():
        for entries, listed in ((account.collateral, tokens), (account.positions, markets)):
            ids = list(entries)
            _hold("R1", ids == sorted(ids) and all(i in listed for i in ids), "account {} lists {}", account_id, ids)
        _hold("R1", all(units > 0 for units in account.collateral.values()), "account {}: zero units", account_id)
        _hold("R1", all(p.size != 0 for p in account.positions.values()), "account {}: zero size", account_id)
        _hold("R1", len(account.positions) <= MAX_POSITIONS, "account {}: too many positions", account_id)
        if account.isolated:
            market = account.isolated - 1
            own = market in markets and set(account.positions) <= {market} and not account.collateral
            _hold("M10", own, "isolated account {} holds more than its market", account_id)


def check_windows(state: State) -> None:
    """W1: the entries of a window rise in number and amount, end below what was closed, and span 32 buckets at most."""
    for market, window in enumerate(state.windows):
        numbers = [number for number, _ in window.entries]
        amounts = [before for _, before in window.entries] + [window.closed]
        rising = all(low < high for low, high in pairwise(numbers)) and all(a < b for a, b in pairwise(amounts))
        recent = not numbers or numbers[0] > numbers[-1] - RING
        _hold("W1", rising and recent, "market {}: entries {}, closed {}", market, window.entries, window.closed)


def _hold(rule: str, holds: bool, detail: str, *facts: object) -> None:
    """Raise with the facts put into the detail; in decimal, which takes longer than the test, only then."""
    if not holds:
        raise InvariantBroken(f"{rule}: {detail.format(*facts)}")
