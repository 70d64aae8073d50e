"""A chain inside pyrevm: the same contracts at some thirty times the speed, for long lockstep runs.

There are no blocks, signatures or fees here, and storage stays warm between transactions, so gas is never taken from
it. Transient storage is cleared before each message, as it is between two transactions of a chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from eth_abi import decode

from contracts_py.addresses import CHAIN_ID
from contracts_py.compile import EVM_VERSION
from contracts_py.errors import NodeUnusable, Reverted
from contracts_py.keys import address_of_key, to_hex
from contracts_py.node import GAS_LIMIT, REVERT_SELECTOR, Log, Receipt


class RevmNode:
    """One in-process EVM whose time is what each transaction says."""

    def __init__(self, genesis_time: int) -> None:
        if find_spec("pyrevm") is None:
            raise NodeUnusable(
                "pyrevm is not installed; run `make dev` in a checkout, or install crossmargin with its extra `revm`"
            )
        import pyrevm

        self.client = "pyrevm"
        self._pyrevm = pyrevm
        self.chain_id = CHAIN_ID
        settings = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID))
        self._evm: Any = pyrevm.EVM(env=settings, spec_id=EVM_VERSION.upper())
        self._block = 0
        self.now = genesis_time
        self._set_time(genesis_time)

    def check_identity(self) -> None:
        """Nobody else can exchange this chain."""

    def fund(self, address: int) -> None:
        """Gas is free here."""

    def send(self, key: bytes, to: int | None, data: bytes, time: int | None = None, value: int = 0) -> Receipt:
        """Execute one transaction at ``time``, or one second after the one before.

        A contract that cannot be created raises ``Reverted``.
        """
        self._set_time(self.now + 1 if time is None else time)
        sender = to_hex(address_of_key(key))
        evm = self._evm
        evm.reset_transient_storage()
        if to is None:
            try:
                created = evm.deploy(sender, data, gas=GAS_LIMIT)
            except RuntimeError as failure:
                raise Reverted(read_reason(str(failure))) from None
            return Receipt(True, self._block, 0, tuple(map(read_log, evm.result.logs)), int(created, 16))
        try:
            evm.message_call(self._rich(sender, value), to_hex(to), data, value=value, gas=GAS_LIMIT)
        except RuntimeError as failure:
            self._reason = read_reason(str(failure))
            return Receipt(False, self._block, 0, (), 0)
        return Receipt(True, self._block, 0, tuple(map(read_log, evm.result.logs)), 0)

    def deploy(self, key: bytes, bytecode: str, arguments: bytes = b"") -> int:
        """Create a contract and return its address."""
        return self.send(key, None, bytes.fromhex(bytecode[2:]) + arguments).contract

    def call(
        self, to: int | None, data: bytes, sender: int | None = None, block: int | None = None, value: int = 0
    ) -> bytes:
        """The answer of a contract to a call now; what it changes is undone. Raises ``Reverted``."""
        assert to is not None, "why a contract cannot be created, send says"
        evm = self._evm
        evm.reset_transient_storage()
        checkpoint = evm.snapshot()
        try:
            payer = self._rich(to_hex(sender or 0), value)
            answer: bytes = evm.message_call(payer, to_hex(to), data, value=value, gas=GAS_LIMIT)
        except RuntimeError as failure:
            raise Reverted(read_reason(str(failure))) from None
        finally:
            evm.revert(checkpoint)  # an open checkpoint counts as a call: after 1,024 of them every call fails
        return answer

    def storage(self, address: int) -> Callable[[int], int]:
        """A reader of a contract's storage words."""
        where, read = to_hex(address), self._evm.storage
        return lambda slot: int(read(where, slot))

    def balance(self, address: int) -> int:
        """The wei that an address has."""
        return int(self._evm.get_balance(to_hex(address)))

    def _rich(self, sender: str, value: int) -> str:
        """The sender, with the coin to send along."""
        if value:
            self._evm.set_balance(sender, self._evm.get_balance(sender) + value)
        return sender

    def _set_time(self, time: int) -> None:
        self.now = time
        self._block += 1
        self._evm.set_block_env(
            self._pyrevm.BlockEnv(number=self._block, timestamp=time, gas_limit=10**9, prevrandao=bytes(32))
        )


def read_log(log: Any) -> Log:
    """One event as the chain stores it."""
    return Log(int(log.address, 16), tuple(bytes.fromhex(topic[2:]) for topic in log.topics), bytes(log.data[1]))


def read_reason(message: str) -> str:
    """The revert string in pyrevm's message, empty if there is none."""
    found = re.search(r"output: 0x([0-9a-f]*)", message)
    data = bytes.fromhex(found[1]) if found else b""
    return str(decode(["string"], data[4:])[0]) if data[:4] == REVERT_SELECTOR else ""
