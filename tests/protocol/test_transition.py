"""Dispatch, and what holds of every action whatever it is."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import actions
from protocol.actions import (
    Deposit,
    DepositToPool,
    FundInsurance,
    Liquidate,
    PauseOpening,
    SetCollateral,
    SetMarket,
    SetRisk,
    Trade,
    Withdraw,
)
from protocol.codec import digest
from protocol.env import Env
from protocol.errors import REFUSALS, Refusal
from protocol.margin import compute_health
from protocol.params import MarginBracket
from protocol.records import Table
from protocol.state import Account, State, account_id
from protocol.transition import PROCESS, apply
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    GUARDIAN,
    KEEPER,
    LENDER,
    LIQUIDATOR,
    MARKETS,
    STRANGER,
    TRADER,
    WETH,
    env,
    holding,
    ledger_sum,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.twins import RISK, weth_params

OTHER = account_id(TRADER)


def test_every_action_has_a_handler_of_its_name() -> None:
    """S8: the table covers the actions, and each handler is named for its action."""
    assert set(PROCESS) == set(get_args(actions.Action))
    for action, handler in PROCESS.items():
        snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in action.__name__)
        assert handler.__name__ == "process" + snake


def test_what_is_no_action_is_no_refusal_either() -> None:
    """S1: a mistake of the program is not an answer of the protocol."""
    with pytest.raises(KeyError):
        apply(state_with(), env(), "deposit")  # type: ignore[arg-type]


def busy() -> State:
    """Two accounts with positions and collateral, a pool, insurance and inventory."""
    return state_with(
        {
            ACCOUNT: holding(1_000 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}),
            OTHER: holding(300 * W, {}, {BTC: opened(-W // 2, BTC_PRICE), ETH: opened(5 * W, ETH_PRICE)}),
        },
        pool=10**6 * W,
        insurance=10**4 * W,
        shares={LENDER: 10**6 * W},
        inventory={WETH: 10**18},
    )


EXAMPLES: list[tuple[int, Any]] = [
    (BORROWER, Deposit(ACCOUNT, 0, 5)),
    (BORROWER, Deposit(ACCOUNT, WETH, 5)),
    (BORROWER, Withdraw(ACCOUNT, 0, 5)),
    (BORROWER, Withdraw(ACCOUNT, WETH, 5)),
    (BORROWER, Trade(ACCOUNT, BTC, W, ANY_PRICE)),
    (BORROWER, Trade(ACCOUNT, BTC, -W, 0)),
    (BORROWER, Trade(ACCOUNT, BTC, -2 * W, 0)),
    (LENDER, DepositToPool(5 * 10**6)),
    (STRANGER, FundInsurance(5)),
    (ADMIN, SetRisk(with_risk(debt_cap=1))),
    (ADMIN, SetMarket(2, MARKETS[BTC])),
    (ADMIN, SetCollateral(WETH, weth_params())),
    (GUARDIAN, PauseOpening(True)),
]


def test_the_examples_are_one_of_each_action() -> None:
    assert {type(action) for _, action in EXAMPLES} | {Liquidate} == set(PROCESS)


@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_the_state_before_an_action_stays_usable(sender: int, action: Any) -> None:
    """S1, S2: two branches from one state do not see each other, and repeating gives the same."""
    state = busy()
    before = digest(state)
    first = run(state, env(sender), action)
    first_digest = digest(first.state)
    for _, other in EXAMPLES:
        outcome_of(state, env(BORROWER), other)
    second = run(state, env(sender), action)
    assert digest(second.state) == first_digest == digest(first.state)
    assert second == first
    assert digest(state) == before


@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_idle_account_and_market_change_nothing(sender: int, action: Any) -> None:
    """X7, M7, M9: an account and a market more give the same events and the same other records."""
    state = busy()
    idle = replace(
        state,
        accounts=state.accounts.put(account_id(0xDD), holding(0)),
        market_params=(*state.market_params, MARKETS[ETH]),
        markets=(*state.markets, state_with().markets[0]),
    )
    if isinstance(action, SetMarket):
        return
    plain, with_idle = run(state, env(sender), action), run(idle, env(sender), action)
    assert with_idle.events == plain.events
    assert with_idle.state.ledger == plain.state.ledger
    for key, account in plain.state.accounts.items():
        assert with_idle.state.accounts[key] == account


@pytest.mark.parametrize("shift", [-1_000, 1, 10**9])
@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_no_rule_reads_the_time(sender: int, action: Any, shift: int) -> None:
    """X11: prices and their staleness carry all there is of time."""
    now = env().now
    assert run(busy(), env(sender), action) == run(busy(), env(sender, now=now + shift), action)


def test_the_order_of_registration_changes_no_balance() -> None:
    """X4: permuted registrations give the same records."""
    steps = [
        (env(owner), action)
        for owner in (BORROWER, TRADER, STRANGER)
        for action in (
            Deposit(account_id(owner), 0, 10**9),
            Trade(account_id(owner), BTC, W, ANY_PRICE),
        )
    ]
    by_owner = [steps[0:2], steps[2:4], steps[4:6]]
    ends = []
    for order in itertools.permutations(by_owner):
        state = state_with(pool=10**6 * W)
        for surroundings, action in itertools.chain(*order):
            state = run(state, surroundings, action).state
        ends.append(state)
    assert all(end == ends[0] for end in ends), "tables compare without order"
    assert len({digest(end) for end in ends}) == 6, "digests tell the order of registration"


@pytest.mark.parametrize("scale", [10**3, 10**6], ids=["thousand", "million"])
def test_sizes_and_dollars_scale_together(scale: int) -> None:
    """X5: all sizes and dollars a thousandfold give a thousandfold result where no rounding occurs."""

    def story(k: int) -> State:
        risk = replace(RISK, keeper_reserve=0, fixed_reward=0, max_reward=10**9 * W, debt_cap=10**9 * W)
        flat = tuple(replace(market, brackets=market.brackets[:1]) for market in MARKETS)
        state = state_with(pool=10**6 * W * k, risk=risk, markets=flat)
        state = run(state, env(), Deposit(ACCOUNT, 0, 10**9 * k)).state
        state = run(state, env(), Trade(ACCOUNT, BTC, 2 * W * k, ANY_PRICE)).state
        state = run(state, env(btc=8_200 * W), Trade(ACCOUNT, BTC, -W * k, 0)).state
        return run(state, env(LIQUIDATOR, btc=6_900 * W), Liquidate(ACCOUNT)).state

    one, many = story(1), story(scale)
    for key, account in one.accounts.items():
        assert many.accounts[key].cash == account.cash * scale
    assert many.ledger.pool == one.ledger.pool * scale
    assert many.ledger.insurance == one.ledger.insurance * scale


SENDERS = (BORROWER, TRADER, LIQUIDATOR, LENDER, STRANGER, ADMIN, GUARDIAN)
ACCOUNT_IDS = st.sampled_from((ACCOUNT, ACCOUNT + 1, OTHER, KEEPER, 5))
TOKENS = st.sampled_from((0, 1, 1, 2))
UNITS = st.sampled_from((0, 1, 10**6, 10**9, 10**12, 10**18, 10**19, 2**96))
LOTS = st.integers(-4_000, 4_000).map(lambda lots: lots * W // 1_000) | st.sampled_from((0, 1, 2**96))
ANY_ACTION = st.one_of(
    st.builds(Deposit, ACCOUNT_IDS, TOKENS, UNITS),
    st.builds(Withdraw, ACCOUNT_IDS, TOKENS, UNITS),
    st.builds(Trade, ACCOUNT_IDS, st.sampled_from((0, 0, 1, 2)), LOTS, st.just(0)).map(
        lambda trade: replace(trade, acceptable_price=ANY_PRICE if trade.size_delta > 0 else 0)
    ),
    st.builds(Liquidate, ACCOUNT_IDS),
    st.builds(DepositToPool, UNITS),
    st.builds(FundInsurance, UNITS),
    st.sampled_from((SetRisk(with_risk(debt_cap=0)), SetRisk(with_risk(penalty_ratio=W)), SetRisk(RISK))),
    st.builds(SetMarket, st.integers(0, 3), st.sampled_from(MARKETS)),
    st.builds(SetCollateral, st.integers(0, 2), st.just(weth_params())),
    st.builds(PauseOpening, st.booleans()),
)
STEP = st.tuples(
    ANY_ACTION, st.integers(0, 6), st.integers(1, 16_000), st.integers(1, 400), st.sampled_from((0, 0, 0, 4))
)


def sender_of(action: Any, choice: int) -> int:
    """Mostly somebody who may do it."""
    if choice < len(SENDERS) - 2:
        if isinstance(action, Withdraw | Trade):
            return action.account >> 96
        if isinstance(action, SetRisk | SetMarket | SetCollateral | PauseOpening):
            return ADMIN
    return SENDERS[choice]


@given(st.lists(STEP, max_size=25))
def test_random_actions_keep_every_statement(steps: list[tuple[Any, int, int, int, int]]) -> None:
    """S1, C1, C3, C5, C7, C9, M1, M9: over any actions at any prices; each either succeeds or is refused by code."""
    state = replace(busy(), collateral_params=(weth_params(),))
    for action, choice, btc, eth, status in steps:
        surroundings = env(sender_of(action, choice), btc=btc * W, eth=eth * W, btc_status=status)
        code = outcome_of(state, surroundings, action)
        if code != "ok":
            assert code in REFUSALS
            continue
        after = run(state, surroundings, action).state
        check_margin_rule(state, after, surroundings, action)
        if isinstance(action, Trade | Liquidate | PauseOpening | SetRisk | SetMarket | SetCollateral):
            assert ledger_sum(after) == ledger_sum(state)
        state = after


def check_margin_rule(before: State, after: State, surroundings: Env, action: Any) -> None:
    """M1, M2, I3: an account that acted for more risk ends at or above initial margin; less risk keeps its health."""
    if not isinstance(action, Trade | Withdraw):
        return
    account: Account = after.accounts[action.account]
    health = compute_health(after, account, surroundings)
    if isinstance(action, Withdraw):
        assert health.equity_im >= health.initial_margin or not account.positions
        assert account.cash >= 0 or action.token != 0
        return
    old = before.accounts[action.account].positions.get(action.market)
    new = account.positions.get(action.market)
    old_size, new_size = (old.size if old else 0), (new.size if new else 0)
    if abs(new_size) > abs(old_size) or new_size * old_size < 0:
        assert health.equity_im >= health.initial_margin
    else:
        earlier = compute_health(before, before.accounts[action.account], surroundings)
        assert health.equity_mm - health.maintenance_margin >= earlier.equity_mm - earlier.maintenance_margin or (
            not account.positions and health.equity_raw >= 0
        )


# --- refusals -------------------------------------------------------------------------------------------------------


def test_every_refusal_has_a_code_of_its_own_and_says_when_it_occurs() -> None:
    """S1, O5: codes are short, in areas, unique, and each has a sentence."""
    assert len(REFUSALS) > 30
    for code, refusal in REFUSALS.items():
        assert refusal.code == code
        assert len(code) <= 31
        assert code == code.lower()
        assert code.count("/") == 1
        assert (refusal.__doc__ or "").strip().endswith(".")


def test_a_refusal_shows_its_reason_and_its_numbers() -> None:
    """S1: what decided it, for people; the code alone for machines."""
    found = REFUSALS["margin/initial"](equity_im=5, initial_margin=6)
    assert found.args == ("margin/initial",)
    assert found.facts == {"equity_im": 5, "initial_margin": 6}
    assert str(found) == (
        "margin/initial: An action that adds risk must leave equity_im at or above the initial margin. "
        "(equity_im 5, initial_margin 6)"
    )
    assert str(REFUSALS["amount/zero"]()) == "amount/zero: The amount is zero."


def facts_of(state: State, surroundings: Env, action: Any) -> dict[str, int]:
    """The numbers of a refusal."""
    with pytest.raises(Refusal) as refusal:
        apply(state, surroundings, action)
    return refusal.value.facts


def test_refusals_carry_the_numbers_that_decided_them() -> None:
    """S1: each number is the one of the check, with its sign."""
    state = busy()
    assert facts_of(state, env(), Trade(ACCOUNT, 9, W, ANY_PRICE)) == {"market": 9}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, W + 1, ANY_PRICE)) == {"lot": W // 1_000}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, W, 5)) == {"price": BTC_PRICE, "acceptable": 5}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W + W // 1_000, 0)) == {"notional": 8 * W}
    assert facts_of(state, env(), Deposit(ACCOUNT, 9, 1)) == {"token": 9}
    assert facts_of(state, env(), Deposit(ACCOUNT, 0, 2**96)) == {"value": 2**96}
    assert facts_of(state, env(), Withdraw(ACCOUNT, 0, 10**12)) == {"cash": 1_000 * W}
    assert facts_of(state, env(), Withdraw(ACCOUNT, WETH, 2 * 10**18)) == {"held": 10**18}
    assert facts_of(state, env(LIQUIDATOR), Liquidate(ACCOUNT)) == {
        "equity_mm": 1_180 * W,
        "maintenance_margin": 210 * W,
    }
    # 1,000 less a fee of 16, 85 % of 200; 5 BTC at 5 % and the reserve of 10.
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, 4 * W, ANY_PRICE)) == {
        "equity_im": 1_154 * W,
        "initial_margin": 2_010 * W,
    }
    owing = state_with({ACCOUNT: holding(-7 * W, {WETH: 10**21})}, deficit=5)
    poor = replace(owing, risk=with_risk(debt_cap=0))
    assert facts_of(poor, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE)) == {"debt": 11 * W}
    assert facts_of(owing, env(), DepositToPool(1)) == {"deficit": 5}
    empty = state_with({ACCOUNT: holding(10**12)}, deficit=10**12)
    assert facts_of(empty, env(), Withdraw(ACCOUNT, 0, 1)) == {"held": 0}


def test_a_refused_reduction_says_how_far_health_fell() -> None:
    """MRG-7, S1: the change of equity_mm less maintenance margin, and the account value where that decided."""
    risk = with_risk(fixed_reward=0, reward_ratio=0, penalty_ratio=0, keeper_reserve=0)
    dear = replace(MARKETS[BTC], fee_rate=W // 100, brackets=(MarginBracket(0, W // 200, W // 100),))
    positions = {BTC: opened(W, BTC_PRICE)}
    state = state_with({ACCOUNT: holding(79 * W, {}, positions)}, risk=risk, markets=(dear, MARKETS[ETH]))
    # Half frees 20 of margin for a fee of 40; all of it 40 for 80, and leaves a dollar too little.
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W // 2, 0)) == {"change": -20 * W}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W, 0)) == {"change": -40 * W, "equity_raw": -W}


@pytest.mark.parametrize("code", ["no-area", "x/" + "y" * 30, "amount/zero"])
def test_a_malformed_or_taken_code_cannot_be_declared(code: str) -> None:
    """S8: a code is unique when its class is made."""
    count = len(REFUSALS)
    with pytest.raises(TypeError, match="malformed or taken"):
        type("Another", (Refusal,), {"code": code})
    assert len(REFUSALS) == count


def test_the_longest_code_is_accepted() -> None:
    """S8: 31 characters fit a word on chain."""
    code = "x/" + "y" * 29
    type("Longest", (Refusal,), {"code": code})
    assert REFUSALS.pop(code).code == code


def test_a_table_in_a_state_is_found_by_its_key() -> None:
    """X4: accounts are looked up by id, whatever their order."""
    state = replace(busy(), accounts=Table(dict(reversed(list(busy().accounts.items())))))
    assert run(state, env(), Deposit(ACCOUNT, 0, 1)).events == run(busy(), env(), Deposit(ACCOUNT, 0, 1)).events
    assert refused(state, env(), Liquidate(KEEPER)) == "account/unknown"
