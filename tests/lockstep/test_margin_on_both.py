"""``crossmargin margin --json`` and the contracts' views: the same numbers, to the wei, of random books."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import ParameterSet, genesis_actions, load_parameters
from crossmargin.portfolio.book import load_book
from crossmargin.portfolio.command import to_json
from crossmargin.portfolio.measure import measure_book
from crossmargin.text import decimal
from oracle.feeds import Push
from protocol.account_state import AccountState
from protocol.actions import SetLeverageCap, Trade
from protocol.params import MarketParams
from protocol.trading import NO_LIMIT
from protocol.units import W
from protocol.views import compute_max_size
from tests.lockstep.both import BORROWER
from tests.twins import RATE_FEED, Checkpoint, Twins

# Draws, and where the account then stands: among them all states but BANKRUPT.
SEEDS = {
    "HEALTHY": (1, 5, 12, 13, 51),
    "RESTRICTED": (2, 10, 26, 46),
    "MARGIN_CALL": (0, 30),
    "LIQUIDATABLE": (4, 57),
    "BACKSTOP": (3, 6, 9),
}
NAMES, TOKEN_NAMES = ("BTC", "ETH"), ("USDC", "WETH", "WBTC", "WSTETH")


@pytest.fixture(scope="module")
def still_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference set without funding, which a portfolio cannot have pending."""
    path = tmp_path_factory.mktemp("set") / "still.yaml"
    text = PARAMETERS.find("reference").read_text("utf-8")
    for line in ("funding_velocity: 0.09", "funding_decay: 0.09", "funding_cap: 0.03"):
        assert line in text
        text = text.replace(line, line.split(" ")[0] + " 0")
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def still(still_file: Path) -> ParameterSet:
    """That set."""
    return load_parameters(still_file)


@pytest.fixture
def ready(unset_twins: tuple[Twins, Checkpoint], still: ParameterSet) -> Twins:
    """Twins under that set, with a pool and two rich traders on both sides."""
    twins, bare = unset_twins
    twins.restore(bare)
    for role, action in genesis_actions(still):
        twins.do(role, action)
    push(twins, 8_000 * 10**8, 200 * 10**8)
    twins.fund(pool=60_000_000)
    for name in ("trader", "stranger"):
        twins.deposit(name, usd=20_000_000)
    return twins


