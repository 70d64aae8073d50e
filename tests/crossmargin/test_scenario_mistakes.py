"""Of several mistakes in a scenario each is told once, in order, but for what rests on another."""

from __future__ import annotations

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from tests.crossmargin.loading import ACCOUNTS, HEADER, Loader


def all_of(error: InputError) -> list[tuple[int, str]]:
    return [(one.line, one.message) for one in (error, *error.others)]


def test_every_wrong_step_is_told_once_in_order_of_lines(load: Loader) -> None:
    error = load.failure(
        HEADER.replace("start", "keepers: [k, k]\nstart")
        + ACCOUNTS
        + "  - {at: 0s, trade: {account: hedgd, market: BTCC, size: abc}}\n"  # form hides meaning within a step,
        + "  - {at: 0s, deposit: {account: hedgd, token: USDT, amount: 1.12345678}}\n"  # but not across steps
        + "  - {at: 9h, by: a, deposit_to_pool: {amount: 1}}\n"
        + "  - {at: 2h, by: a, deposit_to_pool: {amount: 1.12345678}}\n"
        + "  - {at: 3h, push: {BTC: 1, BCT: 2, SOL: 3}}\n"
        + "  - {at: 4h, trade: {account: hedged, market: BTC, size: 1}, expect: {units: 1, cash: 1, withdrawable: 1}}\n"
        + "  - {at: 5h, by: a, buy_inventory: {token: WETH, amount: 1.5, max_cost: x}}\n"
        + "expect: {accounts: {nobody: {cash: 1}, no_one: {cash: 2}}}\n"
    )
    assert all_of(error) == [
        (3, "the keeper `k` stands here a second time"),
        (9, "`abc` is not a number"),
        (10, "unknown account `hedgd`, did you mean `hedged`?"),
        (10, "unknown token `USDT`, did you mean `USDC`?"),
        (12, "this is before the step above it, at 2020-03-12T09:00:00Z"),
        (12, "`1.12345678` has 8 decimals, USDC has 6"),
        (13, "unknown feed `BCT`, did you mean `BTC`?"),
        (13, "unknown feed `SOL`"),
        (14, "`units` needs an action with a token"),
        (14, "`withdrawable` needs an action with a token"),
        (15, "`x` is not a number"),
        (16, "unknown account `nobody`"),
        (16, "unknown account `no_one`"),
    ]


def test_every_wrong_field_of_a_mapping_is_told(load: Loader) -> None:
    error = load.failure(
        HEADER + ACCOUNTS + "  - {at: x, trade: {acount: hedged, markt: BTC, size: abc, fee: 1}, by: X}\n"
    )
    assert all_of(error) == [
        (8, "`x` is not a time"),
        (8, "unknown key `acount`, did you mean `account`?"),
        (8, "unknown key `markt`, did you mean `market`?"),
        (8, "`abc` is not a number"),
        (8, "unknown key `fee`"),
        (8, "`X` is not an actor's name"),
    ]


def test_what_rests_on_a_fault_is_not_told(load: Loader) -> None:
    steps = "  - {at: 0s, deposit: {account: hedged, token: WETH, amount: 0.1234567}}\n"
    told = load.failure(HEADER.replace("reference", "referense") + ACCOUNTS + steps)
    assert all_of(told) == [(2, "no parameter set is called `referense`, did you mean `reference`?")]
    told = load.failure("title: t\nparams: reference\ntape: none.csv\n" + ACCOUNTS + steps)
    assert [line for line, _ in all_of(told)] == [3]


def test_the_mistakes_of_a_named_file_come_first(load: Loader) -> None:
    mine = load.path.parent / "mine.yaml"
    mine.write_text((PARAMETERS.path / "reference.yaml").read_text().replace("feed: BTC", "feed: BCT"), "utf-8")
    error = load.failure(HEADER.replace("reference", "mine.yaml") + "keepers: [k, k]\n")
    files = [one.file for one in (error, *error.others)]
    assert len(files) > 2
    assert files == [str(mine)] * (len(files) - 1) + [str(load.path)]


def test_a_mapping_of_any_length_is_soon_refused(load: Loader) -> None:
    error = load.failure("".join(f"titel{number}: 1\n" for number in range(30)))
    hints = ["did you mean" in one.message for one in (error, *error.others)]
    assert sum(hints) == 20
