"""What is said of a wrong step of a scenario, and where."""

from __future__ import annotations

import pytest

from protocol.actions import SetOperator
from tests.crossmargin.loading import ACCOUNTS, HEADER, HEDGED, Loader, address_of


def deposit(amount: str, token: str = "USDC", rest: str = "") -> str:
    return f"{{at: 0s, deposit: {{account: hedged, token: {token}, amount: {amount}}}{rest}}}"


def trade(rest: str) -> str:
    return f"{{at: 0s, trade: {{account: hedged, market: BTC, size: 1}}, {rest}}}"


# A step on line 8, which begins in column 5; where in it the error is, by the text that stands there; what it says.
BAD_STEPS = {
    "unknown key": (
        "{at: 0s, trade: {account: hedged, markt: BTC, size: 1}}",
        "markt",
        "unknown key `markt`, did you mean `market`?",
    ),
    "unknown action": ("{at: 0s, deposits: {}}", "deposits", "unknown key `deposits`, did you mean `deposit`?"),
    "no action": ("{at: 0s, by: admin}", "{at", "a step needs an action"),
    "two actions": (
        "{at: 0s, liquidate: {account: hedged}, push: {}}",
        "push",
        "a step is one action, this one has `liquidate` too",
    ),
    "missing key": ("{at: 0s, trade: {account: hedged, market: BTC}}", "{account", "the key `size` is missing"),
    "no time": ("{by: a, deposit_to_pool: {amount: 1}}", "{by", "the key `at` is missing"),
    "not a mapping": ("deposit", "deposit", "keys and values are needed here, not the text `deposit`"),
    "action not a mapping": ("{at: 0s, deposit: 5}", "5}", "keys and values are needed here, not the text `5`"),
    "number as a list": (deposit("[1]"), "[1]", "a single value is needed here, not a list"),
    # numbers
    "negative amount": (deposit("-5"), "-5", "`-5` is negative"),
    "too many decimals": (deposit("0.1234567"), "0.1234567", "has 7 decimals, USDC has 6"),
    "more decimals than any": (deposit("0." + "1" * 90), "0.1", "has 90 decimals"),
    "sexagesimal": (deposit("12:30"), "12:30", "`12:30` is not a number"),
    "2^256 units": (deposit(str(2**256), token="9"), str(2**256), "is larger than the protocol can hold"),
    "a million digits": (deposit("9" * 1_000_000), "9999", "has 1000000 characters"),
    "size beyond int256": (
        "{at: 0s, trade: {account: hedged, market: BTC, size: 1%s}}" % ("0" * 60),
        "1000",
        "is larger than",
    ),
    "price too fine": ("{at: 0s, push: {BTC: 1.123456789}}", "1.123456789", "has 9 decimals, feed BTC has 8"),
    "fraction of an unknown feed": ("{at: 0s, push: {7: 1.5}}", "1.5", "has 1 decimals, at most 0 are kept here"),
    "neither true nor false": ("{at: 0s, pause_opening: {paused: yes}}", "yes", "`yes` is neither true nor false"),
    # names
    "unknown market": (
        "{at: 0s, trade: {account: hedged, market: BTCC, size: 1}}",
        "BTCC",
        "unknown market `BTCC`, did you mean `BTC`?",
    ),
    "unknown token": (deposit("1", token="usdc"), "usdc", "unknown token `usdc`, did you mean `USDC`?"),
    "unknown account": (
        "{at: 0s, deposit: {account: hedge, token: USDC, amount: 1}}",
        "hedge,",
        "unknown account `hedge`, did you mean `hedged`?",
    ),
    "unknown feed": ("{at: 0s, push: {SOL: 1}}", "SOL", "unknown feed `SOL`"),
    "not a name": (
        "{at: 0s, deposit: {account: he dged, token: USDC, amount: 1}}",
        "he dged",
        "is neither a name nor an id",
    ),
    "negative id": ("{at: 0s, trade: {account: hedged, market: -1, size: 1}}", "-1", "is neither a name nor an id"),
    "id beyond uint256": (f"{{at: 0s, by: a, liquidate: {{account: {2**256}}}}}", str(2**256), "is too large"),
    "actor": ("{at: 0s, by: Alice, deposit_to_pool: {amount: 1}}", "Alice", "`Alice` is not an actor's name"),
    "no sender": (
        "{at: 0s, liquidate: {account: hedged}}",
        "liquidate",
        "the step has no sender: anyone may `liquidate`",
    ),
    "owner not known": (
        "{at: 0s, deposit: {account: 77, token: 0, amount: 1}}",
        "deposit",
        "the owner of this account is not known",
    ),
    # pushes
    "push of nothing": ("{at: 0s, push: {}}", "{}}", "a push names 1 to 64 feeds"),
    "feed twice": ("{at: 0s, push: {BTC: 1, 0: 2}}", "0: 2", "feed BTC stands here a second time"),
    "push as text": ("{at: 0s, push: BTC}", "BTC}", "a mapping or a list is needed here, not the text `BTC`"),
    "round with another key": ("{at: 0s, push: [{feed: BTC, answer: 1}]}", "answer", "unknown key `answer`"),
    "push of 65": (
        "{{at: 0s, push: [{}]}}".format(", ".join(["{feed: 0, price: 1}"] * 65)),
        "[{feed",
        "at most 64 entries fit here, not 65",
    ),
    # transfers, isolated accounts, operators, limits of one's own
    "transfer to nobody": (
        "{at: 0s, transfer: {account: hedged, target: othr, token: USDC, amount: 1}}",
        "othr",
        "unknown account `othr`, did you mean `other`?",
    ),
    "transfer without a target": (
        "{at: 0s, transfer: {account: hedged, token: USDC, amount: 1}}",
        "{account",
        "the key `target` is missing",
    ),
    "transfer too fine": (
        "{at: 0s, transfer: {account: hedged, target: other, token: WBTC, amount: 0.123456789}}",
        "0.123456789",
        "has 9 decimals, WBTC has 8",
    ),
    "isolated in no market": (
        "{at: 0s, create_isolated: {account: hedged, market: SOL}}",
        "SOL",
        "unknown market `SOL`",
    ),
    "operator who cannot be": (
        "{at: 0s, set_operator: {account: hedged, operator: Kestrel}}",
        "Kestrel",
        "`Kestrel` is not an actor's name",
    ),
    "operator beyond an address": (
        f"{{at: 0s, set_operator: {{account: hedged, operator: {2**160:#x}}}}}",
        "0x1",
        "is too large",
    ),
    "operator below 0": ("{at: 0s, set_operator: {account: hedged, operator: -1}}", "-1", "neither a name nor an id"),
    "operators": ("{at: 0s, set_operator: {account: hedged, operator: [a]}}", "[a]", "a single value is needed here"),
    "negative leverage": (
        "{at: 0s, set_leverage_cap: {account: hedged, market: BTC, leverage: -1}}",
        "-1",
        "`-1` is negative",
    ),
    "leverage of 10^80": (
        "{at: 0s, set_leverage_cap: {account: hedged, market: BTC, leverage: 1%s}}" % ("0" * 80),
        "1000",
        "is larger than the protocol can hold",
    ),
    "least balance below int256": (
        "{at: 0s, close_all: {account: hedged, min_cash: -1%s}}" % ("0" * 80),
        "-1000",
        "is larger than the protocol can hold",
    ),
    "close_all of a market": ("{at: 0s, close_all: {account: hedged, market: BTC}}", "market", "unknown key `market`"),
    # batches
    "batch with an unknown account": (
        "{at: 0s, by: a, liquidate_many: {batch: [hedged, othr]}}",
        "othr",
        "unknown account `othr`, did you mean `other`?",
    ),
    "batch of one": (
        "{at: 0s, by: a, liquidate_many: {batch: hedged}}",
        "hedged",
        "a list is needed here, not the text",
    ),
    "batch by key": ("{at: 0s, by: a, liquidate_many: {batch: {a: b}}}", "{a:", "a list is needed here, not a mapping"),
    "batch in a batch": ("{at: 0s, by: a, liquidate_many: {batch: [[hedged]]}}", "[hedged", "a single value is needed"),
    "batch by nobody": (
        "{at: 0s, liquidate_many: {batch: [hedged]}}",
        "liquidate_many",
        "the step has no sender: anyone may `liquidate_many`",
    ),
    "batch too long to send": (
        "{{at: 0s, by: a, liquidate_many: {{batch: [{}]}}}}".format(", ".join(["hedged"] * 34)),
        "[hedged",
        "at most 33 entries fit here, not 34",
    ),
    "cash of a batch": (
        "{at: 0s, by: a, liquidate_many: {batch: [hedged]}, expect: {cash: 1}}",
        "cash",
        "`cash` needs an action with an account",
    ),
    # pool and inventory
    "negative shares": ("{at: 0s, by: a, request_redemption: {shares: -1}}", "-1", "`-1` is negative"),
    "redemption by nobody": (
        "{at: 0s, claim_redemption: {}}",
        "claim_redemption",
        "the step has no sender: anyone may `claim_redemption`",
    ),
    "claim of an amount": (
        "{at: 0s, by: a, claim_redemption: {shares: 1}}",
        "shares",
        "unknown key `shares`",
    ),
    "claim without braces": ("{at: 0s, by: a, claim_redemption: }", " }", "`claim_redemption` has no value"),
    "inventory of an unknown token": (
        "{at: 0s, by: a, buy_inventory: {token: WET, amount: 1, max_cost: 1}}",
        "WET",
        "unknown token `WET`, did you mean `WETH`?",
    ),
    "cost too fine": (
        "{at: 0s, by: a, buy_inventory: {token: WETH, amount: 1, max_cost: 1.1234567}}",
        "1.1234567",
        "`1.1234567` has 7 decimals, USDC has 6",
    ),
    "cost of 10^80": (
        "{at: 0s, by: a, buy_inventory: {token: WETH, amount: 1, max_cost: 1%s}}" % ("0" * 80),
        "1000",
        "is larger than the protocol can hold",
    ),
    # roles and feeds
    "admin beyond an address": (f"{{at: 0s, propose_admin: {{admin: {2**160}}}}}", str(2**160), "is too large"),
    "guardian who cannot be": ("{at: 0s, set_guardian: {guardian: a-b}}", "a-b", "`a-b` is not an actor's name"),
    "accepting something": (
        "{at: 0s, by: a, accept_admin: yes}",
        "yes",
        "keys and values are needed here, not the text",
    ),
    "rate of an unknown feed": (
        "{at: 0s, set_rate_feed: {feed: 4, rate: WSTETH_RAT, underlying: ETH}}",
        "WSTETH_RAT",
        "unknown feed `WSTETH_RAT`, did you mean `WSTETH_RATE`?",
    ),
    # times
    "time without a unit": ("{at: 90, by: a, deposit_to_pool: {amount: 1}}", "90", "`90` is not a time"),
    "time of day": ("{at: 12:30, by: a, deposit_to_pool: {amount: 1}}", "12:30", "`12:30` is not a time"),
    "negative time": ("{at: -5s, by: a, deposit_to_pool: {amount: 1}}", "-5s", "`-5s` is not a time"),
    "day alone": ("{at: 2020-03-12, by: a, deposit_to_pool: {amount: 1}}", "2020-03-12,", "`2020-03-12` is not a time"),
    "no such day": (
        "{at: 2020-02-30T00:00:00Z, by: a, deposit_to_pool: {amount: 1}}",
        "2020-02",
        "is not a time: day is out of range",
    ),
    "another zone": (
        "{at: 2020-03-12T10:00:00+01:00, by: a, deposit_to_pool: {amount: 1}}",
        "2020-03",
        "is not a time",
    ),
    "before the start": (
        "{at: 2020-03-11T23:59:59Z, by: a, deposit_to_pool: {amount: 1}}",
        "2020-03",
        "before the scenario begins, at 2020-03-12T00:00:00Z",
    ),
    "after the year 9998": ("{at: 9999999d, by: a, deposit_to_pool: {amount: 1}}", "9999999d", "after the year 9998"),
    # expectations
    "unknown code": (
        trade("expect: {refused: margin/inital}"),
        "margin/inital",
        "unknown refusal code `margin/inital`, did you mean `margin/initial`?",
    ),
    "unknown state": (
        trade("expect: {state: HEALTY}"),
        "HEALTY",
        "unknown account state `HEALTY`, did you mean `HEALTHY`?",
    ),
    "unknown value": (trade("expect: {cassh: 1}"), "cassh", "unknown key `cassh`, did you mean `cash`?"),
    "units of a trade": (trade("expect: {units: 1}"), "units", "`units` needs an action with a token"),
    "size of a deposit": (deposit("1", rest=", expect: {size: 1}"), "size", "`size` needs an action with a market"),
    "cash of nobody": (
        "{at: 0s, pause_opening: {paused: true}, expect: {cash: 1}}",
        "cash",
        "`cash` needs an action with an account",
    ),
    "negative liquidation price": (trade("expect: {liquidation_price: -1}"), "-1", "`-1` is negative"),
    "largest trade of a deposit": (
        deposit("1", rest=", expect: {max_long: 1}"),
        "max_long",
        "`max_long` needs an action with a market",
    ),
    "withdrawable of a trade": (
        trade("expect: {withdrawable: 1}"),
        "withdrawable",
        "`withdrawable` needs an action with a token",
    ),
    "withdrawable too fine": (
        deposit("1", rest=", expect: {withdrawable: 0.0000001}"),
        "0.0000001",
        "has 7 decimals, USDC has 6",
    ),
    "expected units too fine": (
        deposit("1", rest=", expect: {units: 0.0000001}"),
        "0.0000001",
        "has 7 decimals, USDC has 6",
    ),
}


