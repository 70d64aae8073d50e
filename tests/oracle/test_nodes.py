"""Nodes of the model: kinds, parents, bounds of parameters, units."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.nodes import (
    Kind,
    Node,
    NodeId,
    Unit,
    check_kind,
    check_params,
    check_parents,
    combine,
    compute_unit,
    make_symbol,
    make_unit,
    pack_unit,
)
from protocol.errors import Refusal
from protocol.units import PRICE_LIMIT
from tests.oracle.calls import outcome

PARENT = b"\x01" * 32


# --- GRA-2: kinds and parents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "code"), [(0, "oracle/node-kind"), (1, None), (20, None), (21, "oracle/node-kind")])
def test_kinds_are_numbered(kind: int, code: str | None) -> None:
    """GRA-2."""
    assert outcome(check_kind, kind) == code


MANY = tuple(bytes([number]) * 32 for number in range(1, 10))
SEVERAL = (Kind.MEDIAN, Kind.MIN, Kind.MAX, Kind.RECENT, Kind.FIRST_OK)
LONELY = (Kind.SOURCE, Kind.AGGREGATOR, Kind.FIXED)
PAIRS = (Kind.MUL, Kind.DIV, Kind.DEVIATION, Kind.ENVELOPE)
ALLOWED = {kind: {0} if kind in LONELY else {2} if kind in PAIRS else {1} for kind in Kind}
ALLOWED |= {kind: set(range(2, 9)) for kind in SEVERAL}


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_takes_its_number_of_parents(kind: Kind) -> None:
    """GRA-2: none, one, two, or two to eight."""
    accepted = {count for count in range(10) if not outcome(check_parents, Node(kind, (0, 0, 0, 0), MANY[:count]))}
    assert accepted == ALLOWED[kind]


@pytest.mark.parametrize("kind", [Kind.MEDIAN, Kind.MUL, Kind.DEVIATION, Kind.FIRST_OK])
def test_a_parent_is_named_once(kind: Kind) -> None:
    """GRA-2: or one source would be a quorum, or its own reference."""
    assert outcome(check_parents, Node(kind, (0, 0, 0, 0), (PARENT, PARENT))) == "oracle/node-parents"


# --- GRD-9: bounds of parameters -------------------------------------------------------------------------------------

ETH_USD = pack_unit(make_unit("ETH/USD"))
BIG = 2**256 - 1
GOOD = {
    Kind.SOURCE: [(1, 0, ETH_USD, 0), (2**160 - 1, BIG, BIG, 36)],
    Kind.AGGREGATOR: [(1, 0, ETH_USD, 0), (2**160 - 1, 36, 2**128 + 1, 0)],
    Kind.FIXED: [(1, 0, ETH_USD, 0), (PRICE_LIMIT - 1, 0, ETH_USD, 0)],
    Kind.MEDIAN: [(2, 0, 0, 0), (3, 0, 0, 0)],
    Kind.STALENESS: [(0, 60, 0, 0), (60, 60, 60, 0), (259_200, 259_200, 0, 0)],
    Kind.DEVIATION: [(1, 0, 0, 0), (5_000, 0, 0, 0)],
    Kind.BOUNDS: [(0, 1, 0, 0), (PRICE_LIMIT - 1, PRICE_LIMIT, 5_000, 0)],
    Kind.CONFIDENCE: [(10, 0, 0, 0), (500, 0, 0, 0)],
    Kind.BREAKER: [(10_100, 60, 1, 0), (100_000, 86_400, 16, 0)],
    Kind.SEQUENCER: [(0, 0, 0, 0), (2**160 - 1, 86_400, 0, 0)],
    Kind.HOURS: [(1, 0, 1, 0), (127, 86_399, 604_799, 0)],
}
BAD = {
    Kind.SOURCE: [(0, 0, ETH_USD, 0), (2**160, 0, ETH_USD, 0), (1, 0, ETH_USD, 37), (1, 0, 0, 0), (1, 0, 2**128, 0)],
    Kind.AGGREGATOR: [(0, 0, ETH_USD, 0), (2**160, 0, ETH_USD, 0), (1, 37, ETH_USD, 0), (1, 0, 5, 0)],
    Kind.FIXED: [(0, 0, ETH_USD, 0), (PRICE_LIMIT, 0, ETH_USD, 0), (1, 1, ETH_USD, 0), (1, 0, 2**128 - 1, 0)],
    # A minority, nobody, and more than there are.
    Kind.MEDIAN: [(0, 0, 0, 0), (1, 0, 0, 0), (4, 0, 0, 0), (2**255 + 1, 0, 0, 0), (2, 1, 0, 0), (2, 0, 1, 0)],
    Kind.STALENESS: [(0, 59, 0, 0), (0, 259_201, 0, 0), (61, 60, 0, 0), (0, 60, 61, 0), (BIG, BIG, 0, 0)],
    Kind.DEVIATION: [(0, 0, 0, 0), (5_001, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0)],
    Kind.BOUNDS: [(0, 0, 0, 0), (5, 5, 0, 0), (6, 5, 0, 0), (0, PRICE_LIMIT + 1, 0, 0), (0, 1, 5_001, 0)],
    Kind.CONFIDENCE: [(9, 0, 0, 0), (501, 0, 0, 0), (10, 1, 0, 0), (10, 0, 1, 0)],
    Kind.BREAKER: [
        *((10_099, 60, 1, 0), (100_001, 60, 1, 0), (10_100, 59, 1, 0), (10_100, 86_401, 1, 0)),
        *((10_100, 60, 0, 0), (10_100, 60, 17, 0)),
    ],
    Kind.SEQUENCER: [(2**160, 0, 0, 0), (0, 86_401, 0, 0), (0, 0, 1, 0)],
    Kind.HOURS: [(0, 0, 1, 0), (128, 0, 1, 0), (1, 86_400, 1, 0), (1, 0, 0, 0), (1, 0, 604_800, 0)],
}


def parents_for(kind: Kind) -> tuple[NodeId, ...]:
    """As many as the kind takes, three where several."""
    return MANY[: min(max(ALLOWED[kind]), 3)]


@pytest.mark.parametrize(("kind", "params"), [(kind, params) for kind, rows in GOOD.items() for params in rows])
def test_parameters_within_their_bounds_are_accepted(kind: Kind, params: Any) -> None:
    """GRD-9: the bounds themselves."""
    assert outcome(check_params, Node(kind, params, parents_for(kind))) is None


@pytest.mark.parametrize(("kind", "params"), [(kind, params) for kind, rows in BAD.items() for params in rows])
def test_parameters_outside_their_bounds_are_refused(kind: Kind, params: Any) -> None:
    """GRD-9: one beyond each bound."""
    assert outcome(check_params, Node(kind, params, parents_for(kind))) == "oracle/node-params"


@pytest.mark.parametrize("kind", list(Kind))
def test_parameters_that_a_kind_does_not_have_are_zero(kind: Kind) -> None:
    """GRD-9: so that one node has one id."""
    good = GOOD.get(kind, [(0, 0, 0, 0)])[0]
    assert outcome(check_params, Node(kind, good, parents_for(kind))) is None
    if kind != Kind.SOURCE:
        assert outcome(check_params, Node(kind, (*good[:3], 1), parents_for(kind))) == "oracle/node-params"
    if kind not in GOOD:
        for place in range(4):
            odd = tuple(int(number == place) for number in range(4))
            assert outcome(check_params, Node(kind, odd, parents_for(kind))) == "oracle/node-params"  # type: ignore[arg-type]


# --- GRA-3: units ----------------------------------------------------------------------------------------------------


def unit_of(kind: Kind, *pairs: str) -> str:
    """The unit of a node over parents of these, or the refusal."""
    try:
        unit = compute_unit(combine(kind), [make_unit(pair) for pair in pairs])
    except Refusal as refusal:
        return refusal.code
    return f"{read_symbol(unit.base)}/{read_symbol(unit.quote)}"


def read_symbol(symbol: int) -> str:
    """A symbol as text."""
    return symbol.to_bytes(16, "big").lstrip(b"\0").decode()


@pytest.mark.parametrize(
    ("kind", "pairs", "unit"),
    [
        (Kind.MUL, ("wstETH/ETH", "ETH/USD"), "wstETH/USD"),
        (Kind.MUL, ("ETH/USD", "wstETH/ETH"), "wstETH/USD"),
        (Kind.MUL, ("ETH/USD", "USD/USD"), "ETH/USD"),
        (Kind.MUL, ("ETH/USD", "USD/ETH"), "ETH/ETH"),
        (Kind.MUL, ("ETH/USD", "BTC/USD"), "oracle/units"),
        (Kind.MUL, ("wstETH/ETH", "BTC/USD"), "oracle/units"),
        (Kind.DIV, ("ETH/USD", "BTC/USD"), "ETH/BTC"),
        (Kind.DIV, ("ETH/USD", "ETH/BTC"), "BTC/USD"),
        (Kind.DIV, ("wstETH/USD", "ETH/USD"), "wstETH/ETH"),
        (Kind.DIV, ("ETH/USD", "USD/ETH"), "oracle/units"),
        (Kind.DIV, ("wstETH/ETH", "ETH/USD"), "oracle/units"),
        (Kind.INVERT, ("ETH/USD",), "USD/ETH"),
        *((kind, ("ETH/USD", "ETH/USD"), "ETH/USD") for kind in (Kind.MEDIAN, Kind.MIN, Kind.MAX, Kind.DEVIATION)),
        *((kind, ("ETH/USD", "BTC/USD"), "oracle/units") for kind in (Kind.MEDIAN, Kind.MIN, Kind.MAX)),
        *((kind, ("ETH/USD", "ETH/EUR"), "oracle/units") for kind in (Kind.RECENT, Kind.FIRST_OK, Kind.DEVIATION)),
        *((kind, ("ETH/EUR",), "ETH/EUR") for kind in (Kind.STALENESS, Kind.HALT, Kind.BREAKER)),
    ],
)
def test_units_compose_or_are_refused(kind: Kind, pairs: tuple[str, ...], unit: str) -> None:
    """GRA-3: one pair of symbols cancels in a product; choices and references are of one unit."""
    assert unit_of(kind, *pairs) == unit


def test_symbols_are_ascii() -> None:
    """GRA-3: letters as a number, base above quote in one word."""
    assert make_symbol("USD") == 0x555344
    assert pack_unit(Unit(1, 2)) == 2**128 + 2
