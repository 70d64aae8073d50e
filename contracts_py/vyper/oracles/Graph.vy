# pragma version 0.4.3
# pragma nonreentrancy on
# @title Graph: prices composed of sources and guards
# @notice Twin of oracle/graph.py and oracle/nodes.py. Anyone registers nodes; reading one never reverts but for lack of
#         gas; breakers and halts change only by explicit calls.
# @custom:kill The guardian halts the Halt node above each price; every action that needs the price is then refused.

from interfaces import IQuoteSource
from modules import price_status
from modules import quote_guards
from modules import quotes
implements: IQuoteSource

interface Recursion:
    def process_at(index: uint256) -> quotes.Quote: view

event NodeRegistered:
    node: indexed(bytes32)
    kind: uint256
    params: uint256[4]
    parents: DynArray[bytes32, SENT_PARENTS]

event BreakerTripped:
    node: indexed(bytes32)
    reference: uint256
    price: uint256

event BreakerClosed:
    node: indexed(bytes32)
    price: uint256

event NodeHalted:
    node: indexed(bytes32)

event NodeReset:
    node: indexed(bytes32)

# Kinds (GRA-2).
SOURCE: constant(uint256) = 1
AGGREGATOR: constant(uint256) = 2
FIXED: constant(uint256) = 3
MUL: constant(uint256) = 4
DIV: constant(uint256) = 5
INVERT: constant(uint256) = 6
MEDIAN: constant(uint256) = 7
MIN: constant(uint256) = 8
MAX: constant(uint256) = 9
RECENT: constant(uint256) = 10
FIRST_OK: constant(uint256) = 11
STALENESS: constant(uint256) = 12
DEVIATION: constant(uint256) = 13
BOUNDS: constant(uint256) = 14
CONFIDENCE: constant(uint256) = 15
BREAKER: constant(uint256) = 16
SEQUENCER: constant(uint256) = 17
HOURS: constant(uint256) = 18
HALT: constant(uint256) = 19

MAX_PARENTS: constant(uint256) = quotes.MAX_LEGS
SENT_PARENTS: constant(uint256) = MAX_PARENTS + 1  # room for one too many, so that it is refused and not undecodable
# What evaluating a node may take at most (GRA-4): 4,000,000 gas with every source burning all it gets.
MAX_SIZE: constant(uint256) = 48
MAX_CALLS: constant(uint256) = 12
LONGEST_CHAIN: constant(uint256) = 8  # guards on top of each other that are evaluated without a call
MAX_NODES: constant(uint256) = 2**24 - 1
SOURCE_GAS: constant(uint256) = 250_000
# The 63/64 that a call may pass on must hold SOURCE_GAS after the call itself is paid for (EIP-150).
GAS_FLOOR: constant(uint256) = SOURCE_GAS * 64 // 63 + 6_000

MAX_SOURCE_DECIMALS: constant(uint256) = 36
PRICE_LIMIT: constant(uint256) = 2**96
USD: constant(uint256) = 5_591_876  # the ASCII letters as a number
MASK_8: constant(uint256) = 2**8 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_96: constant(uint256) = 2**96 - 1
MASK_128: constant(uint256) = 2**128 - 1
MASK_160: constant(uint256) = 2**160 - 1

# A header: small parameters | parents, 24 bits each | index 24 | number of parents 8 | calls 8 | size 8 | kind 8.
PARENTS_AT: constant(uint256) = 56

admin: public(address)
guardian: public(address)
node_count: public(uint256)
headers: HashMap[bytes32, uint256]  # by id, for whoever reads from outside
headers_at: uint256[MAX_NODES + 1]  # the same by index, for whoever follows a parent; index 0 is none
# By index: a source's key; bounds' high 128 | low 128; an uptime feed's address.
extras: uint256[MAX_NODES + 1]
units: uint256[MAX_NODES + 1]  # base 128 | quote 128
# By index: a breaker's good 8 | tripped_at 40 | publish_time 40 | reference 96; 1 for a halt.
states: uint256[MAX_NODES + 1]


