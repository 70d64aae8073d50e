"""Dispatch, and what holds of every action whatever it is."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import actions
from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Deposit, DepositToPool, Liquidate, SetMarket, Trade, Withdraw
from protocol.codec import digest
from protocol.env import Env
from protocol.errors import REFUSALS, Refusal
from protocol.margin import compute_health, is_liquidatable
from protocol.params import EquityTier, MarginBracket
from protocol.records import Table
from protocol.state import EMPTY_MARKET, EMPTY_WINDOW, INSTANT, MarketPhase, State, Window, account_id
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
    GUARDIAN,
    KEEPER,
    LENDER,
    LIQUIDATOR,
    MARKETS,
    NOW,
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
from tests.protocol.strategies import (
    CALLED,
    ORDERED,
    OTHER,
    SLOW,
    SLOWLY,
    UNDER,
    UNLISTED,
    Step,
    busy,
    play,
    steps,
)
from tests.twins import weth_params


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


EXAMPLES: list[tuple[int, Any]] = [
    (BORROWER, Deposit(ACCOUNT, 0, 5)),
    (BORROWER, Deposit(ACCOUNT, WETH, 5)),
    (BORROWER, Withdraw(ACCOUNT, 0, 5)),
    (BORROWER, Withdraw(ACCOUNT, WETH, 5)),
    (BORROWER, actions.Transfer(ACCOUNT, ACCOUNT + 1, 0, 5)),
    (BORROWER, actions.Transfer(ACCOUNT, ACCOUNT + 1, WETH, 5)),
    (BORROWER, actions.CreateIsolated(ACCOUNT + 1, BTC)),
    (BORROWER, actions.SetOperator(ACCOUNT, TRADER)),
    (BORROWER, Trade(ACCOUNT, BTC, W, ANY_PRICE)),
    (BORROWER, Trade(ACCOUNT, BTC, -W, 0)),
    (BORROWER, Trade(ACCOUNT, BTC, -2 * W, 0)),
    (TRADER, actions.CloseAll(OTHER, 0)),
    (BORROWER, actions.SetLeverageCap(ACCOUNT, BTC, 10 * W)),
    (BORROWER, actions.CommitOrder(ACCOUNT, SLOW, 5 * W, ANY_PRICE)),
    (LIQUIDATOR, actions.SettleOrder(ORDERED, BTC, 1)),
    (LIQUIDATOR, actions.CancelOrder(ORDERED, ETH)),
    (LIQUIDATOR, actions.MarginCall(CALLED)),
    (LIQUIDATOR, actions.FlagAccount(UNDER)),
    (LIQUIDATOR, Liquidate(UNDER)),
    (LIQUIDATOR, actions.LiquidateMany((UNDER, ACCOUNT, CALLED))),
    (LENDER, DepositToPool(5 * 10**6)),
    (LENDER, actions.RequestRedemption(W)),
    (LENDER, actions.ClaimRedemption()),
    (STRANGER, actions.BuyInventory(WETH, 10**17, 10**9)),
    (STRANGER, actions.FundInsurance(5)),
    (ADMIN, actions.SetRisk(with_risk(debt_cap=1, keeper_reserve=11 * W))),
    (ADMIN, SetMarket(BTC, replace(MARKETS[BTC], brackets=MARKETS[BTC].brackets[:1]))),
    (ADMIN, SetMarket(UNLISTED, MARKETS[BTC])),
    (ADMIN, actions.SetOrders(BTC, SLOWLY)),
    (ADMIN, actions.SetCollateral(WETH, replace(weth_params(), brackets=weth_params().brackets[:1]))),
    (GUARDIAN, actions.PauseOpening(True)),
    (ADMIN, actions.ProposeAdmin(BORROWER)),
    (STRANGER, actions.AcceptAdmin()),
    (ADMIN, actions.SetGuardian(BORROWER)),
]
NAMES = [type(action).__name__ for _, action in EXAMPLES]


def test_the_examples_are_one_of_each_action() -> None:
    assert {type(action) for _, action in EXAMPLES} == set(PROCESS)


@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=NAMES)
def test_the_state_before_an_action_stays_usable(sender: int, action: Any) -> None:
    """S1, S2: two branches from one state do not see each other, and repeating gives the same."""
    state = busy()
    before = digest(state)
    first = run(state, env(sender), action)
    first_digest = digest(first.state)
    assert first_digest != before
    for _, other in EXAMPLES:
        outcome_of(state, env(BORROWER), other)
    second = run(state, env(sender), action)
    assert digest(second.state) == first_digest == digest(first.state)
    assert second == first
    assert digest(state) == before


@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=NAMES)
def test_an_idle_account_and_market_change_nothing(sender: int, action: Any) -> None:
    """X7, M7, M9: an account and a market more give the same events and the same other records."""
    state = busy()
    if isinstance(action, SetMarket) and action.market == UNLISTED:
        return
    idle = replace(
        state,
        accounts=state.accounts.put(account_id(0xDD), holding(0)),
        market_params=(*state.market_params, MARKETS[ETH]),
        market_phases=(*state.market_phases, MarketPhase(0, (), 0)),
        order_params=(*state.order_params, INSTANT),
        markets=(*state.markets, EMPTY_MARKET),
        windows=(*state.windows, EMPTY_WINDOW),
    )
    plain, with_idle = run(state, env(sender), action), run(idle, env(sender), action)
    assert with_idle.events == plain.events
    assert with_idle.state.ledger == plain.state.ledger
    for key, account in plain.state.accounts.items():
        assert with_idle.state.accounts[key] == account


def later(state: State, shift: int) -> State:
    """The same state in another epoch: every time in it moved, where there is one."""

    def moved(time: int) -> int:
        return time + shift if time else 0

    def moved_bucket(market: int, number: int) -> int:
        return number + shift // (state.market_params[market].window // 32)

    accounts = {
        key: replace(
            account,
            flagged_at=moved(account.flagged_at),
            margin_called_at=moved(account.margin_called_at),
            orders={
                market: replace(order, settles_from=order.settles_from + shift, expires_at=order.expires_at + shift)
                for market, order in account.orders.items()
            },
        )
        for key, account in state.accounts.items()
    }
    return replace(
        state,
        accounts=Table(accounts),
        risk_phase=replace(state.risk_phase, until=moved(state.risk_phase.until)),
        market_phases=tuple(replace(phase, until=moved(phase.until)) for phase in state.market_phases),
        collateral_phases=tuple(replace(phase, until=moved(phase.until)) for phase in state.collateral_phases),
        markets=tuple(replace(market, accrued_at=moved(market.accrued_at)) for market in state.markets),
        windows=tuple(
            Window(window.closed, tuple((moved_bucket(market, number), amount) for number, amount in window.entries))
            for market, window in enumerate(state.windows)
        ),
        stakes=Table(
            {owner: replace(stake, claimable_at=moved(stake.claimable_at)) for owner, stake in state.stakes.items()}
        ),
    )


@pytest.mark.parametrize("shift", [-11_200, 112, 112 * 10**7])
@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=NAMES)
def test_no_rule_reads_the_date(sender: int, action: Any, shift: int) -> None:
    """X11: only the time between two moments matters; all moments shifted give the same result, shifted."""
    first, other = run(busy(), env(sender), action), run(later(busy(), shift), env(sender, now=NOW + shift), action)
    assert other.state == later(first.state, shift)
    assert [type(event) for event in other.events] == [type(event) for event in first.events]


def test_the_order_of_registration_changes_no_balance() -> None:
    """X4: accounts registered in any order do the same with the same trades."""
    owners = (BORROWER, TRADER, STRANGER)
    ends = []
    for order in itertools.permutations(owners):
        state = state_with(pool=10**6 * W)
        for owner in order:
            state = run(state, env(owner), Deposit(account_id(owner), 0, 10**9)).state
        for owner in owners:
            state = run(state, env(owner), Trade(account_id(owner), BTC, W, ANY_PRICE)).state
        ends.append(state)
    assert all(end == ends[0] for end in ends), "tables compare without order"
    assert len({digest(end) for end in ends}) == 6, "digests tell the order of registration"


@pytest.mark.parametrize("scale", [10**3, 10**6], ids=["thousand", "million"])
def test_sizes_and_dollars_scale_together(scale: int) -> None:
    """X5: all sizes, scales and dollars a thousandfold give a thousandfold result where no rounding occurs."""

    def story(k: int) -> State:
        risk = with_risk(
            keeper_reserve=0,
            fixed_reward=0,
            max_reward=10**9 * W,
            debt_cap=10**9 * W,
            equity_tiers=(EquityTier(0, 20 * W),),
        )
        flat = tuple(
            replace(
                market,
                brackets=market.brackets[:1],
                lot=market.lot * k,
                skew_scale=market.skew_scale * k,
                skew_cap=market.skew_cap * k,
                oi_cap=market.oi_cap * k,
                oi_cap_usd=10**16 * W,
                oi_lower=0,
                oi_upper=0,
                window=0,
            )
            for market in MARKETS
        )
        state = state_with(pool=10**6 * W * k, risk=risk, markets=flat)
        state = run(state, env(), Deposit(ACCOUNT, 0, 10**9 * k)).state
        state = run(state, env(), Trade(ACCOUNT, BTC, 2 * W * k, ANY_PRICE)).state
        state = run(state, env(btc=8_200 * W), Trade(ACCOUNT, BTC, -W * k, 0)).state
        return run(state, env(LIQUIDATOR, btc=6_960 * W), Liquidate(ACCOUNT)).state

    one, many = story(1), story(scale)
    assert 0 < one.accounts[ACCOUNT].positions[BTC].size < W, "a partial close"
    assert many.accounts[ACCOUNT].positions[BTC].size == one.accounts[ACCOUNT].positions[BTC].size * scale
    for key, account in one.accounts.items():
        assert many.accounts[key].cash == account.cash * scale
    for field in ("pool", "insurance", "reserved"):
        assert getattr(many.ledger, field) == getattr(one.ledger, field) * scale


@given(steps())
def test_random_actions_keep_every_statement(told: list[Step]) -> None:
    """S1, C1, C3 to C7, C9, M1, M2, M9: over any actions at any prices; each succeeds or is refused by code."""
    for state, surroundings, action, code, after in play(busy(), told):
        assert outcome_of(state, surroundings, action) == code
        assert code == "ok" or code in REFUSALS
        if code != "ok":
            assert after is state
            continue
        check_margin_rule(state, after, surroundings, action)
        check_nobody_is_pushed(state, after, surroundings, action)
        if after.tokens[0].held == state.tokens[0].held:
            assert ledger_sum(after) == ledger_sum(state)


ADDS_RISK = Trade | Withdraw | actions.Transfer | actions.SetLeverageCap | actions.CloseAll


def check_margin_rule(before: State, after: State, surroundings: Env, action: Any) -> None:
    """M1, M2, I3: an account that acted for more risk ends HEALTHY; less risk keeps its health or ends it solvent."""
    if not isinstance(action, ADDS_RISK):
        return
    account, earlier_account = after.accounts[action.account], before.accounts[action.account]
    health, earlier = (compute_health(state, state.accounts[action.account], surroundings) for state in (after, before))
    if reduces(earlier_account, account, action):
        change = health.equity_mm - health.maintenance_margin - (earlier.equity_mm - earlier.maintenance_margin)
        assert change >= 0 or (not account.positions and health.equity_raw >= 0)
        return
    if isinstance(action, actions.SetLeverageCap) and action.market not in account.positions:
        return
    assert health.equity_im >= health.initial_margin or (account.cash >= 0 and not account.positions)
    if account.positions:
        standing = compute_account_state(after.risk, health)
        assert standing in {AccountState.HEALTHY, AccountState.MARGIN_CALL}, "the zone only within 2 wei of rounding"
    if isinstance(action, Withdraw | actions.Transfer) and action.token == 0:
        assert account.cash >= 0


def reduces(before: Any, after: Any, action: Any) -> bool:
    """Whether an action only made positions smaller."""
    if isinstance(action, actions.CloseAll):
        return True
    if not isinstance(action, Trade):
        return False
    old, new = (account.positions.get(action.market) for account in (before, after))
    return old is not None and (new is None or (new.size * old.size > 0 and abs(new.size) < abs(old.size)))


def check_nobody_is_pushed(before: State, after: State, surroundings: Env, action: Any) -> None:
    """M3, M9, I3, B39: at one price and one time, no account becomes liquidatable but by its own reduction."""
    own = action.account if isinstance(action, Trade | actions.CloseAll) else None
    for key, account in before.accounts.items():
        if key != own and not is_liquidatable(compute_health(before, account, surroundings)):
            assert not is_liquidatable(compute_health(after, after.accounts[key], surroundings)), f"{key} by {action}"


@given(
    size=st.integers(-2_000, 2_000).filter(lambda lots: abs(lots) >= 125),
    part=st.integers(1, 2_000),
    price=st.integers(7_900, 8_100),
    fees=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    scales=st.tuples(st.integers(1, 10**4), st.integers(1, 10**4)),
)
def test_dearer_parameters_never_improve_a_trade_and_its_end(
    size: int, part: int, price: int, fees: tuple[int, int], scales: tuple[int, int]
) -> None:
    """N5, T5: opened in one block and closed in parts at another price: never better off with a higher fee or impact.

    Two roundings of an impact and its rebate at each of the three fills can differ by a wei each.
    """
    first = min(part, abs(size) - 1) * (-1 if size > 0 else 1)
    results = []
    for fee, scale in zip(sorted(fees), sorted(scales, reverse=True), strict=True):
        dear = replace(
            MARKETS[BTC],
            maker_fee=fee * W // 10**4,
            taker_fee=fee * W // 10**4,
            skew_scale=scale * W,
            max_premium=10**4,
        )
        dear = replace(dear, min_notional=1, skew_cap=10**4 * W)
        state = state_with({ACCOUNT: holding(10**6 * W)}, pool=10**7 * W, markets=(dear, MARKETS[ETH]))
        for delta, at in ((size, BTC_PRICE), (first, price * W), (-size - first, price * W)):
            limit = ANY_PRICE if delta > 0 else 0
            state = run(state, env(btc=at), Trade(ACCOUNT, BTC, delta * W // 1_000, limit)).state
        results.append(state.accounts[ACCOUNT].cash)
        if price == 8_000:
            assert results[-1] <= 10**6 * W, "a round trip at one price never gains"
    assert results[1] <= results[0] + 6


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
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, W, 5)) == {
        "price": BTC_PRICE,
        "impact": 24 * W // 10,  # from a skew of 2.5 to 3.5
        "acceptable": 5,
    }
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W + W // 1_000, 0)) == {"notional": 8 * W}
    assert facts_of(state, env(), Deposit(ACCOUNT, 9, 1)) == {"token": 9}
    assert facts_of(state, env(), Deposit(ACCOUNT, 0, 2**96)) == {"value": 2**96}
    assert facts_of(state, env(), Withdraw(ACCOUNT, 0, 10**12)) == {"cash": 1_000 * W}
    assert facts_of(state, env(), Withdraw(ACCOUNT, WETH, 2 * 10**18)) == {"held": 10**18}
    assert facts_of(state, env(LIQUIDATOR), Liquidate(ACCOUNT)) == {
        "equity_mm": 1_180 * W,
        "maintenance_margin": 210 * W,
    }
    # 1,000 less a fee of 16 and an impact of 14.40, 85 % of 200; 5 BTC at 5 % and the reserve of 10.
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, 4 * W, ANY_PRICE)) == {
        "equity_im": 1_139 * W + 6 * W // 10,
        "initial_margin": 2_010 * W,
    }
    owing = state_with({ACCOUNT: holding(-7 * W, {WETH: 10**21})}, deficit=5)
    rich = state_with({ACCOUNT: holding(-7 * W, {WETH: 10**21})}, pool=100 * W)
    poor = replace(rich, risk=with_risk(debt_cap=0, lock_ratio=0))
    assert facts_of(poor, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE)) == {"debt": 11 * W + 4 * W // 10}
    assert facts_of(owing, env(), DepositToPool(1)) == {"deficit": 5}
    empty = state_with({ACCOUNT: holding(10**12)}, deficit=10**12)
    assert facts_of(empty, env(), Withdraw(ACCOUNT, 0, 1)) == {"held": 0}


def test_a_refused_reduction_says_how_far_health_fell() -> None:
    """MRG-11, S1: the change of equity_mm less maintenance margin, and the account value where that decided."""
    risk = with_risk(keeper_reserve=0)
    fee = W // 100
    rows = (MarginBracket(0, W // 200, W // 100),)
    dear = replace(MARKETS[BTC], maker_fee=fee, taker_fee=fee, rebate_ratio=0, brackets=rows)
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
