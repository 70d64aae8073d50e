"""An eth-tester backend that gives the same chain on every run.

eth-tester's own backend takes block times from the clock and prevrandao from the operating system, and mines an
extra block when time moves. This one does neither: a block's time is what was asked for, or one second after its
parent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_tester import EthereumTester, PyEVMBackend
from web3.providers.eth_tester import EthereumTesterProvider
from web3.providers.eth_tester.defaults import API_ENDPOINTS

BLOCK_GAS_LIMIT = 60_000_000
PREVRANDAO = b"\x00" * 32


class DeterministicBackend(PyEVMBackend):
    """py-evm with exact block times and a fixed prevrandao."""

    def __init__(self, genesis_time: int) -> None:
        overrides = {"timestamp": genesis_time, "gas_limit": BLOCK_GAS_LIMIT}
        super().__init__(genesis_parameters=self.generate_genesis_params(overrides))
        self.time_travel(genesis_time + 1)

    def time_travel(self, to_timestamp: int) -> int:
        """Set the time of the next block, without mining one."""
        self.chain.set_header_timestamp(to_timestamp)
        return to_timestamp

    def mine_blocks(self, num_blocks: int = 1, coinbase: bytes = b"\x00" * 20) -> tuple[bytes, ...]:
        """Mine the pending transactions, then empty blocks one second apart."""
        hashes = []
        for _ in range(num_blocks):
            block = self.chain.mine_block(coinbase=coinbase, mix_hash=PREVRANDAO, blob_gas_used=0)
            self.time_travel(block.header.timestamp + 1)
            hashes.append(block.hash)
        return tuple(hashes)

    def storage_at_head(self, address: bytes) -> Callable[[int], int]:
        """A reader of a contract's storage words at the newest block."""
        state = self.chain.get_vm(self.chain.get_canonical_head()).state
        return lambda slot: int(state.get_storage(address, slot))


def _set_next_timestamp(tester: EthereumTester, params: list[int]) -> int:
    timestamp: int = tester.backend.time_travel(params[0])
    return timestamp


def eth_tester_provider(genesis_time: int) -> EthereumTesterProvider:
    """A web3 provider over a fresh deterministic chain, with the time call that other development nodes have."""
    endpoints: dict[str, dict[str, Any]] = {name: dict(calls) for name, calls in API_ENDPOINTS.items()}
    endpoints["evm"]["setNextBlockTimestamp"] = _set_next_timestamp
    return EthereumTesterProvider(EthereumTester(DeterministicBackend(genesis_time)), endpoints)
