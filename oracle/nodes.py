"""Nodes of the price graph: kinds, parameters and their bounds, units, and ids (GRA-1 to GRA-4, GRD-9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

from oracle import errors
from oracle.quotes import MAX_SOURCE_DECIMALS
from protocol.records import record
from protocol.units import PRICE_LIMIT, Price, Seconds

MAX_PARENTS = 8
SYMBOL_LIMIT = 2**128
ADDRESS_LIMIT = 2**160
WORD_LIMIT = 2**256
SHORTEST_HARD = 60
LONGEST_HARD = 3 * 86_400
MOST_AHEAD = 60
LEAST_CONFIDENCE = 10
MOST_CONFIDENCE = 500
MOST_DEVIATION = 5_000
MOST_NEAR = 5_000
LEAST_RATIO = 10_100
MOST_RATIO = 100_000
SHORTEST_COOL_DOWN = 60
LONGEST_COOL_DOWN = 86_400
MOST_GOOD = 16
LONGEST_GRACE = 86_400

Params = tuple[int, int, int, int]
NodeId = bytes


class Kind(IntEnum):
    """What a node does with its parents' quotes; the numbers are the same on chain (GRA-2)."""

    SOURCE = 1
    AGGREGATOR = 2
    FIXED = 3
    MUL = 4
    DIV = 5
    INVERT = 6
    MEDIAN = 7
    MIN = 8
    MAX = 9
    RECENT = 10
    FIRST_OK = 11
    STALENESS = 12
    DEVIATION = 13
    BOUNDS = 14
    CONFIDENCE = 15
    BREAKER = 16
    SEQUENCER = 17
    HOURS = 18
    HALT = 19
    ENVELOPE = 20


CALLING = frozenset({Kind.SOURCE, Kind.AGGREGATOR, Kind.SEQUENCER})
REDUCING = frozenset({Kind.MEDIAN, Kind.MIN, Kind.MAX, Kind.RECENT, Kind.FIRST_OK})
PAIRING = frozenset({Kind.MUL, Kind.DIV, Kind.DEVIATION, Kind.ENVELOPE})


@record
class Unit:
    """What a price is of and in: units of ``quote`` for one ``base``. Symbols are their ASCII letters as a number."""

    base: int
    quote: int


@record
class Node:
    """A node as it is registered and hashed: kind, four parameters, unused ones 0, and the ids of its parents."""

    kind: int
    params: Params
    parents: tuple[NodeId, ...]


def make_symbol(text: str) -> int:
    """A symbol of up to 16 ASCII characters as a number."""
    return int.from_bytes(text.encode("ascii"), "big")


USD = make_symbol("USD")


def make_unit(pair: str) -> Unit:
    """A unit from its usual form, like ETH/USD."""
    base, quote = pair.split("/")
    return Unit(make_symbol(base), make_symbol(quote))


def compute_node_id(node: Node) -> NodeId:
    """``keccak256(abi.encode(kind, params, parents))``, types uint256, uint256[4] and bytes32[] (GRA-1)."""
    from eth_utils import keccak  # half a second to import, and most parameter sets have no nodes

    words = (node.kind, *node.params, 6 * 32, len(node.parents))
    return bytes(keccak(b"".join(word.to_bytes(32, "big") for word in words) + b"".join(node.parents)))


# --- one function for each kind, with names for its parameters -----------------------------------------------------


def source(address: int, key: int, pair: str, decimals: int = 18) -> Node:
    """A quote of a contract that answers IQuoteSource."""
    return Node(Kind.SOURCE, (address, key, pack_unit(make_unit(pair)), decimals), ())


def aggregator(address: int, pair: str, decimals: int = 8) -> Node:
    """The latest round of a contract that answers AggregatorV3."""
    return Node(Kind.AGGREGATOR, (address, decimals, pack_unit(make_unit(pair)), 0), ())


def fixed(value: Price, pair: str) -> Node:
    """A fixed price, always just published."""
    return Node(Kind.FIXED, (value, 0, pack_unit(make_unit(pair)), 0), ())


def combine(kind: Kind, *parents: NodeId) -> Node:
    """Parents combined without parameters: MUL, DIV, INVERT, MIN, MAX, RECENT, FIRST_OK, HALT, ENVELOPE."""
    return Node(kind, (0, 0, 0, 0), parents)


def median(quorum: int, *parents: NodeId) -> Node:
    """The middle of at least ``quorum`` parents."""
    return Node(Kind.MEDIAN, (quorum, 0, 0, 0), parents)


def staleness(parent: NodeId, soft: Seconds, hard: Seconds, ahead: Seconds = 0) -> Node:
    """A price with limits of age."""
    return Node(Kind.STALENESS, (soft, hard, ahead, 0), (parent,))


def deviation(parent: NodeId, reference: NodeId, tolerance: int) -> Node:
    """A price held against a reference, in basis points of it."""
    return Node(Kind.DEVIATION, (tolerance, 0, 0, 0), (parent, reference))


def bounds(parent: NodeId, low: Price, high: Price, near: int = 0) -> Node:
    """A price strictly between bounds, and uncertain within ``near`` basis points of one."""
    return Node(Kind.BOUNDS, (low, high, near, 0), (parent,))


def confidence(parent: NodeId, max_bps: int) -> Node:
    """A price with a limit of its spread in basis points."""
    return Node(Kind.CONFIDENCE, (max_bps, 0, 0, 0), (parent,))


