"""Where the contracts of a deployment will be, known before it is made.

A deployer that has sent nothing puts the graph at the address of its first transaction, the hub at that of its second,
and then one contract for each feed. Nodes of the graph name feeds by address, so that model and parameter files must
know them too.
"""

from __future__ import annotations

from eth_utils import keccak

from contracts_py.keys import address_of

DEPLOYER = "deployer"
FIRST_FEED = 2  # transactions of the deployer before it: the graph's and the hub's


def contract_address(sender: int, nonce: int) -> int:
    """The address of a contract that ``sender`` creates: the low 20 bytes of keccak(rlp([sender, nonce]))."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    is_one_item = len(number) == 1 and number[0] < 0x80
    listed = b"\x94" + sender.to_bytes(20, "big") + (number if is_one_item else bytes([0x80 + len(number)]) + number)
    return int.from_bytes(keccak(bytes([0xC0 + len(listed)]) + listed)[12:], "big")


def feed_address(feed: int) -> int:
    """The address of a feed's own contract in a deployment with a graph."""
    return contract_address(address_of(DEPLOYER), FIRST_FEED + feed)


def feed_addresses(count: int) -> tuple[int, ...]:
    """The addresses of the first feeds' contracts in a deployment with a graph."""
    return tuple(map(feed_address, range(count)))
