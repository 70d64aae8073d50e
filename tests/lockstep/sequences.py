"""Random stories: steps drawn by hypothesis, turned into actions that mostly make sense where they stand.

A step is a handful of small integers. What it asks for is worked out from the model's state when its turn comes: a
size that the account can carry, a withdrawal of what is there, an account that is liquidatable. Some steps aim a
little beyond, and some are garbage on purpose. Steps of nothing are what failing stories shrink to.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from contracts_py.keys import address_of
from crossmargin.replay.keepers import find_liquidatable
from crossmargin.replay.world import World
from oracle.feeds import Push, SetFeed
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
from protocol.env import Env
from protocol.events import AccountLiquidated, LedgerUpdated, PositionUpdated, TokenUpdated
from protocol.margin import AccountState, compute_health
from protocol.params import HaircutBracket, MarginBracket
from protocol.state import NO_POSITION, State, account_id
from protocol.units import USDC_TO_W, W
from tests.twins import BTC, ETH, RISK, USDC, WETH, Model, market_params, weth_params

OWNERS = ("borrower", "trader", "stranger", "liquidator", "lender", "treasury")
ACCOUNTS = {account_id(address_of(owner), sub): owner for owner in OWNERS for sub in (0, 1)}
HIGHEST = 2**256 - 1
START_ANSWERS = (8_000 * 10**8, 200 * 10**8)
LOWEST_ANSWER, HIGHEST_ANSWER = 10**8, 10**14  # a walk stays between one and a million dollars
DOLLAR = 10**6
REACHED = "(reached)"
OUTCOMES: Counter[tuple[str, str]] = Counter()  # over all stories of a run: how often an action came to what


@dataclass(frozen=True)
class Step:
    """What a step is about, and the numbers that decide the rest."""

    kind: str
    who: int
    which: int
    how: int
    much: int
    wait: int


@dataclass(frozen=True)
class Timed:
    """An action, its sender, and the seconds since the one before."""

    after: int
    sender: str
    action: Any


# --- drawing --------------------------------------------------------------------------------------------------------

WEIGHTS = {
    "trade": 14,
    "price": 9,
    "liquidate": 8,
    "deposit": 4,
    "withdraw": 4,
    "garbage": 3,
    "lend": 2,
    "parameters": 2,
    "fault": 1,
    "insure": 1,
    "pause": 1,
    "feed": 1,
}
KINDS = [kind for kind, weight in WEIGHTS.items() for _ in range(weight)]
WAITS = [1] * 34 + [2, 60, 600, 1_800, 3_600, 7_201]


def decode(place: int, number: int) -> Step:
    """The step that a number means at a place of a story.

    Numbers shrink to 0, which is a step of nothing. Hashing spreads the others over all that can happen: what is drawn
    by itself is often small, or the same again.
    """
    if number == 0:
        return Step("nothing", 0, 0, 0, 0, 1)
    hashed = hashlib.sha256(f"{place}|{number}".encode()).digest()
    kind, who, which, how, much, wait = (int.from_bytes(hashed[4 * i : 4 * i + 4], "big") for i in range(6))
    return Step(KINDS[kind % len(KINDS)], who % 12, which % 12, how % 1_000, much % 1_000, WAITS[wait % len(WAITS)])


def stories(length: int) -> st.SearchStrategy[list[Step]]:
    """Stories of so many steps, some of them of nothing."""
    numbers = st.lists(st.integers(0, 2**32 - 1), min_size=length, max_size=length)
    return numbers.map(lambda drawn: [decode(place, number) for place, number in enumerate(drawn)])


# --- from steps to actions ------------------------------------------------------------------------------------------


def resolve(world: World, now: int, step: Step) -> Timed | None:
    """The action a step asks for in this world; nothing for a step of nothing."""
    if step.kind == "nothing":
        return None
    sender, action = RESOLVERS[step.kind](world, world.env(now + step.wait), step)
    return Timed(step.wait, sender, action)


def play(model: Model, steps: Iterable[Step], outcomes: Counter[tuple[str, str]], done: list[Timed]) -> None:
    """Apply a story. ``outcomes`` counts what came of it, ``done`` has every action, the failing one included."""
    for step in steps:
        timed = resolve(model.world, model.now, step)
        if timed is None:
            continue
        done.append(timed)
        code = model.attempt(timed.sender, timed.action, timed.after)
        outcomes[type(timed.action).__name__, code] += 1
        for landmark in landmarks(model):
            outcomes[REACHED, landmark] += 1


def landmarks(model: Model) -> Iterator[str]:
    """What the newest action reached that stories are told for."""
    fills = [event for event in model.events if isinstance(event, PositionUpdated)]
    for event in model.events:
        if isinstance(event, AccountLiquidated):
            yield f"liquidation of {AccountState(event.account_state).name}"
            if event.bad_debt:
                yield "bad debt"
        elif isinstance(event, LedgerUpdated) and event.deficit:
            yield "deficit"
        elif isinstance(event, LedgerUpdated) and event.trader_debt:
            yield "trader debt"
        elif isinstance(event, TokenUpdated) and event.inventory:
            yield "inventory"
    if len(fills) == 2 and fills[0].market == fills[1].market:
        yield "flip"


def pick_account(state: State, step: Step) -> int:
    """Mostly a registered account of ours, sometimes one that may not be."""
    known = [account for account in ACCOUNTS if account in state.accounts]
    choices = list(ACCOUNTS) if step.how % 29 == 0 or not known else known
    return choices[step.who % len(choices)]


def sender_of(account: int, step: Step) -> str:
    """Mostly the account's owner."""
    return OWNERS[step.which % 6] if step.how % 31 == 0 else ACCOUNTS[account]


