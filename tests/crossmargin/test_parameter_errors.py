"""What is said of a wrong parameter set, and where."""

from __future__ import annotations

import pytest

from tests.crossmargin.reference_text import REFERENCE, TEXT, changed, failure, line_of

WETH_ROW = "{from: 0, mm: 0.9, im: 0.85}"
MARKETS = TEXT[TEXT.index("markets:\n") :]
UNTIERED = MARKETS[: MARKETS.index("    tiers:\n")]  # the first market without its tiers
FIRST_EQUITY_TIER = "    - {from: 0, leverage: 20}\n"
SECOND_TIER = "{from: 1000000, mm: 0.04, im: 0.08}"

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
