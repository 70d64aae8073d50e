"""What poster, admin and guardian do in random stories: prices, faults, parameters, roles; and garbage from anyone."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.world import World
from oracle.feeds import Feed, FeedHub, Push, SetFeed, SetRateFeed
from protocol.actions import (
    AcceptAdmin,
    BuyInventory,
    CloseAll,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    MarginCall,
    PauseOpening,
    ProposeAdmin,
    RequestRedemption,
    SetCollateral,
    SetGuardian,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetRisk,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.env import Env
from protocol.params import CollateralParams, EquityTier, HaircutBracket, MarginBracket, MarketParams, RiskParams
from protocol.units import W
from tests.lockstep.cast import ACCOUNTS, NAMES, OWNERS, Resolver, Step, admin_of, pick
from tests.lockstep.trading import resolve_trade
from tests.twins import ACTORS, BTC, ETH, RATE, RATE_FEED

START_ANSWERS = (8_000 * 10**8, 200 * 10**8, RATE)
LOWEST_ANSWER, HIGHEST_ANSWER = 10**8, 10**14  # a walk stays between one and a million dollars
MOST_MARKETS = 4

# --- prices ---------------------------------------------------------------------------------------------------------


def push_moves(hub: FeedHub, feeds: tuple[int, ...], bps: int, step: Step) -> Push:
    """A push that moves feeds by so many basis points; the rate only rises, by at most four."""
    answers = []
    for feed in feeds:
        found = hub.feeds[feed]
        assert isinstance(found, Feed)
        last = found.rounds[-1].answer
        if feed == RATE_FEED:
            answers.append((last if W <= last <= 2 * W else RATE) * (10_000 + step.how % 5) // 10_000)
            continue
        if not LOWEST_ANSWER <= last <= HIGHEST_ANSWER:
            last = START_ANSWERS[feed]
        moved = last * (10_000 + bps) // 10_000 + step.how % 3
        answers.append(min(max(moved, LOWEST_ANSWER), HIGHEST_ANSWER))
    return Push(feeds, tuple(answers))


def resolve_price(world: World, env: Env, step: Step) -> tuple[str, Push]:
    """A step of the walk: mostly a few per cent, at times a crash or a squeeze."""
    if step.much < 600:
        bps = step.how % 800 - 400
    elif step.much < 850:
        bps = step.how % 4_000 - 2_000
    else:
        bps = step.how % 14_000 - 6_000
    feeds = pick(((BTC, ETH), (BTC, ETH, RATE_FEED), (BTC,), (ETH,)), step.which)
    return "poster", push_moves(world.oracle.hub, feeds, bps, step)


def resolve_fall(world: World, env: Env, step: Step) -> tuple[str, Push]:
    """Mostly down a little, at times far, now and then all the way back."""
    bps = -(step.how % pick((60, 60, 150, 150, 400, 400, 3_000), step.much))
    if step.much % 6 == 0:
        bps = 500 + step.how % 8_000
    feeds = pick(((BTC, ETH), (BTC, ETH, RATE_FEED), (BTC,), (ETH,)), step.which)
    return "poster", push_moves(world.oracle.hub, feeds, bps, step)


def refresh(world: World, step: Step) -> tuple[str, Push]:
    """A push of every feed, so that no price is stale or missing."""
    return "poster", push_moves(world.oracle.hub, (BTC, ETH, RATE_FEED), step.how % 601 - 300, step)


def resolve_fault(world: World, env: Env, step: Step) -> tuple[str, Push]:
    """A feed that fails, or a push that does not fit."""
    answer = pick((0, -1, 2**127 - 1, 2**127, -(2**127), 1), step.how)
    feeds = pick(((BTC,), (ETH,), (RATE_FEED,), (BTC, BTC), (ETH, BTC), (3,), (9,), ()), step.which)
    count = len(feeds) + (1 if step.much % 17 == 0 else 0)
    return "poster" if step.much % 5 else "stranger", Push(feeds, (answer,) * count)


def resolve_feed(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """Another age limit, another feed, or something that does not fit."""
    who = "admin" if step.much % 7 else "poster"
    count = len(world.oracle.hub.feeds)
    if step.much % 3 == 0:
        return who, SetRateFeed(pick((count, count, 2, 64), step.how), step.which % 5, step.who % 3)
    age = pick((7_200, 3_600, 600, 259_200, 59, 7_200), step.how)
    feed = pick((0, 0, 1, 1, 2, 3, count, count + 1), step.which)
    decimals = 18 if feed >= RATE_FEED else 8
    return who, SetFeed(feed, decimals + (1 if step.how % 9 == 0 else 0), age)


# --- parameters -----------------------------------------------------------------------------------------------------

TIERS = (
    (EquityTier(0, 20 * W), EquityTier(10**6 * W, 10 * W)),
    (EquityTier(0, 20 * W), EquityTier(2_000 * W, 8 * W), EquityTier(9_000 * W, 2 * W)),
    (EquityTier(0, 3 * W),),
    (EquityTier(0, 3 * W), EquityTier(W, 4 * W)),
    (EquityTier(0, 0),),
    (),
)
MARGINS = (
    (MarginBracket(0, W // 40, W // 20), MarginBracket(10**6 * W, W // 25, W * 2 // 25)),
    (MarginBracket(0, W // 25, W // 10), MarginBracket(50_000 * W, W // 10, W // 5)),
    (
        MarginBracket(0, W // 30, W // 15),
        MarginBracket(9_000 * W, W // 20, W // 9),
        MarginBracket(10**5 * W, W // 8, W),
    ),
    (MarginBracket(0, W // 100, W // 20),),
    (MarginBracket(1, W // 25, W // 10),),
    (),
)
HAIRCUTS = (
    (HaircutBracket(0, W * 9 // 10, W * 17 // 20),),
    (HaircutBracket(0, W // 2, W // 3), HaircutBracket(500 * W, 7, 7)),
    (HaircutBracket(0, 0, 0),),
    (HaircutBracket(0, W * 4 // 5, W * 3 // 4), HaircutBracket(2_000 * W, W // 2, W // 4)),
    (HaircutBracket(0, W, W),),
    (HaircutBracket(0, W // 2, W // 2), HaircutBracket(0, W // 3, W // 3)),
)


def vary_risk(risk: RiskParams, step: Step) -> RiskParams:
    """Other risk parameters: harsh, generous, or impossible ones."""
    changes: tuple[dict[str, Any], ...] = (
        {"debt_cap": 0},
        {"debt_cap": 50 * W, "penalty_ratio": 0},
        {"debt_cap": 10**5 * W, "penalty_ratio": W // 100},
        {"keeper_reserve": 100 * W},
        {"keeper_reserve": 10 * W, "phase_in": 3_600},
        {"equity_tiers": pick(TIERS, step.much)},
        {"insurance_fee_share": 10_000, "insurance_penalty_share": 0},
        {"sale_discount": 1_000},
        {"sale_discount": 1_001},
        {"margin_call_buffer": W // 5, "liquidation_buffer": W // 4},
        {"backstop_ratio": 1 + step.much * 10, "lock_ratio": step.much, "stale_band": step.how % 2_000},
        {"redemption_delay": 60, "redemption_window": 600 + step.much},
        {"margin_call_fee": 50 * W, "reward_grace": 10},
        {"fixed_reward": 8 * W, "max_reward": 9 * W},
        {"max_reward": 1},
        {"reward_ratio": W // 250},
        {"usdc_feed": RATE_FEED + 1, "depeg_threshold": 9_900, "depeg_factor": 100 * step.much},
        {"usdc_feed": 0, "depeg_threshold": 0, "depeg_factor": step.much % 2},
    )
    return replace(risk, **pick(changes, step.how))


def vary_market(market: MarketParams, step: Step) -> MarketParams:
    """Other parameters of a market: harsh, generous, or impossible ones."""
    changes: tuple[dict[str, Any], ...] = (
        {"brackets": pick(MARGINS, step.much)},
        {"brackets": pick(MARGINS[:3], step.much)},
        {"brackets": pick(MARGINS[:3], step.who)},
        {"maker_fee": 0, "taker_fee": W // 100},
        {"taker_fee": W // 50},
        {"lot": market.lot // 2 or 1},
        {"lot": market.lot + 1},
        {"min_notional": 5_000 * W},
        {"min_notional": 500 * W},
        {"skew_scale": (1 + step.much) * W, "max_premium": 10_000},
        {"skew_cap": step.much * W // 100, "oi_cap": step.much * W // 50},
        {"oi_cap_usd": step.much * 100 * W},
        {"oi_lower": 1_000 * W, "oi_upper": (1_001 + step.much * 500) * W},
        {"funding_cap": W * step.much // 1_000, "dead_band": step.much},
        {"funding_decay": 10 * W, "funding_velocity": W * step.much // 100},
        {"funding_cap": W + 1},
        {"window": pick((0, 1, 600, 3_600), step.much), "window_notional": step.much * 10 * W},
        {"feed": 7},
    )
    return replace(market, **pick(changes, step.how))


def vary_collateral(collateral: CollateralParams, step: Step) -> CollateralParams:
    """Other parameters of a collateral: harsh, generous, or impossible ones."""
    changes: tuple[dict[str, Any], ...] = (
        {"brackets": pick(HAIRCUTS, step.much)},
        {"brackets": pick(HAIRCUTS[:4], step.much)},
        {"account_cap": collateral.account_cap * 2, "global_cap": collateral.account_cap},
        {"account_cap": 5 * 10**collateral.decimals, "global_cap": 20 * 10**collateral.decimals},
        {"decimals": 7},
        {"feed": 2},
    )
    return replace(collateral, **pick(changes, step.how))


def resolve_parameters(world: World, env: Env, step: Step) -> tuple[str, SetRisk | SetMarket | SetCollateral]:
    """New parameters: valid ones, some of them harsh, and some that do not fit."""
    state = world.protocol
    who = admin_of(state, step)
    match step.which % 3:
        case 0:
            return who, SetRisk(vary_risk(state.risk, step))
        case 1:
            market = pick_listed(len(state.markets), MOST_MARKETS, step)
            params = state.market_params[market % len(state.markets)]
            return who, SetMarket(market, params if market == len(state.markets) else vary_market(params, step))
        case _:
            token = 1 + pick_listed(len(state.collateral_params), MOST_MARKETS, step)
            collateral = state.collateral_params[(token - 1) % len(state.collateral_params)]
            return who, SetCollateral(token, vary_collateral(collateral, step))


def resolve_rates(world: World, env: Env, step: Step) -> tuple[str, SetRisk | SetMarket | SetCollateral]:
    """Other margin rates, haircuts or keeper reserves that fit, to be phased in."""
    state = world.protocol
    who = admin_of(state, step)
    if step.how % 4 == 0:
        return who, SetRisk(replace(state.risk, keeper_reserve=pick((5, 10, 25, 60), step.much) * W))
    if step.which % 2:
        market = step.who % len(state.markets)
        return who, SetMarket(market, replace(state.market_params[market], brackets=pick(MARGINS[:3], step.much)))
    index = step.who % len(state.collateral_params)
    params = replace(state.collateral_params[index], brackets=pick(HAIRCUTS[:4], step.much))
    return who, SetCollateral(index + 1, params)


def pick_listed(count: int, most: int, step: Step) -> int:
    """Mostly one that is listed; at times the next, or one beyond."""
    if step.much % 19 == 0:
        return count + 1
    return count if step.much % 6 == 0 and count < most else step.who % count


def resolve_odd_parameters(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """One number of a parameter record replaced by an odd one."""
    state = world.protocol
    who, value = admin_of(state, step), pick(ODD, step.how)
    match step.which % 3:
        case 0:
            return who, SetRisk(replace_one(state.risk, step.who + step.much, value))
        case 1:
            market = step.much % len(state.markets)
            return who, SetMarket(market, replace_one(state.market_params[market], step.who + step.much, value))
        case _:
            index = step.much % len(state.collateral_params)
            params = replace_one(state.collateral_params[index], step.who + step.much, value)
            return who, SetCollateral(index + 1, params)


def replace_one(params: Any, place: int, value: int) -> Any:
    """Parameters with one number replaced; in their last field, a list, one of its rows' numbers."""
    *numbers, rows = [field.name for field in fields(params)]
    name = pick([*numbers, rows], place)
    if name != rows:
        return replace(params, **{name: value})
    entries = list(getattr(params, rows))
    if not entries:
        return params
    index = place % len(entries)
    row = entries[index]
    entries[index] = replace(row, **{pick([field.name for field in fields(row)], value): value})
    return replace(params, **{rows: tuple(entries)})


