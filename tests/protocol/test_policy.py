"""Which action accepts a price with which faults: every cell of the table, and the contracts' masks."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_py.compile import read_sources
from protocol import actions, policy
from protocol.env import Status
from protocol.errors import Refusal
from protocol.policy import POLICY, STATUS_LIMIT, check_accepted, is_accepted

COLUMNS = (
    *(Status.NON_POSITIVE, Status.STALE_SOFT, Status.STALE_HARD, Status.FUTURE, Status.UNCERTAIN, Status.DEVIATED),
    *(Status.OUT_OF_BOUNDS, Status.CAPPED, Status.NO_QUORUM, Status.SEQ_DOWN, Status.SEQ_GRACE, Status.HALTED),
    *(Status.MARKET_CLOSED, Status.UNAVAILABLE),
)
# One letter for each column above: x accepts, . rejects.
ANY, NONE, REDUCE = "xxxxxxxxxxxxxx", "..............", ".x..x..x..x..."
LIQUIDATE, DEEP = ".x..x.........", ".x..x.....x..."
STALE = ".xx..........."
TABLE = {
    "deposit": ANY,
    "withdraw": NONE,
    "transfer": NONE,
    "create_isolated": ANY,
    "set_operator": ANY,
    "trade_increase": NONE,
    "trade_reduce": REDUCE,
    "close_all": REDUCE,
    "set_leverage_cap": NONE,
    "commit_increase": NONE,
    "commit_reduce": ANY,
    "settle_order": STALE,
    "cancel_order": ANY,
    "margin_call": ANY,
    "flag_account": ANY,
    "liquidate": LIQUIDATE,
    "liquidate_deep": DEEP,
    "liquidate_many": LIQUIDATE,
    "deposit_to_pool": NONE,
    "request_redemption": ANY,
    "claim_redemption": NONE,
    "buy_inventory": NONE,
    "fund_insurance": ANY,
    "set_risk": ANY,
    "set_market": STALE,
    "set_orders": ANY,
    "set_collateral": ANY,
    "pause_opening": ANY,
    "propose_admin": ANY,
    "accept_admin": ANY,
    "set_guardian": ANY,
    "view": ANY,
}
CODES = {
    Status.NON_POSITIVE: "oracle/non-positive",
    Status.STALE_SOFT: "oracle/stale",
    Status.STALE_HARD: "oracle/stale",
    Status.FUTURE: "oracle/future",
    Status.UNCERTAIN: "oracle/uncertain",
    Status.DEVIATED: "oracle/deviated",
    Status.OUT_OF_BOUNDS: "oracle/out-of-bounds",
    Status.CAPPED: "oracle/capped",
    Status.NO_QUORUM: "oracle/no-quorum",
    Status.SEQ_DOWN: "oracle/sequencer-down",
    Status.SEQ_GRACE: "oracle/sequencer-grace",
    Status.HALTED: "oracle/halted",
    Status.MARKET_CLOSED: "oracle/market-closed",
    Status.UNAVAILABLE: "oracle/unavailable",
}
# Worst first.
ORDER = (
    *(Status.UNAVAILABLE, Status.NON_POSITIVE, Status.OUT_OF_BOUNDS, Status.HALTED, Status.SEQ_DOWN, Status.NO_QUORUM),
    *(Status.FUTURE, Status.DEVIATED, Status.STALE_HARD, Status.SEQ_GRACE, Status.MARKET_CLOSED, Status.CAPPED),
    *(Status.UNCERTAIN, Status.STALE_SOFT),
)


def code_of(accepts: int, status: int) -> str:
    """What a status is refused with; empty if it is accepted."""
    try:
        check_accepted(accepts, status)
    except Refusal as refusal:
        return refusal.code
    return ""


def test_the_columns_are_all_there_are() -> None:
    """POL-1: in the order of the bits."""
    assert tuple(Status) == COLUMNS
    assert set(ORDER) == set(CODES) == set(Status)


def test_every_action_has_a_row() -> None:
    """POL-1: a trade or order is an increase or a reduction, a liquidation deep or not; views have one too."""
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", action.__name__).lower() for action in get_args(actions.Action)}
    split = {"trade_increase", "trade_reduce", "commit_increase", "commit_reduce", "liquidate_deep"}
    assert set(POLICY) == (names - {"trade", "commit_order"}) | split | {"view"}
    assert set(POLICY) == set(TABLE)


@pytest.mark.parametrize(
    ("action", "status", "accepted"),
    [
        (action, status, letter == "x")
        for action, letters in TABLE.items()
        for status, letter in zip(COLUMNS, letters, strict=True)
    ],
)
def test_every_cell(action: str, status: Status, accepted: bool) -> None:
    """POL-1, POL-2: accepted, or refused by its own code."""
    assert is_accepted(POLICY[action], int(status)) is accepted
    assert code_of(POLICY[action], int(status)) == ("" if accepted else CODES[status])


@pytest.mark.parametrize("action", TABLE)
def test_every_action_accepts_what_is_ok(action: str) -> None:
    """POL-1."""
    assert is_accepted(POLICY[action], 0)
    assert code_of(POLICY[action], 0) == ""


@pytest.mark.parametrize("action", TABLE)
def test_a_bit_that_means_nothing_is_refused(action: str) -> None:
    """POL-2: also by what accepts every fault, and before any other."""
    assert code_of(POLICY[action], STATUS_LIMIT) == "oracle/unavailable"
    assert code_of(POLICY[action], STATUS_LIMIT | 1) == "oracle/unavailable"


@given(st.integers(0, STATUS_LIMIT - 1), st.sampled_from(sorted(POLICY)))
def test_the_worst_fault_not_accepted_is_named(status: int, action: str) -> None:
    """POL-2: of several; what is accepted does not count."""
    accepts = POLICY[action]
    bad = [fault for fault in ORDER if status & fault & ~accepts]
    assert code_of(accepts, status) == (CODES[bad[0]] if bad else "")
    assert is_accepted(accepts, status) is (not bad)


def test_what_blocks_new_risk_only() -> None:
    """POL-1: a slow, wide or unconfirmed price must not hold up a liquidation; a contradicted one must."""
    for status in (Status.STALE_SOFT, Status.UNCERTAIN):
        assert is_accepted(POLICY["liquidate"], int(status))
        assert not is_accepted(POLICY["trade_increase"], int(status))
    assert not is_accepted(POLICY["liquidate"], int(Status.DEVIATED))
    assert not is_accepted(POLICY["liquidate"], int(Status.CAPPED))
    assert not is_accepted(POLICY["liquidate"], int(Status.SEQ_GRACE))
    assert is_accepted(POLICY["liquidate_deep"], int(Status.SEQ_GRACE))
    assert is_accepted(POLICY["deposit"], STATUS_LIMIT - 1)


# --- the contracts' masks --------------------------------------------------------------------------------------------


def read_masks() -> dict[str, int]:
    """The constants of the Vyper module, evaluated."""
    sources = read_sources()
    values: dict[str, int] = {}
    for path in ("modules/price_status.vy", "modules/policy.vy"):
        text = re.sub(r"\(\n\s*(.*)\n\)", r"(\1)", sources[path]).replace("price_status.", "")
        for name, value in re.findall(r"^(\w+): constant\(uint256\) = (.*)$", text, re.MULTILINE):
            values[name] = eval(value, {}, values)
    return values


def test_the_contracts_have_the_same_table() -> None:
    """POL-1: the mask of each row that asks for a price, under the same name, and no other; each status's number."""
    masks = read_masks()
    rows = {name: row for name, row in vars(policy).items() if isinstance(row, int)}
    assert len(rows) == 10
    assert {name: masks.get(name) for name in rows} == rows | {"NO_PRICE": None}
    assert set(POLICY.values()) <= set(rows.values())
    used = "".join(text for path, text in read_sources().items() if path != "modules/policy.vy")
    assert {name for name in rows if f"policy.{name}" in used} == rows.keys() - {
        "NO_PRICE",
        "ALL",
        "PRICED",
        "STATUS_LIMIT",
    }
    assert {status.name: masks[str(status.name)] for status in Status} == {s.name: int(s) for s in Status}
    assert masks["STATUS_LIMIT"] == STATUS_LIMIT
