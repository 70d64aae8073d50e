from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crossmargin.errors import Exit
from crossmargin.library import PORTFOLIOS
from crossmargin.portfolio.book import AMPLE, NOW, OWNER, load_book
from crossmargin.portfolio.measure import measure_book
from crossmargin.portfolio.moves import read_shock
from crossmargin.portfolio.orders import find_orders
from crossmargin.quantities import BadText
from protocol.margin import compute_health, compute_pnl
from protocol.units import W
from tests.crossmargin.commands import Crossmargin
from tests.crossmargin.portfolios import PAIR, fail, read, write_set

GOLDEN = Path(__file__).parent / "data" / "margin"
BTC, ETH = 0, 1
PAGES = [
    ("hedged", "--at", "BTC=7500", "--at", "BTC=6500,ETH=180", "--shock", "BTC=-20%", "--shock", "all=-20%"),
    ("wrong_way", "--shock", "ETH=-15.5%", "--shock", "all=-20%", "--shock", "WSTETH_RATE=-6%"),
    ("basis", "--shock", "all=-20%,ETH=+10%"),
]


@pytest.mark.parametrize("arguments", PAGES, ids=[page[0] for page in PAGES])
def test_the_page_is_the_golden_one(crossmargin: Crossmargin, arguments: tuple[str, ...]) -> None:
    answer = crossmargin("margin", *arguments)
    assert (answer.code, answer.err) == (Exit.OK, "")
    assert answer.out == (GOLDEN / f"{arguments[0]}.txt").read_text("utf-8")


def test_every_portfolio_has_a_golden_page() -> None:
    assert PORTFOLIOS.names() == sorted(page[0] for page in PAGES)


@pytest.mark.parametrize("arguments", PAGES, ids=[page[0] for page in PAGES])
def test_json_says_what_the_page_says_and_is_the_same_on_each_run(
    crossmargin: Crossmargin, arguments: tuple[str, ...]
) -> None:
    first, second = (crossmargin("margin", *arguments, "--json") for _ in range(2))
    assert first == second
    told = json.loads(first.out)
    book = load_book(PORTFOLIOS.find(arguments[0]))
    health = compute_health(book.state, book.account, book.env)
    assert read_usd(told["account_value"]) == health.equity_raw
    assert read_usd(told["initial_margin"]) == health.initial_margin
    assert [row["if"] for row in told["rows"]] == list(arguments[2::2])
    assert not any(isinstance(value, float) for value in walk(told))


def walk(value: Any) -> list[Any]:
    """Every single value in JSON."""
    if isinstance(value, dict):
        return [one for item in value.values() for one in walk(item)]
    return [one for item in value for one in walk(item)] if isinstance(value, list) else [value]


def read_usd(text: str) -> int:
    """A decimal string at scale W."""
    whole, _, fraction = text.lstrip("-").partition(".")
    value = int(whole) * W + int(fraction.ljust(18, "0"))
    return -value if text.startswith("-") else value


def test_a_portfolio_is_read_at_a_path_and_by_name(crossmargin: Crossmargin) -> None:
    by_name, by_path = crossmargin("margin", "hedged"), crossmargin("margin", PORTFOLIOS.find("hedged"))
    assert by_name.out == by_path.out


def test_positions_and_collateral_add_up_to_the_account() -> None:
    measure = measure_book(load_book(PORTFOLIOS.find("hedged")), [])
    health = measure.now.standing.health
    held = measure.holdings.values()
    assert sum(one.maintenance_margin for one in held) + health.reserve == health.maintenance_margin
    assert sum(one.initial_margin for one in held) + health.reserve == health.initial_margin
    worth = sum(one.pnl for one in held) + sum(one.value for one in measure.pledges.values())
    assert worth + measure.book.account.cash == health.equity_raw


def test_an_entry_price_and_its_cost_are_the_same_position() -> None:
    entry, cost = read(PAIR), read(PAIR.replace("entry: 7900", "cost: 158000"))
    assert entry.account == cost.account
    assert compute_pnl(entry.account.positions[BTC], 8_000 * W) == 2_000 * W


# --- prices that might be -------------------------------------------------------------------------------------------