def breaker(parent: NodeId, ratio: int, cool_down: Seconds, good: int) -> Node:
    """A price behind a jump breaker."""
    return Node(Kind.BREAKER, (ratio, cool_down, good, 0), (parent,))


def sequencer(parent: NodeId, address: int, grace: Seconds) -> Node:
    """A price behind the gate of an uptime feed; address 0 is no gate."""
    return Node(Kind.SEQUENCER, (address, grace, 0, 0), (parent,))


def hours(parent: NodeId, days: int, opening: Seconds, length: Seconds) -> Node:
    """A price of a market with hours; bit 0 of ``days`` is Monday."""
    return Node(Kind.HOURS, (days, opening, length, 0), (parent,))


# --- what a node must be ---------------------------------------------------------------------------------------------


def check_kind(kind: int) -> None:
    """Refuse a number that is no kind (GRA-2).

    Refuses: oracle/node-kind.
    """
    if not Kind.SOURCE <= kind <= Kind.ENVELOPE:
        raise errors.UnknownKind


def check_parents(node: Node) -> None:
    """Refuse a wrong number of parents, or one parent twice (GRA-2).

    None below a source or constant, two for MUL, DIV, DEVIATION and ENVELOPE, two to eight where a choice is made, else
    one.

    Refuses: oracle/node-parents.
    """
    count, unique = len(node.parents), len(set(node.parents))
    if node.kind <= Kind.FIXED:
        fits = count == 0
    elif node.kind in REDUCING:
        fits = 2 <= count <= MAX_PARENTS
    else:
        fits = count == (2 if node.kind in PAIRING else 1)
    if not fits or unique != count:
        raise errors.BadNodeParents


def check_params(node: Node) -> None:
    """Refuse a parameter outside its bounds, and one that is not 0 where the kind has none (GRD-9).

    Refuses: oracle/node-params.
    """
    fits = PARAM_BOUNDS.get(node.kind)
    if not (fits(*node.params, len(node.parents)) if fits else not any(node.params)):
        raise errors.BadNodeParams


PARAM_BOUNDS: dict[int, Callable[[int, int, int, int, int], bool]] = {
    Kind.SOURCE: lambda a, b, c, d, _: 0 < a < ADDRESS_LIMIT and is_unit(c) and d <= MAX_SOURCE_DECIMALS,
    Kind.AGGREGATOR: lambda a, b, c, d, _: 0 < a < ADDRESS_LIMIT and b <= MAX_SOURCE_DECIMALS and is_unit(c) and d == 0,
    Kind.FIXED: lambda a, b, c, d, _: 0 < a < PRICE_LIMIT and b == 0 and is_unit(c) and d == 0,
    # A majority, so that no two sets of legs without a common one can each make a price.
    Kind.MEDIAN: lambda a, b, c, d, parents: parents < 2 * a <= 2 * parents and b == c == d == 0,
    Kind.STALENESS: lambda a, b, c, d, _: a <= b and SHORTEST_HARD <= b <= LONGEST_HARD and c <= MOST_AHEAD and d == 0,
    Kind.DEVIATION: lambda a, b, c, d, _: 0 < a <= MOST_DEVIATION and b == c == d == 0,
    Kind.BOUNDS: lambda a, b, c, d, _: a < b <= PRICE_LIMIT and c <= MOST_NEAR and d == 0,
    Kind.CONFIDENCE: lambda a, b, c, d, _: LEAST_CONFIDENCE <= a <= MOST_CONFIDENCE and b == c == d == 0,
    Kind.BREAKER: lambda a, b, c, d, _: (
        LEAST_RATIO <= a <= MOST_RATIO
        and SHORTEST_COOL_DOWN <= b <= LONGEST_COOL_DOWN
        and 0 < c <= MOST_GOOD
        and d == 0
    ),
    Kind.SEQUENCER: lambda a, b, c, d, _: a < ADDRESS_LIMIT and b <= LONGEST_GRACE and c == d == 0,
    Kind.HOURS: lambda a, b, c, d, _: 0 < a < 1 << 7 and b < 86_400 and 0 < c < 7 * 86_400 and d == 0,
}


# --- units -----------------------------------------------------------------------------------------------------------


def pack_unit(unit: Unit) -> int:
    """A unit as one word, base above quote."""
    return unit.base * SYMBOL_LIMIT + unit.quote


def is_unit(word: int) -> bool:
    """Whether a word holds two symbols."""
    return word >= SYMBOL_LIMIT and word % SYMBOL_LIMIT != 0


def multiply_units(a: Unit, b: Unit) -> Unit:
    """The unit of a product: the quote of one cancels the base of the other (GRA-3).

    Refuses: oracle/units.
    """
    if a.quote == b.base:
        return Unit(a.base, b.quote)
    if a.base == b.quote:
        return Unit(b.base, a.quote)
    raise errors.UnitsDoNotCompose


def compute_unit(node: Node, units: Sequence[Unit]) -> Unit:
    """The unit of a node over parents of the given units (GRA-3).

    Refuses: oracle/units.
    """
    if not units:
        return Unit(*divmod(node.params[2], SYMBOL_LIMIT))
    first = units[0]
    if node.kind == Kind.INVERT:
        return Unit(first.quote, first.base)
    if node.kind == Kind.MUL:
        return multiply_units(first, units[1])
    if node.kind == Kind.DIV:
        return multiply_units(first, Unit(units[1].quote, units[1].base))
    if any(unit != first for unit in units):
        raise errors.UnitsDoNotCompose
    return first
