"""Every statement about states, broken on purpose: exactly the one that should notice does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crossmargin.replay.books import Books
from protocol import invariants
from protocol.errors import InvariantBroken, Refusal
from protocol.events import AccountUpdated, CollateralUpdated, EscrowUpdated, LedgerUpdated, StakeUpdated, TokenUpdated
from protocol.invariants import (
    check_all,
    check_collateral_units,
    check_ledger_signs,
    check_market_totals,
    check_money,
    check_orders,
    check_records,
    check_stakes,
    check_windows,
)
from protocol.records import Table
from protocol.state import EMPTY_MARKET, USDC, Account, Order, Position, Stake, State, Token, Window, genesis
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LENDER,
    MARKETS,
    STRANGER,
    WETH,
    holding,
    opened,
    state_with,
    sum_market,
    with_market,
)

CHECKS = (
    check_money,
    check_collateral_units,
    check_market_totals,
    check_ledger_signs,
    check_stakes,
    check_orders,
    check_records,
    check_windows,
)
DEBTOR = ACCOUNT + 1
ISOLATED = ACCOUNT + 2
ORDER = Order(W, 9, 2 * W, W, ETH, 10, 20)


def sound() -> State:
    """A state with something of everything, a debtor among it."""
    accounts = {
        ACCOUNT: holding(5 * W, {WETH: 7}, {BTC: opened(W, BTC_PRICE, 5), ETH: opened(-W, ETH_PRICE, 7)}),
        KEEPER: holding(3 * W, {}, {BTC: opened(-W // 2, BTC_PRICE)}, orders={ETH: ORDER}),
        DEBTOR: holding(-2 * W, {WETH: 3}),
        ISOLATED: holding(W, {}, {ETH: opened(W, ETH_PRICE)}, isolated=ETH + 1),
    }
    state = state_with(
        accounts,
        pool=9 * W,
        insurance=W,
        stakes={LENDER: Stake(6, 6, 9), STRANGER: 4},
        inventory={WETH: 2},
        impact={BTC: 2 * W},
    )
    return replace(state, windows=(Window(9, ((3, 0), (7, 4), (34, 8))), state.windows[ETH]))


def with_account(state: State, key: int, account: Account) -> State:
    """A state with one account replaced."""
    return replace(state, accounts=state.accounts.put(key, account))


def with_ledger(state: State, **changes: int) -> State:
    """A state with other dollars of its own."""
    return replace(state, ledger=replace(state.ledger, **changes))


def with_token(state: State, token: int, record: Token) -> State:
    """A state with one token's record replaced."""
    return replace(state, tokens=(*state.tokens[:token], record, *state.tokens[token + 1 :]))


def test_sound_states_pass() -> None:
    """C1, C5, C6, C7, P5, P6, R1, W1, M10: a busy state and an empty one."""
    check_all(sound())
    check_all(genesis(1, 2, 3))


def with_order(market: int = ETH, **changes: int) -> Callable[[State], State]:
    """A state with another order of the keeper."""
    return lambda s: with_account(s, KEEPER, replace(s.accounts[KEEPER], orders={market: replace(ORDER, **changes)}))


def swap_debts(state: State) -> State:
    """Cash moves from the debtor to another account: the sum stays, the debts do not."""
    state = with_account(state, DEBTOR, replace(state.accounts[DEBTOR], cash=-3 * W))
    return with_account(state, KEEPER, replace(state.accounts[KEEPER], cash=4 * W))


def positions(*entries: tuple[int, Position]) -> Callable[[State], State]:
    """The account's positions listed in this order, with the market totals to match."""

    def change(state: State) -> State:
        listed = dict(entries)
        accounts = {**state.accounts, ACCOUNT: replace(state.accounts[ACCOUNT], positions=listed)}
        markets = tuple(
            replace(sum_market(accounts, market), impact=totals.impact, reserved=totals.reserved)
            for market, totals in enumerate(state.markets)
        )
        return replace(state, accounts=Table(accounts), markets=markets)

    return change


