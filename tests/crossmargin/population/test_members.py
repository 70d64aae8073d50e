"""Who a population is, and what is refused of its part of the file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.errors import InputError
from crossmargin.scenario_records import AccountSpec
from protocol.state import USDC, account_id
from tests.crossmargin.loading import START
from tests.crossmargin.population.stage import Stage

MIXED = {
    "profile": "reference",
    "accounts": "400",
    "opens": "{from: 1m, until: 1h}",
    "markets": "{BTC: 3, ETH: 1}",
    "collateral": "{USDC: 6, WETH: 2, WBTC: 2}",
    "books": "{long: 50, short: 20, basket: 10, spread: 10, covered: 10}",
    "behaviours": "{holds: 40, tops_up: 20, reduces: 20, stops: 10, panics: 10}",
    "isolated": "50",
    "providers": "{number: 20, leaving: 50}",
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_first_members_of_a_seed_are_always_the_same(stage: Stage) -> None:
    members = stage(**MIXED).members[:5]
    assert [
        (m.name, m.markets, m.sides, m.isolated, m.token, m.cash_part, m.equity, m.leverage, m.opens_at - START)
        for m in members
    ] == [
        ("long_reduces_001", (0,), (1,), False, 0, 10000, 1735198943, 1622, 2325) ,
        ("spread_panics_002", (0, 1), (1, -1), False, 2, 9544, 72537397054, 624, 867) ,
        ("basket_holds_003", (0, 1), (1, 1), False, 0, 10000, 109282746328, 343, 919) ,
        ("long_tops_up_004", (0,), (1,), False, 0, 10000, 18779295188, 396, 1548) ,
        ("basket_holds_005", (0, 1), (1, 1), False, 0, 10000, 340870878, 829, 3578) ,
    ]  # fmt: skip


def test_another_seed_gives_other_members_and_more_accounts_the_same_first_ones(stage: Stage) -> None:
    members = stage(**MIXED).members
    assert stage(**MIXED).members == members
    assert stage(**MIXED | {"accounts": "300"}).members == members[:300]
    other = stage(**MIXED | {"seed": "another"}).members
    assert sum(one.equity == two.equity for one, two in zip(members, other, strict=True)) < 5


def test_members_come_in_the_shares_that_the_file_gives(stage: Stage) -> None:
    members = stage(**MIXED).members
    books, behaviours = Counter(m.book for m in members), Counter(m.behaviour for m in members)
    single = [m for m in members if m.book in {"long", "short"}]
    for share, count in ((50, books["long"]), (10, books["covered"]), (40, behaviours["holds"])):
        assert abs(count - 4 * share) < 35
    assert abs(sum(m.isolated for m in single) * 2 - len(single)) < 60
    assert abs(sum(m.markets[0] == 0 for m in members) - 300) < 35


def test_each_book_has_the_positions_it_says(stage: Stage) -> None:
    sides = {"long": (1,), "short": (-1,), "basket": (1, 1), "spread": (1, -1), "covered": (-1,)}
    for member in stage(**MIXED).members:
        assert member.sides == sides[member.book]
        assert len(set(member.markets)) == len(member.sides)
        if member.book == "covered":
            assert (member.token, member.cash_part) == ({0: 2, 1: 1}[member.markets[0]], 0)
        if member.isolated:
            assert (member.token, len(member.markets)) == (USDC, 1)
        assert member.token != USDC or member.cash_part == 10_000


def test_accounts_have_the_names_of_their_books_and_behaviours(stage: Stage) -> None:
    scenario = stage()
    address = account_id(address_of("long_holds_001"))
    assert scenario.accounts == {"long_holds_001": AccountSpec("long_holds_001", "long_holds_001", 0, "", address)}


BAD = {
    "unknown key": ({"sed": "a"}, "sed", "unknown key `sed`, did you mean `seed`?"),
    "no seed": ({"seed": ""}, "profile", "the key `seed` is missing"),
    "seed of words": ({"seed": "my seed"}, "my", "`my seed` is not a seed"),
    "unknown profile": ({"profile": "referense"}, "referense", "no profile is called `referense`, did you mean"),
    "nobody": ({"accounts": "0"}, "0\n", "a population has at least one account"),
    "too many": ({"accounts": "10001"}, "10001", "`10001` is too large"),
    "opens before": ({"opens": "{from: 2020-03-11T00:00:00Z, until: 1h}"}, "2020-03-11", "before the scenario begins"),
    "opens for no time": ({"opens": "{from: 1h, until: 1h}"}, "1h}", "this is not after the opening begins"),
    "opens for ever": ({"opens": "{from: 1h, until: 9998-12-31T00:00:00Z}"}, "9998", "too late"),
    "unknown market": ({"markets": "{BTC: 1, ETC: 1}"}, "ETC", "unknown market `ETC`, did you mean"),
    "no market": ({"markets": "{BTC: 0}"}, "{BTC: 0", "nothing here has a weight above 0"),
    "unknown token": ({"collateral": "{WETHX: 1}"}, "WETHX", "unknown token `WETHX`, did you mean `WETH`?"),
    "no token": ({"collateral": "{}"}, "{}", "nothing here has a weight above 0"),
    "no book": ({"books": "{long: 0}"}, "{long: 0", "nothing here has a weight above 0"),
    "no behaviour": ({"behaviours": "{}"}, "{}", "nothing here has a weight above 0"),
    "spread of one": ({"books": "{spread: 7}"}, "7", "a spread needs two markets, there is 1"),
    "basket of one": ({"books": "{basket: 7}"}, "7", "a basket needs two markets, there is 1"),
    "covered by cash": ({"books": "{covered: 7}"}, "7", "no collateral has the feed of a market"),
    "covered by another": ({"books": "{covered: 7}", "collateral": "{WBTC: 1}"}, "7", "no collateral has the feed"),
    "weight of a part": ({"markets": "{ETH: 0.5}"}, "0.5", "`0.5` is not a whole number"),
    "more than all isolated": ({"isolated": "101"}, "101", "`101` is too large"),
    "token without a price": (
        {"collateral": "{WSTETH: 1}"},
        "10s",
        "feed `WSTETH` has no price at 2020-03-12T00:00:10Z",
    ),
}


@pytest.mark.parametrize(("changes", "place", "message"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_where_it_stands(stage: Stage, changes: dict[str, str], place: str, message: str) -> None:
    error = stage.failure(**changes)
    assert message in error.message
    lines = stage.path.read_text("utf-8").splitlines(keepends=True)
    assert lines[error.line - 1][error.column - 1 :].startswith(place)


def test_an_opening_before_the_first_price_is_refused(stage: Stage) -> None:
    stage.first = "11s"
    error = stage.failure(opens="{from: 10s, until: 12s}")
    assert error.message == "feed `ETH` has no price at 2020-03-12T00:00:10Z"
    assert error.remedy == "begin after its first round, or push one before"
    assert len(stage(opens="{from: 11s, until: 12s}").members) == 1


def test_a_named_account_cannot_be_one_of_the_population(stage: Stage) -> None:
    for accounts in ("accounts: {long_holds_001: {}}\n", "accounts: {other: {owner: long_holds_001}}\n"):
        error = stage.failure(more=accounts)
        assert error.message == "the population has an account `long_holds_001` of an owner of that name"
        assert error.remedy == "give this one another name and owner"
    assert stage(more="accounts: {other: {owner: long_holds_001, sub: 1}}\n").accounts.keys() == {
        "other", "long_holds_001",
    }  # fmt: skip


def test_a_mistake_in_the_profile_is_told_in_its_own_file(stage: Stage) -> None:
    stage.tables(stop="2")
    error = stage.failure()
    assert (Path(error.file).name, error.message) == ("alike.yaml", "a part is at most 1")


def test_a_mistake_of_the_population_does_not_hide_one_of_a_step(stage: Stage) -> None:
    error = stage.failure(more="  - {at: 1h, liquidate: {account: nobody}}\n", markets="{ETC: 1}")
    assert isinstance(error, InputError)
    assert ["unknown market" in one.message for one in (error, *error.others)] == [True, False]
