"""The one text of a value, its digest, and where two values differ."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState
from protocol.codec import canonical, differences, digest, encode
from protocol.env import Status
from protocol.records import Table, record
from protocol.state import Position, genesis
from tests.protocol.build import MARKETS
from tests.twins import RISK, weth_params

ROOT = Path(__file__).resolve().parents[2]


@record
class Sample:
    z: int
    a: Any


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "0"),
        (-1, "-1"),
        (2**255, str(2**255)),
        (True, True),
        (False, False),
        (None, None),
        ("text", "text"),
        (Status.STALE_HARD, "4"),
        (AccountState.BACKSTOP, "1"),
        ((1, (2, "b")), ["1", ["2", "b"]]),
        ([1, 2], ["1", "2"]),
        ((), []),
        ({2: 5, 1: 6}, {"2": "5", "1": "6"}),
        (Table({2: 5, 1: 6}), [["2", "5"], ["1", "6"]]),
        (Table({"k": Position(1, -2, 3)}), [["k", {"size": "1", "cost": "-2", "entry_index": "3"}]]),
        (Sample(1, (True,)), {"z": "1", "a": [True]}),
    ],
)
def test_values_are_encoded_as_json_without_losing_a_digit(value: Any, encoded: Any) -> None:
    """S4: integers as decimal text, tables as pairs in their order, records by field."""
    assert encode(value) == encoded
    assert type(encode(value)) is type(encoded)


def test_a_table_of_an_older_version_is_encoded_as_it_was() -> None:
    """S1: encoding reads the version it is given."""
    old = Table({1: 1})
    new = old.put(2, 2)
    assert encode(old) == [["1", "1"]]
    assert encode(new) == [["1", "1"], ["2", "2"]]


@dataclass
class Opaque:
    inner: object


@pytest.mark.parametrize("value", [1.5, {1, 2}, bytearray(b"bytes"), object(), Opaque(object())])
def test_what_has_no_canonical_text_is_refused(value: Any) -> None:
    """S2: fractions, sets and byte arrays have no place in a state."""
    with pytest.raises(TypeError, match="cannot encode"):
        encode(value)


def test_the_canonical_text_has_sorted_keys_and_no_spaces() -> None:
    """S2: one text for one value, in ASCII."""
    assert canonical(Sample(1, {"é": 2, "b": (3,)})) == '{"a":{"b":["3"],"\\u00e9":"2"},"z":"1"}'
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})


def test_the_digest_is_sha_256_of_the_canonical_text() -> None:
    """S2: recomputable by anyone from the text."""
    assert digest(Sample(1, 2)) == "sha256:" + hashlib.sha256(b'{"a":"2","z":"1"}').hexdigest()


def test_a_digest_tells_values_apart() -> None:
    """S1, S2: a wei, the order of a table, a number and its text in a list."""
    values = [
        genesis(1, 2, 3),
        genesis(1, 2, 4),
        genesis(2, 1, 3),
        Table({1: 1, 2: 2}),
        Table({2: 2, 1: 1}),
        Position(1, 2, 3),
        Position(2, 1, 3),
        Position(1, 2, 4),
        (1, 2),
        (12,),
        True,
        1,
    ]
    assert len({digest(value) for value in values}) == len(values)
    assert digest(genesis(1, 2, 3)) == digest(genesis(1, 2, 3))


def test_differences_name_every_field_that_differs() -> None:
    """S3: path, ours and theirs; what one side lacks is shown as absent."""
    ours = {"a": "1", "b": ["1", "2"], "c": {"x": "1"}, "d": "7", "same": ["9"]}
    theirs = {"a": "2", "b": ["1", "3", "4"], "c": {"y": "1"}, "d": ["7"], "same": ["9"]}
    assert list(differences(ours, theirs)) == [
        ("a", "1", "2"),
        ("b[1]", "2", "3"),
        ("b[2]", "-", "4"),
        ("c.x", "1", "-"),
        ("c.y", "-", "1"),
        ("d", "7", '["7"]'),
    ]
    assert list(differences(theirs, ours))[2] == ("b[2]", "4", "-")


def test_equal_values_have_no_differences() -> None:
    """S3: nothing to report."""
    assert list(differences(encode(genesis(1, 2, 3)), encode(genesis(1, 2, 3)))) == []
    assert list(differences("1", "1")) == []


def test_a_difference_at_the_top_has_an_empty_path() -> None:
    """S3: scalars differ as a whole."""
    assert list(differences(True, False)) == [("", "true", "false")]
    assert list(differences(None, {"b": 1, "a": 2})) == [("", "null", '{"a": 2, "b": 1}')]


JSON = st.recursive(
    st.integers().map(str) | st.booleans() | st.none(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=10,
)


@given(JSON, JSON)
def test_differences_are_empty_exactly_for_equal_values(ours: Any, theirs: Any) -> None:
    """S3: no false alarm and nothing missed, except that absent and the sign for it look alike."""
    found = list(differences(ours, theirs))
    assert (found == []) == (ours == theirs)
    assert [path for path, _, _ in found] == [path for path, _, _ in differences(theirs, ours)]


# The repr of a record is the Python that makes it; importing the tests' own builders would take seconds.
STORY = f"""
from protocol import actions
from protocol.codec import digest
from protocol.env import Env, Quote
from protocol.errors import Refusal
from protocol.params import *
from protocol.state import genesis, account_id
from protocol.transition import apply
from protocol.units import W
RISK, MARKETS, WETH = {RISK!r}, {MARKETS!r}, {weth_params()!r}
state = genesis(1, 2, 2)
now = 1_600_000_000
digests = []
def step(sender, action, btc=8000, eth=200):
    global state, now
    now += 10
    env = Env(now, sender, tuple(Quote(price * W, price * W, price * W, now, 0) for price in (btc, eth)))
    try:
        outcome = apply(state, env, action)
    except Refusal as refusal:
        digests.append(refusal.code)
        return
    state = outcome.state
    digests.append(digest(state) + digest(outcome.events))
step(1, actions.SetRisk(RISK))
step(1, actions.SetMarket(0, MARKETS[0]))
step(1, actions.SetMarket(1, MARKETS[1]))
step(1, actions.SetCollateral(1, WETH))
step(3, actions.DepositToPool(10**12))
step(3, actions.FundInsurance(10**8))
for owner in (7, 5, 6):
    account = account_id(owner)
    step(owner, actions.Deposit(account, 0, 500 * 10**6))
    step(owner, actions.Deposit(account, 1, 10**17 * owner))
    step(owner, actions.Trade(account, 0, W, 10**30))
    step(owner, actions.Trade(account, 1, -W * 10, 0))
    step(owner, actions.Withdraw(account, 1, 10**30))
    step(owner, actions.Transfer(account, account + 1, 0, 10**6))
    step(owner, actions.SetLeverageCap(account, 0, 20 * W))
for owner in (5, 6, 7):
    step(9, actions.Liquidate(account_id(owner)), btc=7600, eth=230)
step(3, actions.RequestRedemption(10**18))
step(1, actions.SetMarket(0, MARKETS[0]))
print("\\n".join(digests))
"""


def test_the_same_story_gives_the_same_digests_under_every_hash_seed() -> None:
    """S2: no order of a set or dict, and nothing of the machine, reaches a state."""
    printed = set()
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", STORY], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout)
    (only,) = printed
    lines = only.splitlines()
    assert len(lines) == 32
    assert sum(line.startswith("sha256:") for line in lines) == 29
    assert lines.count("sys/domain") == 3
    assert json.dumps(lines).isascii()
