"""Generations and channels of liquidations, each against runs of the whole scenario with one thing changed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.library import SCENARIOS
from crossmargin.replay.command import replay
from crossmargin.replay.contagion import ANOTHER_MARKET, COLLATERAL
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.variants import load_variant, read_variant
from protocol.events import AccountLiquidated, LiquidationRefused, PositionUpdated
from tests.crossmargin.cascades import brute_generations, links, local_generations, play, told

CASCADE = SCENARIOS.find("cascade")
BTC, ETH = 0, 1
HEAD = """title: Small
params: reference
start: 2020-03-12T00:00:00Z
keepers: [kestrel]
"""
OPENING = """  - {at: 0s, push: {BTC: 8000, ETH: 200}}
  - {at: 1s, by: lender, deposit_to_pool: {amount: 10000000}}
"""


@pytest.fixture(scope="module")
def cascade() -> Scenario:
    return load_scenario(CASCADE, address_of)


def names(scenario: Scenario) -> dict[int, str]:
    return {spec.id: name for name, spec in scenario.accounts.items()}


def write(depth: str, accounts: dict[str, list[str]], rounds: dict[str, str]) -> str:
    """A scenario: each account's steps at its opening, and pushes by time."""
    steps = [f"{{at: 10s, {step.replace('ME', name)}}}" for name, own in accounts.items() for step in own]
    steps += [f"{{at: {at}, push: {push}}}" for at, push in rounds.items()]
    listed = "".join(f"  {name}: {{}}\n" for name in accounts)
    section = f"price_response: {{half_life: 30m, depth: {depth}}}\n" if depth else ""
    return f"{HEAD}{section}accounts:\n{listed}steps:\n{OPENING}" + "".join(f"  - {step}\n" for step in steps)


def deposit(amount: str, token: str = "USDC") -> str:
    return f"deposit: {{account: ME, token: {token}, amount: {amount}}}"


def trade(market: str, size: str) -> str:
    return f"trade: {{account: ME, market: {market}, size: {size}}}"


def holder(usdc: str, **sizes: str) -> list[str]:
    return [deposit(usdc), *(trade(market, size) for market, size in sizes.items())]


# --- generations ----------------------------------------------------------------------------------------------------

FLAT = {f"{minute}m": "{ETH: 188, BTC: 8000}" for minute in range(1, 7)}
SMALL = {
    # Eight longs, each with a little more than the one before: one after the other.
    "a ladder": write(
        "{ETH: 60000}",
        {f"rung_{number}": holder(str(5_700 + 420 * number), ETH="400") for number in range(8)},
        FLAT,
    ),
    # ETH falls; a hedger's short in BTC is bought back with its ETH, which squeezes a short in BTC.
    "two markets, down and up": write(
        "{ETH: 50000, BTC: 40000}",
        {
            "first": holder("5700", ETH="500"),
            "hedger": holder("13200", ETH="500", BTC="-16"),
            "squeezed": holder("5600", BTC="-13"),
            "low": holder("11600", ETH="500"),
        },
        FLAT,
    ),
    # WETH collateral falls with the positions that it is for.
    "collateral": write(
        "{ETH: 25000}",
        {
            "first": holder("5700", ETH="500"),
            "second": holder("7300", ETH="400"),
            "wrong_way": [deposit("2800"), deposit("25", "WETH"), trade("ETH", "330")],
            "low": [deposit("5500"), deposit("30", "WETH"), trade("ETH", "330")],
        },
        FLAT,
    ),
    # The tape falls again: whom it would have taken then is taken earlier by what others sold.
    "two falls": write(
        "{ETH: 60000}",
        {
            "first": holder("5700", ETH="400"),
            "second": holder("6800", ETH="400"),
            "early": holder("7500", ETH="400"),
            "between": holder("10480", ETH="400"),
            "later": holder("9000", ETH="400"),
        },
        {"1m": "{ETH: 188}", "2m": "{ETH: 188}", "3m": "{ETH: 188}", "40m": "{ETH: 179}", "41m": "{ETH: 179}"},
    ),
}