def test_a_shock_moves_both_sides_and_what_is_made_of_the_feed() -> None:
    book = load_book(PORTFOLIOS.find("wrong_way"))
    move = read_shock(book, "ETH=-20%")
    eth, wsteth = move.env.quote(ETH), move.env.quote(3)
    assert (eth.bid, eth.mid, eth.ask) == (199 * W * 4 // 5, 160 * W, 201 * W * 4 // 5)
    assert wsteth.mid == 168 * W
    assert read_shock(book, "all=-20%").env == move.env  # a rate is no price in dollars


def test_a_price_named_beside_all_moves_by_its_own_wherever_it_stands() -> None:
    book = load_book(PORTFOLIOS.find("hedged"))
    before, after = (read_shock(book, text).env for text in ("BTC=+5%,all=-20%", "all=-20%,BTC=+5%"))
    assert before == after
    assert (before.quote(BTC).mid, before.quote(ETH).mid) == (8_400 * W, 160 * W)


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("--at", "BTC", "--at: `BTC` is not a name and a value\n  write BTC=7500"),
        ("--at", "BTC=7,5", "--at: `5` is not a name and a value"),
        ("--at", "BTX=7500", "--at: unknown feed or market `BTX`, did you mean `BTC`?"),
        ("--at", "BTC=0", "--at: the price of BTC must be above 0"),
        ("--at", "WSTETH=200", "--at: WSTETH is WSTETH_RATE times ETH\n  give those two"),
        ("--at", "WSTETH_RATE=1.1", "--at: the portfolio has no price of WSTETH_RATE\n  add it to its `prices`"),
        ("--at", "BTC=7e3", "--at: `7e3` is in exponent notation"),
        ("--shock", "BTC=-20", "--shock: `-20` is not a percentage\n  write such as 1% or 0.25%"),
        ("--at", "BTC=7500,BTC=8000", "--at: `BTC` stands here a second time\n  leave one out"),
        ("--shock", "all=-1%,all=-2%", "--shock: `all` stands here a second time\n  leave one out"),
        ("--shock", "BTC=-100%", "--shock: `-100%` leaves no price\n  a price can fall by less than 100%"),
        ("--shock", "BTC=+9999999999999999999999%", "--shock: `+9999999999999999999999%` takes BTC out of the range"),
    ],
)
def test_prices_that_cannot_be_are_refused(crossmargin: Crossmargin, option: str, text: str, told: str) -> None:
    answer = crossmargin("margin", "hedged", option, text)
    assert (answer.code, answer.out) == (Exit.INPUT_INVALID, "")
    assert answer.err.startswith(told)
    as_json = crossmargin("margin", "hedged", option, text, "--json")
    assert json.loads(as_json.out)["error"]["file"] == option


def test_a_shock_that_leaves_a_price_below_a_wei_is_refused() -> None:
    book = read("params: reference\nprices: {BTC: 0.000000000000000001}\n")
    with pytest.raises(BadText, match="out of the range"):
        read_shock(book, "BTC=-50%")


# --- what can be wrong with a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("BTC: 8000", "BTX: 8000", "2:10: unknown feed or market `BTX`, did you mean `BTC`?"),
        ("BTC: 8000", "WSTETH: 8000", "2:10: WSTETH is WSTETH_RATE times ETH"),
        ("BTC: 8000", "BTC: 0", "2:15: a price must be above 0"),
        ("BTC: 8000", "BTC: {bid: 8001, price: 8000, ask: 8002}", "2:15: the sides are out of order"),
        ("BTC: 8000", "BTC: {bid: 7999, price: 8000}", "2:15: the key `ask` is missing"),
        ("BTC: 8000, ", "", "5:3: BTC has no price"),
        ("cash: 40000", "cash: 4e4", "3:7: `4e4` is in exponent notation"),
        ("cash: 40000", "cash: 40,000", "3:7: `40,000` has separators between its digits"),
        ("cash: 40000", "collateral: {USDC: 5}", "3:14: USDC is no collateral"),
        ("cash: 40000", "collateral: {WBTC: 0.123456789}", "3:20: `0.123456789` has 9 decimals, WBTC has 8"),
        ("cash: 40000", "collateral: {WSTETH: 1}", "3:14: WSTETH has no price"),
        ("cash: 40000", "collateral: {WBTX: 1}", "3:14: unknown token `WBTX`, did you mean `WBTC`?"),
        ("size: 20", "size: 0", "5:15: a position has a size"),
        ("size: 20", "size: 20.0005", "5:15: 20.0005 is not whole lots"),
        ("entry: 7900", "entry: 7900, cost: 158000", "5:32: a position has an entry price or a cost, not both"),
        (", entry: 7900", "", "5:8: the key `entry` is missing"),
        ("entry: 7900", "cost: -158000", "5:25: the cost of a long is positive, of a short negative"),
        ("size: 20, entry: 7900", "size: 20000000000, entry: 20000000000", "5:35: size times entry is more than"),
        ("  BTC:", "  BTX:", "5:3: unknown market `BTX`, did you mean `BTC`?"),
        ("cash: 40000", "others: {SOL: {long: 1}}", "3:10: unknown market `SOL`"),
        ("cash: 40000", "leverage_caps: {SOL: 3}", "3:17: unknown market `SOL`"),
        ("params: reference", "params: referense", "1:9: no parameter set is called `referense`, did you mean `ref"),
        ("params: reference\n", "", "1:1: the key `params` is missing"),
        ("cash:", "kash:", "3:1: unknown key `kash`, did you mean `cash`?"),
    ],
)
def test_a_fault_is_told_with_its_place(old: str, new: str, told: str) -> None:
    assert old in PAIR
    error = fail(PAIR.replace(old, new, 1))
    assert f"{error.line}:{error.column}: {error.message}".startswith(told)