@deploy
def __init__(admin: address, guardian: address):
    self.admin = admin
    self.guardian = guardian


# --- changing ----------------------------------------------------------------------------------------------------------


@external
def register_node(kind: uint256, params: uint256[4], parents: DynArray[bytes32, SENT_PARENTS]) -> bytes32:
    """
    @notice Add a node, or do nothing if it exists; anyone may (GRA-1).
    @return The node's id, keccak256(abi.encode(kind, params, parents)).
    """
    node: bytes32 = keccak256(abi_encode(kind, params, parents))
    if self.headers[node] != 0:
        return node
    assert kind >= SOURCE and kind <= HALT, "oracle/node-kind"
    self._check_parents(kind, parents)
    size: uint256 = 1
    calls: uint256 = 1 if kind == SOURCE or kind == AGGREGATOR or kind == SEQUENCER else 0
    header: uint256 = 0
    place: uint256 = PARENTS_AT
    parent_units: DynArray[uint256, MAX_PARENTS] = []
    for parent: bytes32 in parents:
        above: uint256 = self.headers[parent]
        assert above != 0, "oracle/unknown-node"
        index: uint256 = (above >> 32) & MASK_24
        size += (above >> 8) & MASK_8
        calls += (above >> 16) & MASK_8
        header |= index << place
        place += 24
        parent_units.append(self.units[index])
    self._check_params(kind, params, len(parents))
    unit: uint256 = self._compute_unit(kind, params, parent_units)
    assert size <= MAX_SIZE and calls <= MAX_CALLS and self.node_count < MAX_NODES, "oracle/graph-size"
    number: uint256 = self.node_count + 1
    small: uint256 = 0
    extra: uint256 = 0
    small, extra = self._pack_params(kind, params)
    header |= (small << place) | (number << 32) | (len(parents) << 24) | (calls << 16) | (size << 8) | kind
    self.node_count = number
    self.headers[node] = header
    self.headers_at[number] = header
    self.units[number] = unit
    if extra != 0:
        self.extras[number] = extra
    log NodeRegistered(node=node, kind=kind, params=params, parents=parents)
    return node


@external
def poke_node(node: bytes32):
    """
    @notice Show a breaker the price below it; anyone may (GRD-5).
    """
    header: uint256 = self._get_header(node)
    assert header & MASK_8 == BREAKER, "oracle/node-state"
    index: uint256 = (header >> 32) & MASK_24
    quote: quotes.Quote = self._evaluate_parent(header, 0)
    before: uint256 = self.states[index]
    after: uint256 = self._advance_breaker(before, quote, header >> (PARENTS_AT + 24))
    if after != before:
        self.states[index] = after
    was_tripped: bool = (before >> 136) & MASK_40 != 0
    is_tripped: bool = (after >> 136) & MASK_40 != 0
    if is_tripped and not was_tripped:
        log BreakerTripped(node=node, reference=before & MASK_96, price=quote.mid)
    elif was_tripped and not is_tripped:
        log BreakerClosed(node=node, price=quote.mid)


@external
def halt_node(node: bytes32):
    """
    @notice Halt a price at once; guardian and admin may (GRD-8).
    """
    assert msg.sender == self.admin or msg.sender == self.guardian, "role/not-guardian"
    header: uint256 = self._get_header(node)
    assert header & MASK_8 == HALT, "oracle/node-state"
    self.states[(header >> 32) & MASK_24] = 1
    log NodeHalted(node=node)


@external
def reset_node(node: bytes32):
    """
    @notice Lift a halt, or make a breaker begin anew; only the admin may (GRD-8).
    """
    assert msg.sender == self.admin, "role/not-admin"
    header: uint256 = self._get_header(node)
    kind: uint256 = header & MASK_8
    assert kind == HALT or kind == BREAKER, "oracle/node-state"
    self.states[(header >> 32) & MASK_24] = 0
    log NodeReset(node=node)