@pytest.mark.parametrize("text", SMALL.values(), ids=SMALL.keys())
def test_generations_are_those_of_whole_runs(tmp_path: Path, text: str) -> None:
    """Runs and their parts agree where accounts do nothing but hold: what differs between two runs is prices alone.

    Then an account at a round stands as it does in the run itself, but for who fell before it.
    """
    scenario = told(tmp_path, text)
    local = local_generations(scenario)
    brute = brute_generations(scenario)
    assert local == {key: brute[key] for key in local}
    assert max(local.values()) >= 3


def test_the_shipped_cascade_has_the_generations_of_whole_runs(cascade: Scenario) -> None:
    local = local_generations(cascade)
    assert local == brute_generations(cascade)
    by_name = {names(cascade)[account]: generation for (account, _), generation in local.items()}
    assert by_name == {"first": 1, "second": 2, "pair": 2, "on_weth": 3, "third": 3}


def test_who_falls_before_the_tape_takes_it_is_of_a_later_generation(tmp_path: Path) -> None:
    scenario = told(tmp_path, SMALL["two falls"])
    local = local_generations(scenario)
    found = {names(scenario)[account]: (round_, generation) for (account, round_), generation in local.items()}
    without = {names(scenario)[account] for account, _ in local_generations(replace(scenario, response=None))}
    assert "early" in without
    assert found["early"][1] > 1


def test_without_a_response_every_liquidation_is_of_the_first_generation() -> None:
    scenario = load_scenario(SCENARIOS.find("black_thursday"), address_of)
    assert Counter(link.generation for link in links(play(scenario))) == {1: 74}


def test_a_round_that_is_not_moved_any_more_is_the_tapes(tmp_path: Path) -> None:
    """Of the first fall nothing is left at the second, which takes the other account by itself."""
    accounts = {"first": holder("5700", ETH="500"), "other": holder("9000", ETH="500")}
    rounds = {"1m": "{ETH: 188}", "2m": "{ETH: 188}", "10m": "{ETH: 184}"}
    text = write("{ETH: 90000}", accounts, rounds).replace("half_life: 30m", "half_life: 3s")
    done = play(told(tmp_path, text))
    assert [bool(entry.moved) for entry in done if entry.planned.name == "Push"] == [False, False, True, False]
    assert [link.generation for link in links(done)] == [1, 1]


def test_rounds_of_a_tape_move_like_those_of_steps() -> None:
    variant = read_variant(["price_response.half_life=30m", "price_response.depth.ETH=8000000"])
    done = play(load_variant(SCENARIOS.find("liquidation"), variant))
    assert {entry.planned.kind for entry in done if entry.moved} == {"round"}
    assert any(len(entry.planned.action.feeds) > len(entry.moved) for entry in done if entry.moved)


