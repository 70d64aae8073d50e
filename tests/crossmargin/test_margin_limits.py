from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossmargin.library import PORTFOLIOS
from crossmargin.portfolio.book import ACCOUNT, Book, load_book
from crossmargin.portfolio.capital import Capital, compute_holding, compute_opening
from crossmargin.portfolio.measure import measure_book
from crossmargin.portfolio.moves import read_at, read_shock
from crossmargin.portfolio.orders import find_order, find_orders
from crossmargin.portfolio.page import compare
from protocol.actions import Trade
from protocol.errors import Refusal
from protocol.margin import compute_health, compute_notional, is_liquidatable
from protocol.records import Table
from protocol.trading import NO_LIMIT, process_trade
from protocol.units import USDC_TO_W, W
from tests.crossmargin.commands import Crossmargin
from tests.crossmargin.portfolios import PAIR, read, write_set

BTC, ETH = 0, 1


# --- what binds -----------------------------------------------------------------------------------------------------

LIMITS = {
    "margin/initial": ({}, True, "initial margin", "MRG-10"),
    "market/skew-cap": ({"cash: 40000": "cash: 90000000"}, True, "skew cap", "TRD-8"),
    "market/oi-cap": (
        {"cash: 40000": "cash: 900000000\nothers: {BTC: {long: 9900, short: 9000}}"},
        True,
        "open interest cap",
        "TRD-9",
    ),
    "pool/reserved": ({"cash: 40000": "cash: 900000\npool: 70000"}, True, "pool reserve", "TRD-10"),
    "margin/debt-cap": (
        {"cash: 40000": "cash: -150000\ncollateral: {WETH: 5000}"},
        True,
        "debt cap",
        "TRD-11",
    ),
}


@pytest.mark.parametrize("code", LIMITS)
def test_the_binding_limit_is_named_with_its_rule(code: str) -> None:
    changes, is_long, limit, rule = LIMITS[code]
    text = PAIR
    for old, new in changes.items():
        text = text.replace(old, new)
    order = find_order(read(text), BTC, is_long)
    assert (order.code, order.limit, order.rule) == (code, limit, rule)
    assert order.reason


def test_the_equity_tier_binds_where_tiers_ask_more_than_markets(tmp_path: Path) -> None:
    tiers = "leverage: 20}\n    - {from: 1000000, leverage: 10}\n    - {from: 10000000, leverage: 5}"
    path = write_set(tmp_path, tiers, "leverage: 10}")
    order = find_order(read(PAIR.replace("params: reference", f"params: {path}")), BTC, is_long=True)
    assert (order.code, order.limit, order.rule) == ("margin/equity-tier", "equity tier", "MRG-9")
    assert order.reason.startswith("a gross notional of ")


def test_the_premium_binds_in_a_thin_market(tmp_path: Path) -> None:
    path = write_set(tmp_path, "max_premium: 0.05", "max_premium: 0.0003")
    order = find_order(read(PAIR.replace("params: reference", f"params: {path}")), BTC, True)
    assert (order.code, order.limit, order.rule) == ("market/premium", "premium", "TRD-8")
    assert "0.03 %" in order.reason


@pytest.mark.parametrize("name", PORTFOLIOS.names())
def test_the_largest_order_passes_and_the_next_is_refused(name: str) -> None:
    book = load_book(PORTFOLIOS.find(name))
    for order in find_orders(book):
        sign, limit = (1, NO_LIMIT) if order.is_long else (-1, 0)
        if order.size:
            process_trade(book.state, book.env, Trade(ACCOUNT, order.market, sign * order.size, limit))
        with pytest.raises(Refusal) as caught:
            process_trade(book.state, book.env, Trade(ACCOUNT, order.market, sign * order.refused, limit))
        assert caught.value.code == order.code
        assert order.refused > order.size


def test_an_order_that_only_the_minimum_refuses_says_nothing_of_the_account() -> None:
    text = "params: reference\nprices: {BTC: 8000}\ncash: 30\n"
    order = find_order(read(text), BTC, is_long=True)
    assert (order.size, order.code) == (0, "margin/initial")
    assert compute_notional(order.refused, 8_000 * W) >= 1_000 * W


def test_where_a_close_is_refused_the_order_that_says_so_is_named(tmp_path: Path) -> None:
    # So thin a market that closing all costs more than it frees: VIEW-4 then says 0, though a lot can be closed.
    path = write_set(tmp_path, "skew_scale: 100000\n", "skew_scale: 3000\n")
    text = f"params: {path}\nprices: {{BTC: 8000}}\ncash: 1000\npositions: {{BTC: {{size: 200, entry: 8000}}}}\n"
    order = find_order(read(text + "others: {BTC: {short: 2000}}\n"), BTC, is_long=False)
    assert (order.size, order.code, order.rule) == (0, "margin/reduce", "MRG-11")
    assert order.reason.startswith("equity_mm less MM would fall by ")