@internal
@view
def _get_header(node: bytes32) -> uint256:
    """The header of a registered node."""
    header: uint256 = self.headers[node]
    assert header != 0, "oracle/unknown-node"
    return header


@internal
@pure
def _check_parents(kind: uint256, parents: DynArray[bytes32, SENT_PARENTS]):
    """Refuse a wrong number of parents, or one parent twice (GRA-2)."""
    count: uint256 = len(parents)
    if kind <= FIXED:
        assert count == 0, "oracle/node-parents"
    elif kind >= MEDIAN and kind <= FIRST_OK:
        assert count >= 2 and count <= MAX_PARENTS, "oracle/node-parents"
    elif kind == MUL or kind == DIV or kind == DEVIATION:
        assert count == 2, "oracle/node-parents"
    else:
        assert count == 1, "oracle/node-parents"
    for i: uint256 in range(count, bound=SENT_PARENTS):
        for j: uint256 in range(i, bound=SENT_PARENTS):
            assert parents[i] != parents[j], "oracle/node-parents"


@internal
@pure
def _check_params(kind: uint256, params: uint256[4], count: uint256):
    """Refuse a parameter outside its bounds, and one that is not 0 where the kind has none (GRD-9)."""
    a: uint256 = params[0]
    b: uint256 = params[1]
    c: uint256 = params[2]
    fits: bool = a == 0 and b == 0 and c == 0
    if kind <= FIXED:
        # All three have their unit in the third place.
        fits = c >> 128 != 0 and c & MASK_128 != 0
        if kind == SOURCE:
            fits = fits and a != 0 and a <= MASK_160 and params[3] <= MAX_SOURCE_DECIMALS
        elif kind == AGGREGATOR:
            fits = fits and a != 0 and a <= MASK_160 and b <= MAX_SOURCE_DECIMALS
        else:
            fits = fits and a != 0 and a < PRICE_LIMIT and b == 0
    elif kind == MEDIAN:
        # A majority, so that no two sets of legs without a common one can each make a price.
        fits = a <= count and 2 * a > count and b == 0 and c == 0
    elif kind == STALENESS:
        fits = a <= b and b >= 60 and b <= 3 * 86_400 and c <= 60
    elif kind == DEVIATION:
        fits = a != 0 and a <= 5_000 and b == 0 and c == 0
    elif kind == BOUNDS:
        fits = a < b and b <= PRICE_LIMIT and c <= 5_000
    elif kind == CONFIDENCE:
        fits = a >= 10 and a <= 500 and b == 0 and c == 0
    elif kind == BREAKER:
        fits = a >= 10_100 and a <= 100_000 and b >= 60 and b <= 86_400 and c != 0 and c <= 16
    elif kind == SEQUENCER:
        fits = a <= MASK_160 and b <= 86_400 and c == 0
    elif kind == HOURS:
        fits = a != 0 and a < 2**7 and b < 86_400 and c != 0 and c < 7 * 86_400
    assert fits and (params[3] == 0 or kind == SOURCE), "oracle/node-params"


@internal
@pure
def _compute_unit(kind: uint256, params: uint256[4], parents: DynArray[uint256, MAX_PARENTS]) -> uint256:
    """The unit of a node over parents of the given units (GRA-3)."""
    if kind <= FIXED:
        return params[2]
    first: uint256 = parents[0]
    if kind == INVERT:
        return self._swap(first)
    if kind == MUL:
        return self._multiply_units(first, parents[1])
    if kind == DIV:
        return self._multiply_units(first, self._swap(parents[1]))
    for unit: uint256 in parents:
        assert unit == first, "oracle/units"
    return first


@internal
@pure
def _swap(unit: uint256) -> uint256:
    """The unit of one over a price."""
    return (unit << 128) | (unit >> 128)


