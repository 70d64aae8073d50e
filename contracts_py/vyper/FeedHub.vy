# pragma version 0.4.3
# pragma nonreentrancy on
# @title FeedHub: push feeds, products of two, and nodes of the graph
# @notice Twin of oracle/feeds.py, oracle/guards.py and oracle/state.py. Rounds of many feeds arrive in one transaction;
#         each feed is also readable under the AggregatorV3 interface through its own Feed contract.
# @custom:kill The poster can stop pushing; prices then go stale and every action that needs one is refused.

from interfaces import IFeedHub
from modules import price_status
from modules import quotes
implements: IFeedHub

interface IGraph:
    def process(node: bytes32) -> (uint256, uint256, uint256, uint256, uint256): view
    def check_price(node: bytes32) -> uint256: view

event FeedSet:
    feed: indexed(uint256)
    decimals: uint256
    max_age: uint256

event RateFeedSet:
    feed: indexed(uint256)
    rate: uint256
    underlying: uint256

event NodeFeedSet:
    feed: indexed(uint256)
    node: bytes32

event RoundPushed:
    feed: indexed(uint256)
    round: uint256
    answer: int256
    updated_at: uint256

MAX_FEEDS: constant(uint256) = 64
SENT_FEEDS: constant(uint256) = MAX_FEEDS + 1  # room for one too many, so that it is refused and not undecodable
MAX_FEED_DECIMALS: constant(uint256) = 18
SHORTEST_MAX_AGE: constant(uint256) = 60
LONGEST_MAX_AGE: constant(uint256) = 3 * 86_400
PUSH_FEED: constant(uint256) = 0
RATE_FEED: constant(uint256) = 1
NODE_FEED: constant(uint256) = 2
CUT_OVER_BPS: constant(uint256) = 200  # how far the price of a node may be from that of the node before it
HISTORY: constant(uint256) = 64  # rounds that a feed remembers
PREPARED: constant(uint256) = 1 << 127  # keeps a word from ever being zero, so that no push pays for a fresh one
ANSWER_LIMIT: constant(int256) = 2**127

GRAPH: immutable(address)  # empty where there is none
admin: address
poster: address
feed_count: uint256
# A push feed: answer 128, signed | updated_at 40 | latest round 40 | max_age 32 | decimals 8 | PUSH_FEED.
# A rate feed: unused 216 | underlying 16 | rate 16 | RATE_FEED. A node feed: unused 248 | NODE_FEED.
feeds: uint256[MAX_FEEDS]
# By feed, at round modulo HISTORY: answer 128, signed | prepared 1 | unused 87 | updated_at 40.
rounds: uint256[HISTORY][MAX_FEEDS]
nodes: bytes32[MAX_FEEDS]  # by node feed


@deploy
def __init__(admin: address, poster: address, graph: address):
    self.admin = admin
    self.poster = poster
    GRAPH = graph


@external
def set_feed(feed: uint256, decimals: uint256, max_age: uint256):
    """
    @notice Create the next feed, or change how old a price of an existing one may be (ORC-5).
    """
    assert msg.sender == self.admin, "role/not-admin"
    count: uint256 = self.feed_count
    assert feed <= count and feed < MAX_FEEDS, "oracle/unknown-feed"
    assert (
        decimals <= MAX_FEED_DECIMALS and max_age >= SHORTEST_MAX_AGE and max_age <= LONGEST_MAX_AGE
    ), "oracle/config"
    word: uint256 = self.feeds[feed]
    if feed == count:
        self.feed_count = count + 1
        for i: uint256 in range(HISTORY):
            self.rounds[feed][i] = PREPARED
    else:
        assert word & 255 == PUSH_FEED and (word >> 8) & 255 == decimals, "oracle/config"
    self.feeds[feed] = ((word >> 48) << 48) | (max_age << 16) | (decimals << 8)
    log FeedSet(feed=feed, decimals=decimals, max_age=max_age)


