"""What is said of a parameter set that breaks a rule of the protocol: the code, the place, the remedy."""

from __future__ import annotations

import pytest

from crossmargin.parameters import RULES
from protocol.errors import REFUSALS
from tests.crossmargin.reference_text import TEXT, changed, failure, line_of

RATE_FEED = "  X: {description: X, rate: %s, underlying: %s}\n"
BIG = "1" + "0" * 12  # times 10^18 it is above 2^96
EQUITY_TIERS = TEXT[TEXT.index("  equity_tiers:") : TEXT.index("\ntokens:\n")].removeprefix("  equity_tiers:")
BTC = "  BTC:\n"
ORDERS = "    orders: {delay: 10s, window: 1m, fee: 2, cancel_fee: 1}\n"

# What each rule of the protocol refuses: its code; where the error is, by the text of the line (nothing: the line
# changed) and the column; a part of the remedy; changes of the reference set, each of which breaks it.
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


def test_a_broken_rule_is_explained_in_the_words_of_the_file() -> None:
    error = failure(changed(("mm: 0.04,", "mm: 0.07,")))
    assert "leave room for what a liquidation costs" in error.message
    assert "mm * (1 + margin_call_buffer)" in error.remedy


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
