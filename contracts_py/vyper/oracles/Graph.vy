# pragma version 0.4.3
# pragma nonreentrancy on
# @title Graph: prices composed of sources and guards
# @notice Twin of oracle/graph.py. Anyone registers nodes; reading one never reverts but for lack of
#         gas; breakers and halts change only by explicit calls.
# @custom:kill The guardian halts the Halt node above each price; every action that needs the price is then refused.

from interfaces import IQuoteSource
from modules import asking
from modules import breaker
from modules import nodes
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
    parents: DynArray[bytes32, nodes.SENT_PARENTS]

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

# What evaluating a node may take at most (GRA-4): 4,000,000 gas with every source burning all it gets (asking.vy).
MAX_SIZE: constant(uint256) = 48
MAX_CALLS: constant(uint256) = 12
LONGEST_CHAIN: constant(uint256) = 8  # guards on top of each other that are evaluated without a call
MAX_NODES: constant(uint256) = 2**24 - 1
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
def register_node(kind: uint256, params: uint256[4], parents: DynArray[bytes32, nodes.SENT_PARENTS]) -> bytes32:
    """
    @notice Add a node, or do nothing if it exists; anyone may (GRA-1).
    @return The node's id, keccak256(abi.encode(kind, params, parents)).
    """
    node: bytes32 = keccak256(abi_encode(kind, params, parents))
    if self.headers[node] != 0:
        return node
    assert kind >= nodes.SOURCE and kind <= nodes.ENVELOPE, "oracle/node-kind"
    nodes.check_parents(kind, parents)
    size: uint256 = 1
    calls: uint256 = 1 if kind == nodes.SOURCE or kind == nodes.AGGREGATOR or kind == nodes.SEQUENCER else 0
    header: uint256 = 0
    place: uint256 = PARENTS_AT
    parent_units: DynArray[uint256, nodes.MAX_PARENTS] = []
    for parent: bytes32 in parents:
        above: uint256 = self.headers[parent]
        assert above != 0, "oracle/unknown-node"
        index: uint256 = (above >> 32) & MASK_24
        size += (above >> 8) & MASK_8
        calls += (above >> 16) & MASK_8
        header |= index << place
        place += 24
        parent_units.append(self.units[index])
    nodes.check_params(kind, params, len(parents))
    unit: uint256 = nodes.compute_unit(kind, params, parent_units)
    assert size <= MAX_SIZE and calls <= MAX_CALLS and self.node_count < MAX_NODES, "oracle/graph-size"
    number: uint256 = self.node_count + 1
    small: uint256 = 0
    extra: uint256 = 0
    small, extra = nodes.pack_params(kind, params)
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
    assert header & MASK_8 == nodes.BREAKER, "oracle/node-state"
    index: uint256 = (header >> 32) & MASK_24
    quote: quotes.Quote = self._evaluate_parent(header, 0)
    before: uint256 = self.states[index]
    after: uint256 = breaker.advance(before, quote, header >> (PARENTS_AT + 24))
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
    assert header & MASK_8 == nodes.HALT, "oracle/node-state"
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
    assert kind == nodes.HALT or kind == nodes.BREAKER, "oracle/node-state"
    self.states[(header >> 32) & MASK_24] = 0
    log NodeReset(node=node)


@internal
@view
def _get_header(node: bytes32) -> uint256:
    """The header of a registered node."""
    header: uint256 = self.headers[node]
    assert header != 0, "oracle/unknown-node"
    return header


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
    if header & MASK_8 <= nodes.FIXED:
        return self._read_leaf(header, header & MASK_8)
    # Down through guards to what they guard, then back up: a call of its own for each would cost a thousand gas.
    guards: uint256[LONGEST_CHAIN] = empty(uint256[LONGEST_CHAIN])
    count: uint256 = 0
    below: uint256 = header
    for _: uint256 in range(LONGEST_CHAIN):
        if below & MASK_8 < nodes.STALENESS:
            break
        guards[count] = below
        count = unsafe_add(count, 1)
        below = self.headers_at[(below >> PARENTS_AT) & MASK_24]
    kind: uint256 = below & MASK_8
    quote: quotes.Quote = quotes.no_quote()
    if kind <= nodes.FIXED:
        quote = self._read_leaf(below, kind)
    elif kind <= nodes.FIRST_OK:
        quote = self._reduce_parents(below, kind)
    else:
        quote = self._evaluate_at((below >> 32) & MASK_24)
    for i: uint256 in range(count, bound=LONGEST_CHAIN):
        guard: uint256 = guards[unsafe_sub(unsafe_sub(count, i), 1)]
        if guard & MASK_8 == nodes.ENVELOPE:
            quote = quote_guards.widen(quote, self._read_reference(guard, quote))
        else:
            quote.status |= self._find_fault(guard, guard & MASK_8, quote)
    return quote


