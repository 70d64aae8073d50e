from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS, SPECS
from crossmargin.parameters import RULES, genesis_actions, load_parameters, parse_parameters
from crossmargin.schema import KINDS, schema_text
from crossmargin.yamltext import parse_yaml
from oracle.feeds import FeedHub, Push, SetFeed, SetNodeFeed, SetRateFeed, apply_hub
from oracle.graph import RegisterNode
from protocol.actions import Action, SetCollateral, SetMarket, SetRisk
from protocol.configuration import check_collateral, check_market, check_risk
from protocol.env import Env
from protocol.errors import REFUSALS
from protocol.params import EquityTier, RiskParams
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


WETH_ROW = "{from: 0, mm: 0.9, im: 0.85}"
MARKETS = TEXT[TEXT.index("markets:\n") :]
UNTIERED = MARKETS[: MARKETS.index("    tiers:\n")]  # the first market without its tiers
FIRST_EQUITY_TIER = "    - {from: 0, leverage: 20}\n"
SECOND_TIER = "{from: 1000000, mm: 0.04, im: 0.08}"

EQUITY_TIERS = TEXT[TEXT.index("  equity_tiers:") : TEXT.index("\ntokens:\n")].removeprefix("  equity_tiers:")
BTC = "  BTC:\n"

BAD_SETS = {
    # the shape of the file
    "unknown key": (("  debt_cap:", "  debt_cup:"), "debt_cup", 3, "unknown key `debt_cup`, did you mean `debt_cap`?"),
    "missing key": (("\n  max_reward: 1000\n", "\n"), "keeper_reserve: 10", 3, "the key `max_reward` is missing"),
    "unknown section": (("\nmarkets:", "\nmarket:"), "market:", 1, "unknown key `market`, did you mean `markets`?"),
    "list among keys": (("USDC: {decimals: 6}", "- USDC"), "  WETH:", 3, "not valid YAML"),
    "nothing in a set": ((TEXT, "{}\n"), "{}", 1, "missing: `name`, `version`, `feeds`"),
    "list of markets": ((MARKETS, "markets: [BTC]\n"), "markets: [", 10, "keys and values are needed here, not a list"),
    "text for a mapping": (
        ("USDC: {decimals: 6}", "USDC: six"),
        "USDC: six",
        9,
        "keys and values are needed here, not the text `six`",
    ),
    "mapping for a number": (
        ("version: 4", "version: {a: 1}"),
        "version:",
        10,
        "a single value is needed here, not a mapping",
    ),
    "text for a list": (
        (MARKETS, UNTIERED + "    tiers: no\n"),
        "tiers: no",
        12,
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
        "refused as oracle/config: A feed's decimals, max_age or kind",
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
        (
            "USDC: {decimals: 6}",
            f"USDT: {{decimals: 6, feed: ETH, ceiling: 1, account_cap: 1, global_cap: 1, haircuts: [{WETH_ROW}]}}",
        ),
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
        ("    feed: ETH\n    ceiling", "    ceiling"),
        "  WETH:",
        3,
        "the key `feed` is missing",
    ),
    "collateral without a cap": (
        ("    global_cap: 500000\n", ""),
        "  WETH:",
        3,
        "the key `global_cap` is missing",
    ),
    "USDC with a cap": (
        ("USDC: {decimals: 6}", "USDC: {decimals: 6, account_cap: 5}"),
        "USDC: {",
        23,
        "USDC counts 1 and has no account_cap",
    ),
    "cap finer than the token": (
        ("account_cap: 1000\n", "account_cap: 1000.123456789\n"),
        "1000.123456789",
        18,
        "has 9 decimals, WBTC has 8",
    ),
    "negative cap": (("global_cap: 500000", "global_cap: -1"), "global_cap: -1", 17, "`-1` is negative"),
    "cap of 10^80": (
        ("account_cap: 50000", "account_cap: 1" + "0" * 80),
        "1" + "0" * 80,
        18,
        "is larger than the protocol can hold",
    ),
    "more decimals than a token may have": (
        ("    decimals: 18\n    feed: ETH", "    decimals: 99999999999\n    feed: ETH"),
        "decimals: 99999999999",
        15,
        "`99999999999` is too large",
    ),
    # equity tiers, funding, windows
    "tier without leverage": (("leverage: 20}", "lever: 20}"), "lever: 20", 17, "unknown key `lever`"),
    "tier of nothing": (("from: 0, leverage: 20", "from: 0"), "{from: 0}", 7, "the key `leverage` is missing"),
    "nine equity tiers": (
        (FIRST_EQUITY_TIER, FIRST_EQUITY_TIER * 7),
        "leverage: 20",
        5,
        "at most 8 entries fit here, not 9",
    ),
    "negative leverage": (("leverage: 10}", "leverage: -10}"), "leverage: -10", 33, "`-10` is negative"),
    "leverage of 10^80": (
        ("leverage: 10}", "leverage: 1" + "0" * 80 + "}"),
        "1" + "0" * 80,
        33,
        "is larger than the protocol can hold",
    ),
    "dead band too fine": (("dead_band: 0.01", "dead_band: 0.00001"), "0.00001", 16, "has 5 decimals, at most 4"),
    "window in seconds": (("window: 1h", "window: 3600"), "window: 3600", 13, "`3600` is not a duration"),
    "window as a list": (("window: 1h", "window: [1h]"), "window: [1h]", 13, "a single value is needed here"),
    # feeds of both kinds
    "rate that no feed has": (
        ("rate: WSTETH_RATE", "rate: WSTETH_RAT"),
        "  WSTETH: {",
        45,
        "unknown feed `WSTETH_RAT`, did you mean `WSTETH_RATE`?",
    ),
    "underlying that no feed has": (
        ("underlying: ETH}", "underlying: ETHH}"),
        "  WSTETH: {",
        70,
        "unknown feed `ETHH`, did you mean `ETH`?",
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
    assert "leave room for what a liquidation costs" in error.message
    assert "mm * (1 + margin_call_buffer)" in error.remedy


RATE_FEED = "  X: {description: X, rate: %s, underlying: %s}\n"
BIG = "1" + "0" * 12  # times 10^18 it is above 2^96

# What each rule of the protocol refuses: its code; where the error is, by the text of the line (nothing: the line
# changed) and the column; a part of the remedy; changes of the reference set, each of which breaks it.
ORDERS = "    orders: {delay: 10s, window: 1m, fee: 2, cancel_fee: 1}\n"
BROKEN_RULES = [
    (
        "config/orders", "orders:", 5, "leave `orders` out for a market that trades at once", [
            ("    lot: 0.001", f"{ORDERS.replace(*change)}    lot: 0.001")
            for change in (("10s", "0s"), ("10s", "61m"), ("1m", "25h"), ("fee: 2,", "fee: 1001,"), ("1}", "3}"))
        ],
    ),
    (
        "config/risk", "risk:", 1, "reward_ratio at most reward_ratio_max, sale_discount below 1", [
            ("liquidation_buffer: 0.1", "liquidation_buffer: 1.1"),
            ("reward_ratio: 0.001", "reward_ratio: 0.003"),
            ("reward_grace: 1m", "reward_grace: 366d"),
            ("redemption_window: 2d", "redemption_window: 366d"),
            ("margin_call_fee: 1", f"margin_call_fee: {BIG}"),
            ("lock_ratio: 0.2", "lock_ratio: 1.1"),
            ("stale_band: 0.1", "stale_band: 1.1"),
            ("sale_discount: 0.05", "sale_discount: 1"),
        ],
    ),
    (
        "config/equity-tiers", "", 7, "below 2^80 at 18 decimals, and never rises from one entry to the next", [
            ("{from: 1000000, leverage: 10}", "{from: 1000000, leverage: 0}"),
            ("{from: 10000000, leverage: 5}", "{from: 10000000, leverage: 11}"),
            ("{from: 0, leverage: 20}", "{from: 0, leverage: 1208926}"),
        ],
    ),
    (
        "config/brackets", "  equity_tiers:", 3, "`from` is 0 in the first entry and rises after it", [
            ("{from: 0, leverage: 20}", "{from: 1, leverage: 20}"),
            (EQUITY_TIERS, " []\n"),
        ],
    ),
    ("config/brackets", "    tiers:", 5, "one to eight entries", [("{from: 0, mm: 0.025", "{from: 1, mm: 0.025")]),
    ("config/brackets", "    haircuts:", 5, "one to eight entries", [("{from: 0, mm: 0.9", "{from: 1, mm: 0.9")]),
    (
        "config/brackets", "", 7, "rises after it", [
            ("{from: 10000000, leverage: 5}", "{from: 1000000, leverage: 5}"),
        ],
    ),
    (
        "config/funding", BTC, 3, "dead_band are at most 1, funding_velocity and funding_decay at most 10", [
            ("funding_cap: 0.03", "funding_cap: 1.01"),
            ("funding_velocity: 0.09", "funding_velocity: 10.1"),
            ("funding_decay: 0.09", "funding_decay: 11"),
            ("dead_band: 0.01", "dead_band: 1.0001"),
        ],
    ),
    (
        "config/market", BTC, 3, "oi_lower is below oi_upper, or both are 0; window is at most 30d", [
            ("oi_lower: 50000000", "oi_lower: 200000000"),
            ("oi_upper: 200000000", "oi_upper: 0"),
            ("window: 1h", "window: 31d"),
        ],
    ),
    (
        "config/market", BTC, 3, "they, the caps, oi_upper and window_notional below 2^96 at 18 decimals", [
            ("oi_cap: 10000\n", f"oi_cap: {BIG}\n"),
            ("oi_cap_usd: 200000000", f"oi_cap_usd: {BIG}"),
            ("skew_cap: 5000\n", f"skew_cap: {BIG}\n"),
            ("oi_upper: 200000000", f"oi_upper: {BIG}"),
            ("window_notional: 5000000", f"window_notional: {BIG}"),
            ("ceiling: 250000\n    lot", f"ceiling: {BIG}\n    lot"),
            ("ceiling: 250000\n    lot", "ceiling: 0\n    lot"),
            ("skew_scale: 100000", "skew_scale: 0.5"),
        ],
    ),
    (
        "config/market", BTC, 3, "at most taker_fee, taker_fee at most 0.01; max_premium and rebate_ratio", [
            ("maker_fee: 0.0002", "maker_fee: 0.0006"),
            ("taker_fee: 0.0005", "taker_fee: 0.0101"),
            ("max_premium: 0.05", "max_premium: 1.1"),
            ("rebate_ratio: 0.9", "rebate_ratio: 1.1"),
        ],
    ),
    (
        "config/margin-rates", "{from: 0, mm: 0.025", 9, "closing cost is reward_ratio_max + penalty_ratio + impact", [
            ("impact_cap_ratio: 0.005", "impact_cap_ratio: 0.0125"),
            ("reward_ratio_max: 0.0025", "reward_ratio_max: 0.0101"),
            ("fixed_reward: 5", "fixed_reward: 8"),
        ],
    ),
    (
        "config/haircuts", "  WETH:", 3, "ceiling is above 0 and below 2^96 at 18 decimals, and caps are below", [
            ("ceiling: 10000\n    account_cap", f"ceiling: {BIG}\n    account_cap"),
            ("ceiling: 10000\n    account_cap", "ceiling: 0\n    account_cap"),
            ("account_cap: 50000", f"account_cap: {BIG}"),
            ("global_cap: 500000", f"global_cap: {BIG}"),
        ],
    ),
    (
        "oracle/config", "  WSTETH_RATE: {", 3, "decimals are at most 18 and max_age is 1m to 3d", [
            ("decimals: 18, max", "decimals: 19, max"),
            ("max_age: 3d", "max_age: 4d"),
            ("max_age: 3d", "max_age: 59s"),
        ],
    ),
    (
        "oracle/config", "  X: {", 3, "rate and underlying name feeds above this one that have decimals and max_age", [
            ("\nrisk:", RATE_FEED % ("WSTETH", "ETH") + "\nrisk:"),
            ("\nrisk:", RATE_FEED % ("WSTETH_RATE", "WSTETH") + "\nrisk:"),
            ("\nrisk:", RATE_FEED % ("X", "ETH") + "\nrisk:"),
            ("feeds:\n", "feeds:\n" + RATE_FEED % ("WSTETH_RATE", "ETH")),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "near", "column", "remedy", "change"),
    [(*rule, change) for *rule, changes in BROKEN_RULES for change in changes],
)
def test_a_broken_rule_names_its_place_its_code_and_the_remedy(
    code: str, near: str, column: int, remedy: str, change: tuple[str, str]
) -> None:
    text = changed(change)
    error = failure(text)
    assert (error.line, error.column) == (line_of(near or change[1], text), column)
    assert error.message.startswith(f"refused as {code}")
    assert remedy in error.remedy


def test_every_refusal_of_a_set_has_a_remedy() -> None:
    # Ids and changes of what is in force cannot be wrong in a file that is read once.
    not_of_a_set = {"config/listing", "config/phase-in"}
    codes = {code for code in REFUSALS if code.startswith("config/")} - not_of_a_set
    assert set(RULES) == codes | {"oracle/config", "oracle/not-in-dollars"}
    assert {rule[0] for rule in BROKEN_RULES} == set(RULES) - {"oracle/not-in-dollars"}  # that of nodes: test_node_set


FEED_KINDS = "a feed has decimals and max_age, or rate and underlying, or node"
WSTETH = "  WSTETH: {"


@pytest.mark.parametrize(
    ("change", "near", "column", "message", "remedy"),
    [
        ((", rate: WSTETH_RATE, underlying: ETH}", "}"), WSTETH, 11, "the key `decimals` is missing", FEED_KINDS),
        ((", underlying: ETH}", "}"), WSTETH, 11, "the key `underlying` is missing", FEED_KINDS),
        (("rate: WSTETH_RATE, ", ""), WSTETH, 11, "the key `rate` is missing", FEED_KINDS),
        ((", max_age: 3d", ""), "  WSTETH_RATE: {", 16, "the key `max_age` is missing", FEED_KINDS),
        (("rate: WST", "decimals: 18, rate: WST"), WSTETH, 39, "a feed with a rate has no decimals", "remove the key"),
        (("ing: ETH}", "ing: ETH, max_age: 2h}"), WSTETH, 75, "a feed with a rate has no max_age", "remove the key"),
        (("ing: ETH}", "ing: ETH, node: eth}"), WSTETH, 39, "a feed with a node has no rate", "remove the key"),
    ],
)
def test_a_feed_is_pushed_or_a_product_never_both(
    change: tuple[str, str], near: str, column: int, message: str, remedy: str
) -> None:
    text = changed(change)
    error = failure(text)
    assert (error.line, error.column) == (line_of(near, text), column)
    assert (error.message, error.remedy) == (message, remedy)


def test_the_first_of_several_errors_is_the_first_in_the_file() -> None:
    text = changed(
        ("version: 4", "version: x"), ("debt_cap: 100000", "debt_cap: x"), ("min_notional: 1000", "min_notional: x")
    )
    assert failure(text).line == line_of("version: x", text)


def test_more_than_the_protocol_has_room_for_is_refused() -> None:
    rows = "".join(f"  F{n}: {{description: x, decimals: 8, max_age: 2h}}\n" for n in range(61))
    error = failure(changed(("feeds:\n", "feeds:\n" + rows)))
    assert error.message == "there is room for 64 feeds, not 65"
    token = f"{{decimals: 18, feed: ETH, ceiling: 1, account_cap: 1, global_cap: 1, haircuts: [{WETH_ROW}]}}"
    tokens = "".join(f"  T{n}: {token}\n" for n in range(6))
    error = failure(changed(("  WETH:\n", tokens + "  WETH:\n")))
    assert error.message == "there is room for 9 tokens, not 10"
    market = TEXT[TEXT.index("  ETH:\n    feed:") :]
    markets = "".join(market.replace("  ETH:", f"  M{n}:") for n in range(31))
    error = failure(changed(("\nmarkets:\n", "\nmarkets:\n" + markets)))
    assert error.message == "there is room for 32 markets, not 33"


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


def test_every_mistake_of_a_set_is_told_but_for_what_rests_on_another() -> None:
    text = changed(("decimals: 8, max_age: 2h", "decimals: 8, max_age: 9d"), ("max_age: 3d", "max_age: 1s"))
    text = text.replace("oi_lower: 50000000", "oi_lower: 50000000000000")
    found = failure(text)
    told = [(one.line, one.message.partition(":")[0]) for one in (found, *found.others)]
    assert told == [
        (line_of("max_age: 9d", text), "refused as oracle/config"),
        (line_of("max_age: 1s", text), "refused as oracle/config"),
        (line_of("  BTC:\n", text), "refused as config/market"),
        (line_of("  ETH:\n", text), "refused as config/market"),
    ]
    # Tokens and markets are held against risk parameters only if those are sound.
    found = failure(changed(("phase_in: 1d", "phase_in: 1s"), text=text))
    assert [one.message[:19] for one in (found, *found.others)] == ["refused as oracle/c"] * 2 + ["refused as config/r"]