def draw(random: Random) -> str:
    """Three to eight accounts with random books on ETH and BTC, one jump of both prices, and rounds that stand still.

    After one jump a tape never takes anybody by itself: whoever falls later does so by what others closed.
    """
    accounts: dict[str, list[str]] = {}
    for number in range(random.randint(3, 8)):
        eth = random.choice((-1, 1, 1, 1)) * random.randint(50, 600)
        btc = random.choice((-1, 0, 0, 1)) * random.randint(1, 12)
        notional = abs(eth) * 200 + abs(btc) * 8_000
        margin = notional * random.randint(60, 105) // 1_000
        book = [deposit(str(margin))]
        if random.random() < 0.3:
            book = [deposit(str(margin // 2)), deposit(str(margin // 300 + 1), "WETH")]
        book.append(trade("ETH", str(eth)))
        accounts[f"holder_{number}"] = [*book, trade("BTC", str(btc))] if btc else book
    jump = f"{{ETH: {random.randint(182, 192)}, BTC: {random.randint(7_600, 8_400)}}}"
    depth = f"{{ETH: {random.randint(20_000, 60_000)}, BTC: {random.randint(20_000, 100_000)}}}"
    return write(depth, accounts, {f"{minute}m": jump for minute in range(1, 8)})


def check_drawn(folder: Path, seed: int) -> Counter[int]:
    scenario = told(folder, draw(Random(seed)))
    assert not [step for step in play(scenario) if step.code != "ok"]
    local = local_generations(scenario)
    assert local == brute_generations(scenario), f"seed {seed}"
    return Counter(local.values())


def test_generations_of_random_books_are_those_of_whole_runs(tmp_path: Path) -> None:
    assert max(sum((check_drawn(tmp_path, seed) for seed in range(10)), Counter())) >= 3


@pytest.mark.deep
def test_generations_of_many_random_books_are_those_of_whole_runs(tmp_path: Path) -> None:
    found = sum((check_drawn(tmp_path, seed) for seed in range(10, 310)), Counter[int]())
    assert max(found) >= 4
    assert sum(count for generation, count in found.items() if generation > 1) >= 100


def test_liquidations_of_one_batch_are_asked_one_after_the_other(tmp_path: Path) -> None:
    """Two that fall by the tape and one that takes the response, in one call that also names a sound account."""
    text = write(
        "{ETH: 40000}",
        {
            "first": holder("5700", ETH="500"),
            "second": holder("6780", ETH="400"),
            "weak": [deposit("3460"), deposit("1", "WETH"), trade("ETH", "300")],
            "sound": holder("90000", ETH="300"),
        },
        {"1m": "{ETH: 188}"},
    ).replace("keepers: [kestrel]\n", "")
    batch = "liquidate_many: {batch: [second, sound, weak]}"
    text += "".join(
        f"  - {{at: {at}, by: kestrel, {action}}}\n"
        for at, action in (("2m", "liquidate: {account: first}"), ("4m", batch), ("5m", batch))
    )
    text = text.replace("  - {at: 4m", "  - {at: 3m, push: {ETH: 188}}\n  - {at: 4m")
    done = [entry for entry in play(told(tmp_path, text)) if entry.planned.name.startswith("Liquidate")]
    single, both, none = done
    assert [link.generation for link in single.links] == [1]
    assert [(names(told(tmp_path, text))[link.found.report.account], link.generation) for link in both.links] == [
        ("second", 2), ("weak", 1),
    ]  # fmt: skip
    for entry in done:
        reports = [place for place, event in enumerate(entry.events) if isinstance(event, AccountLiquidated)]
        assert [link.position for link in entry.links] == reports
        assert [link.found.report for link in entry.links] == [entry.events[place] for place in reports]
    assert any(isinstance(event, LiquidationRefused) for event in both.events[: both.links[1].position])
    assert none.links == ()


# --- channels -------------------------------------------------------------------------------------------------------


def causes(scenario: Scenario) -> set[tuple[str, int | None]] | None:
    """Channels and markets by which the account's positions were closed; None where it was not liquidated."""
    found = links(play(scenario))
    if not found:
        return None
    by_price = {ANOTHER_MARKET, COLLATERAL}
    return {(one.channel, one.market) for link in found for one in link.contagion if one.channel in by_price}


def closed(scenario: Scenario) -> set[int]:
    """The markets in which keepers closed positions."""
    done = [entry for entry in play(scenario) if entry.links]
    return {event.market for entry in done for event in entry.events if isinstance(event, PositionUpdated)}


def at_prices(folder: Path, book: list[str], eth: int, btc: int) -> Scenario:
    """One account, and one jump of both prices."""
    return told(folder, write("", {"one": book}, {"1m": f"{{ETH: {eth}, BTC: {btc}}}"}))


BOOK = holder("9500", ETH="400", BTC="8")  # entered at 200 and 8,000, impact apart
PRICES = [(eth, btc) for eth in (170, 184, 190, 200, 205) for btc in (7_000, 7_600, 8_000, 8_100)]


def test_another_market_is_one_without_whose_own_fall_the_account_falls_all_the_same(tmp_path: Path) -> None:
    """Against runs in which the price of one market stays at the entry of the account's position in it."""
    kinds = set()
    for eth, btc in PRICES:
        scenario = at_prices(tmp_path, BOOK, eth, btc)
        found = causes(scenario)
        if found is None:
            continue
        at_entry = {ETH: at_prices(tmp_path, BOOK, 200, btc), BTC: at_prices(tmp_path, BOOK, eth, 8_000)}
        falls = {market for market in closed(scenario) if causes(at_entry[market]) is not None}
        assert found == {(ANOTHER_MARKET, market) for market in falls}, (eth, btc)
        kinds.add(frozenset(falls))
    # By ETH alone, by BTC alone, by either of them, and only by both.
    assert kinds == {frozenset({BTC}), frozenset({ETH}), frozenset({BTC, ETH}), frozenset()}


ON_WETH = [deposit("250", "WETH"), trade("BTC", "100")]
DEBTOR = """  - {at: 20s, push: {BTC: 7800}}
  - {at: 21s, trade: {account: one, market: BTC, size: -98}}
  - {at: 22s, withdraw: {account: one, token: WETH, amount: 115}}
"""


@pytest.mark.parametrize(("eth", "btc", "by"), [(160, 7_800, COLLATERAL), (160, 7_500, COLLATERAL), (200, 6_000, "")])
def test_collateral_is_a_fall_without_a_loss_in_any_position(tmp_path: Path, eth: int, btc: int, by: str) -> None:
    """Against a run in which BTC comes back to the entry of the account, and only what it is backed by falls."""
    text = write("", {"one": ON_WETH}, {"1m": f"{{ETH: {eth}, BTC: {btc}}}"})
    text = text.replace("  - {at: 1m", DEBTOR + "  - {at: 1m")
    at_entry = text.replace(f"{{ETH: {eth}, BTC: {btc}}}", f"{{ETH: {eth}, BTC: 8000}}")
    assert (causes(told(tmp_path, at_entry)) is not None) == bool(by)
    assert causes(told(tmp_path, text)) == ({(by, BTC)} if by else set())


def test_who_has_one_position_and_no_collateral_falls_by_itself(tmp_path: Path) -> None:
    assert causes(at_prices(tmp_path, holder("5000", ETH="400"), 170, 8_000)) == set()


def test_who_has_too_little_for_its_entries_falls_by_no_price_of_another_market(tmp_path: Path) -> None:
    """A loss that was booked is not one in a position, and no price of now: here ETH comes back to its entry."""
    text = write("", {"one": BOOK}, {"20s": "{ETH: 215, BTC: 6900}", "1m": "{ETH: 200}"})
    booked = "  - {at: 21s, trade: {account: one, market: BTC, size: -7.8}}\n"
    scenario = told(tmp_path, text.replace("  - {at: 1m", booked + "  - {at: 1m"))
    assert closed(scenario) == {BTC, ETH}
    assert causes(scenario) == set()


def test_funding_is_a_loss_of_its_own_market(tmp_path: Path) -> None:
    """Ten days of funding on a crowded side take an account at unchanged prices; its BTC owe none and go along."""
    crowd = "".join(
        f"  - {{at: 5s, {step}}}\n"
        for step in (
            "deposit: {account: crowd, token: USDC, amount: 6000000}",
            "trade: {account: crowd, market: ETH, size: 60000}",
        )
    )
    text = write("", {"one": BOOK}, {"10d": "{ETH: 200, BTC: 8000}"}).replace("  one: {}", "  one: {}\n  crowd: {}")
    scenario = told(tmp_path, text.replace("  - {at: 10s", crowd + "  - {at: 10s", 1))
    assert closed(scenario) == {BTC, ETH}
    assert causes(scenario) == {(ANOTHER_MARKET, BTC)}


def shown(scenario: Scenario, channel: str) -> dict[str, int]:
    """The dollars of a channel, by account."""
    return {
        names(scenario)[link.found.report.account]: one.amount
        for link in links(play(scenario))
        for one in link.contagion
        if one.channel == channel
    }


def test_insurance_is_what_a_fund_that_had_not_paid_would_have_paid(cascade: Scenario) -> None:
    """Against a run with a fund that has for both."""
    rich = replace(cascade, insurance=2_000_000_000)
    paid = [
        {names(one)[link.found.report.account]: link.found.report.bad_debt_insurance for link in links(play(one))}
        for one in (cascade, rich)
    ]
    assert shown(cascade, "insurance") == {"third": paid[1]["third"] - paid[0]["third"]}
    assert shown(cascade, "insurance")["third"] == 161_125_550_447_406_666_668
    assert shown(rich, "insurance") == {}


def test_insurance_is_no_more_than_what_earlier_losses_had_taken(cascade: Scenario) -> None:
    """With a fund of 100 dollars the first loss takes what little a reward has left, and the last lacks more."""
    poor = replace(cascade, insurance=100_000_000)
    reports = {names(poor)[link.found.report.account]: link.found.report for link in links(play(poor))}
    first, last = reports["first"], reports["third"]
    assert 0 < first.bad_debt_insurance < last.bad_debt - last.bad_debt_insurance
    assert shown(poor, "insurance") == {"third": first.bad_debt_insurance}


def test_the_shared_pool_is_what_its_value_lacks(cascade: Scenario, tmp_path: Path) -> None:
    """Against a run in which the fund bears the loss instead: all that the pool's value differs by."""
    values = []
    for name, fund in (("as it is", 400_000_000), ("rich", 2_000_000_000)):
        run = replay(replace(cascade, insurance=fund), "model", "none", tmp_path / name, lambda doing, done: None)
        values.append(int(run.result["pool_value"].replace(".", "")))
    assert values[1] - values[0] == sum(shown(cascade, "shared_pool").values()) > 0


def test_price_response_is_every_later_generation(cascade: Scenario) -> None:
    found = shown(cascade, "price_response")
    assert found == {
        names(cascade)[link.found.report.account]: link.found.report.closed_notional
        for link in links(play(cascade))
        if link.generation > 1
    }
    assert shown(replace(cascade, response=None), "price_response") == {}


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_the_trace_has_every_liquidation_with_generation_and_channels(cascade: Scenario, tmp_path: Path) -> None:
    run = replay(cascade, "model", "none", tmp_path / "run", lambda doing, done: None)
    database = sqlite3.connect(tmp_path / "run" / "trace.sqlite")

    def rows(query: str) -> list[Any]:
        return database.execute(query).fetchall()

    joined = "FROM cascade JOIN event USING (number, position) JOIN account ON account.account = cascade.account"
    assert rows(f"SELECT name, generation {joined} WHERE event = 'AccountLiquidated' ORDER BY number") == [
        ("first", 1), ("second", 2), ("pair", 2), ("on_weth", 3), ("third", 3),
    ]  # fmt: skip
    kept = rows("SELECT name, generation, channel, market FROM contagion JOIN account USING (account)")
    assert kept == [
        ("second", 2, "price_response", None),
        ("pair", 2, "price_response", None),
        ("pair", 2, "another_market", "0"),
        ("on_weth", 3, "price_response", None),
        ("on_weth", 3, "collateral", "0"),
        ("third", 3, "price_response", None),
        ("third", 3, "insurance", None),
        ("third", 3, "shared_pool", None),
    ]
    sums = dict(rows("SELECT channel, sum(amount / 1e18) FROM contagion GROUP BY channel"))
    database.close()
    told_of = run.result["cascade"]
    assert {name: round(value, 6) for name, value in sums.items()} == {
        name: round(float(text), 6) for name, text in told_of["channels"].items()
    }
    assert {name: facts["liquidations"] for name, facts in told_of["generations"].items()} == {"1": 1, "2": 2, "3": 2}
    assert "  3                            2            122,984.66\n" in run.summary
    assert "    ETH: sold 329,611.47, bought 0.00; 5 rounds moved, from -7.97 % to 0.00 %\n" in run.summary


def test_who_liquidates_nobody_tells_of_no_cascade(tmp_path: Path) -> None:
    text = write("{ETH: 40000}", {"calm": holder("9000", ETH="100")}, {"1m": "{ETH: 201}"})
    run = replay(told(tmp_path, text), "model", "none", tmp_path / "run", lambda doing, done: None)
    assert "cascade" not in run.result
    assert run.result["price_response"] == {}
    assert "Cascade" not in run.summary
