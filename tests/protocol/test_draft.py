"""Working copies: reading through, proposing, committing, and the widths of every record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol import errors
from protocol.codec import digest
from protocol.draft import Draft, DraftAccount
from protocol.events import (
    AccountUpdated,
    CollateralUpdated,
    LedgerUpdated,
    MarketUpdated,
    SharesUpdated,
    TokenUpdated,
)
from protocol.ledger import add_cash, credit_insurance, credit_pool, debit_pool
from protocol.state import Market, Position, Token
from protocol.units import W
from tests.protocol.build import ACCOUNT, BORROWER, BTC, ETH, KEEPER, LENDER, WETH, holding, opened, state_with


def full_state() -> Draft:
    """A draft over one account that has something of everything."""
    account = holding(cash=5, collateral={WETH: 6}, positions={ETH: opened(W, W)})
    return Draft(state_with({ACCOUNT: account}, pool=7, insurance=8, shares={LENDER: 9}))


def test_a_draft_reads_through_to_its_state() -> None:
    draft = full_state()
    account = draft.account(ACCOUNT)
    assert (account.cash, account.collateral, account.positions) == (5, {WETH: 6}, {ETH: opened(W, W)})
    assert draft.account(ACCOUNT) is account
    assert draft.market(ETH) == Market(W, 0, W)
    assert draft.token(WETH) == Token(6, 0)
    assert (draft.shares_of(LENDER), draft.shares_of(BORROWER)) == (9, 0)


def test_an_unregistered_account_starts_empty() -> None:
    account = full_state().account(KEEPER)
    assert (account.id, account.cash, account.collateral, account.positions) == (KEEPER, 0, {}, {})


def test_proposals_are_read_back_and_reported_but_leave_the_state_alone() -> None:
    """S1: nothing of a draft reaches the state it started from."""
    draft = full_state()
    before = digest(draft.base)
    draft.put_market(BTC, Market(1, 2, 3))
    draft.put_token(WETH, Token(4, 5))
    draft.put_shares(BORROWER, 6)
    account = draft.account(ACCOUNT)
    account.cash = -3
    account.put_collateral(WETH, 0)
    account.put_position(ETH, Position(0, 0))
    account.put_position(BTC, Position(1, 1))
    draft.report_account(account)
    draft.report_collateral(account, WETH)
    draft.report_ledger()
    assert (draft.market(BTC), draft.token(WETH), draft.shares_of(BORROWER)) == (Market(1, 2, 3), Token(4, 5), 6)
    assert draft.events == [
        MarketUpdated(BTC, 1, 2, 3),
        TokenUpdated(WETH, 4, 5),
        SharesUpdated(BORROWER, 6),
        AccountUpdated(ACCOUNT, -3),
        CollateralUpdated(ACCOUNT, WETH, 0),
        LedgerUpdated(7, 8, 0, 0, 9),
    ]
    assert digest(draft.base) == before

    state = draft.commit().state
    assert digest(draft.base) == before
    assert state.accounts[ACCOUNT] == holding(-3, {}, {BTC: Position(1, 1)})
    assert state.markets == (Market(1, 2, 3), Market(W, 0, W))
    assert state.tokens[WETH] == Token(4, 5)
    assert dict(state.shares) == {LENDER: 9, BORROWER: 6}


def test_a_draft_without_proposals_commits_its_own_state() -> None:
    draft = full_state()
    assert draft.commit().state == draft.base
    assert draft.commit().events == ()


def test_entries_keep_ascending_ids_and_zero_removes_them() -> None:
    """R1: an account lists what it holds by ascending id, in whatever order it came."""
    account = DraftAccount(1, None)
    for token in (3, 1, 2):
        account.put_collateral(token, token * 10)
        account.put_position(token, Position(token, 0))
    assert list(account.collateral.items()) == [(1, 10), (2, 20), (3, 30)]
    assert list(account.positions) == [1, 2, 3]
    account.put_collateral(2, 5)
    account.put_collateral(1, 0)
    account.put_position(3, Position(0, 0))
    account.put_collateral(9, 0)
    assert list(account.collateral.items()) == [(2, 5), (3, 30)]
    assert list(account.positions) == [1, 2]


def test_a_draft_account_copies_what_it_changes() -> None:
    before = holding(1, {1: 1}, {1: Position(1, 1)})
    account = DraftAccount(1, before)
    account.put_collateral(1, 2)
    account.put_position(1, Position(2, 2))
    assert before == holding(1, {1: 1}, {1: Position(1, 1)})


SIGNED = (-(2**127), 2**127)
UNSIGNED = (0, 2**128)
SIZE = (1 - 2**96, 2**96)
UNITS = (0, 2**96)
EMPTY = Market(0, 0, 0)


@pytest.mark.parametrize(
    ("bounds", "propose"),
    [
        (UNITS, lambda draft, value: draft.account(1).put_collateral(1, value)),
        (SIZE, lambda draft, value: draft.account(1).put_position(0, Position(value, 0))),
        (SIGNED, lambda draft, value: draft.account(1).put_position(0, Position(1, value))),
        (UNSIGNED, lambda draft, value: draft.put_market(0, Market(value, 0, 0))),
        (UNSIGNED, lambda draft, value: draft.put_market(0, Market(0, value, 0))),
        (SIGNED, lambda draft, value: draft.put_market(0, Market(0, 0, value))),
        (UNSIGNED, lambda draft, value: draft.put_token(1, Token(value, 0))),
        (UNSIGNED, lambda draft, value: draft.put_token(1, Token(0, value))),
        (UNSIGNED, lambda draft, value: draft.put_shares(1, value)),
        (SIGNED, lambda draft, value: add_cash(draft, draft.account(1), value)),
    ],
    ids=[
        "collateral units",
        "position size",
        "position cost",
        "long open interest",
        "short open interest",
        "market cost",
        "units held",
        "inventory",
        "shares",
        "cash",
    ],
)
def test_every_record_refuses_what_its_word_cannot_hold(
    bounds: tuple[int, int], propose: Callable[[Draft, int], None]
) -> None:
    """UNIT-3, T9: each stored width is checked at its very borders."""
    low, high = bounds
    for value in (low, high - 1):
        propose(Draft(state_with()), value)
    for value in (low - 1, high):
        with pytest.raises(errors.OutOfDomain):
            propose(Draft(state_with()), value)


@pytest.mark.parametrize(
    ("book", "read"),
    [
        (credit_pool, lambda draft: draft.pool),
        (credit_insurance, lambda draft: draft.insurance),
        (debit_pool, lambda draft: draft.deficit),
    ],
    ids=["pool", "insurance", "deficit"],
)
def test_every_ledger_refuses_what_its_half_of_a_word_cannot_hold(
    book: Callable[[Draft, int], None], read: Callable[[Draft], int]
) -> None:
    """UNIT-3, T9: pool, insurance and deficit hold 128 bits each."""
    draft = Draft(state_with())
    book(draft, 2**128 - 1)
    assert read(draft) == 2**128 - 1
    with pytest.raises(errors.OutOfDomain):
        book(draft, 1)


def test_trader_debt_refuses_what_its_half_of_a_word_cannot_hold() -> None:
    """UNIT-3, LED-1: the sum of debts holds 128 bits, reached only by several accounts."""
    draft = Draft(state_with())
    add_cash(draft, draft.account(1), -(2**127))
    add_cash(draft, draft.account(2), 1 - 2**127)
    assert draft.trader_debt == 2**128 - 1
    with pytest.raises(errors.OutOfDomain):
        add_cash(draft, draft.account(3), -1)
