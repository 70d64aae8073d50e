from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS, SPECS
from crossmargin.parameters import genesis_actions, load_parameters, parse_parameters
from crossmargin.schema import KINDS, schema_text
from crossmargin.yamltext import parse_yaml
from oracle.feeds import FeedHub, Push, SetFeed, apply_oracle
from protocol.actions import Action, SetCollateral, SetMarket, SetRisk
from protocol.env import Env
from protocol.params import RiskParams, check_collateral, check_market, check_risk
from protocol.state import genesis
from protocol.transition import apply
from protocol.units import W

REFERENCE = PARAMETERS.path / "reference.yaml"
TEXT = REFERENCE.read_text(encoding="utf-8")


def changed(*changes: tuple[str, str], text: str = TEXT) -> str:
    """The reference set's text with each change made once, where its text first stands."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def failure(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_parameters(parse_yaml(text, REFERENCE))
    return caught.value


def line_of(fragment: str, text: str = TEXT) -> int:
    """The first line on which a fragment stands."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if fragment in line + "\n")


def test_reference_set_has_the_default_parameters() -> None:
    params = load_parameters(REFERENCE)
    assert (params.name, params.version) == ("reference", 1)
    assert [(feed.name, feed.description, feed.decimals, feed.max_age) for feed in params.feeds] == [
        ("BTC", "BTC / USD", 8, 7_200),
        ("ETH", "ETH / USD", 8, 7_200),
    ]
    assert params.risk == RiskParams(
        keeper_reserve=10 * W,
        margin_call_buffer=W // 4,
        backstop_ratio=6_667,
        fixed_reward=5 * W,
        reward_ratio=W // 400,
        max_reward=1_000 * W,
        reward_cap=100,
        penalty_ratio=W // 100,
        debt_cap=100_000 * W,
        insurance_fee_share=1_000,
        insurance_penalty_share=5_000,
        sale_discount=500,
    )
    tiers = [(0, 25, 50), (10**6, 40, 80), (5 * 10**6, 75, 150), (20 * 10**6, 150, 300)]
    for market, feed, lot in zip(params.markets, (0, 1), (W // 1_000, W // 100), strict=True):
        assert (market.params.feed, market.params.lot) == (feed, lot)
        assert (market.params.min_notional, market.params.fee_rate) == (1_000 * W, W // 2_000)
        rows = [(row.lower // W, row.mm_rate * 1_000 // W, row.im_rate * 1_000 // W) for row in market.params.brackets]
        assert rows == tiers
    usdc, weth = params.tokens
    assert (usdc.name, usdc.decimals, usdc.params) == ("USDC", 6, None)
    assert weth.params is not None
    assert (weth.name, weth.params.feed, weth.params.decimals) == ("WETH", 1, 18)
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
    lines = TEXT.split("\n")
    risk = lines[lines.index("risk:") + 1 : lines.index("tokens:")]
    for number, line in enumerate(risk):
        if line.strip() and not line.strip().startswith("#"):
            assert risk[number - 1].strip().startswith("#"), line


def test_genesis_actions_configure_a_new_deployment() -> None:
    params = load_parameters(REFERENCE)
    found = genesis_actions(params)
    assert {role for role, _ in found} == {"admin"}
    kinds = [type(action) for _, action in found]
    assert kinds == [SetFeed, SetFeed, SetRisk, SetMarket, SetMarket, SetCollateral]
    hub, state = FeedHub(admin=1, poster=2, feeds=()), genesis(admin=1, guardian=2, tokens=len(params.tokens))
    for _, action in found:
        if isinstance(action, SetFeed):
            hub, _events = apply_oracle(hub, 0, 1, action)
        else:
            configured: Action = action
            state = apply(state, Env(now=0, sender=1, quotes=()), configured).state
    assert state.risk == params.risk
    assert state.market_params == tuple(market.params for market in params.markets)
    assert state.collateral_params == tuple(token.params for token in params.tokens[1:])
    assert apply_oracle(hub, 0, 2, Push((0, 1), (1, 1)))


WETH_ROW = "{from: 0, mm: 0.9, im: 0.85}"
MARKETS = TEXT[TEXT.index("markets:\n") :]
SECOND_TIER = "{from: 1000000, mm: 0.04, im: 0.08}"

BAD_SETS = {
    # the shape of the file
    "unknown key": (("  debt_cap:", "  debt_cup:"), "debt_cup", 3, "unknown key `debt_cup`, did you mean `debt_cap`?"),
    "missing key": (("\n  max_reward: 1000\n", "\n"), "keeper_reserve: 10", 3, "the key `max_reward` is missing"),
    "unknown section": (("\nmarkets:", "\nmarket:"), "market:", 1, "unknown key `market`, did you mean `markets`?"),
    "list among keys": (("USDC: {decimals: 6}", "- USDC"), "  WETH:", 3, "not valid YAML"),
    "list of markets": ((MARKETS, "markets: [BTC]\n"), "markets: [", 10, "keys and values are needed here, not a list"),
    "text for a mapping": (
        ("USDC: {decimals: 6}", "USDC: six"),
        "USDC: six",
        9,
        "keys and values are needed here, not the text `six`",
    ),
    "mapping for a number": (
        ("version: 1", "version: {a: 1}"),
        "version:",
        10,
        "a single value is needed here, not a mapping",
    ),
    "text for a list": (
        (MARKETS, "markets: {A: {feed: BTC, lot: 1, min_notional: 1, fee: 0, tiers: no}}"),
        "tiers: no",
        66,
        "a list is needed here, not the text `no`",
    ),
    "bad name": (("name: reference", "name: Reference"), "name: Reference", 7, "is not a parameter set's name"),
    "bad feed name": (("  BTC: {desc", "  B TC: {desc"), "B TC", 3, "`B TC` is not a feed's name"),
    "too many tiers": (
        (SECOND_TIER, "\n      - ".join([SECOND_TIER] * 6)),
        "{from: 0, mm: 0.025",
        7,
        "at most 8 entries fit here, not 9",
    ),
    # numbers
    "negative": (("keeper_reserve: 10", "keeper_reserve: -10"), "keeper_reserve: -10", 19, "`-10` is negative"),
    "too many decimals": (
        ("backstop_ratio: 0.6667", "backstop_ratio: 0.66667"),
        "0.66667",
        19,
        "has 5 decimals, at most 4",
    ),
    "duration without a letter": (("max_age: 2h", "max_age: 7200"), "max_age: 7200", 55, "`7200` is not a duration"),
    # names
    "unknown feed of a token": (
        ("feed: ETH", "feed: ETHH"),
        "feed: ETHH",
        11,
        "unknown feed `ETHH`, did you mean `ETH`?",
    ),
    "feed by id": (("feed: ETH", "feed: 1"), "feed: 1", 11, "unknown feed `1`"),
    # the protocol's rules
    "staleness too long": (
        ("max_age: 2h", "max_age: 4d"),
        "max_age: 4d",
        3,
        "refused as oracle/config: A feed has at most 18",
    ),
    "reward above its maximum": (("max_reward: 1000", "max_reward: 4"), "risk:", 1, "refused as config/risk"),
    "tiers[1].mm too high": (
        ("mm: 0.04,", "mm: 0.07,"),
        "mm: 0.07",
        9,
        "refused as config/margin-rates (from 1000000): Margin rates",
    ),
    "second market": (("lot: 0.01 ", "lot: 0 "), "  ETH:\n", 3, "refused as config/market"),
    "bounds that do not rise": (
        ("from: 5000000, mm: 0.5", "from: 1000000, mm: 0.5"),
        "mm: 0.5,",
        9,
        "refused as config/brackets",
    ),
    "haircut that rises": (("mm: 0.8,", "mm: 0.95,"), "mm: 0.95", 9, "refused as config/haircuts (from 1000000)"),
    # tokens
    "USDC not first": (
        ("USDC: {decimals: 6}", f"USDT: {{decimals: 6, feed: ETH, haircuts: [{WETH_ROW}]}}"),
        "USDT:",
        3,
        "the first token must be USDC",
    ),
    "USDC of 18 decimals": (("USDC: {decimals: 6}", "USDC: {decimals: 18}"), "USDC: {", 20, "USDC has 6 decimals"),
    "USDC with a feed": (
        ("USDC: {decimals: 6}", "USDC: {decimals: 6, feed: ETH}"),
        "USDC: {",
        23,
        "USDC counts 1 and has no feed",
    ),
    "collateral without a feed": (
        ("    feed: ETH\n    haircuts", "    haircuts"),
        "  WETH:",
        3,
        "the key `feed` is missing",
    ),
}


@pytest.mark.parametrize(("change", "near", "column", "fragment"), BAD_SETS.values(), ids=BAD_SETS)
def test_bad_set_is_refused_at_its_place(change: tuple[str, str], near: str, column: int, fragment: str) -> None:
    text = changed(change)
    error = failure(text)
    assert fragment in error.message
    assert (error.line, error.column) == (line_of(near, text), column)
    assert str(error).startswith(f"{REFERENCE}:{error.line}:{column}: ")
    assert len(error.message) < 300


def test_a_broken_rule_is_explained_in_the_words_of_the_file() -> None:
    error = failure(changed(("mm: 0.04,", "mm: 0.07,")))
    assert "leave room between maintenance and initial" in error.message
    assert "mm * (1 + margin_call_buffer)" in error.remedy


def test_the_first_of_several_errors_is_the_first_in_the_file() -> None:
    text = changed(
        ("version: 1", "version: x"), ("debt_cap: 100000", "debt_cap: x"), ("min_notional: 1000", "min_notional: x")
    )
    assert failure(text).line == line_of("version: x", text)


def test_more_than_the_protocol_has_room_for_is_refused() -> None:
    rows = "".join(f"  F{n}: {{description: x, decimals: 8, max_age: 2h}}\n" for n in range(63))
    error = failure(changed(("feeds:\n", "feeds:\n" + rows)))
    assert error.message == "there is room for 64 feeds, not 65"
    token = f"{{decimals: 18, feed: ETH, haircuts: [{WETH_ROW}]}}"
    tokens = "".join(f"  T{n}: {token}\n" for n in range(8))
    error = failure(changed(("  WETH:\n", tokens + "  WETH:\n")))
    assert error.message == "there is room for 9 tokens, not 10"
    market = "{feed: ETH, lot: 1, min_notional: 1000, fee: 0, tiers: [{from: 0, mm: 0.025, im: 0.05}]}"
    markets = "".join(f"  M{n}: {market}\n" for n in range(31))
    error = failure(changed(("\nmarkets:\n", "\nmarkets:\n" + markets)))
    assert error.message == "there is room for 32 markets, not 33"


def test_a_set_that_only_differs_in_layout_is_the_same() -> None:
    text = changed(("keeper_reserve: 10", 'keeper_reserve: "10.000"'), ("version: 1", "version: 2"))
    params = parse_parameters(parse_yaml(text, REFERENCE))
    assert replace(params, version=1) == load_parameters(REFERENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_committed_schema_is_fresh(kind: str) -> None:
    committed = (SPECS / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(kind), f"run: crossmargin schema {kind} > specs/schema/{kind}.schema.json"


def test_reference_set_names_its_schema() -> None:
    first = TEXT.split("\n", 1)[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (REFERENCE.parent / named).resolve() == (SPECS / "schema" / "parameters.schema.json").resolve()