def test_faults_of_one_file_are_told_together() -> None:
    error = fail(PAIR.replace("size: 20", "size: 20.0005").replace("ETH: 200", "ETH: 0"))
    assert [one.line for one in (error, *error.others)] == [2, 5, 6]


def test_two_names_of_one_price_are_refused(tmp_path: Path) -> None:
    path = write_set(tmp_path, "markets:\n", "markets:\n  # renamed below\n")
    path.write_text(path.read_text("utf-8").replace("\n  BTC:\n    feed: BTC", "\n  XBT:\n    feed: BTC"))
    text = f"params: {path}\nprices: {{BTC: 8000, XBT: 8000}}\n"
    assert fail(text).message == "the price of feed BTC stands here a second time"
    assert read(text.replace("BTC: 8000, ", "")).priced_markets() == [BTC]


def test_an_unknown_portfolio_has_near_names(crossmargin: Crossmargin) -> None:
    answer = crossmargin("margin", "hegded")
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err == (
        "hegded: no portfolio is called `hegded`, did you mean `hedged`?\n  there are: basis, hedged, wrong_way\n"
    )


def test_what_is_assumed_is_said() -> None:
    book = read(PAIR)
    assert book.assumed == (
        "no limit of the pool binds (there is no `pool`)",
        "nobody else trades (there are no `others`)",
    )
    assert (book.state.ledger.pool, book.env.now, book.env.sender) == (AMPLE, NOW, OWNER)
    assert read(PAIR + "pool: 5\nothers: {BTC: {long: 1}}\n").assumed == ()


def test_a_market_of_orders_is_measured_as_if_it_traded_at_once(tmp_path: Path) -> None:
    orders = "    orders: {delay: 10s, window: 1m, fee: 2, cancel_fee: 1}\n    lot: 0.001"
    plain, book = read(PAIR), read(PAIR.replace("reference", str(write_set(tmp_path, "    lot: 0.001", orders))))
    assert book.params.markets[0].orders.delay == 10
    assert book.assumed == ("BTC can be traded at once (the set has committed orders there)", *plain.assumed)
    assert find_orders(book) == find_orders(plain)


def test_usdc_without_a_price_is_a_dollar_and_below_one_it_costs_initial_margin(tmp_path: Path) -> None:
    path = write_set(tmp_path, "\nrisk:\n", "  USDC: {description: USDC / USD, decimals: 8, max_age: 1d}\n\nrisk:\n")
    more = "  usdc_feed: USDC\n  depeg_threshold: 0.995\n  depeg_factor: 1\n"
    path.write_text(path.read_text("utf-8").replace("  keeper_reserve: 10\n", f"  keeper_reserve: 10\n{more}"), "utf-8")
    text = PAIR.replace("params: reference", f"params: {path}").replace("ETH: 200", "ETH: 200, USDC: 0.945")
    below, assumed = read(text), read(text.replace(", USDC: 0.945", ""))
    margins = [compute_health(book.state, book.account, book.env).initial_margin for book in (assumed, below)]
    assert assumed.assumed[0] == "USDC is worth a dollar (`prices` has no USDC)"
    assert margins[1] - margins[0] == 280_000 * W // 20  # 5 cents on every dollar of notional
    assert read_shock(below, "all=-1%").env.quote(4) == below.env.quote(4)


def test_a_portfolio_is_checked_like_other_files(crossmargin: Crossmargin, tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(PAIR)
    assert crossmargin("check", path).out == f"{path}: a valid portfolio\n"
    path.write_text(PAIR.replace("size: 20", "size: 0"))
    answer = crossmargin("check", path)
    assert (answer.code, answer.err.splitlines()[0]) == (Exit.INPUT_INVALID, f"{path}:5:15: a position has a size")
    assert crossmargin("check", PORTFOLIOS.path).out.count("a valid portfolio") == len(PORTFOLIOS.names())


@pytest.mark.parametrize(
    "command",
    [["margin", "hedged"], ["eval", "MRG-1", '{"size": 1, "price": 1}'], ["explain", "MRG-1"]],
    ids=lambda command: command[0],
)
def test_nothing_heavy_is_imported(tmp_path: Path, command: list[str]) -> None:
    code = (
        f"import sys\nsys.argv = ['crossmargin', *{command}]\nfrom crossmargin.cli import run\nrun()\n"
        "heavy = {'web3', 'vyper', 'eth', 'eth_utils', 'eth_keys', 'rlp', 'eth_tester', 'rich'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert ran.stderr == "[]\n"