@external
def set_rate_feed(feed: uint256, rate: uint256, underlying: uint256):
    """
    @notice Create the next feed as the product of two push feeds; it never changes (ORC-7).
    """
    assert msg.sender == self.admin, "role/not-admin"
    count: uint256 = self.feed_count
    assert feed == count and count < MAX_FEEDS, "oracle/unknown-feed"
    assert rate < count and self.feeds[rate] & 255 == PUSH_FEED, "oracle/config"
    assert underlying < count and self.feeds[underlying] & 255 == PUSH_FEED, "oracle/config"
    self.feed_count = count + 1
    self.feeds[feed] = (underlying << 24) | (rate << 8) | RATE_FEED
    log RateFeedSet(feed=feed, rate=rate, underlying=underlying)


@external
def set_node_feed(feed: uint256, node: bytes32):
    """
    @notice Create the next feed as a node of the graph that is a price in dollars, or point one at another node of the
            same unit; as long as the old node is good, at one that says about the same (ORC-8).
    """
    assert msg.sender == self.admin, "role/not-admin"
    count: uint256 = self.feed_count
    assert feed <= count and feed < MAX_FEEDS, "oracle/unknown-feed"
    assert feed == count or self.feeds[feed] & 255 == NODE_FEED, "oracle/config"
    assert GRAPH != empty(address), "oracle/unknown-node"
    symbol: uint256 = staticcall IGraph(GRAPH).check_price(node)
    if feed == count:
        self.feed_count = count + 1
        self.feeds[feed] = NODE_FEED
    else:
        old: bytes32 = self.nodes[feed]
        assert staticcall IGraph(GRAPH).check_price(old) == symbol, "oracle/units"
        self._check_cut_over(self._process(old), self._process(node))
    self.nodes[feed] = node
    log NodeFeedSet(feed=feed, node=node)


@internal
@pure
def _check_cut_over(old: quotes.Quote, new: quotes.Quote):
    """Refuse another node while the one in use is good, unless it is good as well and says about the same (ORC-8)."""
    if old.status != 0:
        return
    distance: uint256 = max(old.mid, new.mid) - min(old.mid, new.mid)
    assert new.status == 0 and distance * 10_000 <= CUT_OVER_BPS * old.mid, "oracle/cut-over"


@external
def push(feeds: DynArray[uint256, SENT_FEEDS], answers: DynArray[int256, SENT_FEEDS]):
    """
    @notice Append one round per feed named, at the time of the block (ORC-4). Any answer is accepted; readers guard.
    """
    assert msg.sender == self.poster, "role/not-poster"
    assert len(feeds) != 0 and len(feeds) == len(answers), "oracle/malformed-push"
    next_allowed: uint256 = 0
    for i: uint256 in range(len(feeds), bound=SENT_FEEDS):
        feed: uint256 = feeds[i]
        answer: int256 = answers[i]
        assert feed >= next_allowed, "oracle/malformed-push"
        assert feed < self.feed_count, "oracle/unknown-feed"
        word: uint256 = self.feeds[feed]
        assert word & 255 == PUSH_FEED, "oracle/unknown-feed"
        assert answer >= -ANSWER_LIMIT and answer < ANSWER_LIMIT, "sys/domain"
        round: uint256 = ((word >> 48) & (2**40 - 1)) + 1
        signed_half: uint256 = convert(convert(answer, bytes32), uint256) << 128
        self.feeds[feed] = signed_half | (block.timestamp << 88) | (round << 48) | (word & (2**48 - 1))
        self.rounds[feed][round % HISTORY] = signed_half | PREPARED | block.timestamp
        next_allowed = feed + 1
        log RoundPushed(feed=feed, round=round, answer=answer, updated_at=block.timestamp)