@internal
@pure
def _multiply_units(a: uint256, b: uint256) -> uint256:
    """The unit of a product: the quote of one cancels the base of the other (GRA-3)."""
    if a & MASK_128 == b >> 128:
        return ((a >> 128) << 128) | (b & MASK_128)
    assert a >> 128 == b & MASK_128, "oracle/units"
    return ((b >> 128) << 128) | (a & MASK_128)


@internal
@pure
def _pack_params(kind: uint256, params: uint256[4]) -> (uint256, uint256):
    """Parameters as what fits into the header, and a word of its own for the rest."""
    if kind == SOURCE:
        return params[0] | (params[3] << 160), params[1]
    if kind == AGGREGATOR:
        return params[0] | (params[1] << 160), 0
    if kind == FIXED:
        return params[0], 0
    if kind == BOUNDS:
        return params[2], params[0] | (params[1] << 128)
    if kind == SEQUENCER:
        return params[1], params[0]
    return params[0] | (params[1] << 24) | (params[2] << 48), 0


@internal
@view
def _advance_breaker(state: uint256, quote: quotes.Quote, small: uint256) -> uint256:
    """The breaker after a poke that finds the quote below it (GRD-5)."""
    reference: uint256 = state & MASK_96
    tripped_at: uint256 = (state >> 136) & MASK_40
    if quote.status != 0:
        # Not a good observation: an untripped breaker waits, a tripped one counts from the beginning.
        return state & (2**176 - 1) if tripped_at != 0 else state
    seen: uint256 = (quote.publish_time << 96) | quote.mid
    if reference != 0 and quote_guards.is_jump(quote.mid, reference, small & MASK_24):
        return seen | ((block.timestamp if tripped_at == 0 else tripped_at) << 136)
    if tripped_at == 0:
        return seen
    needed: uint256 = (small >> 48) & MASK_24
    good: uint256 = state >> 176
    after: uint256 = state
    if quote.publish_time > (state >> 96) & MASK_40:
        good = min(good + 1, needed)
        after = seen | (tripped_at << 136) | (good << 176)
    if good >= needed and block.timestamp - tripped_at >= (small >> 24) & MASK_24:
        return seen
    return after


# --- reading -----------------------------------------------------------------------------------------------------------