def test_a_number_too_wide_to_store_is_told_like_any_limit() -> None:
    text = "params: reference\nprices: {BTC: 0.000000001}\ncash: 99999999999999999999\n"
    order = find_order(read(text), BTC, is_long=True)
    assert order.code in {"market/premium", "sys/domain"}
    assert order.reason


# --- capital --------------------------------------------------------------------------------------------------------


def with_cash(book: Book, units: int, positions: dict[int, Any], isolated: int = 0) -> Any:
    """The state before any position, with a deposit of USDC units and nothing else."""
    account = replace(book.account, cash=units * USDC_TO_W, collateral={}, positions=positions, isolated=isolated)
    return replace(book.bare, accounts=Table({ACCOUNT: account}))


def opens(book: Book, units: int, markets: list[int], isolated: int = 0) -> bool:
    """Whether a deposit is enough to open positions."""
    state = with_cash(book, units, {}, isolated)
    for market in markets:
        size = book.account.positions[market].size
        try:
            state = process_trade(state, book.env, Trade(ACCOUNT, market, size, NO_LIMIT if size > 0 else 0)).state
        except Refusal:
            return False
    return True


@pytest.mark.parametrize("name", PORTFOLIOS.names())
def test_the_least_capital_opens_the_book_and_a_unit_less_does_not(name: str) -> None:
    book = load_book(PORTFOLIOS.find(name))
    capital = compute_opening(book)
    assert not isinstance(capital, Refusal)
    markets = list(book.account.positions)
    assert opens(book, capital.cross, markets)
    assert not opens(book, capital.cross - 1, markets)
    for market, units in capital.isolated.items():
        assert opens(book, units, [market], market + 1)
        assert not opens(book, units - 1, [market], market + 1)


@pytest.mark.parametrize("name", PORTFOLIOS.names())
def test_the_least_capital_holds_the_book_and_a_unit_less_does_not(name: str) -> None:
    book = load_book(PORTFOLIOS.find(name))
    for move in (read_shock(book, "ETH=-30%"), read_shock(book, "all=+0%")):
        capital = compute_holding(book, move.env)
        held = book.account.positions
        for units, positions in [(capital.cross, held), *((u, {m: held[m]}) for m, u in capital.isolated.items())]:
            enough = with_cash(book, units, dict(positions)).accounts[ACCOUNT]
            assert not is_liquidatable(compute_health(book.state, enough, move.env))
            if units:
                short = replace(enough, cash=(units - 1) * USDC_TO_W)
                assert is_liquidatable(compute_health(book.state, short, move.env))


def test_profit_in_one_market_stands_behind_loss_in_another_only_in_a_cross_account() -> None:
    book = read(PAIR)
    capital = compute_holding(book, read_at(book, "BTC=7000,ETH=170").env)
    # BTC lost 18,000 and needs 3,500 of maintenance; ETH won 20,400, which is more than its own 2,550.
    assert capital.isolated == {BTC: 21_510 * 10**6, ETH: 0}
    assert capital.cross == 3_660 * 10**6


def test_the_difference_is_put_in_words() -> None:
    told = compare(measure_book(read(PAIR), []))
    assert told.startswith("One account holds the book now with 10.00 USDC less. Isolated, a loss beyond")
    rich = compare(measure_book(read(PAIR.replace("7900", "7000").replace("204", "250")), []))
    assert rich.startswith("Either way the book needs nothing to be held. ")
    alone = compare(measure_book(read(PAIR.rpartition("  ETH")[0]), []))
    assert alone == "With one position there is nothing to share: both ways are the same."


def test_the_equity_tiers_make_one_account_dearer_to_open(tmp_path: Path) -> None:
    tiers = "leverage: 20}\n    - {from: 1000000, leverage: 10}\n    - {from: 10000000, leverage: 5}"
    path = write_set(tmp_path, tiers, "leverage: 20}\n    - {from: 9000, leverage: 2}")
    book = read(PAIR.replace("params: reference", f"params: {path}"))
    capital = compute_opening(book)
    assert isinstance(capital, Capital)
    assert capital.cross > capital.total
    assert "the equity tiers ask more of a larger one" in compare(measure_book(book, []))


def test_a_book_that_nobody_could_open_now_says_why(crossmargin: Crossmargin, tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(PAIR + "others: {BTC: {long: 5000}}\n")
    assert json.loads(crossmargin("margin", path, "--json").out)["to_open"] == "market/premium"
    assert "to open it now: market/premium" in crossmargin("margin", path).out
