"""Trades and leverage caps are checked in order, and a refusal leaves everything as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.actions import SetLeverageCap, Trade
from protocol.configuration import LEVERAGE_LIMIT
from protocol.env import Status
from protocol.params import MAX_POSITIONS, EquityTier
from protocol.state import Position
from protocol.units import SIZE_LIMIT, W
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    MARKETS,
    STATUSES,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    state_with,
    with_risk,
)
from tests.protocol.trades import (
    LOT,
    OPENING,
    buy,
    expensive_market,
    free_risk,
    reduction,
    trader,
)


def attempt_growth(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    market: int = BTC,
    isolated: int = 0,
    size: int = W,
    acceptable: int = ANY_PRICE,
    status: int = 0,
    paused: bool = False,
    before: int = 0,
    debt_cap: int = 3 * W,
    eth_status: int = 0,
    weth: int = 100 * 10**18,
    tiers: tuple[EquityTier, ...] = (EquityTier(0, 20 * W),),
    many: int = 0,
    pool: int = 10**6 * W,
    **params: Any,
) -> str:
    """A trade that grows a position of an account with WETH, and a debt of under 3 dollars once it has paid."""
    positions = {BTC: Position(before, 0, 0)} if before else {}
    positions |= {2 + i: opened(W, BTC_PRICE) for i in range(many - len(positions))}
    markets = (replace(MARKETS[BTC], **params), MARKETS[ETH], *(MARKETS[BTC],) * many)
    state = state_with(
        {ACCOUNT: holding(2 * W, {WETH: weth}, positions)},
        pool=pool,
        markets=markets,
        risk=with_risk(debt_cap=debt_cap, equity_tiers=tiers),
        paused=paused,
    )
    if isolated:
        changed = replace(state.accounts[ACCOUNT], isolated=isolated)
        state = replace(state, accounts=state.accounts.put(ACCOUNT, changed))
    surroundings = env(sender, btc_status=status, eth_status=eth_status)
    return outcome_of(state, surroundings, Trade(account, market, size, acceptable))


def test_growth_is_checked_in_order() -> None:
    """TRD-1 to TRD-12: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-trader", {"sender": STRANGER}),
        ("market/unknown", {"market": 2 + MAX_POSITIONS}),
        ("account/isolated", {"isolated": 2}),
        ("amount/zero", {"size": 0}),
        ("sys/domain", {"size": SIZE_LIMIT}),
        ("market/lot", {"size": W + 1}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("market/opening-paused", {"paused": True}),
        ("sys/domain", {"before": SIZE_LIMIT - 1}),
        ("trade/price", {"acceptable": BTC_PRICE}),
        ("market/min-notional", {"min_notional": 8_001 * W}),
        ("market/premium", {"max_premium": 0}),
        ("market/skew-cap", {"skew_cap": W - 1}),
        ("market/oi-cap", {"oi_cap": W - 1}),
        ("account/positions", {"many": MAX_POSITIONS, "weth": 200 * 10**18}),
        ("pool/reserved", {"pool": W}),
        ("margin/debt-cap", {"debt_cap": 2 * W}),
        *((code, {"eth_status": int(status)}) for code, status in STATUSES.items()),
        ("margin/initial", {"weth": 10**18}),
        ("margin/equity-tier", {"tiers": (EquityTier(0, W // 10),)}),
    ]
    check_order_of(faults, attempt_growth)


def attempt_reduction(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    market: int = BTC,
    isolated: int = 0,
    size: int = -W,
    acceptable: int = BTC_PRICE,
    status: int = 0,
    min_notional: int = 1_000 * W,
    fee_rate: int = W // 200,
) -> str:
    """A trade that reduces a position of 2 BTC while opening is paused, every other price is missing and cash is 0."""
    risk = replace(free_risk(), debt_cap=0, equity_tiers=(EquityTier(0, 1),))
    market_params = replace(expensive_market(fee_rate), lot=LOT, min_notional=min_notional, oi_cap=0, skew_cap=0)
    positions = {BTC: opened(2 * W, BTC_PRICE), ETH: opened(10 * W, ETH_PRICE)}
    state = state_with(
        {ACCOUNT: holding(0, {WETH: 1}, positions)}, markets=(market_params, MARKETS[ETH]), risk=risk, paused=True
    )
    if isolated:
        changed = replace(state.accounts[ACCOUNT], isolated=isolated)
        state = replace(state, accounts=state.accounts.put(ACCOUNT, changed))
    surroundings = env(sender, btc_status=status, eth_status=int(Status.UNAVAILABLE))
    return outcome_of(state, surroundings, Trade(account, market, size, acceptable))


def test_a_reduction_is_checked_in_order() -> None:
    """TRD-1 to TRD-12, MRG-11: of two faults the earlier check speaks; pause, caps and other prices are not asked."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-trader", {"sender": STRANGER}),
        ("market/unknown", {"market": 2}),
        ("account/isolated", {"isolated": 2}),
        ("amount/zero", {"size": 0}),
        ("sys/domain", {"size": -SIZE_LIMIT}),
        ("market/lot", {"size": 1 - W}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("trade/price", {"acceptable": BTC_PRICE + 1}),
        ("market/min-notional", {"min_notional": 8_001 * W}),
        ("margin/reduce", {"fee_rate": W // 200 + 1}),
    ]
    check_order_of(faults, attempt_reduction)


def test_a_leverage_cap_is_checked_in_order() -> None:
    """TRD-14: account, owner, market, range, prices, margin, tier."""

    def attempt(
        account: int = ACCOUNT,
        sender: int = BORROWER,
        market: int = BTC,
        cap: int = 8 * W,
        status: int = 0,
        cash: int = 10**5 * W,
        tiers: tuple[EquityTier, ...] = (EquityTier(0, 20 * W),),
    ) -> str:
        held = holding(cash, positions={BTC: opened(W, BTC_PRICE)})
        state = state_with({ACCOUNT: held}, risk=with_risk(equity_tiers=tiers))
        return outcome_of(state, env(sender, btc_status=status), SetLeverageCap(account, market, cap))

    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-owner", {"sender": STRANGER}),
        ("market/unknown", {"market": 2}),
        ("sys/domain", {"cap": LEVERAGE_LIMIT}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("margin/initial", {"cash": 1_009 * W}),
        ("margin/equity-tier", {"tiers": (EquityTier(0, W // 100),)}),
    ]
    check_order_of(faults, attempt)


def test_a_closing_of_the_last_position_is_checked_in_order() -> None:
    """MRG-11: the price of collateral is asked before the account value."""
    state, trade = reduction(W // 100, -(10**6) * W, size=-W, weth=10**18)
    assert refused(state, env(), trade) == "margin/reduce"
    assert refused(state, env(eth_status=int(Status.STALE_HARD)), trade) == "oracle/stale"


def test_a_refusal_at_the_very_last_check_leaves_everything_as_it_was() -> None:
    """S1: state and accounts, to the last wei."""
    state = trader(cash=OPENING - 1)
    assert refused(state, env(), buy(W)) == "margin/initial"
    assert state == trader(cash=OPENING - 1)