@external
@view
@reentrant
def process(node: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice Bid, mid and ask at scale 1e18, publish time and status bits of a node; an unknown node has none (GRA-5).
    @dev Reverts only when less gas is left than a source may use.
    """
    quote: quotes.Quote = self._evaluate(self.headers[node])
    return quote.bid, quote.mid, quote.ask, quote.publish_time, quote.status


@external
@view
@reentrant
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The same under the name that sources have, so that a graph can be a source of another.
    """
    quote: quotes.Quote = self._evaluate(self.headers[key])
    return quote.bid, quote.mid, quote.ask, quote.publish_time, quote.status


@external
@view
@reentrant
def process_at(index: uint256) -> quotes.Quote:
    """
    @notice The quote of a node by its index. The graph asks itself here, since a function cannot call itself.
    """
    return self._evaluate(self.headers_at[index])


@external
@view
@reentrant
def check_price(node: bytes32) -> uint256:
    """
    @notice The symbol of what a node is the dollar price of; refused for a node in another unit (GRA-7).
    """
    unit: uint256 = self.units[(self._get_header(node) >> 32) & MASK_24]
    assert unit & MASK_128 == USD, "oracle/not-in-dollars"
    return unit >> 128


@external
@view
@reentrant
def node_info(node: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice Kind, evaluations, calls, unit and state word of a node; zeros for an unknown one.
    """
    header: uint256 = self.headers[node]
    index: uint256 = (header >> 32) & MASK_24
    size: uint256 = (header >> 8) & MASK_8
    return header & MASK_8, size, (header >> 16) & MASK_8, self.units[index], self.states[index]


@internal
@view
def _evaluate_parent(header: uint256, number: uint256) -> quotes.Quote:
    """The quote of one of a node's parents."""
    return self._evaluate_at((header >> (PARENTS_AT + 24 * number)) & MASK_24)


@internal
@view
def _evaluate_at(index: uint256) -> quotes.Quote:
    """The quote of a node by its index, by a call: a function cannot call itself."""
    return staticcall Recursion(self).process_at(index, skip_contract_check=True)


@internal
@view
def _evaluate(header: uint256) -> quotes.Quote:
    """The quote of a node by its header (GRA-5)."""
    if header == 0:
        return quotes.no_quote()
    if header & MASK_8 <= FIXED:
        return self._read_leaf(header, header & MASK_8)
    # Down through guards to what they guard, then back up: a call of its own for each would cost a thousand gas.
    guards: uint256[LONGEST_CHAIN] = empty(uint256[LONGEST_CHAIN])
    count: uint256 = 0
    below: uint256 = header
    for _: uint256 in range(LONGEST_CHAIN):
        if below & MASK_8 < STALENESS:
            break
        guards[count] = below
        count = unsafe_add(count, 1)
        below = self.headers_at[(below >> PARENTS_AT) & MASK_24]
    kind: uint256 = below & MASK_8
    quote: quotes.Quote = quotes.no_quote()
    if kind <= FIXED:
        quote = self._read_leaf(below, kind)
    elif kind <= FIRST_OK:
        quote = self._reduce_parents(below, kind)
    else:
        quote = self._evaluate_at((below >> 32) & MASK_24)
    for i: uint256 in range(count, bound=LONGEST_CHAIN):
        guard: uint256 = guards[unsafe_sub(unsafe_sub(count, i), 1)]
        quote.status |= self._find_fault(guard, guard & MASK_8, quote)
    return quote


@internal
@view
def _read_leaf(header: uint256, kind: uint256) -> quotes.Quote:
    """The quote of a node without parents (GRA-6)."""
    small: uint256 = header >> PARENTS_AT
    if kind == FIXED:
        return quotes.Quote(bid=small, mid=small, ask=small, publish_time=block.timestamp, status=0)
    target: address = convert(small & MASK_160, address)
    decimals: uint256 = small >> 160
    if kind == AGGREGATOR:
        answered: bool = False
        answer: int256 = 0
        started_at: uint256 = 0
        updated_at: uint256 = 0
        answered, answer, started_at, updated_at = self._ask_round(target)
        return quotes.read_round(answer, updated_at, decimals) if answered else quotes.no_quote()
    key: uint256 = self.extras[(header >> 32) & MASK_24]
    answer: Bytes[160] = self._ask(target, abi_encode(key, method_id=method_id("quote(bytes32)")))
    if len(answer) != 160:
        return quotes.no_quote()
    return quotes.read_answer(abi_decode(answer, quotes.Quote), decimals)


@internal
@view
def _reduce_parents(header: uint256, kind: uint256) -> quotes.Quote:
    """The quote of a node that makes one price of several, or the inverse of one (GRA-5)."""
    first: quotes.Quote = self._evaluate_parent(header, 0)
    if kind == INVERT:
        return quotes.invert(first)
    if kind == MUL:
        return quotes.multiply(first, self._evaluate_parent(header, 1))
    if kind == DIV:
        return quotes.divide(first, self._evaluate_parent(header, 1))
    count: uint256 = (header >> 24) & MASK_8
    if kind == MEDIAN:
        legs: DynArray[quotes.Quote, quotes.MAX_LEGS] = [first]
        for i: uint256 in range(1, count, bound=MAX_PARENTS):
            legs.append(self._evaluate_parent(header, i))
        return quotes.take_median(legs, header >> (PARENTS_AT + 24 * count))
    quote: quotes.Quote = first
    for i: uint256 in range(1, count, bound=MAX_PARENTS):
        # A fallback that is not reached is not asked.
        if kind == FIRST_OK and quote.status == 0:
            break
        leg: quotes.Quote = self._evaluate_parent(header, i)
        if kind == FIRST_OK:
            if quotes.rank(leg.status) < quotes.rank(quote.status):
                quote = leg
        elif kind == MIN:
            quote = quotes.take_min(quote, leg)
        elif kind == MAX:
            quote = quotes.take_max(quote, leg)
        else:
            quote = quotes.take_recent(quote, leg)
    return quote


@internal
@view
def _find_fault(header: uint256, kind: uint256, quote: quotes.Quote) -> uint256:
    """What a guard finds wrong with the quote of its first parent (GRA-5)."""
    index: uint256 = (header >> 32) & MASK_24
    small: uint256 = header >> (PARENTS_AT + 24)
    a: uint256 = small & MASK_24
    b: uint256 = (small >> 24) & MASK_24
    c: uint256 = (small >> 48) & MASK_24
    if kind == STALENESS:
        return quote_guards.guard_staleness(quote, block.timestamp, a, b, c)
    if kind == CONFIDENCE:
        return quote_guards.guard_confidence(quote, a)
    if kind == BOUNDS:
        extra: uint256 = self.extras[index]
        return quote_guards.guard_bounds(quote, extra & MASK_128, extra >> 128, a)
    if kind == DEVIATION:
        reference: quotes.Quote = quotes.no_quote()
        if quote.status == 0:
            reference = self._evaluate_parent(header, 1)
        return quote_guards.guard_deviation(quote, reference, header >> (PARENTS_AT + 48))
    if kind == SEQUENCER:
        return self._find_gate_fault(self.extras[index], a)
    if kind == HOURS:
        return 0 if quote_guards.is_open(block.timestamp, a, b, c) else price_status.MARKET_CLOSED
    state: uint256 = self.states[index]
    if kind == HALT:
        return 0 if state == 0 else price_status.HALTED
    return self._find_breaker_fault(state, quote, a)


@internal
@view
def _find_gate_fault(feed: uint256, grace: uint256) -> uint256:
    """What an uptime feed says of the sequencer; address 0 is no gate (GRD-6)."""
    if feed == 0:
        return 0
    answered: bool = False
    answer: int256 = 0
    started_at: uint256 = 0
    updated_at: uint256 = 0
    answered, answer, started_at, updated_at = self._ask_round(convert(feed, address))
    return quote_guards.get_gate_fault(answered, answer, started_at, block.timestamp, grace)


@internal
@pure
def _find_breaker_fault(state: uint256, quote: quotes.Quote, ratio: uint256) -> uint256:
    """HALTED while the breaker is tripped, and for a price that would trip it (GRD-5)."""
    if (state >> 136) & MASK_40 != 0:
        return price_status.HALTED
    reference: uint256 = state & MASK_96
    if quote.bid != 0 and reference != 0 and quote_guards.is_jump(quote.mid, reference, ratio):
        return price_status.HALTED
    return 0


@internal
@view
def _ask_round(source: address) -> (bool, int256, uint256, uint256):
    """Whether an AggregatorV3 answered, and its answer, started_at and updated_at (GRA-6)."""
    data: Bytes[160] = self._ask(source, method_id("latestRoundData()"))
    if len(data) != 160:
        return False, 0, 0, 0
    return True, extract32(data, 32, output_type=int256), convert(extract32(data, 64), uint256), convert(
        extract32(data, 96), uint256
    )


@internal
@view
def _ask(source: address, data: Bytes[36]) -> Bytes[160]:
    """
    The first 160 bytes that a contract answers, or fewer; none when it fails (GRA-6).
    Whoever sends too little gas could make a source fail and have its fallback asked instead: that is refused.
    """
    assert msg.gas >= GAS_FLOOR, "oracle/gas"
    success: bool = False
    answer: Bytes[160] = b""
    success, answer = raw_call(
        source, data, max_outsize=160, gas=SOURCE_GAS, is_static_call=True, revert_on_failure=False
    )
    return answer if success else b""
