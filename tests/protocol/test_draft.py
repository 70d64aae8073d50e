"""Working copies: reading through, proposing, committing, and the widths of every record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from protocol import errors
from protocol.codec import digest
from protocol.draft import Draft, DraftAccount, DraftMarket
from protocol.events import (
    AccountFlagged,
    AccountUpdated,
    CollateralUpdated,
    LedgerUpdated,
    MarketUpdated,
    StakeUpdated,
    TokenUpdated,
    WindowUpdated,
)
from protocol.ledger import add_cash, credit_insurance, credit_pool, debit_pool
from protocol.state import EMPTY_WINDOW, Account, Market, Order, Position, Stake, Token, Window
from protocol.units import W
from tests.protocol.build import ACCOUNT, BORROWER, BTC, ETH, KEEPER, LENDER, NOW, WETH, holding, opened, state_with

# Every field another number, so that no two can be mistaken for each other.
SAMPLE = Account(5, {WETH: 6}, {ETH: opened(W, W)}, {BTC: 7}, 8, 9, 10, 11, {ETH: Order(12, 13, 14, 15, 16, 17, 18)})
TOTALS = Market(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)


def full_state() -> Draft:
    """A draft over one account that has something of everything."""
    account = holding(cash=5, collateral={WETH: 6}, positions={ETH: opened(W, W)})
    return Draft(state_with({ACCOUNT: account}, pool=7, insurance=8, stakes={LENDER: Stake(9, 4, 3)}))


def test_a_draft_reads_through_to_its_state() -> None:
    draft = full_state()
    account = draft.account(ACCOUNT)
    assert (account.cash, account.collateral, account.positions) == (5, {WETH: 6}, {ETH: opened(W, W)})
    assert draft.account(ACCOUNT) is account
    assert draft.market(ETH) == draft.base.markets[ETH]
    assert (draft.market(ETH).long_oi, draft.market(ETH).reserved) == (W, W // 5)
    assert draft.token(WETH) == Token(6, 0)
    assert draft.window(ETH) == EMPTY_WINDOW
    assert draft.stake(LENDER) == Stake(9, 4, 3)
    assert draft.stake(BORROWER) == Stake(0, 0, 0)
    assert (draft.pool, draft.insurance, draft.deficit, draft.reserved) == (7, 8, 0, W // 5)


def test_an_unregistered_account_starts_empty() -> None:
    account = full_state().account(KEEPER)
    assert account.id == KEEPER
    assert account.freeze() == holding(0)


def test_a_draft_account_has_every_field_of_an_account() -> None:
    """S1: what is read, and not changed, is written back as it was."""
    draft = DraftAccount(1, SAMPLE)
    assert draft.freeze() == SAMPLE
    assert set(DraftAccount.__slots__) == {field.name for field in fields(Account)} | {"id"}


def test_a_draft_market_has_every_field_of_a_market() -> None:
    """S1: what is read, and not changed, is written back as it was."""
    draft = DraftMarket(TOTALS)
    assert draft.freeze() == TOTALS
    assert draft.skew == TOTALS.skew == -1
    assert set(DraftMarket.__slots__) == {field.name for field in fields(Market)}


def test_proposals_are_read_back_and_reported_but_leave_the_state_alone() -> None:
    """S1: nothing of a draft reaches the state it started from."""
    draft = full_state()
    before = digest(draft.base)
    totals = draft.open_market(BTC)
    assert draft.open_market(BTC) is totals
    totals.long_oi, totals.short_oi, totals.cost, totals.impact, totals.reserved = 1, 2, 3, 4, 5
    totals.funding_index, totals.funding_rate, totals.funding_velocity, totals.funding_limit = 6, 7, 8, 9
    totals.accrued_at, totals.index_cost = 10, 11
    assert draft.market(BTC) is totals
    draft.report_market(BTC)
    draft.put_window(ETH, Window(50, ((3, 0), (7, 20))))
    draft.put_token(WETH, Token(4, 5))
    draft.put_stake(BORROWER, Stake(6, 2, 1))
    account = draft.account(ACCOUNT)
    account.cash = -3
    account.put_collateral(WETH, 0)
    account.put_position(ETH, Position(0, 0, 0))
    account.put_position(BTC, Position(1, 1, 1))
    account.put_leverage_cap(ETH, W)
    draft.put_flag(account, NOW)
    draft.report_account(account)
    draft.report_collateral(account, WETH)
    draft.reserved += 1
    draft.report_ledger()
    assert (draft.window(ETH).closed, draft.token(WETH), draft.stake(BORROWER)) == (50, Token(4, 5), Stake(6, 2, 1))
    assert draft.events == [
        MarketUpdated(BTC, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
        WindowUpdated(ETH, 7, 50, 50),
        TokenUpdated(WETH, 4, 5),
        StakeUpdated(BORROWER, 6, 2, 1),
        AccountFlagged(ACCOUNT, NOW),
        AccountUpdated(ACCOUNT, -3),
        CollateralUpdated(ACCOUNT, WETH, 0),
        LedgerUpdated(7, 8, 0, 0, 9, W // 5 + 1),
    ]
    assert digest(draft.base) == before

    state = draft.commit().state
    assert digest(draft.base) == before
    assert state.accounts[ACCOUNT] == holding(-3, {}, {BTC: Position(1, 1, 1)}, leverage_caps={ETH: W}, flagged_at=NOW)
    assert state.markets == (TOTALS, draft.base.markets[ETH])
    assert state.windows == (EMPTY_WINDOW, Window(50, ((3, 0), (7, 20))))
    assert state.tokens[WETH] == Token(4, 5)
    assert dict(state.stakes) == {LENDER: Stake(9, 4, 3), BORROWER: Stake(6, 2, 1)}
    assert state.ledger.reserved == W // 5 + 1


def test_a_flag_is_reported_only_when_it_changes() -> None:
    """LIQ-8: the same time again is no event."""
    draft = full_state()
    account = draft.account(ACCOUNT)
    for flagged_at in (0, NOW, NOW, 0, 0):
        draft.put_flag(account, flagged_at)
        assert account.flagged_at == flagged_at
    assert draft.events == [AccountFlagged(ACCOUNT, NOW), AccountFlagged(ACCOUNT, 0)]


def test_a_draft_without_proposals_commits_its_own_state() -> None:
    draft = full_state()
    assert draft.commit().state == draft.base
    assert draft.commit().events == ()


def test_entries_keep_ascending_ids_and_zero_removes_them() -> None:
    """R1: an account lists what it holds by ascending id, in whatever order it came."""
    account = DraftAccount(1, None)
    for token in (3, 1, 2):
        account.put_collateral(token, token * 10)
        account.put_position(token, Position(token, 0, 0))
        account.put_leverage_cap(token, token)
    assert list(account.collateral.items()) == [(1, 10), (2, 20), (3, 30)]
    assert list(account.positions) == [1, 2, 3]
    assert list(account.leverage_caps) == [1, 2, 3]
    account.put_collateral(2, 5)
    account.put_collateral(1, 0)
    account.put_position(3, Position(0, 0, 0))
    account.put_collateral(9, 0)
    account.put_leverage_cap(2, 0)
    assert list(account.collateral.items()) == [(2, 5), (3, 30)]
    assert list(account.positions) == [1, 2]
    assert list(account.leverage_caps) == [1, 3]


def test_a_draft_account_copies_what_it_changes() -> None:
    before = holding(1, {1: 1}, {1: Position(1, 1, 1)}, leverage_caps={1: 1})
    account = DraftAccount(1, before)
    account.put_collateral(1, 2)
    account.put_position(1, Position(2, 2, 2))
    account.put_leverage_cap(1, 2)
    assert before == holding(1, {1: 1}, {1: Position(1, 1, 1)}, leverage_caps={1: 1})


SIGNED = (-(2**127), 2**127)
UNSIGNED = (0, 2**128)
SIZE = (1 - 2**96, 2**96)
UNITS = (0, 2**96)
IMPACT = (0, 2**127)
RESERVED = (0, 2**96)
INDEX = (-(2**112), 2**112)


def propose_total(name: str) -> Callable[[Draft, int], None]:
    """Report a market with one total changed."""

    def propose(draft: Draft, value: int) -> None:
        setattr(draft.open_market(0), name, value)
        draft.report_market(0)

    return propose


@pytest.mark.parametrize(
    ("bounds", "propose"),
    [
        (UNITS, lambda draft, value: draft.account(1).put_collateral(1, value)),
        (SIZE, lambda draft, value: draft.account(1).put_position(0, Position(value, 0, 0))),
        (SIGNED, lambda draft, value: draft.account(1).put_position(0, Position(1, value, 0))),
        (UNSIGNED, propose_total("long_oi")),
        (UNSIGNED, propose_total("short_oi")),
        (SIGNED, propose_total("cost")),
        (IMPACT, propose_total("impact")),
        (RESERVED, propose_total("reserved")),
        (INDEX, propose_total("funding_index")),
        (UNSIGNED, lambda draft, value: draft.put_window(0, Window(value, ((1, 0),)))),
        (UNSIGNED, lambda draft, value: draft.put_token(1, Token(value, 0))),
        (UNSIGNED, lambda draft, value: draft.put_token(1, Token(0, value))),
        (UNSIGNED, lambda draft, value: draft.put_stake(1, Stake(value, 0, 0))),
        (SIGNED, lambda draft, value: add_cash(draft, draft.account(1), value)),
    ],
    ids=[
        "collateral units",
        "position size",
        "position cost",
        "long open interest",
        "short open interest",
        "market cost",
        "impact ledger",
        "reserved",
        "funding index",
        "closed in a window",
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
