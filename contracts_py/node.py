"""A chain that takes one transaction per block at a given time: in process, or behind a JSON-RPC URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from eth_abi import decode
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint

from contracts_py.errors import NodeUnusable, Reverted
from contracts_py.keys import to_hex

GAS_LIMIT = 16_000_000  # always given: estimating costs more than executing
MAX_FEE = 10**10
FUNDS = 10**19  # wei of native coin for each actor: thousands of transactions
REVERT_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)


@dataclass(frozen=True, slots=True)
class Log:
    """One event as the chain stores it."""

    address: int
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did. ``contract`` is 0 unless it created one."""

    succeeded: bool
    block: int
    gas_used: int
    logs: tuple[Log, ...]
    contract: int


class Chain(Protocol):
    """What deployment, bindings and read-back ask of a chain."""

    client: str
    chain_id: int

    @property
    def now(self) -> int:
        """The time of the newest block."""

    def check_identity(self) -> None:
        """Refuse to go on when the chain behind the connection is no longer the one it was."""

    def fund(self, address: int) -> None:
        """Give an address the native coin it needs for gas."""

    def send(self, key: bytes, to: int | None, data: bytes, time: int | None = None, value: int = 0) -> Receipt:
        """Execute one transaction in a block of its own, at ``time`` or one second after the newest block.

        ``value`` is the wei sent along.
        """

    def deploy(self, key: bytes, bytecode: str, arguments: bytes = b"") -> int:
        """Create a contract and return its address."""

    def call(
        self, to: int | None, data: bytes, sender: int | None = None, block: int | None = None, value: int = 0
    ) -> bytes:
        """The answer of a contract to a call, at the newest block or at ``block``. Raises ``Reverted``.

        Without ``to`` the data would create a contract.
        """

    def storage(self, address: int) -> Callable[[int], int]:
        """A reader of a contract's storage words at the newest block."""

    def balance(self, address: int) -> int:
        """The wei that an address has at the newest block."""