@pytest.mark.parametrize(("step", "at", "fragment"), BAD_STEPS.values(), ids=BAD_STEPS)
def test_bad_step_is_refused_at_its_place(load: Loader, step: str, at: str, fragment: str) -> None:
    text = HEADER + ACCOUNTS + f"  - {step}\n  - {{at: 0s, by: a, deposit_to_pool: {{amount: 1}}}}\n"
    error = load.failure(text)
    assert fragment in error.message
    assert (error.line, error.column) == (8, 5 + step.index(at))
    assert len(error.message) < 250
    assert len(str(error)) < 1_500


def test_a_batch_too_long_to_send_says_what_to_do(load: Loader) -> None:
    batch = ", ".join(["hedged"] * 34)
    error = load.failure(HEADER + ACCOUNTS + f"  - {{at: 0s, by: a, liquidate_many: {{batch: [{batch}]}}}}\n")
    assert error.remedy == "a call liquidates at most 32: make it several steps"
    load.steps("{{at: 0s, by: a, liquidate_many: {{batch: [{}]}}}}".format(", ".join(["hedged"] * 33)))


def test_any_name_is_an_actor(load: Loader) -> None:
    scenario = load.steps("{at: 0s, set_operator: {account: hedged, operator: nobody_heard_of}}")
    assert scenario.steps[0].action == SetOperator(HEDGED, address_of("nobody_heard_of"))