def resolve_deposit(world: World, env: Env, step: Step) -> tuple[str, Deposit]:
    """Hundreds to tens of thousands of dollars, or a few WETH, also for others."""
    account = list(ACCOUNTS)[step.who % len(ACCOUNTS)]
    if step.which % 3 == 0:
        return sender_of(account, step), Deposit(account, WETH, (1 + step.much) * 10**16 + step.how)
    return sender_of(account, step), Deposit(account, USDC, (50 + step.much * 20) * DOLLAR + step.how)


def resolve_withdrawal(world: World, env: Env, step: Step) -> tuple[str, Withdraw]:
    """Part of what may leave, all of it, or a unit more."""
    state = world.protocol
    account = pick_account(state, step)
    found = state.accounts.get(account)
    if found is None:
        return sender_of(account, step), Withdraw(account, USDC, 1)
    health = compute_health(state, found, env)
    room = health.equity_im - health.initial_margin if found.positions or found.cash < 0 else found.cash
    token = WETH if WETH in found.collateral and step.which % 2 else USDC
    most = found.collateral[WETH] if token == WETH else max(min(found.cash, room), 0) // USDC_TO_W
    part = (most * (step.much + 1) // 1_000, most, most + 1)[0 if step.much % 5 else 1 + step.much % 2]
    return sender_of(account, step), Withdraw(account, token, part or step.how % 9)


def resolve_trade(world: World, env: Env, step: Step) -> tuple[str, Trade]:
    """Open or grow within the account's room, reduce, close, flip, or ask for too much."""
    state = world.protocol
    account = pick_account(state, step)
    market = step.which % len(state.markets)
    params = state.market_params[market]
    price = env.quote(params.feed).price or W
    found = state.accounts.get(account)
    size = found.positions.get(market, NO_POSITION).size if found else 0
    side = (1 if size > 0 else -1) if size and step.how % 4 else (1 if step.how % 2 else -1)
    lots = lots_within_room(state, env, account, price, params.lot, step)
    match step.much % 8:
        case 0 | 1 | 2:
            delta = side * lots * params.lot
        case 3:
            delta = -(size * (1 + step.how % 9) // 10) // params.lot * params.lot
        case 4:
            delta = -size
        case 5:
            delta = -size - side * lots * params.lot
        case 6:
            delta = side * step.how * params.lot
        case _:
            delta = side * 2 * lots * params.lot
    delta = delta or side * lots * params.lot
    acceptable = HIGHEST if delta > 0 else 0
    if step.how % 19 == 0:
        acceptable = max(price + (step.how % 3 - 1), 0)
    return sender_of(account, step), Trade(account, market, delta, acceptable)


def lots_within_room(state: State, env: Env, account: int, price: int, lot: int, step: Step) -> int:
    """A number of lots worth a part of what the account's free initial margin carries, at least the minimum."""
    found = state.accounts.get(account)
    if found is None:
        return 1
    health = compute_health(state, found, env)
    room = max(health.equity_im - health.initial_margin - 15 * W, 0)
    notional = max(room * 19 * (30 + step.how % 72) // 100, 1_001 * W)
    return max(notional * W // price // lot, 1)


def resolve_liquidation(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """An account that can be liquidated; if there is none, mostly a trade."""
    ready = find_liquidatable(world, env.now)
    if not ready and step.how % 4:
        return resolve_trade(world, env, step)
    account = ready[step.which % len(ready)] if ready and step.how % 11 else pick_account(world.protocol, step)
    return OWNERS[step.much % 6] if step.much % 4 == 0 else "liquidator", Liquidate(account)


def resolve_price(world: World, env: Env, step: Step) -> tuple[str, Push]:
    """A step of the walk: mostly a few per cent, at times a crash or a squeeze."""
    if step.much < 500:
        percent = step.how % 13 - 6
    elif step.much < 800:
        percent = step.how % 51 - 25
    else:
        percent = step.how % 141 - 60
    feeds = ((BTC, ETH), (BTC,), (ETH,), (BTC, ETH))[step.which % 4]
    answers = []
    for feed in feeds:
        rounds = world.oracle.feeds[feed].rounds
        last = rounds[len(rounds)].answer
        if not LOWEST_ANSWER <= last <= HIGHEST_ANSWER:
            last = START_ANSWERS[feed]
        moved = last * (100 + percent) // 100 + step.how % 3
        answers.append(min(max(moved, LOWEST_ANSWER), HIGHEST_ANSWER))
    return "poster", Push(feeds, tuple(answers))


def resolve_fault(world: World, env: Env, step: Step) -> tuple[str, Push]:
    """A feed that fails."""
    answer = (0, -1, 2**127 - 1, 2**127, -(2**127))[step.how % 5]
    return "poster" if step.much % 5 else "stranger", Push((step.which % 2,), (answer,))


def resolve_loan(world: World, env: Env, step: Step) -> tuple[str, DepositToPool]:
    """Dollars for the pool."""
    units = 1 + step.how if step.much % 9 == 0 else (step.much + 1) * 5 * DOLLAR + step.how
    return OWNERS[step.who % 6], DepositToPool(units)


def resolve_insurance(world: World, env: Env, step: Step) -> tuple[str, FundInsurance]:
    """Dollars for insurance."""
    return OWNERS[step.who % 6], FundInsurance((step.much + 1) * DOLLAR // 10 + step.how)


def resolve_pause(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """Mostly the other way round than it is, by somebody who may; not too often, as little happens in a pause."""
    if not world.protocol.opening_paused and step.much % 3:
        return resolve_trade(world, env, step)
    paused = not world.protocol.opening_paused if step.how % 4 else bool(step.how % 8)
    who = ("admin", "guardian" if paused else "admin", "guardian", "stranger")[step.who % 4]
    return who, PauseOpening(paused)


def resolve_feed(world: World, env: Env, step: Step) -> tuple[str, SetFeed]:
    """Another age limit, or something that does not fit."""
    ages = (7_200, 3_600, 600, 259_200, 59, 7_200)
    return "admin" if step.much % 7 else "poster", SetFeed(
        step.which % 4, 8 if step.how % 9 else 18, ages[step.how % 6]
    )


BTC_MARKET, ETH_MARKET = market_params(BTC), market_params(ETH, W // 100)
TIGHT = (MarginBracket(0, W // 25, W // 10), MarginBracket(50_000 * W, W // 10, W // 5))
RISKS = (
    RISK,
    replace(RISK, debt_cap=0),
    replace(RISK, debt_cap=50 * W, penalty_ratio=0),
    replace(RISK, fixed_reward=0, reward_ratio=W // 100, max_reward=5 * W),
    replace(RISK, insurance_fee_share=10_000, insurance_penalty_share=0, sale_discount=1_000),
    replace(RISK, backstop_ratio=1, margin_call_buffer=0, keeper_reserve=100 * W),
    replace(RISK, sale_discount=1_001),
    replace(RISK, penalty_ratio=W // 40),
    replace(RISK, max_reward=1),
)
MARKETS = (
    (BTC, BTC_MARKET),
    (ETH, ETH_MARKET),
    (BTC, replace(BTC_MARKET, brackets=TIGHT)),
    (ETH, replace(ETH_MARKET, brackets=TIGHT, fee_rate=W // 100)),
    (BTC, replace(BTC_MARKET, lot=1, min_notional=500 * W)),
    (ETH, replace(ETH_MARKET, lot=7, fee_rate=0)),
    (BTC, replace(BTC_MARKET, min_notional=5_000 * W)),
    (2, replace(BTC_MARKET, feed=ETH)),
    (3, ETH_MARKET),
    (BTC, replace(BTC_MARKET, fee_rate=W // 100, brackets=(MarginBracket(0, W // 200, W // 20),))),
    (BTC, replace(BTC_MARKET, fee_rate=W // 50)),
    (ETH, replace(ETH_MARKET, brackets=())),
)
COLLATERALS = (
    (WETH, weth_params()),
    (WETH, replace(weth_params(), brackets=(HaircutBracket(0, W // 2, W // 3), HaircutBracket(500 * W, 7, 7)))),
    (WETH, replace(weth_params(), brackets=(HaircutBracket(0, 0, 0),))),
    (WETH, replace(weth_params(), decimals=8)),
    (WETH, replace(weth_params(), brackets=(HaircutBracket(0, W, W),))),
    (2, weth_params()),
)


def resolve_parameters(world: World, env: Env, step: Step) -> tuple[str, SetRisk | SetMarket | SetCollateral]:
    """New parameters: valid ones, some of them harsh, and some that do not fit."""
    who = "admin" if step.much % 11 else "guardian"
    match step.which % 3:
        case 0:
            return who, SetRisk(RISKS[step.how % len(RISKS)])
        case 1:
            return who, SetMarket(*MARKETS[step.how % len(MARKETS)])
        case _:
            return who, SetCollateral(*COLLATERALS[step.how % len(COLLATERALS)])


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
    one, two = ODD[step.how % len(ODD)], ODD[step.much % len(ODD)]
    account = list(ACCOUNTS)[step.who % len(ACCOUNTS)] if step.how % 3 else one
    who = OWNERS[step.which % 6] if step.how % 5 == 0 or account not in ACCOUNTS else ACCOUNTS[account]
    actions: tuple[Any, ...] = (
        Deposit(account, one % 4, two),
        Withdraw(account, one % 4, two),
        Trade(account, one % 4, two, one),
        Trade(account, one % 4, -two, one),
        Liquidate(account),
        DepositToPool(two),
        FundInsurance(two),
        Push((one, two), (two, one)),
        Push((step.how % 3, step.much % 3), (two,) * (1 + step.who % 2)),
        SetFeed(one, one % 20, two),
    )
    action = actions[(step.which + step.much) % len(actions)]
    # A deposit or gift beyond any use would only make everybody rich.
    if isinstance(action, Deposit | DepositToPool | FundInsurance) and 10**10 < two < 2**96:
        action = Liquidate(account)
    if isinstance(action, Push):
        who = "poster"
    return ("admin" if isinstance(action, SetFeed) and step.how % 2 else who), action


RESOLVERS: dict[str, Callable[[World, Env, Step], tuple[str, Any]]] = {
    "deposit": resolve_deposit,
    "withdraw": resolve_withdrawal,
    "trade": resolve_trade,
    "liquidate": resolve_liquidation,
    "price": resolve_price,
    "fault": resolve_fault,
    "lend": resolve_loan,
    "insure": resolve_insurance,
    "pause": resolve_pause,
    "feed": resolve_feed,
    "parameters": resolve_parameters,
    "garbage": resolve_garbage,
}


def opening() -> list[Timed]:
    """What every story begins with, once configured: a price, a small pool, a little insurance, six accounts."""
    told = [
        Timed(1, "poster", Push((BTC, ETH), START_ANSWERS)),
        Timed(1, "lender", DepositToPool(5_000 * DOLLAR)),
        Timed(1, "treasury", FundInsurance(200 * DOLLAR)),
    ]
    for number, (account, owner) in enumerate(list(ACCOUNTS.items())[:6]):
        told.append(Timed(1, owner, Deposit(account, USDC, (1_000 + 700 * number) * DOLLAR)))
        if number % 2:
            told.append(Timed(1, owner, Deposit(account, WETH, number * 10**18)))
    return told


def count_by_action(outcomes: Counter[tuple[str, str]]) -> list[str]:
    """A line for each action: how often it came to what."""
    lines = []
    for name in sorted({action for action, _ in outcomes}):
        codes = Counter({code: count for (action, code), count in outcomes.items() if action == name})
        text = ", ".join(f"{code} {count}" for code, count in codes.most_common())
        lines.append(f"{name} {codes.total()}: {text}")
    return lines