class Node:
    """One development chain. The accounts it offers unlocked pay for everybody else."""

    def __init__(self, provider: BaseProvider) -> None:
        self.web3 = Web3(provider)
        self._nonces: dict[bytes, int] = {}
        self.client = str(self._request("web3_clientVersion", []))
        self.genesis_hash = self._block_hash(0)
        self.chain_id = self.web3.eth.chain_id
        unlocked = self.web3.eth.accounts
        if not unlocked:
            raise NodeUnusable("it has no unlocked account, so it is not a development chain")
        self._payer = unlocked[0]

    @classmethod
    def connect(cls, url: str) -> Node:
        """The development chain at a JSON-RPC URL."""
        # web3 repeats a request whose answer was lost; a repeated transaction would hide the first one's fate.
        provider = HTTPProvider(url, exception_retry_configuration=None)
        if not provider.is_connected():
            raise NodeUnusable(f"nothing answers at {url}; start the node, or check the URL")
        return cls(provider)

    @property
    def now(self) -> int:
        """The time of the newest block."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def check_identity(self) -> None:
        """Refuse to go on when the chain behind the connection is no longer the one it was."""
        if self._block_hash(0) != self.genesis_hash or self._request("web3_clientVersion", []) != self.client:
            raise NodeUnusable("the chain behind this connection is another one now")

    def fund(self, address: int) -> None:
        """Give an address the native coin it needs for gas."""
        payment: Any = {
            "from": self._payer,
            "to": Web3.to_checksum_address(to_hex(address)),
            "value": FUNDS,
            "gas": 21_000,
        }
        self.web3.eth.wait_for_transaction_receipt(self.web3.eth.send_transaction(payment))

    def send(self, key: bytes, to: int | None, data: bytes, time: int | None = None, value: int = 0) -> Receipt:
        """Execute one transaction in a block of its own, at ``time`` or one second after the newest block."""
        if time is not None:
            self._request("evm_setNextBlockTimestamp", [time])
        transaction: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": self._next_nonce(key),
            "gas": GAS_LIMIT,
            "maxFeePerGas": MAX_FEE,
            "maxPriorityFeePerGas": 0,
            "value": value,
            "data": data,
        }
        if to is not None:
            transaction["to"] = Web3.to_checksum_address(to_hex(to))
        signed = Account.sign_transaction(transaction, key)
        tx_hash = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(tx_hash, timeout=60, poll_latency=0.01)
        logs = tuple(
            Log(int(log["address"], 16), tuple(bytes(t) for t in log["topics"]), bytes(log["data"]))
            for log in receipt["logs"]
        )
        created = receipt.get("contractAddress")
        return Receipt(
            succeeded=receipt["status"] == 1,
            block=receipt["blockNumber"],
            gas_used=receipt["gasUsed"],
            logs=logs,
            contract=int(created, 16) if created and to is None else 0,
        )

    def deploy(self, key: bytes, bytecode: str, arguments: bytes = b"") -> int:
        """Create a contract and return its address."""
        receipt = self.send(key, None, bytes.fromhex(bytecode[2:]) + arguments)
        if not receipt.succeeded:
            raise Reverted("contract creation failed")
        return receipt.contract

    def call(
        self, to: int | None, data: bytes, sender: int | None = None, block: int | None = None, value: int = 0
    ) -> bytes:
        """The answer of a contract to a call, at the newest block or at ``block``. Raises ``Reverted``."""
        from eth_tester.exceptions import TransactionFailed

        request: Any = {
            "from": self._payer if sender is None else Web3.to_checksum_address(to_hex(sender)),
            "data": data,
            "gas": GAS_LIMIT,
            "value": value,
        }
        if to is not None:
            request["to"] = Web3.to_checksum_address(to_hex(to))
        try:
            return bytes(self.web3.eth.call(request, "latest" if block is None else block))
        except TransactionFailed as failure:
            raise Reverted(_reason_of_tester(failure)) from None
        except ContractLogicError as failure:
            raise Reverted(_reason_of_data(failure.data)) from None

    def storage(self, address: int) -> Callable[[int], int]:
        """A reader of a contract's storage words at the newest block."""
        tester = getattr(self.web3.provider, "ethereum_tester", None)
        if tester is not None:
            # The same words without the RPC layers: a complete state has thousands of them.
            read: Callable[[int], int] = tester.backend.storage_at_head(address.to_bytes(20, "big"))
            return read
        where = Web3.to_checksum_address(to_hex(address))
        return lambda slot: int.from_bytes(self.web3.eth.get_storage_at(where, slot), "big")

    def balance(self, address: int) -> int:
        """The wei that an address has at the newest block."""
        return int(self.web3.eth.get_balance(Web3.to_checksum_address(to_hex(address))))

    def _next_nonce(self, key: bytes) -> int:
        if key not in self._nonces:
            self._nonces[key] = self.web3.eth.get_transaction_count(Account.from_key(key).address)
        nonce = self._nonces[key]
        self._nonces[key] = nonce + 1
        return nonce

    def _block_hash(self, number: int) -> str:
        return str(self.web3.eth.get_block(number)["hash"].to_0x_hex())

    def _request(self, method: str, params: list[Any]) -> Any:
        response = self.web3.provider.make_request(RPCEndpoint(method), params)
        if "error" in response:
            raise NodeUnusable(f"it refuses {method}: {response['error']}")
        return response["result"]


def _reason_of_tester(failure: Exception) -> str:
    """eth-tester puts the revert string into its message, or the bytes of an error it could not read."""
    message = failure.args[0] if failure.args else ""
    return message.removeprefix("execution reverted: ") if isinstance(message, str) else ""


def _reason_of_data(data: Any) -> str:
    raw = bytes.fromhex(data[2:]) if isinstance(data, str) else b""
    if raw[:4] != REVERT_SELECTOR:
        return ""
    return str(decode(["string"], raw[4:])[0])