@external
@view
@reentrant
def read(feed: uint256) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice A feed's bid, mid and ask at scale 1e18, 0 where there is no price, its publish time and its status bits
            (ORC-6 to ORC-8).
    @dev Reentrant, so that the protocol can read while it is called from a token callback: it changes nothing, and
         what it calls can change nothing. A node feed reverts when less gas is left than a source of its node may use
         (oracle/gas); nothing else reverts.
    """
    if feed >= self.feed_count:
        return 0, 0, 0, 0, price_status.UNAVAILABLE
    word: uint256 = self.feeds[feed]
    kind: uint256 = word & 255
    quote: quotes.Quote = empty(quotes.Quote)
    if kind == PUSH_FEED:
        quote = self._guard(word)
    elif kind == RATE_FEED:
        quote = quotes.multiply(
            self._guard(self.feeds[(word >> 8) & 65535]), self._guard(self.feeds[(word >> 24) & 65535])
        )
    else:
        quote = self._process(self.nodes[feed])
    return quote.bid, quote.mid, quote.ask, quote.publish_time, quote.status


@internal
@view
def _process(node: bytes32) -> quotes.Quote:
    """What the graph says of a node (ORC-8)."""
    quote: quotes.Quote = empty(quotes.Quote)
    quote.bid, quote.mid, quote.ask, quote.publish_time, quote.status = staticcall IGraph(GRAPH).process(
        node, skip_contract_check=True
    )
    return quote


@internal
@view
def _guard(word: uint256) -> quotes.Quote:
    """The newest answer of a push feed at scale 1e18, its time and its status (ORC-6)."""
    if (word >> 48) & (2**40 - 1) == 0:
        return quotes.no_quote()
    updated_at: uint256 = (word >> 88) & (2**40 - 1)
    status: uint256 = 0
    if block.timestamp - updated_at > (word >> 16) & (2**32 - 1):
        status = price_status.STALE_HARD
    answer: int256 = convert(convert(word, bytes32), int256) >> 128
    price: uint256 = convert(max(answer, 0), uint256) * 10 ** (18 - ((word >> 8) & 255))
    return quotes.make_quote(price, price, price, updated_at, status)


@external
@view
@reentrant
def round_data(feed: uint256, round: uint256) -> (int256, uint256):
    """
    @notice One of a feed's last 64 rounds: answer and time of acceptance (ORC-1).
    """
    return self._round_data(feed, round)


@external
@view
@reentrant
def read_first_round(feed: uint256, round: uint256, since: uint256) -> (uint256, uint256):
    """
    @notice The price of a push feed's round at scale 1e18, if it is the first accepted from a time on, and its status
            bits (ORC-9). A past price is not stale: it is the one of its moment.
    """
    word: uint256 = self.feeds[feed] if feed < self.feed_count else NODE_FEED
    if word & 255 != PUSH_FEED:
        return 0, price_status.UNAVAILABLE
    answer: int256 = 0
    updated_at: uint256 = 0
    answer, updated_at = self._round_data(feed, round)
    assert updated_at >= since, "oracle/not-first"
    if round > 1:
        answer_before: int256 = 0
        before: uint256 = 0
        answer_before, before = self._round_data(feed, round - 1)
        assert before < since, "oracle/not-first"
    price: uint256 = convert(max(answer, 0), uint256) * 10 ** (18 - ((word >> 8) & 255))
    quote: quotes.Quote = quotes.make_quote(price, price, price, updated_at, 0)
    return quote.mid, quote.status


@internal
@view
def _round_data(feed: uint256, round: uint256) -> (int256, uint256):
    """Answer and time of one of a feed's last 64 rounds (ORC-1)."""
    latest: uint256 = (self.feeds[feed] >> 48) & (2**40 - 1)
    assert round != 0 and round <= latest and latest - round < HISTORY, "oracle/unknown-round"
    word: uint256 = self.rounds[feed][round % HISTORY]
    return convert(convert(word, bytes32), int256) >> 128, word & (2**40 - 1)


@external
@view
@reentrant
def latest_round(feed: uint256) -> uint256:
    """
    @notice Number of a feed's newest round; 0 before the first.
    """
    return (self.feeds[feed] >> 48) & (2**40 - 1)


@external
@view
@reentrant
def feed_decimals(feed: uint256) -> uint256:
    """
    @notice Decimals of a feed's answers; a rate or node feed has no rounds, and its price has 18 (ORC-7, ORC-8).
    """
    word: uint256 = self.feeds[feed]
    return (word >> 8) & 255 if word & 255 == PUSH_FEED else 18


@external
@view
@reentrant
def feed_node(feed: uint256) -> bytes32:
    """
    @notice The node that a feed is; empty for a feed of another kind (ORC-8).
    """
    return self.nodes[feed]
