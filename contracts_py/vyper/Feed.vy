# pragma version 0.4.3
# @title Feed: one push feed under the AggregatorV3 interface, and under that of sources
# @notice Twin of latest_round_data and get_round_data in oracle/feeds.py. A round not remembered is refused.
# @custom:kill Views cannot be stopped.

interface IHub:
    def round_data(feed: uint256, round: uint256) -> (int256, uint256): view
    def latest_round(feed: uint256) -> uint256: view
    def feed_decimals(feed: uint256) -> uint256: view
    def read(feed: uint256) -> (uint256, uint256, uint256, uint256, uint256): view

HUB: immutable(address)
FEED: immutable(uint256)
description: public(String[64])
version: public(constant(uint256)) = 1


@deploy
def __init__(hub: address, feed: uint256, description_: String[64]):
    HUB = hub
    FEED = feed
    self.description = description_


@external
@view
def decimals() -> uint8:
    """
    @notice Decimals of the answers.
    """
    return convert(staticcall IHub(HUB).feed_decimals(FEED), uint8)


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice The newest round; refused before the first.
    """
    return self._round(staticcall IHub(HUB).latest_round(FEED))


@external
@view
def getRoundData(round: uint80) -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice One of the feed's last 64 rounds; any other is refused.
    """
    return self._round(convert(round, uint256))


@external
@view
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The price of a push feed, as sources give theirs; refused before its first round, and for any other feed,
            as a round is (SRC-1).
    @param key Not looked at: a feed has one price.
    """
    assert staticcall IHub(HUB).latest_round(FEED) != 0, "oracle/unknown-round"
    return staticcall IHub(HUB).read(FEED)


@internal
@view
def _round(round: uint256) -> (uint80, int256, uint256, uint256, uint80):
    """A round as AggregatorV3 readers get it; both times are when it was accepted (ORC-1)."""
    answer: int256 = 0
    updated_at: uint256 = 0
    answer, updated_at = staticcall IHub(HUB).round_data(FEED, round)
    id: uint80 = convert(round, uint80)
    return id, answer, updated_at, updated_at, id
