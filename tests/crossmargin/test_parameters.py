"""The parameter sets that ship: their values, their genesis actions, their schema."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crossmargin.library import PARAMETERS, SPECS
from crossmargin.parameters import genesis_actions, load_parameters, parse_parameters
from crossmargin.schema import KINDS, schema_text
from crossmargin.yamltext import parse_yaml
from oracle.feeds import FeedHub, Push, SetFeed, SetNodeFeed, SetRateFeed, apply_hub
from oracle.graph import RegisterNode
from protocol.actions import Action, SetCollateral, SetMarket, SetRisk
from protocol.configuration import check_collateral, check_market, check_risk
from protocol.env import Env
from protocol.params import EquityTier, RiskParams
from protocol.state import genesis
from protocol.transition import apply
from protocol.units import W
from tests.crossmargin.reference_text import REFERENCE, TEXT, changed


def test_reference_set_has_the_default_parameters() -> None:
    params = load_parameters(REFERENCE)
    assert (params.name, params.version) == ("reference", 4)
    assert [(feed.name, feed.description, feed.decimals, feed.action) for feed in params.feeds] == [
        ("BTC", "BTC / USD", 8, SetFeed(0, 8, 7_200)),
        ("ETH", "ETH / USD", 8, SetFeed(1, 8, 7_200)),
        ("WSTETH_RATE", "wstETH / ETH", 18, SetFeed(2, 18, 259_200)),
        ("WSTETH", "wstETH / USD", 18, SetRateFeed(3, 2, 1)),
    ]
    assert params.risk == RiskParams(
        keeper_reserve=10 * W,
        margin_call_buffer=W // 4,
        liquidation_buffer=W // 10,
        backstop_ratio=6_667,
        fixed_reward=5 * W,
        reward_ratio=W // 1_000,
        reward_ratio_max=W // 400,
        reward_ramp=25 * W // 10**7,
        reward_grace=60,
        max_reward=1_000 * W,
        reward_cap=100,
        penalty_ratio=W // 100,
        impact_cap_ratio=W // 200,
        debt_cap=100_000 * W,
        insurance_fee_share=1_000,
        insurance_penalty_share=5_000,
        sale_discount=500,
        margin_call_fee=W,
        phase_in=86_400,
        lock_ratio=2_000,
        stale_band=1_000,
        usdc_feed=0,
        depeg_threshold=0,
        depeg_factor=0,
        redemption_delay=86_400,
        redemption_window=172_800,
        equity_tiers=tuple(EquityTier(low * W, lev * W) for low, lev in ((0, 20), (10**6, 10), (10**7, 5))),
    )
    tiers = [(0, 25, 50), (10**6, 40, 80), (5 * 10**6, 75, 150), (20 * 10**6, 150, 300)]
    for market, feed, lot in zip(params.markets, (0, 1), (W // 1_000, W // 100), strict=True):
        assert (market.params.feed, market.params.lot) == (feed, lot)
        assert market.params.min_notional == 1_000 * W
        assert (market.params.maker_fee, market.params.taker_fee) == (W // 5_000, W // 2_000)
        assert (market.params.max_premium, market.params.rebate_ratio, market.params.dead_band) == (500, 9_000, 100)
        assert (market.params.oi_lower, market.params.oi_upper) == (50 * 10**6 * W, 200 * 10**6 * W)
        assert (market.params.window, market.params.window_notional) == (3_600, 5 * 10**6 * W)
        rows = [(row.lower // W, row.mm_rate * 1_000 // W, row.im_rate * 1_000 // W) for row in market.params.brackets]
        assert rows == tiers
    assert [(market.params.skew_scale // W, market.params.oi_cap // W) for market in params.markets] == [
        (100_000, 10_000),
        (3_000_000, 300_000),
    ]
    usdc, weth, wbtc, wsteth = params.tokens
    assert (usdc.name, usdc.decimals, usdc.params) == ("USDC", 6, None)
    assert weth.params is not None
    assert (weth.name, weth.params.feed, weth.params.decimals) == ("WETH", 1, 18)
    assert [token.params.ceiling // W for token in params.tokens[1:] if token.params] == [10_000, 250_000, 12_500]
    assert [market.params.ceiling // W for market in params.markets] == [250_000, 10_000]
    assert (weth.params.account_cap, weth.params.global_cap) == (50_000 * 10**18, 500_000 * 10**18)
    assert wbtc.params is not None
    assert (wbtc.params.feed, wbtc.params.decimals, wbtc.params.account_cap) == (0, 8, 1_000 * 10**8)
    assert wsteth.params is not None
    assert (wsteth.params.feed, wsteth.params.decimals) == (3, 18)
    rows = [(row.lower // W, row.mm_weight * 100 // W, row.im_weight * 100 // W) for row in weth.params.brackets]
    assert rows == [(0, 90, 85), (10**6, 80, 70), (5 * 10**6, 50, 40)]


@pytest.mark.parametrize("path", sorted(PARAMETERS.path.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_committed_set_is_valid_and_named_for_its_file(path: Path) -> None:
    params = load_parameters(path)
    assert params.name == path.stem
    check_risk(params.risk)
    for market in params.markets:
        check_market(params.risk, market.params)
    for token in params.tokens[1:]:
        assert token.params is not None
        check_collateral(params.risk, token.params)


def test_every_number_of_the_reference_set_has_its_reason() -> None:
    sections = TEXT[TEXT.index("feeds:\n") : TEXT.index("  BTC:\n")]
    blocks = [block for block in re.sub(r"^\w+:\n", "", sections, flags=re.MULTILINE).split("\n\n") if block.strip()]
    assert len(blocks) > 20
    assert [block for block in blocks if not block.strip().startswith("#")] == []


def test_genesis_actions_configure_a_new_deployment() -> None:
    params = load_parameters(REFERENCE)
    found = genesis_actions(params)
    assert {role for role, _ in found} == {"admin"}
    kinds = [type(action) for _, action in found]
    feeds = [SetFeed, SetFeed, SetFeed, SetRateFeed]
    assert kinds == [*feeds, SetRisk, SetMarket, SetMarket, SetCollateral, SetCollateral, SetCollateral]
    hub, state = FeedHub(admin=1, poster=2, feeds=()), genesis(admin=1, guardian=2, tokens=len(params.tokens))
    for _, action in found:
        if isinstance(action, SetFeed | SetRateFeed):
            hub, _events = apply_hub(hub, 0, 1, action)
        else:
            assert not isinstance(action, RegisterNode | SetNodeFeed)
            configured: Action = action
            state = apply(state, Env(now=0, sender=1, quotes=()), configured).state
    assert state.risk == params.risk
    assert state.market_params == tuple(market.params for market in params.markets)
    assert state.collateral_params == tuple(token.params for token in params.tokens[1:])
    assert apply_hub(hub, 0, 2, Push((0, 1, 2), (1, 1, 1)))


def test_a_set_that_only_differs_in_layout_is_the_same() -> None:
    text = changed(("keeper_reserve: 10", 'keeper_reserve: "10.000"'), ("version: 4", "version: 5"))
    params = parse_parameters(parse_yaml(text, REFERENCE))
    assert replace(params, version=4) == load_parameters(REFERENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_committed_schema_is_fresh(kind: str) -> None:
    committed = (SPECS / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(kind), f"run: crossmargin schema {kind} > specs/schema/{kind}.schema.json"


def test_reference_set_names_its_schema() -> None:
    first = TEXT.split("\n", 1)[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (REFERENCE.parent / named).resolve() == (SPECS / "schema" / "parameters.schema.json").resolve()