def resolve_pause(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """Mostly the other way round than it is, by somebody who may; not too often, as little happens in a pause."""
    state = world.protocol
    if not state.opening_paused and step.much % 3:
        return resolve_trade(world, env, step)
    paused = not state.opening_paused if step.how % 4 else bool(step.how % 8)
    admin = admin_of(state, step)
    guardian = NAMES.get(state.roles.guardian, "guardian")
    return pick((admin, guardian if paused else admin, guardian, "stranger"), step.who), PauseOpening(paused)


def resolve_roles(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """Another admin, in two steps, or another guardian."""
    roles = world.protocol.roles
    if roles.pending_admin in NAMES and step.how % 3:
        return NAMES[roles.pending_admin] if step.how % 7 else "stranger", AcceptAdmin()
    who = admin_of(world.protocol, step)
    somebody = address_of(pick(ACTORS, step.who))
    if step.how % 4 == 0:
        return who, SetGuardian(somebody)
    return who if step.how % 11 else "stranger", ProposeAdmin(somebody) if step.how % 13 else AcceptAdmin()


# --- garbage --------------------------------------------------------------------------------------------------------

ODD = (
    0,
    1,
    2,
    3,
    31,
    32,
    999,
    10**6,
    10**12,
    W - 1,
    W,
    W + 1,
    10**24,
    2**96 - 1,
    2**96,
    2**127,
    2**128 - 1,
    2**255 - 1,
)


def resolve_garbage(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """Numbers that nobody would choose."""
    one, two = pick(ODD, step.how), pick(ODD, step.much)
    account = pick(list(ACCOUNTS), step.who) if step.how % 3 else one
    who = pick(OWNERS, step.which) if step.how % 5 == 0 or account not in ACCOUNTS else ACCOUNTS[account]
    actions: tuple[Any, ...] = (
        Deposit(account, one % 5, two),
        Withdraw(account, one % 5, two),
        Transfer(account, account ^ 1, one % 5, two),
        Trade(account, one % 4, two, one),
        Trade(account, one % 4, -two, one),
        CloseAll(account, two - one),
        SetLeverageCap(account, one % 4, two),
        SetOperator(account, two % 2**160),
        CreateIsolated(account, one % 4),
        Liquidate(account),
        LiquidateMany((one, account, two)),
        MarginCall(account),
        FlagAccount(account),
        DepositToPool(two),
        RequestRedemption(two),
        BuyInventory(one % 5, two, one),
        FundInsurance(two),
        SetMarket(one, pick(world.protocol.market_params, step.who)),
        SetCollateral(one, pick(world.protocol.collateral_params, step.who)),
        Push((one, two), (two, one)),
        Push((step.how % 4, step.much % 4), (two,) * (1 + step.who % 2)),
        SetFeed(one, one % 20, two),
        SetRateFeed(one, two % 4, one % 4),
    )
    action = pick(actions, step.which + step.much)
    # A deposit or gift beyond any use would only make everybody rich.
    if isinstance(action, Deposit | DepositToPool | FundInsurance) and 10**10 < two < 2**96:
        action = Liquidate(account)
    if isinstance(action, Push):
        who = "poster"
    if isinstance(action, SetFeed | SetRateFeed | SetMarket | SetCollateral) and step.how % 2:
        who = "admin"
    return who, action


RESOLVERS: dict[str, Resolver] = {
    "price": resolve_price,
    "fall": resolve_fall,
    "fault": resolve_fault,
    "feed": resolve_feed,
    "parameters": resolve_parameters,
    "rates": resolve_rates,
    "odd parameters": resolve_odd_parameters,
    "pause": resolve_pause,
    "roles": resolve_roles,
    "garbage": resolve_garbage,
}