def collateral(*entries: tuple[int, int]) -> Callable[[State], State]:
    """A state of three collateral tokens, the account's units listed in this order."""

    def change(state: State) -> State:
        account = replace(state.accounts[ACCOUNT], collateral=dict(entries))
        state = with_account(state, ACCOUNT, account)
        tokens = (*state.tokens, Token(0, 0), Token(0, 0))
        for token, units in entries:
            if token < len(tokens):
                others = 3 + 2 if token == WETH else 0
                tokens = (*tokens[:token], Token(units + others, tokens[token].inventory), *tokens[token + 1 :])
        if WETH not in dict(entries):
            tokens = (tokens[0], Token(5, 2), *tokens[2:])
        return replace(state, tokens=tokens)

    return change


def windows(total: int, *entries: tuple[int, int]) -> Callable[[State], State]:
    """A market's window with these entries."""
    return lambda state: replace(state, windows=(Window(total, entries), state.windows[ETH]))


BROKEN: list[tuple[str, str, Callable[[State], State], Callable[[State], None]]] = [
    # C1 for USDC: a wei in every ledger, and a unit in the vault.
    (
        "C1",
        "a wei of cash",
        lambda s: with_account(s, KEEPER, replace(s.accounts[KEEPER], cash=3 * W + 1)),
        check_money,
    ),
    ("C1", "a wei of pool", lambda s: with_ledger(s, pool=9 * W - 1), check_money),
    ("C1", "a wei of impact", lambda s: with_market(s, BTC, impact=2 * W + 1), check_money),
    ("C1", "a wei of insurance", lambda s: with_ledger(s, insurance=W + 1), check_money),
    ("C1", "a wei of escrow", lambda s: replace(with_order(fee=2 * W + 1)(s), escrow=2 * W + 1), check_money),
    ("O1", "a fee", with_order(fee=2 * W + 1), check_orders),
    ("O1", "a fee for cancelling", with_order(cancel_fee=2 * W + 1), check_orders),
    ("O1", "an order for nothing", with_order(size_delta=0), check_orders),
    ("O1", "an order without a window", with_order(expires_at=10), check_orders),
    ("O1", "an order in no market", with_order(2), check_orders),
    ("C1", "a unit of USDC", lambda s: with_token(s, 0, replace(s.tokens[0], held=s.tokens[0].held + 1)), check_money),
    (
        "C1",
        "a unit of USDC less",
        lambda s: with_token(s, 0, replace(s.tokens[0], held=s.tokens[0].held - 1)),
        check_money,
    ),
    # C1 for other tokens.
    ("C1", "a unit held", lambda s: with_token(s, WETH, Token(13, 2)), check_collateral_units),
    ("C1", "a unit of inventory", lambda s: with_token(s, WETH, Token(12, 3)), check_collateral_units),
    (
        "C1",
        "a unit of an account",
        lambda s: with_account(s, DEBTOR, replace(s.accounts[DEBTOR], collateral={WETH: 4})),
        check_collateral_units,
    ),
    ("C1", "inventory of USDC", lambda s: with_token(s, 0, replace(s.tokens[0], inventory=1)), check_collateral_units),
    # C5 and C6: each total of each market, and a market that should be empty.
    ("C5", "a wei of long size", lambda s: with_market(s, BTC, long_oi=W + 1), check_market_totals),
    ("C5", "a wei of short size", lambda s: with_market(s, BTC, short_oi=W // 2 - 1), check_market_totals),
    ("C5", "a wei of cost", lambda s: with_market(s, ETH, cost=1), check_market_totals),
    ("C5", "a wei of index cost", lambda s: with_market(s, ETH, index_cost=1 - 7 * W), check_market_totals),
    ("C5", "both sides alike", lambda s: with_market(s, BTC, long_oi=W + 1, short_oi=W // 2 + 1), check_market_totals),
    (
        "C5",
        "cost left in an empty market",
        lambda s: replace(s, markets=(*s.markets, replace(EMPTY_MARKET, cost=1))),
        check_market_totals,
    ),
    (
        "C5",
        "index cost left in an empty market",
        lambda s: replace(s, markets=(*s.markets, replace(EMPTY_MARKET, index_cost=1))),
        check_market_totals,
    ),
    (
        "C6",
        "impact left in an empty market",
        lambda s: replace(with_ledger(s, pool=9 * W - 1), markets=(*s.markets, replace(EMPTY_MARKET, impact=1))),
        check_market_totals,
    ),
    (
        "C6",
        "a reserve left in an empty market",
        lambda s: replace(
            with_ledger(s, reserved=s.ledger.reserved + 1), markets=(*s.markets, replace(EMPTY_MARKET, reserved=1))
        ),
        check_market_totals,
    ),
    # C7: signs, pool beside deficit, and the sum of debts.
    ("C7", "a negative pool", lambda s: with_ledger(s, pool=-1, insurance=10 * W + 1), check_ledger_signs),
    ("C7", "negative insurance", lambda s: with_ledger(s, pool=10 * W + 1, insurance=-1), check_ledger_signs),
    ("C7", "a negative deficit", lambda s: with_ledger(s, pool=9 * W - 1, deficit=-1), check_ledger_signs),
    (
        "C7",
        "a negative impact ledger",
        lambda s: with_ledger(with_market(s, BTC, impact=-1), pool=11 * W + 1),
        check_ledger_signs,
    ),
    (
        "C7",
        "a negative reserve",
        lambda s: with_ledger(with_market(s, BTC, reserved=-s.markets[ETH].reserved - 1), reserved=-1),
        check_ledger_signs,
    ),
    # P6.
    ("P6", "a reserve in the ledger", lambda s: with_ledger(s, reserved=s.ledger.reserved + 1), check_ledger_signs),
    ("P6", "a reserve in a market", lambda s: with_market(s, ETH, reserved=0), check_ledger_signs),
    ("C7", "pool and deficit", lambda s: with_ledger(s, pool=9 * W + 1, deficit=1), check_ledger_signs),
    ("C7", "a wei of debt", lambda s: with_ledger(s, trader_debt=2 * W + 1), check_ledger_signs),
    ("C7", "debt without its total", swap_debts, check_ledger_signs),
    # P5.
    ("P5", "a share in the ledger", lambda s: with_ledger(s, shares=11), check_stakes),
    ("P5", "a share of an owner", lambda s: replace(s, stakes=s.stakes.put(LENDER, Stake(7, 6, 9))), check_stakes),
    ("P5", "a request too large", lambda s: replace(s, stakes=s.stakes.put(LENDER, Stake(6, 7, 9))), check_stakes),
    ("P5", "a negative request", lambda s: replace(s, stakes=s.stakes.put(LENDER, Stake(6, -1, 9))), check_stakes),
    # R1: order, existence and zero entries.
    (
        "R1",
        "positions out of order",
        positions((ETH, opened(-W, ETH_PRICE)), (BTC, opened(W, BTC_PRICE))),
        check_records,
    ),
    ("R1", "a position of nothing", positions((BTC, Position(0, 0, 0))), check_records),
    ("R1", "collateral out of order", collateral((3, 5), (2, 5)), check_records),
    ("R1", "no units of a token", collateral((2, 0)), check_records),
    # M10: an isolated account with something else.
    (
        "M10",
        "an isolated account in another market",
        lambda s: with_account(s, ISOLATED, replace(s.accounts[ISOLATED], isolated=BTC + 1)),
        check_records,
    ),
    (
        "M10",
        "an isolated account with collateral",
        lambda s: with_token(
            with_account(s, ISOLATED, replace(s.accounts[ISOLATED], collateral={WETH: 1})), WETH, Token(13, 2)
        ),
        check_records,
    ),
    # W1: order, amounts and span.
    ("W1", "buckets out of order", windows(9, (7, 0), (3, 4)), check_windows),
    ("W1", "a bucket twice", windows(9, (3, 0), (3, 4)), check_windows),
    ("W1", "amounts that do not rise", windows(9, (3, 4), (7, 4)), check_windows),
    ("W1", "a bucket that closed nothing", windows(8, (3, 0), (34, 8)), check_windows),
    ("W1", "a bucket that no longer counts", windows(9, (3, 0), (35, 8)), check_windows),
]


@pytest.mark.parametrize(("rule", "what", "change", "notices"), BROKEN, ids=[what for _, what, _, _ in BROKEN])
def test_a_broken_statement_is_noticed_by_its_check_alone(
    rule: str, what: str, change: Callable[[State], State], notices: Callable[[State], None]
) -> None:
    """C1, C5, C6, C7, P5, P6, R1, W1, M10: the smallest corruption of each record trips one check, under its id."""
    state = change(sound())
    for check in CHECKS:
        if check is not notices:
            check(state)
    with pytest.raises(InvariantBroken, match=f"^{rule}: "):
        notices(state)
    with pytest.raises(InvariantBroken, match=f"^{rule}: "):
        check_all(state)


@pytest.mark.parametrize(
    "listed",
    [
        {"collateral": {WETH: 7, 2: 1}},
        {"collateral": {-1: 7}},
        {"collateral": {USDC: 1, WETH: 7}},
        {"positions": {7: Position(1, 1, 1)}},
        {"positions": {-1: Position(1, 1, 1)}},
    ],
)
def test_what_the_vault_does_not_know_is_noticed(listed: Any) -> None:
    """R1: a token or a market that is not listed, or USDC as collateral; before any sum is taken over it."""
    account = replace(sound().accounts[ACCOUNT], **listed)
    with pytest.raises(InvariantBroken, match="R1: account"):
        check_all(with_account(sound(), ACCOUNT, account))


def test_impact_kept_without_a_skew_is_noticed() -> None:
    """C6, FIL-9: longs and shorts of the same size have no potential, so nothing is kept for it."""
    pair = {
        ACCOUNT: holding(10**4 * W, positions={BTC: opened(W, BTC_PRICE)}),
        KEEPER: holding(10**4 * W, positions={BTC: opened(-W, BTC_PRICE)}),
    }
    check_market_totals(state_with(pair, pool=10**6 * W))
    with pytest.raises(InvariantBroken, match=r"^C6: market 0 has no skew and holds impact"):
        check_market_totals(state_with(pair, pool=10**6 * W, impact={BTC: 1}))


def test_an_isolated_account_without_its_market_is_noticed() -> None:
    """M10: it could never trade."""
    with pytest.raises(InvariantBroken, match="M10: isolated account"):
        check_all(with_account(sound(), KEEPER + 9, holding(0, isolated=9)))


def test_negative_shares_are_noticed() -> None:
    """C7: whatever the owners have."""
    with pytest.raises(InvariantBroken, match=r"^C7: a ledger is negative"):
        check_ledger_signs(with_ledger(sound(), shares=-1))


@pytest.mark.parametrize("count", [16, 17])
def test_more_positions_than_an_account_may_hold_are_noticed(count: int) -> None:
    """R1, S7: sixteen are fine, one more is not."""
    listed = {market: opened(W, BTC_PRICE) for market in range(count)}
    state = state_with(markets=(MARKETS[BTC],) * 17)
    state = positions(*listed.items())(with_account(state, ACCOUNT, holding(0)))
    if count == 16:
        check_records(state)
    else:
        with pytest.raises(InvariantBroken, match=r"R1: account .* too many positions"):
            check_records(state)


def test_every_check_is_part_of_check_all() -> None:
    """C1, C5, C7, P5, R1: no predicate is forgotten."""
    names = {name for name in vars(invariants) if name.startswith("check_") and name != "check_all"}
    assert names == {check.__name__ for check in CHECKS}


def test_a_broken_invariant_is_no_refusal() -> None:
    """S1: a defect must not be caught as a refusal."""
    assert not issubclass(InvariantBroken, Refusal)
    assert issubclass(InvariantBroken, AssertionError)


# --- the books kept from events -------------------------------------------------------------------------------------


def entered(*events: Any) -> Books:
    """Books after the events of one action."""
    books = Books()
    books.take(events)
    return books


def test_books_that_balance_are_accepted() -> None:
    """C1, C9: cash, pool and insurance less deficit against USDC; units and inventory against other tokens."""
    books = entered(
        AccountUpdated(1, 5 * 10**12),
        AccountUpdated(2, -2 * 10**12),
        LedgerUpdated(4 * 10**12, 2 * 10**12, 10**12, 2 * 10**12, 9, 0),
        EscrowUpdated(10**12),
        TokenUpdated(0, 9, 0),
        CollateralUpdated(1, 1, 6),
        CollateralUpdated(2, 1, 1),
        TokenUpdated(1, 10, 3),
        StakeUpdated(1, 9, 0, 0),
    )
    assert books.cash == {1: 5 * 10**12, 2: -2 * 10**12}
    assert books.units == {(1, 1): 6, (2, 1): 1}
    assert books.held == {0: 9, 1: 10}
    books.take(())
    books.take((AccountUpdated(2, 0), TokenUpdated(0, 11, 0)))
    books.take((CollateralUpdated(1, 1, 0), TokenUpdated(1, 4, 3)))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ((AccountUpdated(1, 1),), "C1: ledgers sum to 1, USDC held is 0"),
        ((LedgerUpdated(1, 0, 0, 0, 0, 0),), "C1: ledgers sum to 1"),
        ((LedgerUpdated(0, 1, 0, 0, 0, 0),), "C1: ledgers sum to 1"),
        ((LedgerUpdated(0, 0, 1, 0, 0, 0),), "C1: ledgers sum to -1"),
        ((EscrowUpdated(1),), "C1: ledgers sum to 1"),
        ((TokenUpdated(0, 1, 0),), f"C1: ledgers sum to 0, USDC held is {10**12}"),
        ((AccountUpdated(1, 10**12 - 1), TokenUpdated(0, 1, 0)), "C1: ledgers sum to"),
        ((CollateralUpdated(1, 1, 1),), "C1: token 1: 1 owned, 0 held"),
        ((TokenUpdated(1, 1, 0),), "C1: token 1: 0 owned, 1 held"),
        ((TokenUpdated(1, 0, 1),), "C1: token 1: 1 owned, 0 held"),
        ((CollateralUpdated(1, 1, 2), TokenUpdated(1, 1, 0)), "C1: token 1: 2 owned, 1 held"),
        ((CollateralUpdated(1, 1, 1), CollateralUpdated(1, 2, 1), TokenUpdated(1, 1, 0)), "C1: token 2"),
    ],
)
def test_books_that_do_not_balance_are_noticed(events: tuple[Any, ...], message: str) -> None:
    """C1, C9: a single wei or unit too much anywhere."""
    with pytest.raises(InvariantBroken, match=message):
        entered(*events)


def test_books_replace_old_values_instead_of_adding_them() -> None:
    """C9: an event carries the record's new value."""
    books = entered(AccountUpdated(1, 5 * 10**12), TokenUpdated(0, 5, 0))
    books.take((AccountUpdated(1, 7 * 10**12), TokenUpdated(0, 7, 0)))
    with pytest.raises(InvariantBroken):
        books.take((AccountUpdated(1, 6 * 10**12),))
