"""Random parameters that pass the checks, random actions, and the sizes, prices and amounts that tests draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from protocol import actions
from protocol.configuration import check_collateral, check_market, check_risk
from protocol.env import Env
from protocol.errors import Refusal
from protocol.params import EquityTier, HaircutBracket, MarginBracket, OrderParams
from protocol.state import INSTANT, Order, Roles, Stake, State, account_id
from protocol.transition import apply
from protocol.units import DAY, W, cdiv
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
    NOW,
    STRANGER,
    TRADER,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_risk,
)
from tests.twins import RISK, weth_params

OTHER = account_id(TRADER)
CALLED, UNDER = account_id(0xE1), account_id(0xE2)  # in the margin-call zone, and below maintenance
ORDERED = account_id(0xE3)  # with an order that can be settled, and one that has expired
SLOW, UNLISTED = 2, 3  # a market of ETH that trades by orders, and none
SLOWLY = OrderParams(feed=ETH, delay=60, window=3_600, fee=2 * W, cancel_fee=W)
SIZES = st.integers(1, 10**6 * W) | st.integers(1, 100)
SIGNED_SIZES = SIZES | SIZES.map(lambda size: -size)
PRICES = st.integers(1, 10**6 * W) | st.integers(1, 100)


@st.composite
def lower_bounds(draw: st.DrawFn) -> list[int]:
    """One to eight lower bounds, from zero, strictly rising, to the wei."""
    count = draw(st.integers(1, 8))
    return [0, *sorted(draw(st.lists(st.integers(1, 10**25), min_size=count - 1, max_size=count - 1, unique=True)))]


@st.composite
def margin_rows(draw: st.DrawFn) -> tuple[MarginBracket, ...]:
    """Any margin brackets that pass the checks beside the reference risk parameters."""
    lowers = draw(lower_bounds())
    cost, count = RISK.closing_cost_ratio, len(lowers)
    mm = sorted(draw(st.lists(st.integers(cost + 1, W // 2), min_size=count, max_size=count, unique=True)))
    rows, im_below = [], 0
    for low, rate in zip(lowers, mm, strict=True):
        least = max(rate + cost + W // 200, cdiv(rate * 5, 4), im_below + 1)  # room for the fixed reward at 1,000 USD
        im_below = draw(st.integers(least, least + W // 100))
        rows.append(MarginBracket(low, rate, im_below))
    check_market(RISK, replace(MARKETS[BTC], brackets=tuple(rows)))
    return tuple(rows)


@st.composite
def haircut_rows(draw: st.DrawFn) -> tuple[HaircutBracket, ...]:
    """Any haircut brackets that pass the checks beside the reference risk parameters."""
    lowers = draw(lower_bounds())
    weights = st.lists(st.integers(0, W * 95 // 100), min_size=len(lowers), max_size=len(lowers))
    mm, im = sorted(draw(weights), reverse=True), sorted(draw(weights), reverse=True)
    rows = tuple(HaircutBracket(low, a, min(a, b)) for low, a, b in zip(lowers, mm, im, strict=True))
    check_collateral(RISK, replace(weth_params(), brackets=rows))
    return rows


@st.composite
def equity_tiers(draw: st.DrawFn) -> tuple[EquityTier, ...]:
    """Any equity tiers that pass the checks, with leverages of at least 1."""
    lowers = draw(lower_bounds())
    leverages = st.lists(st.integers(W, 100 * W), min_size=len(lowers), max_size=len(lowers))
    falling = sorted(draw(leverages), reverse=True)
    rows = tuple(EquityTier(low, leverage) for low, leverage in zip(lowers, falling, strict=True))
    check_risk(with_risk(equity_tiers=rows))
    return rows


# --- random actions -------------------------------------------------------------------------------------------------


def pending(size: int, settles_from: int) -> Order:
    """An order at any price, which the rules of its market no longer allow."""
    feed = BTC if size == W else ETH
    return Order(size, 2**128 - 1 if size > 0 else 0, 2 * W, W, feed, settles_from, settles_from + 600)


def busy() -> State:
    """Accounts in several states, a pool with a redemption due, insurance, inventory, and an admin proposed."""
    state = state_with(
        {
            ACCOUNT: holding(1_000 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}),
            OTHER: holding(5_000 * W, {}, {BTC: opened(-W // 2, BTC_PRICE), ETH: opened(5 * W, ETH_PRICE)}),
            CALLED: holding(220 * W, {}, {BTC: opened(W, BTC_PRICE)}),
            UNDER: holding(200 * W, {}, {BTC: opened(W, BTC_PRICE)}),
            ORDERED: holding(5_000 * W, orders={BTC: pending(W, NOW), ETH: pending(-5 * W, NOW - 3_600)}),
        },
        pool=10**6 * W,
        insurance=10**4 * W,
        stakes={LENDER: Stake(10**6 * W, 10 * W, NOW)},
        inventory={WETH: 10**18},
        impact={BTC: W},
        markets=(*MARKETS, MARKETS[ETH]),
        rules={SLOW: SLOWLY},
    )
    return replace(state, roles=Roles(ADMIN, STRANGER, GUARDIAN))


SENDERS = (BORROWER, TRADER, LIQUIDATOR, LENDER, STRANGER, GUARDIAN, ADMIN)
ACCOUNT_IDS = (*(ACCOUNT, OTHER, CALLED, UNDER) * 4, ORDERED, ACCOUNT + 1, KEEPER)
MARKET_IDS = (*(BTC,) * 6, *(ETH,) * 3, SLOW, UNLISTED)
TOKENS = (0, 0, 0, WETH, WETH, WETH, 2)
UNITS = (0, 1, 10**6, 10**7, 10**8, 10**9, 10**12, 10**17, 10**18, 2**96)
SIZES_OF = {
    BTC: (W // 8, W // 4, W // 2, W, W, W, 2 * W, 100 * W),
    ETH: (5 * W, 5 * W, 10 * W, 50 * W),
    SLOW: (5 * W, 10 * W),
    UNLISTED: (0, 1, W, 2**96),
}
RISKS = (
    RISK,
    with_risk(debt_cap=0),
    with_risk(keeper_reserve=40 * W),
    with_risk(penalty_ratio=W),
    with_risk(phase_in=3_600, sale_discount=0),
)
STRICT = replace(MARKETS[BTC], brackets=(MarginBracket(0, W // 10, W // 5),), oi_cap=5 * W, window=0)
FAST = replace(MARKETS[BTC], dead_band=0, funding_velocity=10 * W, funding_cap=W, skew_scale=20 * W)
COLLATERALS = (weth_params(), replace(weth_params(), brackets=(HaircutBracket(0, W // 2, 0),), account_cap=10**18))


def make_trade(r: Random) -> actions.Trade:
    """A trade of a usual size either way, at any price."""
    market = r.choice(MARKET_IDS)
    size = r.choice(SIZES_OF[r.choice((market,) * 15 + (UNLISTED,))])
    is_long = r.random() < 0.5
    return actions.Trade(r.choice(ACCOUNT_IDS), market, size if is_long else -size, ANY_PRICE if is_long else 0)


def make_order(r: Random) -> Any:
    """A commitment, mostly where orders are taken, or what may come of one."""
    account, market = r.choice((ACCOUNT, OTHER, ORDERED)), r.choice((SLOW, SLOW, SLOW, SLOW, ETH, UNLISTED))
    size = r.choice((5 * W, -5 * W, -5 * W, 50 * W, 1))
    free = actions.CommitOrder(account, market, size, ANY_PRICE if size > 0 else 0)
    settled = actions.SettleOrder(account, r.choice((market, BTC)), r.choice((1, 1, 1, 2)))
    return r.choice((free, free, settled, settled, actions.CancelOrder(account, market)))


# How an action is made, and how often.
KINDS: tuple[tuple[Callable[[Random], Any], int], ...] = (
    (make_trade, 10),
    (lambda r: actions.Deposit(r.choice(ACCOUNT_IDS), r.choice(TOKENS), r.choice(UNITS)), 2),
    (lambda r: actions.Withdraw(r.choice(ACCOUNT_IDS), r.choice(TOKENS), r.choice(UNITS)), 2),
    (lambda r: actions.Transfer(ACCOUNT, ACCOUNT + 1, r.choice(TOKENS), r.choice(UNITS)), 2),
    (lambda r: actions.Transfer(r.choice(ACCOUNT_IDS), r.choice(ACCOUNT_IDS), r.choice(TOKENS), r.choice(UNITS)), 1),
    (lambda r: actions.CreateIsolated(ACCOUNT + r.choice((0, 1, 1, 2)), r.choice(MARKET_IDS)), 1),
    (lambda r: actions.SetOperator(r.choice(ACCOUNT_IDS), r.choice((0, TRADER))), 1),
    (lambda r: actions.CloseAll(r.choice(ACCOUNT_IDS), r.choice((-(10**30), -(10**30), 0))), 2),
    (make_order, 5),
    (lambda r: actions.SetLeverageCap(r.choice(ACCOUNT_IDS), r.choice(MARKET_IDS), r.choice((0, 2 * W, 15 * W))), 1),
    (lambda r: actions.DepositToPool(r.choice(UNITS)), 1),
    (lambda r: actions.RequestRedemption(r.choice((0, 1, W, 10**6 * W, 2**96))), 1),
    (lambda r: actions.ClaimRedemption(), 1),
    (lambda r: actions.BuyInventory(r.choice(TOKENS), r.choice(UNITS), 2**96), 1),
    (lambda r: actions.FundInsurance(r.choice(UNITS)), 1),
    (lambda r: actions.MarginCall(r.choice(ACCOUNT_IDS)), 2),
    (lambda r: actions.FlagAccount(r.choice(ACCOUNT_IDS)), 1),
    (lambda r: actions.Liquidate(r.choice(ACCOUNT_IDS)), 3),
    (lambda r: actions.LiquidateMany(tuple(r.choices(ACCOUNT_IDS, k=r.randint(1, 4)))), 1),
    (lambda r: actions.SetRisk(r.choice(RISKS)), 1),
    (lambda r: actions.SetMarket(r.choice((BTC, BTC, BTC, UNLISTED, 4)), r.choice((MARKETS[BTC], STRICT, FAST))), 2),
    (lambda r: actions.SetOrders(r.choice((SLOW, UNLISTED)), r.choice((SLOWLY, SLOWLY, INSTANT))), 1),
    (lambda r: actions.SetCollateral(r.choice((0, 1, 1, 1, 2)), r.choice(COLLATERALS)), 1),
    (lambda r: actions.PauseOpening(r.random() < 0.3), 1),
    (lambda r: r.choice((actions.ProposeAdmin(ADMIN), actions.AcceptAdmin(), actions.SetGuardian(GUARDIAN))), 1),
)
MAKERS, WEIGHTS = zip(*KINDS, strict=True)
OWNED = (
    actions.Withdraw
    | actions.Transfer
    | actions.CreateIsolated
    | actions.SetOperator
    | actions.Trade
    | actions.CloseAll
    | actions.SetLeverageCap
    | actions.CommitOrder
)
GOVERNED = (
    actions.SetRisk
    | actions.SetMarket
    | actions.SetOrders
    | actions.SetCollateral
    | actions.PauseOpening
    | actions.ProposeAdmin
    | actions.SetGuardian
)


@dataclass(frozen=True)
class Step:
    """An action, mostly by somebody who may do it, some seconds after the one before, at some prices."""

    action: Any
    sender: int
    wait: int
    btc: int
    eth: int
    btc_status: int


def tell(seed: int, length: int) -> list[Step]:
    """A story: prices move by a few percent from step to step, and sometimes jump. A longer one begins alike."""
    r = Random(seed)
    told = []
    btc, eth = BTC_PRICE, ETH_PRICE
    for _ in range(length):
        (make,) = r.choices(MAKERS, WEIGHTS)
        action = make(r)
        btc = max(btc * r.choice((100, 100, 100, 97, 103, 94, 107, 80)) // 100, 1)
        eth = max(eth * r.choice((100, 100, 96, 105)) // 100, 1)
        wait = r.choice((0, 0, 1, 60, 3_600, DAY))
        told.append(Step(action, sender_of(action, r), wait, btc, eth, r.choice((0,) * 14 + (4,))))
    return told


def steps(most: int = 12) -> st.SearchStrategy[list[Step]]:
    """Stories of up to so many steps.

    A seed and a length: drawn one by one, choices repeat each other, and most actions are refused for one reason.
    """
    return st.builds(tell, st.integers(0, 2**64 - 1), st.integers(1, most))


def sender_of(action: Any, r: Random) -> int:
    """The owner or the admin nine times in ten, where only they may do it."""
    if r.random() < 0.9:
        if isinstance(action, OWNED):
            return int(action.account) >> 96
        if isinstance(action, GOVERNED):
            return ADMIN
        if isinstance(action, actions.AcceptAdmin):
            return STRANGER
        if isinstance(action, actions.RequestRedemption | actions.ClaimRedemption):
            return LENDER
    return r.choice(SENDERS)


def play(state: State, told: list[Step]) -> Iterator[tuple[State, Env, Any, str, State]]:
    """Each step: the state before, its surroundings, the action, ``ok`` or the refusal's code, and the state after."""
    now = NOW
    for step in told:
        now += step.wait
        surroundings = env(step.sender, step.btc, step.eth, btc_status=step.btc_status, now=now)
        try:
            after, code = apply(state, surroundings, step.action).state, "ok"
        except Refusal as refusal:
            after, code = state, refusal.code
        yield state, surroundings, step.action, code, after
        state = after
