"""Where the contracts of a deployment will be, known before it is made.

A deployer that has sent nothing puts the graph at the address of its first transaction, the hub at that of its second,
and then one contract for each feed. Nodes of the graph name feeds by address, so that model and parameter files must
know them too. A source of prices has a deployer of its own, who sends nothing else: its address follows from its name.
"""

from __future__ import annotations

DEPLOYER = "deployer"
CHAIN_ID = 131_277_322_940_537  # eth-tester's, whose id cannot be chosen; signed reports hold for one id
FIRST_FEED = 2  # transactions of the deployer before it: the graph's and the hub's


def contract_address(sender: int, nonce: int) -> int:
    """The address of a contract that ``sender`` creates: the low 20 bytes of keccak(rlp([sender, nonce]))."""
    import rlp  # most parameter sets ask for no address, and these take half a second to import
    from eth_utils import keccak

    return int.from_bytes(keccak(rlp.encode([sender.to_bytes(20, "big"), nonce]))[12:], "big")


def _deployed(deployer: str, nonce: int) -> int:
    from contracts_py.keys import address_of  # as above

    return contract_address(address_of(deployer), nonce)


def graph_address() -> int:
    """The address of the graph."""
    return _deployed(DEPLOYER, 0)


def source_deployer(name: str) -> str:
    """The actor who deploys a source."""
    return f"{DEPLOYER}_{name}"


def source_address(name: str) -> int:
    """The address of a source of prices."""
    return _deployed(source_deployer(name), 0)


def feed_address(feed: int) -> int:
    """The address of a feed's own contract in a deployment with a graph."""
    return _deployed(DEPLOYER, FIRST_FEED + feed)


def feed_addresses(count: int) -> tuple[int, ...]:
    """The addresses of the first feeds' contracts in a deployment with a graph."""
    return tuple(map(feed_address, range(count)))
