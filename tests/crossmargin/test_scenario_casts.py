"""What the casts of the scenarios with stories show."""

from __future__ import annotations

import json

import pytest

from protocol.account_state import AccountState
from protocol.rewards import compute_reward
from protocol.units import W
from tests.crossmargin.playing import MORNING, Played


@pytest.mark.parametrize(
    ("lost", "kept"),
    [
        pytest.param("not_topped_up", "topped_up", id="a deposit in time"),
        pytest.param("weth_backed", "usdc_backed", id="collateral that falls with the position"),
    ],
)
def test_of_two_accounts_that_open_alike_one_is_lost(crash: Played, lost: str, kept: str) -> None:
    assert crash.opening(lost) == crash.opening(kept)
    assert lost in crash.liquidated()
    assert kept not in crash.liquidated()


def test_a_loss_spreads_inside_an_account_and_not_between_two(crash: Played) -> None:
    value, sizes = crash.opening("joint")
    btc_value, btc_sizes = crash.opening("split_btc")
    eth_value, eth_sizes = crash.opening("split_eth")
    assert (value, sizes) == (btc_value + eth_value, btc_sizes | eth_sizes)
    assert not btc_sizes.keys() & eth_sizes.keys()
    assert crash.scenario.accounts["split_btc"].owner == crash.scenario.accounts["split_eth"].owner
    assert crash.liquidated() & {"joint", "split_btc", "split_eth"} == {"joint", "split_btc"}
    closed = crash.rows(
        "SELECT market FROM event JOIN account USING (account) WHERE name = 'joint' AND event = 'PositionUpdated' "
        "AND number IN (SELECT number FROM event WHERE event = 'AccountLiquidated')"
    )
    assert {market for (market,) in closed} == sizes.keys()


def test_those_who_are_said_to_survive_do(crash: Played) -> None:
    survivors = {"hedger", "rescued", "covered", "carry", "short_seller", "panicker", "flipper", "reducer"}
    assert (survivors | {"btc_long_2x"}) & crash.liquidated() == set()


def test_the_whale_begins_in_the_third_margin_tier(crash: Played) -> None:
    params = crash.scenario.params
    market = params.markets[int(next(iter(crash.opening("whale")[1])))]
    size = json.loads(
        crash.rows(
            "SELECT fields FROM event JOIN account USING (account) WHERE name = 'whale' AND event = 'PositionUpdated' "
            "ORDER BY number LIMIT 1 OFFSET 2"
        )[0][0]
    )
    notional = int(size["size"]) * int(size["price"]) // W
    assert sum(bracket.lower < notional for bracket in market.params.brackets) == 3


def test_the_whale_loses_a_part_first_and_the_rest_one_round_later(crash: Played) -> None:
    assert crash.standings("whale") == [AccountState.LIQUIDATABLE, AccountState.BACKSTOP]
    first, second = (report for name, report in crash.liquidations() if name == "whale")
    assert 0 < int(first["closed_notional"]) < int(second["closed_notional"])


def find_saved(played: Played) -> set[str]:
    """Accounts whose last liquidation left them a position."""
    rows = played.rows(
        "SELECT name, event.number, market, json_extract(fields, '$.size') FROM event JOIN account USING (account) "
        "WHERE event = 'PositionUpdated' ORDER BY event.number, position"
    )
    last = dict(
        played.rows(
            "SELECT name, max(number) FROM event JOIN account USING (account) WHERE event = 'AccountLiquidated' "
            "GROUP BY name"
        )
    )
    left = {(name, market): int(size) for name, number, market, size in rows if number <= last.get(name, 0)}
    return {name for (name, _), size in left.items() if size != 0}


def test_a_partial_liquidation_saves_four_accounts(crash: Played) -> None:
    saved = find_saved(crash)
    assert saved == {"eth_long_2x", "bull", "waiting", "eth_rebound_7x"}
    assert {standing for name in saved for standing in crash.standings(name)} == {AccountState.LIQUIDATABLE}


