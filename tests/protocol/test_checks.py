"""The checks that several actions share: who may act, amounts, and the margin left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import checks
from protocol.checks import (
    check_amount,
    check_initial_margin,
    check_market_listed,
    check_no_orders,
    check_owner,
    check_reduction,
    check_registered,
    check_remaining_margin,
    check_solvent_exit,
    check_token,
    check_trader,
    compute_position_health,
)
from protocol.draft import Draft, DraftAccount
from protocol.env import Env, Quote, Status
from protocol.errors import Refusal
from protocol.events import AccountFlagged
from protocol.fills import fill
from protocol.margin import compute_health
from protocol.params import EquityTier, MarginBracket
from protocol.state import MarketPhase, Order, Position, State
from protocol.units import DAY, UNITS_LIMIT, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    NOW,
    QUIET_MARKETS,
    STATUSES,
    STRANGER,
    TRADER,
    WETH,
    env,
    holding,
    moving,
    opened,
    state_with,
    with_market,
    with_risk,
)
from tests.protocol.orders import ORDER
from tests.protocol.test_policy import CODES
from tests.twins import RISK, weth_params


def outcome_of(check: Callable[..., Any], *arguments: Any) -> str:
    """``ok`` or the code of the refusal."""
    try:
        check(*arguments)
    except Refusal as refusal:
        return refusal.code
    return "ok"


def facts_of(check: Callable[..., Any], *arguments: Any) -> dict[str, int]:
    """The numbers of a refusal."""
    with pytest.raises(Refusal) as refusal:
        check(*arguments)
    return refusal.value.facts


# --- who, what and how much -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "operator", "owner_code", "trader_code"),
    [
        (BORROWER, 0, "ok", "ok"),
        (BORROWER, TRADER, "ok", "ok"),
        (TRADER, TRADER, "account/not-owner", "ok"),
        (TRADER, 0, "account/not-owner", "account/not-trader"),
        (STRANGER, TRADER, "account/not-owner", "account/not-trader"),
    ],
)
def test_an_operator_may_trade_and_the_owner_everything(
    sender: int, operator: int, owner_code: str, trader_code: str
) -> None:
    """WDR-1, TRF-1, ACC-2, TRD-1, S8: an account that is not registered is unknown to everybody."""
    state = state_with({ACCOUNT + 5: holding(W, operator=operator)})
    now = env(sender)
    assert outcome_of(check_owner, state, now, ACCOUNT + 5) == owner_code
    assert outcome_of(check_trader, state, now, ACCOUNT + 5) == trader_code
    for check in (check_owner, check_trader):
        assert outcome_of(check, state, now, ACCOUNT) == "account/unknown"
    if owner_code == "ok":
        assert check_owner(state, now, ACCOUNT + 5) is check_trader(state, now, ACCOUNT + 5)


def test_a_registered_account_is_found_by_anyone() -> None:
    """LIQ-1: whoever asks; an account of zeros is registered too."""
    state = state_with({ACCOUNT: holding(0)})
    assert check_registered(state, ACCOUNT) == holding(0)
    assert outcome_of(check_registered, state, KEEPER) == "account/unknown"


@pytest.mark.parametrize(("token", "code"), [(0, "ok"), (1, "ok"), (2, "token/unknown"), (2**256 - 1, "token/unknown")])
def test_tokens_are_usdc_and_the_listed_collaterals(token: int, code: str) -> None:
    """DEP-2, WDR-2, TRF-2: a token contract alone is not enough."""
    assert outcome_of(check_token, state_with(), token) == code
    if code != "ok":
        assert facts_of(check_token, state_with(), token) == {"token": token}


@pytest.mark.parametrize(
    ("market", "code"), [(0, "ok"), (1, "ok"), (2, "market/unknown"), (2**256 - 1, "market/unknown")]
)
def test_markets_are_the_listed_ones(market: int, code: str) -> None:
    """TRD-2, ACC-1: ids from 0 without gaps."""
    assert outcome_of(check_market_listed, state_with(), market) == code
    if code != "ok":
        assert facts_of(check_market_listed, state_with(), market) == {"market": market}


@pytest.mark.parametrize(
    ("units", "code"), [(0, "amount/zero"), (1, "ok"), (UNITS_LIMIT - 1, "ok"), (UNITS_LIMIT, "sys/domain")]
)
def test_an_amount_is_something_that_can_be_stored(units: int, code: str) -> None:
    """DEP-2, WDR-2, TRF-2, INS-1, UNIT-3: one unit at least, 96 bits at most."""
    assert outcome_of(check_amount, units) == code


# --- MRG-10: initial margin and equity tier -------------------------------------------------------------------------


def draft_of(state: State) -> tuple[Draft, DraftAccount]:
    """A draft of a state, and the account in it."""
    draft = Draft(state)
    return draft, draft.account(ACCOUNT)


def initial_code(state: State, now: Env) -> str:
    """What the check of initial margin says about the account as it is."""
    draft, account = draft_of(state)
    return outcome_of(check_initial_margin, draft, now, account)


@pytest.mark.parametrize(("wei", "code"), [(-1, "margin/initial"), (0, "ok"), (1, "ok")])
def test_initial_margin_is_asked_to_the_wei(wei: int, code: str) -> None:
    """MRG-10, M1: 1 BTC at 8,000 needs 400 and the reserve of 10; equality is enough."""
    state = state_with({ACCOUNT: holding(410 * W + wei, {}, {BTC: opened(W, BTC_PRICE)})})
    assert initial_code(state, env()) == code
    if code != "ok":
        draft, account = draft_of(state)
        facts = facts_of(check_initial_margin, draft, env(), account)
        assert facts == {"equity_im": 410 * W - 1, "initial_margin": 410 * W}


@pytest.mark.parametrize(("wei", "code"), [(-1, "margin/equity-tier"), (0, "ok"), (1, "ok")])
def test_the_equity_tier_is_asked_to_the_wei(wei: int, code: str) -> None:
    """MRG-10, MRG-9: at 10x a notional of 8,000 needs 800, though the initial margin is 410."""
    risk = with_risk(equity_tiers=(EquityTier(0, 10 * W),))
    state = state_with({ACCOUNT: holding(800 * W + wei, {}, {BTC: opened(W, BTC_PRICE)})}, risk=risk)
    assert initial_code(state, env()) == code
    if code != "ok":
        draft, account = draft_of(state)
        facts = facts_of(check_initial_margin, draft, env(), account)
        assert facts == {"equity_im": 800 * W - 1, "gross_notional": 8_000 * W}
    below_both = state_with({ACCOUNT: holding(409 * W, {}, {BTC: opened(W, BTC_PRICE)})}, risk=risk)
    assert initial_code(below_both, env()) == "margin/initial", "initial margin speaks first"


@pytest.mark.parametrize(
    ("cash", "weth", "code"),
    [(0, 10**18, "ok"), (1, 0, "ok"), (-1, 10**18, "oracle/unavailable"), (-1, 0, "margin/initial")],
)
def test_an_account_that_owes_nothing_needs_no_price(cash: int, weth: int, code: str) -> None:
    """MRG-10, B44: neither debt nor position: passes without a single price; a wei of debt must be covered."""
    state = state_with({ACCOUNT: holding(cash, {WETH: weth} if weth else {})})
    assert initial_code(state, Env(NOW, BORROWER, ())) == code


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
@pytest.mark.parametrize("feed", ["btc_status", "eth_status"])
def test_every_price_of_the_account_must_be_usable(feed: str, code: str, status: Status) -> None:
    """MRG-10, POL-2: of positions and of collateral; prices come before margin."""
    for cash in (10**5 * W, 0):
        state = state_with({ACCOUNT: holding(cash, {WETH: 1}, {BTC: opened(W, BTC_PRICE)})})
        assert initial_code(state, env(**{feed: int(status)})) == code


def test_an_account_that_passes_loses_its_flag() -> None:
    """MRG-10, LIQ-8: with and without positions, and one event; a refusal reports none."""
    for account, code, events in (
        (holding(410 * W, {}, {BTC: opened(W, BTC_PRICE)}, flagged_at=5), "ok", [AccountFlagged(ACCOUNT, 0)]),
        (holding(0, flagged_at=5), "ok", [AccountFlagged(ACCOUNT, 0)]),
        (holding(410 * W, {}, {BTC: opened(W, BTC_PRICE)}), "ok", []),
        (holding(409 * W, {}, {BTC: opened(W, BTC_PRICE)}, flagged_at=5), "margin/initial", []),
    ):
        draft, working = draft_of(state_with({ACCOUNT: account}))
        assert outcome_of(check_initial_margin, draft, env(), working) == code
        assert draft.events == events


def test_initial_margin_is_that_of_the_market_after_the_action() -> None:
    """MRG-10, MRG-6, M5: open interest and funding as the draft has them, pending funding included."""
    state = state_with({ACCOUNT: holding(410 * W, {}, {BTC: opened(W, BTC_PRICE)})})
    draft, account = draft_of(state)
    draft.open_market(BTC).long_oi = 10**6 * W
    assert outcome_of(check_initial_margin, draft, env(), account) == "margin/initial"
    owing = moving(state, BTC, accrued_at=NOW - DAY)
    assert initial_code(owing, env()) == "margin/initial"


# --- MRG-15: what is left when margin is taken away -----------------------------------------------------------------


def remaining_code(state: State, now: Env) -> str:
    """What the check of remaining margin says about the account as it is."""
    draft, account = draft_of(state)
    return outcome_of(check_remaining_margin, draft, now, account)


@pytest.mark.parametrize("status", list(Status))
def test_collateral_with_a_faulty_price_is_not_needed_where_the_rest_is_enough(status: Status) -> None:
    """MRG-15, M8, POL-2: any fault, to the wei, for initial margin and equity tier; below, the fault speaks."""
    faulty, code = env(eth_status=int(status)), CODES[status]
    tiers = with_risk(equity_tiers=(EquityTier(0, 10 * W),))
    for risk, needed in ((RISK, 410 * W), (tiers, 800 * W)):
        for wei, found in ((-1, code), (0, "ok")):
            account = holding(needed + wei, {WETH: 10**20}, {BTC: opened(W, BTC_PRICE)})
            state = state_with({ACCOUNT: account}, risk=risk)
            assert remaining_code(state, faulty) == found
            assert remaining_code(state, env()) == "ok"
            assert initial_code(state, faulty) == code, "an order needs every price"


def test_the_price_of_a_position_and_of_usdc_is_always_needed() -> None:
    """MRG-15, PEG-1: whatever else the account has; of several faults the worst speaks."""
    state = state_with({ACCOUNT: holding(10**5 * W, {WETH: 1}, {BTC: opened(W, BTC_PRICE)})})
    for code, status in STATUSES.items():
        assert remaining_code(state, env(btc_status=int(status))) == code
    both_bad = env(btc_status=int(Status.STALE_HARD), eth_status=int(Status.HALTED))
    assert remaining_code(state, both_bad) == "oracle/halted"
    pegged = replace(state, risk=with_risk(usdc_feed=3, depeg_threshold=W // 2))
    usdc = Quote(W, W, W, NOW, int(Status.STALE_HARD))
    assert remaining_code(pegged, replace(env(), quotes=(*env().quotes, usdc))) == "oracle/stale"
    assert remaining_code(pegged, replace(env(), quotes=(*env().quotes, replace(usdc, status=0)))) == "ok"


def test_a_debt_needs_what_covers_it() -> None:
    """MRG-15: without a position; what has a good price is enough, or every price is needed."""
    two = (weth_params(), replace(weth_params(), feed=BTC))
    for units, code in ((10**18, "ok"), (1, "oracle/stale")):
        state = state_with({ACCOUNT: holding(-100 * W, {WETH: 10**18, 2: units})}, collateral=two)
        assert remaining_code(state, env(eth_status=int(Status.STALE_HARD))) == code
    assert remaining_code(state_with({ACCOUNT: holding(0, {WETH: 1})}), Env(NOW, BORROWER, ())) == "ok"


def test_remaining_margin_lifts_the_flag() -> None:
    """MRG-15, LIQ-8: beside a faulty price as without one; a refusal reports nothing."""
    for cash, status, events in ((410 * W, Status.HALTED, 1), (410 * W, 0, 1), (409 * W, Status.HALTED, 0), (0, 0, 0)):
        account = holding(cash, {WETH: 1}, {BTC: opened(W, BTC_PRICE)}, flagged_at=5)
        draft, working = draft_of(state_with({ACCOUNT: account}))
        outcome_of(check_remaining_margin, draft, env(eth_status=int(status)), working)
        assert draft.events == [AccountFlagged(ACCOUNT, 0)] * events


@given(
    cash=st.integers(-(10**21), 10**21),
    weth=st.integers(0, 10**19),
    size=st.integers(-2_000, 2_000),
    price=st.integers(0, 2**96 - 1),
    status=st.sampled_from([Status.OK, *Status]),
)
def test_who_passes_without_a_price_passes_whatever_it_turns_out_to_be(
    cash: int, weth: int, size: int, price: int, status: Status
) -> None:
    """MRG-15, N1: nothing is given away; who does not pass is refused by MRG-10; without a fault the two are one."""
    positions = {BTC: opened(size * W // 1_000, BTC_PRICE)} if size else {}
    state = state_with({ACCOUNT: holding(cash, {WETH: weth} if weth else {}, positions)})
    faulty = env(eth_status=int(status))
    if remaining_code(state, faulty) == "ok":
        assert initial_code(state, env(eth=price)) == "ok" or (status == Status.OK and price < ETH_PRICE)
    else:
        assert remaining_code(state, faulty) == initial_code(state, faulty)
    assert remaining_code(state, env(eth=price)) == initial_code(state, env(eth=price))


# --- MRG-11: reductions ---------------------------------------------------------------------------------------------


def half_closed(cost: int, position: Position, now: Env, **state: Any) -> tuple[Draft, DraftAccount]:
    """1 BTC of which half was closed without any profit, for a cost in wei."""
    draft, account = draft_of(state_with({ACCOUNT: holding(0, {}, {BTC: position})}, **state))
    account.put_position(BTC, Position(position.size // 2, position.cost // 2, 0))
    # What was unrealised on the closed half is cash now.
    account.cash = position.size // 2 * now.quote(BTC).mid // W - position.cost // 2 - cost
    return draft, account


@pytest.mark.parametrize(("wei", "code"), [(-1, "ok"), (0, "ok"), (1, "margin/reduce")])
@pytest.mark.parametrize("price", [7_000 * W, 8_000 * W, 9_000 * W], ids=["loss", "even", "profit"])
@pytest.mark.parametrize("size", [W, -W], ids=["long", "short"])
def test_a_reduction_may_cost_no_more_than_the_margin_it_frees(size: int, price: int, wei: int, code: str) -> None:
    """MRG-11, M2: 2.5 % of the notional closed, to the wei, whatever profit or standing."""
    now = env(btc=price)
    freed = price // 80
    draft, account = half_closed(freed + wei, opened(size, BTC_PRICE), now)
    assert outcome_of(check_reduction, draft, now, account, BTC) == code
    if code != "ok":
        assert facts_of(check_reduction, draft, now, account, BTC) == {"change": -1}


def test_a_reduction_needs_no_other_price() -> None:
    """MRG-11, L8: collateral and other markets are not measured, usable or not."""
    draft, account = half_closed(100 * W, opened(W, BTC_PRICE), env())
    account.put_collateral(WETH, 1)
    assert outcome_of(check_reduction, draft, env(eth=0, eth_status=int(Status.UNAVAILABLE)), account, BTC) == "ok"


def test_a_reduction_is_measured_with_the_rates_in_force() -> None:
    """MRG-11, MRG-8: while lower rates are still asked, closing frees less."""
    lower = (MarginBracket(0, W // 50, W // 20),)
    for now, most in ((NOW, 80 * W), (NOW + 1, 100 * W)):
        for wei, code in ((0, "ok"), (1, "margin/reduce")):
            draft, account = half_closed(most + wei, opened(W, BTC_PRICE), env())
            phases = (MarketPhase(NOW + 1, lower, 0), draft.base.market_phases[ETH])
            draft.base = replace(draft.base, market_phases=phases)
            assert outcome_of(check_reduction, draft, env(now=now), account, BTC) == code


def closed(cost: int, cash: int = 0, weth: int = 0, others: bool = False) -> tuple[Draft, DraftAccount]:
    """1 BTC closed at its entry price, for a cost in wei; the account has nothing else unless told so."""
    positions = {BTC: opened(W, BTC_PRICE), **({ETH: opened(W, ETH_PRICE)} if others else {})}
    state = state_with({ACCOUNT: holding(cash, {WETH: weth} if weth else {}, positions)})
    draft, account = draft_of(state)
    account.put_position(BTC, Position(0, 0, 0))
    account.cash = cash - cost
    return draft, account


@pytest.mark.parametrize(
    ("cost", "cash", "weth", "others", "code"),
    [
        # The last position frees the reserve as well: 200 and 10, whatever the account is worth.
        (210 * W, 0, 0, False, "ok"),
        (210 * W + 1, 0, 0, False, "margin/reduce"),
        # Beyond that its value must stay at or above zero; collateral counts at market.
        (210 * W + 1, 210 * W + 1, 0, False, "ok"),
        (210 * W + 1, 210 * W, 0, False, "margin/reduce"),
        (1_000 * W, 800 * W, 10**18, False, "ok"),
        (1_000 * W, 800 * W - 1, 10**18, False, "margin/reduce"),
        # With another position left there is no such exit, and the reserve stays.
        (200 * W, 0, 0, True, "ok"),
        (200 * W + 1, 10**6 * W, 0, True, "margin/reduce"),
    ],
)
def test_the_last_position_may_be_closed_by_a_solvent_account(
    cost: int, cash: int, weth: int, others: bool, code: str
) -> None:
    """MRG-11, M2, B8: each border to the wei."""
    draft, account = closed(cost, cash, weth, others)
    assert outcome_of(check_reduction, draft, env(), account, BTC) == code


def test_the_refusal_of_an_exit_says_what_is_missing() -> None:
    """MRG-11: the change of health, and the account value that decided."""
    draft, account = closed(300 * W, 299 * W)
    assert facts_of(check_reduction, draft, env(), account, BTC) == {"change": -90 * W, "equity_raw": -W}
    draft, account = closed(300 * W, 299 * W, others=True)
    assert facts_of(check_reduction, draft, env(), account, BTC) == {"change": -100 * W}


def test_no_exit_that_costs_health_beside_an_order() -> None:
    """MRG-11, ORD-8, B16: it would take the margin of the order, whatever the account is worth."""
    for tolerated in (None, 0):
        for cost, code in ((210 * W, "ok"), (210 * W + 1, "margin/reduce")):
            draft, account = closed(cost, 10**6 * W)
            account.orders = {ETH: ORDER}
            assert outcome_of(check_reduction, draft, env(), account, BTC, tolerated) == code


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_an_exit_that_costs_health_needs_the_price_of_every_collateral(code: str, status: Status) -> None:
    """MRG-11, MRG-15, POL-2: if the rest is worth less than nothing; one that costs none needs none."""
    now = env(eth_status=int(status))
    for cash, found in ((210 * W, code), (210 * W + 1, "ok")):
        draft, account = closed(210 * W + 1, cash, 10**18)
        assert outcome_of(check_reduction, draft, env(), account, BTC) == "ok"
        assert outcome_of(check_reduction, draft, now, account, BTC) == found
        assert outcome_of(check_solvent_exit, draft, now, account, -1) == found
        assert outcome_of(check_reduction, draft, now, account, BTC, 0) == code, "an order needs every price"
    draft, account = closed(210 * W, 10**4 * W, 10**18)
    assert outcome_of(check_reduction, draft, now, account, BTC) == "ok"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_positions_health_is_profit_less_funding_less_margin(sign: int) -> None:
    """MRG-11: 1 BTC bought at 8,000, now 8,500; funding stored on the index, or pending for a day at 1 %."""
    now, position = env(btc=8_500 * W), opened(sign * W, BTC_PRICE)
    margin = 425 * W // 2
    state = state_with({ACCOUNT: holding(0, {}, {BTC: position})})
    stored = with_market(state, BTC, funding_index=80 * W)
    assert compute_position_health(Draft(stored), now, BTC, position) == sign * 500 * W - sign * 80 * W - margin
    pending = moving(state, BTC, accrued_at=NOW - DAY)
    assert compute_position_health(Draft(pending), now, BTC, position) == sign * 500 * W - sign * 85 * W - margin


@given(
    cash=st.integers(-(10**22), 10**22),
    size=st.integers(-3_000, 3_000).filter(bool),
    part=st.integers(1, 3_000),
    price=st.integers(7_000, 9_000),
    daily=st.integers(-3, 3),
)
def test_the_check_of_a_reduction_is_the_change_of_the_whole_accounts_health(
    cash: int, size: int, part: int, price: int, daily: int
) -> None:
    """MRG-11, M2: measured on one market alone it is that of the account, to the wei of each rounding."""
    now = env(btc=price * W)
    positions = {BTC: opened(size * W // 1_000, BTC_PRICE), ETH: opened(5 * W, ETH_PRICE)}
    base = state_with({ACCOUNT: holding(cash, {WETH: 10**17}, positions)}, pool=10**7 * W, markets=QUIET_MARKETS)
    state = moving(base, BTC, daily * W // 100, accrued_at=NOW - DAY)
    draft, account = draft_of(state)
    delta = -min(part, abs(size)) * W // 1_000 * (1 if size > 0 else -1)
    fill(draft, account, BTC, delta, now.quote(BTC).mid, now)
    before = compute_health(state, state.accounts[ACCOUNT], now)
    after = compute_health(state, account, now, draft.market)
    change = (after.equity_mm - after.maintenance_margin) - (before.equity_mm - before.maintenance_margin)
    assert outcome_of(check_reduction, draft, now, account, BTC) == ("ok" if change >= 0 else "margin/reduce")
    if change < 0:
        assert facts_of(check_reduction, draft, now, account, BTC) == {"change": change}


def test_an_account_with_an_order_keeps_its_margin() -> None:
    """ORD-8: any order, in whatever market."""
    check_no_orders(holding())
    with pytest.raises(Refusal) as refusal:
        check_no_orders(holding(orders={ETH: Order(1, 0, 0, 0, 0, 1, 2)}))
    assert refusal.value.code == "order/pending"


def test_every_check_is_tested_here() -> None:
    """S8: no function of the module without a direct test above."""
    public = {name for name, value in vars(checks).items() if getattr(value, "__module__", "") == checks.__name__}
    assert public <= set(globals())