@internal
@view
def _read_reference(header: uint256, quote: quotes.Quote) -> quotes.Quote:
    """The quote of a guard's second parent, which is asked only about a quote that is OK (GRD-2, GRD-10)."""
    return self._evaluate_parent(header, 1) if quote.status == 0 else quotes.no_quote()


@internal
@view
def _read_leaf(header: uint256, kind: uint256) -> quotes.Quote:
    """The quote of a node without parents (GRA-6)."""
    small: uint256 = header >> PARENTS_AT
    if kind == nodes.FIXED:
        return quotes.Quote(bid=small, mid=small, ask=small, publish_time=block.timestamp, status=0)
    target: address = convert(small & MASK_160, address)
    decimals: uint256 = small >> 160
    if kind == nodes.AGGREGATOR:
        answered: bool = False
        answer: int256 = 0
        started_at: uint256 = 0
        updated_at: uint256 = 0
        answered, answer, started_at, updated_at = asking.ask_round(target)
        return quotes.read_round(answer, updated_at, decimals) if answered else quotes.no_quote()
    key: uint256 = self.extras[(header >> 32) & MASK_24]
    answer: Bytes[160] = asking.ask(target, abi_encode(key, method_id=method_id("quote(bytes32)")))
    if len(answer) != 160:
        return quotes.no_quote()
    return quotes.read_answer(abi_decode(answer, quotes.Quote), decimals)


@internal
@view
def _reduce_parents(header: uint256, kind: uint256) -> quotes.Quote:
    """The quote of a node that makes one price of several, or the inverse of one (GRA-5)."""
    first: quotes.Quote = self._evaluate_parent(header, 0)
    if kind == nodes.INVERT:
        return quotes.invert(first)
    if kind == nodes.MUL:
        return quotes.multiply(first, self._evaluate_parent(header, 1))
    if kind == nodes.DIV:
        return quotes.divide(first, self._evaluate_parent(header, 1))
    count: uint256 = (header >> 24) & MASK_8
    if kind == nodes.MEDIAN:
        legs: DynArray[quotes.Quote, quotes.MAX_LEGS] = [first]
        for i: uint256 in range(1, count, bound=nodes.MAX_PARENTS):
            legs.append(self._evaluate_parent(header, i))
        return quotes.take_median(legs, header >> (PARENTS_AT + 24 * count))
    quote: quotes.Quote = first
    for i: uint256 in range(1, count, bound=nodes.MAX_PARENTS):
        # A fallback that is not reached is not asked.
        if kind == nodes.FIRST_OK and quote.status == 0:
            break
        leg: quotes.Quote = self._evaluate_parent(header, i)
        if kind == nodes.FIRST_OK:
            if quotes.rank(leg.status) < quotes.rank(quote.status):
                quote = leg
        elif kind == nodes.MIN:
            quote = quotes.take_min(quote, leg)
        elif kind == nodes.MAX:
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
    if kind == nodes.STALENESS:
        return quote_guards.guard_staleness(quote, block.timestamp, a, b, c)
    if kind == nodes.CONFIDENCE:
        return quote_guards.guard_confidence(quote, a)
    if kind == nodes.BOUNDS:
        extra: uint256 = self.extras[index]
        return quote_guards.guard_bounds(quote, extra & MASK_128, extra >> 128, a)
    if kind == nodes.DEVIATION:
        return quote_guards.guard_deviation(quote, self._read_reference(header, quote), header >> (PARENTS_AT + 48))
    if kind == nodes.SEQUENCER:
        return self._find_gate_fault(self.extras[index], a)
    if kind == nodes.HOURS:
        return 0 if quote_guards.is_open(block.timestamp, a, b, c) else price_status.MARKET_CLOSED
    state: uint256 = self.states[index]
    if kind == nodes.HALT:
        return 0 if state == 0 else price_status.HALTED
    return breaker.find_fault(state, quote, a)


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
    answered, answer, started_at, updated_at = asking.ask_round(convert(feed, address))
    return quote_guards.get_gate_fault(answered, answer, started_at, block.timestamp, grace)