def test_an_empty_window_refuses_keepers_and_the_flag_makes_them_a_higher_reward(crash: Played) -> None:
    params = crash.scenario.params
    windows = crash.rows("SELECT fields FROM event WHERE event = 'WindowUpdated' AND market = '1' ORDER BY number")
    fullest = max(int(json.loads(fields)["used"]) for (fields,) in windows)
    window = params.markets[1].params
    assert 0 <= window.window_notional - fullest < 116 * window.lot  # less than a lot at 116.00
    waiting = str(crash.scenario.accounts["waiting"].id)
    times = crash.rows(
        "SELECT action, code, time FROM action WHERE action IN ('Liquidate', 'FlagAccount') "
        "AND json_extract(arguments, '$.account') = ? ORDER BY number",
        waiting,
    )
    assert [(action, code) for action, code, _ in times] == [
        ("Liquidate", "liq/rate-limit"), ("FlagAccount", "ok"), ("Liquidate", "liq/rate-limit"), ("Liquidate", "ok"),
    ]  # fmt: skip
    report = next(report for name, report in crash.liquidations() if name == "waiting")
    closed, risk = int(report["closed_notional"]), params.risk
    assert int(report["reward"]) == compute_reward(risk, closed, risk.reward_ratio_max)
    assert int(report["reward"]) > 2 * compute_reward(risk, closed, risk.reward_ratio)


def test_the_crowded_side_pays_funding(crash: Played) -> None:
    held: dict[tuple[str, str], int] = {}
    for fill in crash.fills():
        key = (fill["account"], fill["market"])
        if fill["funding"] != "0":
            assert (int(fill["funding"]) > 0) == (held[key] > 0)  # longs pay, shorts receive
        held[key] = int(fill["size"])
    assert any(int(fill["funding"]) < 0 for fill in crash.fills())


def test_on_the_quiet_day_no_market_is_crowded_and_nobody_pays_funding(played: dict[str, Played]) -> None:
    assert {fill["funding"] for fill in played["quiet_day"].fills()} == {"0"}


def test_who_stands_against_the_crowd_is_paid_for_it(crash: Played) -> None:
    account = str(crash.scenario.accounts["carry"].id)
    opened, closed = (fill for fill in crash.fills() if fill["account"] == account)
    assert int(opened["impact"]) < 0 < int(opened["fee"]) < -int(opened["impact"])
    assert int(closed["funding"]) < 0
    units = crash.rows(
        "SELECT json_extract(fields, '$.units') FROM event WHERE account = ? AND event = 'CollateralUpdated' "
        "ORDER BY number",
        account,
    )
    assert [int(value) for (value,) in units] == [10 * 10**8, 0]


def test_a_provider_who_asked_before_the_fall_is_paid_a_day_later(crash: Played) -> None:
    ((asked, code),) = crash.moments("RequestRedemption", "lp_harbour")
    assert (asked - crash.scenario.start < MORNING, code) == (True, "ok")
    early, paid, again = crash.moments("ClaimRedemption", "lp_harbour")
    delay = crash.scenario.params.risk.redemption_delay
    assert (early[1], paid[1], again[1]) == ("pool/too-early", "ok", "pool/no-request")
    assert early[0] < asked + delay <= paid[0]


def test_the_insurance_fund_pays_all_bad_debt(crash: Played) -> None:
    in_debt = {name: report for name, report in crash.liquidations() if report["bad_debt"] != "0"}
    assert "wrong_way" in in_debt
    assert all(report["bad_debt_insurance"] == report["bad_debt"] for report in in_debt.values())
    assert crash.run.result["deficit"] == "0.00"


@pytest.mark.parametrize("name", ["wrong_way", "weth_backed"])
def test_wrong_way_collateral_ends_in_the_pool(crash: Played, name: str) -> None:
    sold = crash.rows(
        "SELECT json_extract(fields, '$.units') FROM event JOIN account USING (account) WHERE name = ? "
        "AND event = 'CollateralUpdated' AND number IN (SELECT number FROM event WHERE event = 'AccountLiquidated')",
        name,
    )
    assert len(sold) == 1
