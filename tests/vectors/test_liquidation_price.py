"""Liquidation prices (VIEW-5) and bankruptcy prices (VIEW-8).

Our view gives the first price, to a wei, at which the account is liquidatable; the venues state the price at which it
just is not. Between the two lies the smallest step of the price that moves equity less margin by the wei that our
roundings cost: ``4 wei / (|size| * (1 - side * rate))``, and the wei of the price itself. Beside that bound, which is
checked against the venue's exact formula, each published figure is met within the source's own digits.
"""

from __future__ import annotations

from fractions import Fraction

from protocol.units import W
from protocol.views import compute_bankruptcy_price, compute_liquidation_price
from tests.vectors.reading import Case, cases, exact, wei
from tests.vectors.setting import ACCOUNT, flat_rate, holding, opened, prices_are, rate_and_amount, state_of

ROUNDINGS = 4  # of notional, margin, profit and the comparison, a wei each


def check_price(ours: int, formula: Fraction, side: int, size: Fraction, rate: Fraction) -> None:
    """Our price is on the losing side of the formula's, by less than the bound of the module."""
    bound = Fraction(ROUNDINGS, W) / (size * (1 - side * rate)) + Fraction(1, W)
    assert abs(Fraction(ours, W) - formula) <= bound, f"{ours} for {formula}"


@cases("binance_liquidation_price")
def test_with_the_amount_of_its_tier_and_other_positions(case: Case) -> None:
    """Cross with another position at its mark price, or alone with the margin that its leverage left it."""
    (published,) = case.expected("liquidation_price")
    inputs = case.inputs
    side = -1 if inputs["is_short"] else 1
    size, entry, rate, amount = (exact(inputs[key]) for key in ("size", "entry_price", "mmr", "maintenance_amount"))
    wallet = size * entry / exact(inputs["leverage"]) if "leverage" in inputs else exact(inputs["wallet_balance"])
    positions = {0: opened(side * wei(size), wei(entry))}
    rows, prices = [rate_and_amount(wei(rate), wei(amount))], [wei(entry)]
    numerator = wallet + amount - side * size * entry
    for number, other in enumerate(inputs["other_positions"], 1):
        positions[number] = opened(wei(other["size"]), wei(other["entry_price"]))
        rows.append(rate_and_amount(wei(other["mmr"]), wei(other["maintenance_amount"])))
        prices.append(wei(other["mark_price"]))
        other_size, mark = exact(other["size"]), exact(other["mark_price"])
        numerator += (mark - exact(other["entry_price"])) * other_size
        numerator -= mark * other_size * exact(other["mmr"]) - exact(other["maintenance_amount"])
    account = holding(wei(wallet), positions)
    ours = compute_liquidation_price(state_of(account, rows), prices_are(*prices), ACCOUNT, 0)
    check_price(ours, numerator / (size * rate - side * size), side, size, rate)
    assert abs(Fraction(ours, W) - exact(published)) <= case.absolute()


def alone(side: int, size: Fraction, entry: Fraction, margin: Fraction, rate: Fraction) -> int:
    """Our liquidation price of a position alone in its account, to which a margin was paid in."""
    account = holding(wei_up(margin), {0: opened(side * wei(size), wei(entry))})
    state = state_of(account, [flat_rate(wei(rate))])
    return compute_liquidation_price(state, prices_are(wei(entry)), ACCOUNT, 0)


def wei_up(number: Fraction) -> int:
    """A number that need not be whole wei, rounded up: a margin of size * entry / leverage."""
    return -(-number * W // 1)


MARGIN_AT_ENTRY = "the venue's maintenance margin stays that of the entry price, ours moves with the price"


@cases(
    "isolated_liquidation_price_fee_models",
    left_out=dict.fromkeys(
        (
            "bybit long 1x at 10 size 1",
            "bybit long 5x at 10 size 1",
            "bybit short 3x at 10 size 1",
            "bybit short 10x at 10 size 1",
        ),
        MARGIN_AT_ENTRY,
    ),
)
def test_with_the_fee_of_closing_as_part_of_the_rate(case: Case) -> None:
    """The venue asks maintenance rate and taker fee; our rates contain the cost of closing (CFG-3)."""
    (published,) = case.expected("liquidation_price")
    inputs = case.inputs
    assert inputs["model"] == "margin_plus_taker_fee"
    side = -1 if inputs["is_short"] else 1
    size, entry = exact(inputs["size"]), exact(inputs["entry_price"])
    rate, margin = exact(inputs["mmr"]) + exact(inputs["taker_fee"]), size * entry / exact(inputs["leverage"])
    ours = alone(side, size, entry, margin, rate)
    check_price(ours, (entry - side * margin / size) / (1 - side * rate), side, size, rate)
    assert abs(Fraction(ours, W) - exact(published)) <= case.absolute()


@cases("hyperliquid_liquidation_price")
def test_of_positions_observed_on_a_venue(case: Case) -> None:
    """Within the ten-thousandth to which the observed margins reproduce the venue's own price."""
    (published,) = case.expected("liquidation_price")
    inputs = case.inputs
    side = -1 if inputs["is_short"] else 1
    size, entry, margin = (exact(inputs[key]) for key in ("size", "entry_price", "margin"))
    rate = Fraction(1, 2 * inputs["max_leverage"])
    ours = alone(side, size, entry, margin, rate)
    check_price(ours, entry - side * (margin - rate * size * entry) / size / (1 - side * rate), side, size, rate)
    assert abs(Fraction(ours, W) - exact(published)) <= exact(case.tolerance["relative"]) * exact(published)


QUANTUM = 10**12  # wei in the venue's quote quantum
NOT_OURS = {
    "04: quote_balance=-490000000 positions[2] market=1 delta_size=-100000000": (
        "the venue shares the equity among positions by margin; ours is the price of one market, the others as they are"
    ),
    "07: quote_balance=-4501000000 positions[1] market=0 delta_size=10000000": (
        "a close that grows the position: ours takes the size from the position and cannot ask for it"
    ),
}


@cases("dydx_bankruptcy_price", left_out=NOT_OURS)
def test_what_a_close_at_the_bankruptcy_price_pays(case: Case) -> None:
    """Within a quantum: the venue rounds the quote up to a quantum, against the account.

    Our price is within a wei of the one at which account value is 0. Where even a price of 0 leaves the account solvent
    there is none.
    """
    error, quote = case.expected("error", "bankruptcy_quote")
    assert error is False
    inputs = case.inputs
    (position,) = inputs["positions"]
    market = case.params["markets"][str(position["market"])]
    unit = Fraction(10) ** market["atomic_resolution"]
    price = wei(market["price"] * Fraction(10) ** market["price_exponent"])
    account = holding(inputs["quote_balance"] * QUANTUM, {0: opened(wei(position["size"] * unit), 0)})
    state = state_of(account, [flat_rate(W // 20)])
    ours = compute_bankruptcy_price(state, prices_are(price), ACCOUNT, 0)
    if quote < 0 and position["size"] > 0:
        assert ours == 0
        return
    paid = -inputs["delta_size"] * unit * ours
    assert abs(paid - quote * QUANTUM) < QUANTUM