def test_an_unknown_key_lists_the_known_ones_however_many(load: Loader) -> None:
    error = load.failure(HEADER + ACCOUNTS + "  - {at: 0s, push: {BTC: 1}, foo: 1}\n")
    assert error.remedy.startswith("there are: at, by, deposit, withdraw, ")
    assert error.remedy.endswith(", push, expect")


@pytest.mark.parametrize(
    ("step", "at", "message", "remedy"),
    [
        (deposit("1,000"), "000", "`000` has no value: the comma ends the number `1`", "write the digits alone: 1000"),
        (deposit("-12,000.50"), "000.50", "the comma ends the number `-12`", "write the digits alone: -12000.50"),
        (deposit("20,000,000"), "000,", "the comma ends the number `20`", "write the digits alone: 20000000"),
        (deposit("1,000,000.25"), "000,", "the comma ends the number `1`", "write the digits alone: 1000000.25"),
        (deposit("'1,000'"), "'1,000'", "`1,000` has separators", "write the digits alone: 1000"),
        (deposit("1_000_000.5"), "1_000", "`1_000_000.5` has separators", "write the digits alone: 1000000.5"),
        (deposit("'1,5'"), "'1,5'", "`1,5` has separators", "with a point before decimals: 1250.5"),
        (deposit("1, memo"), "}", "`memo` has no value", "write a value"),
    ],
)
def test_a_number_with_a_comma_says_what_to_write(load: Loader, step: str, at: str, message: str, remedy: str) -> None:
    error = load.failure(HEADER + ACCOUNTS + f"  - {step}\n")
    assert message in error.message
    assert remedy in error.remedy
    assert error.column == 5 + step.index(at)