def push(twins: Twins, btc: int, eth: int) -> None:
    """Prices with 8 decimals; one wstETH is 1.05 ETH."""
    twins.do("poster", Push((0, 1, RATE_FEED), (btc, eth, W * 105 // 100)))


def trade(twins: Twins, owner: str, account: int, market: int, size: int) -> str:
    """A trade at any price; what came of it."""
    return twins.attempt(owner, Trade(account, market, size, NO_LIMIT if size > 0 else 0))


def play(twins: Twins, params: tuple[MarketParams, ...], draw: random.Random) -> None:
    """A random book of the borrower among positions of others, at prices that then move."""
    twins.deposit(
        "borrower", draw.randint(5_000, 60_000), draw.randint(0, 300), draw.randint(0, 8), draw.randint(0, 99)
    )
    others = [("trader", twins.deposit("trader", usd=1)), ("stranger", twins.deposit("stranger", usd=1))]
    whole = (W, 40 * W)
    for market, unit in enumerate(whole):
        for owner, account in others:
            trade(twins, owner, account, market, draw.randint(-500, 500) * unit or unit)
    for market in draw.sample(range(2), draw.randint(1, 2)):
        is_long, lot = draw.random() < 0.5, params[market].lot
        most = compute_max_size(twins.world.protocol, twins.world.env(twins.now), BORROWER, market, is_long)
        size = most * draw.randint(20, 99) // 100 // lot * lot
        trade(twins, "borrower", BORROWER, market, size if is_long else -size)
    if draw.random() < 0.4:
        twins.attempt("borrower", SetLeverageCap(BORROWER, draw.randrange(2), draw.randint(2, 30) * W))
    push(twins, draw.randint(7_200 * 10**8, 8_800 * 10**8), draw.randint(180 * 10**8, 220 * 10**8))
    for market, unit in enumerate(whole):  # the pool's reserve is at the price of a market's newest fill
        for owner, account in others:
            trade(twins, owner, account, market, unit)


def write(twins: Twins, params: ParameterSet, params_file: Path, path: Path) -> Path:
    """The borrower's book and the totals of the others as a portfolio."""
    state, env = twins.world.protocol, twins.world.env(twins.now)
    account = state.accounts[BORROWER]
    others = {
        NAMES[market]: {
            "long": decimal(total.long_oi - max(size, 0)),
            "short": decimal(total.short_oi + min(size, 0)),
            "impact": decimal(total.impact),
        }
        for market, total in enumerate(state.markets)
        for size in (account.positions[market].size if market in account.positions else 0,)
    }
    portfolio = {
        "params": str(params_file),
        "prices": {
            **{name: decimal(env.quote(feed).mid) for feed, name in enumerate(NAMES)},
            "WSTETH_RATE": decimal(env.quote(RATE_FEED).mid),
        },
        "cash": decimal(account.cash),
        "collateral": {
            TOKEN_NAMES[token]: decimal(units, params.tokens[token].decimals)
            for token, units in account.collateral.items()
        },
        "positions": {
            NAMES[market]: {"size": decimal(held.size), "cost": decimal(held.cost)}
            for market, held in account.positions.items()
        },
        "leverage_caps": {NAMES[market]: decimal(cap) for market, cap in account.leverage_caps.items()},
        "pool": decimal(state.ledger.pool),
        "others": others,
    }
    path.write_text(json.dumps(portfolio), "utf-8")  # JSON is YAML too
    return path


def read_views(twins: Twins, params: ParameterSet) -> dict[str, Any]:
    """What the contracts' views say of the borrower, in the words of the command."""
    views = twins.chain.contracts
    health = views.health(BORROWER)
    standing = AccountState(views.account_state(BORROWER))
    account = twins.world.protocol.accounts[BORROWER]
    quote = views.quote_liquidation(BORROWER, address_of("liquidator"))
    sizes = [views.max_size(BORROWER, market, is_long) for market in range(2) for is_long in (True, False)]
    return {
        "account_value": decimal(health.equity_raw),
        "equity_mm": decimal(health.equity_mm),
        "equity_im": decimal(health.equity_im),
        "maintenance_margin": decimal(health.maintenance_margin),
        "initial_margin": decimal(health.initial_margin),
        "reserve": decimal(health.reserve),
        "gross_notional": decimal(health.gross_notional),
        "state": standing.name,
        "withdrawable": {
            TOKEN_NAMES[token]: decimal(views.withdrawable(BORROWER, token), params.tokens[token].decimals)
            for token in (0, *account.collateral)
        },
        "liquidation_prices": {NAMES[m]: views.liquidation_price(BORROWER, m) for m in account.positions},
        "bankruptcy_prices": {NAMES[m]: views.bankruptcy_price(BORROWER, m) for m in account.positions},
        "sizes": [decimal(size, places=0) for size in sizes],
        "liquidation": None
        if quote.code
        else [decimal(n) for n in (quote.closed_notional, quote.reward, quote.penalty, quote.bad_debt)],
    }


def read_command(told: dict[str, Any]) -> dict[str, Any]:
    """The same of what the command says."""
    names = ("account_value", "equity_mm", "equity_im", "maintenance_margin", "initial_margin", "reserve")
    prices = {
        f"{which}s": {name: to_price(held[which]) for name, held in told["positions"].items()}
        for which in ("liquidation_price", "bankruptcy_price")
    }
    closing = told["liquidation"]
    return {
        **{name: told[name] for name in (*names, "gross_notional", "state", "withdrawable")},
        **prices,
        "sizes": [order["size"] for order in told["orders"]],
        "liquidation": closing and [closing[name] for name in ("closed_notional", "reward", "penalty", "bad_debt")],
    }


def to_price(text: str | None) -> int:
    """A price at scale W; none is 0."""
    whole, _, fraction = (text or "0").partition(".")
    return int(whole) * W + int(fraction.ljust(18, "0"))


@pytest.mark.parametrize(("seed", "state"), [(seed, state) for state, seeds in SEEDS.items() for seed in seeds])
def test_the_command_agrees_with_the_views(
    ready: Twins, still: ParameterSet, still_file: Path, seed: int, state: str, tmp_path: Path
) -> None:
    """MRG-4, STA-1, VIEW-2 to VIEW-5, VIEW-8: of a book told in a file, what the contracts say of it on chain."""
    draw = random.Random(seed)
    play(ready, tuple(market.params for market in still.markets), draw)
    told = to_json(measure_book(load_book(write(ready, still, still_file, tmp_path / "book.yaml")), []))
    assert read_command(told) == read_views(ready, still)
    assert told["state"] == state
