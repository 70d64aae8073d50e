"""The deployed protocol, speaking the model's language: actions in, events or refusals out.

Function, argument, event and field names are the same on both sides, so the ABI itself is the table; a test holds
it against ``protocol.actions`` and ``protocol.events``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from eth_abi import decode, encode
from eth_utils import keccak
from eth_utils.abi import collapse_if_tuple

from contracts_py.compile import GRAPH, Artifact
from contracts_py.deploy import Deployment, merge_abi
from contracts_py.errors import Reverted, UnknownRevert
from contracts_py.keys import to_hex
from contracts_py.node import Chain, Log, Receipt
from oracle import feeds, graph
from oracle.errors import REFUSALS
from protocol import events as protocol_events
from protocol.account_state import AccountState
from protocol.actions import SettleOrder, Trade
from protocol.errors import Refusal
from protocol.margin import Health
from protocol.views import LiquidationQuote, SettlementPreview, Solvency, TradePreview

EVENTS: dict[str, type] = {
    name: cls
    for module in (protocol_events, feeds, graph)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and is_dataclass(cls) and cls.__module__ == module.__name__
}


@dataclass(frozen=True)
class Function:
    """How to call one function."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class EventShape:
    """How to read one event."""

    record: type
    names: tuple[str, ...]
    indexed: tuple[str, ...]
    types: tuple[str, ...]
    data_types: tuple[str, ...]


class CrossMargin:
    """The protocol, its feed hub and its graph, if it has one, on one node."""

    def __init__(self, node: Chain, deployment: Deployment, artifacts: Mapping[str, Artifact]) -> None:
        self.node = node
        self.deployment = deployment
        self._functions: dict[str, tuple[int, Function]] = {}
        self._events: dict[tuple[int, bytes], EventShape] = {}
        parts = [(deployment.hub, artifacts["FeedHub"].abi), (deployment.protocol, merge_abi(artifacts))]
        if deployment.graph:
            parts.insert(0, (deployment.graph, artifacts[GRAPH].abi))  # first: a name of two is the protocol's
        for address, abi in parts:
            for entry in abi:
                if entry["type"] == "function":
                    self._functions[entry["name"]] = (address, read_function(entry))
                elif entry["type"] == "event":
                    self._events[address, topic_of(entry)] = read_event(entry)

    def encode_action(self, action: Any) -> tuple[int, bytes]:
        """Where to send an action, and its calldata."""
        address, function = self._functions[function_name(type(action))]
        values = [to_abi(kind, value) for kind, value in zip(function.inputs, astuple(action), strict=True)]
        return address, function.selector + encode(function.inputs, values)

    def send(self, action: Any, key: bytes, time: int | None = None) -> Receipt:
        """Send an action as one transaction; it may have failed."""
        address, data = self.encode_action(action)
        return self.node.send(key, address, data, time)

    def execute(self, action: Any, key: bytes, sender: int, time: int | None = None) -> tuple[tuple[Any, ...], Receipt]:
        """Send an action and return its events. Raises the model's ``Refusal``, with no numbers, if it is refused."""
        receipt = self.send(action, key, time)
        if receipt.succeeded:
            return self.read_events(receipt), receipt
        raise self.refusal(action, sender, receipt)

    def refusal(self, action: Any, sender: int, receipt: Receipt) -> Refusal:
        """Why a transaction failed. Raises ``UnknownRevert``."""
        address, data = self.encode_action(action)
        return explain(self.node, address, data, sender, receipt, function_name(type(action)))

    def read_events(self, receipt: Receipt) -> tuple[Any, ...]:
        """The protocol's events of a transaction, as the model's records. Tokens' own events are left out."""
        return tuple(self.read_log(log) for log in receipt.logs if log.address not in self.deployment.tokens)

    def read_log(self, log: Log) -> Any:
        """One log as the model's event."""
        return decode_log(self._events[log.address, log.topics[0]], log)

    def encode_call(self, name: str, *arguments: Any) -> tuple[int, bytes]:
        """Where to send a call of a function, and its calldata."""
        address, function = self._functions[name]
        return address, function.selector + encode(function.inputs, arguments)

    def view(self, name: str, *arguments: Any, sender: int | None = None) -> Any:
        """What a view function, or a preview, answers now."""
        answer = self.node.call(*self.encode_call(name, *arguments), sender)
        return decode(self._functions[name][1].outputs, answer)[0]

    def health(self, account: int) -> Health:
        """The health of an account at the newest block."""
        health: Health = build(Health, self.view("health", account))
        return health

    def account_state(self, account: int) -> AccountState:
        """Where an account stands at the newest block."""
        return AccountState(self.view("account_state", account))

    def preview_trade(self, action: Trade) -> TradePreview:
        """What a trade by the account's owner would do in this block."""
        preview: TradePreview = build(TradePreview, self.view("preview_trade", *astuple(action)))
        return preview

    def preview_settle_order(self, action: SettleOrder, keeper: int) -> SettlementPreview:
        """What a settlement by a keeper's address would do in this block."""
        answer = self.view("preview_settle_order", *astuple(action), sender=keeper)
        preview: SettlementPreview = build(SettlementPreview, answer)
        return preview

    def quote_liquidation(self, account: int, keeper: int) -> LiquidationQuote:
        """What a liquidation by a keeper's address would do in this block."""
        quote: LiquidationQuote = build(LiquidationQuote, self.view("quote_liquidation", account, sender=keeper))
        return quote

    def withdrawable(self, account: int, token: int) -> int:
        """The most units of a token that the owner could withdraw now."""
        return int(self.view("withdrawable", account, token))

    def max_size(self, account: int, market: int, is_long: bool) -> int:
        """The largest trade in a direction that would be accepted now."""
        return int(self.view("max_size", account, market, is_long))

    def liquidation_price(self, account: int, market: int) -> int:
        """The price of one market at which the account becomes liquidatable; 0 if there is none."""
        return int(self.view("liquidation_price", account, market))

    def bankruptcy_price(self, account: int, market: int) -> int:
        """The price of one market at which the account value falls below 0; 0 if there is none."""
        return int(self.view("bankruptcy_price", account, market))

    def solvency(self) -> Solvency:
        """The protocol's dollars at present prices."""
        solvency: Solvency = build(Solvency, self.view("solvency"))
        return solvency

    def list_accounts(self, start: int, count: int) -> tuple[int, ...]:
        """A page of account ids in order of registration."""
        return tuple(self.view("list_accounts", start, count))

    def health_batch(self, accounts: Sequence[int]) -> tuple[Health, ...]:
        """The health of at most 24 accounts."""
        return tuple(build(Health, health) for health in self.view("health_batch", list(accounts)))

    def token_balance(self, token: int, owner: int) -> int:
        """Units of a token that its own contract says ``owner`` has."""
        data = call_data("balanceOf(address)", to_hex(owner))
        return int.from_bytes(self.node.call(self.deployment.tokens[token], data), "big")


def explain(
    node: Chain, address: int | None, data: bytes, sender: int, receipt: Receipt, what: str, value: int = 0
) -> Refusal:
    """Why a transaction failed: it is called again on the state its own block left, at the same time.

    Raises ``UnknownRevert`` for a failure that is no refusal.
    """
    try:
        node.call(address, data, sender, receipt.block, value)
    except Reverted as failure:
        if failure.reason in REFUSALS:
            return REFUSALS[failure.reason]()
        raise UnknownRevert(f"{what}: {failure}") from None
    raise UnknownRevert(f"{what} failed as a transaction, but not as a call")


def decode_log(shape: EventShape, log: Log) -> Any:
    """One log as the model's event."""
    topics = iter(log.topics[1:])
    data = iter(decode(shape.data_types, log.data))
    values = [
        decode([kind], next(topics))[0] if name in shape.indexed else next(data)
        for name, kind in zip(shape.names, shape.types, strict=True)
    ]
    return build(shape.record, values)


def function_name(action: type) -> str:
    """The contract function of an action class: its name in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", action.__name__).lower()


def call_data(signature: str, *arguments: Any) -> bytes:
    """A call of a function with arguments of plain types."""
    inside = signature[signature.index("(") + 1 : -1]
    return bytes(keccak(text=signature)[:4]) + encode(inside.split(",") if inside else [], arguments)


def read_function(entry: dict[str, Any]) -> Function:
    """A function of an ABI."""
    inputs = tuple(collapse_if_tuple(item) for item in entry["inputs"])
    outputs = tuple(collapse_if_tuple(item) for item in entry["outputs"])
    selector = keccak(text=f"{entry['name']}({','.join(inputs)})")[:4]
    return Function(selector, inputs, outputs)


def topic_of(entry: dict[str, Any]) -> bytes:
    """The first topic of an event of an ABI."""
    kinds = ",".join(collapse_if_tuple(item) for item in entry["inputs"])
    return bytes(keccak(text=f"{entry['name']}({kinds})"))


def read_event(entry: dict[str, Any], records: Mapping[str, type] = EVENTS) -> EventShape:
    """An event of an ABI and the model's record for it, by name."""
    kinds = tuple(collapse_if_tuple(item) for item in entry["inputs"])
    indexed = tuple(item["name"] for item in entry["inputs"] if item["indexed"])
    return EventShape(
        record=records[entry["name"]],
        names=tuple(item["name"] for item in entry["inputs"]),
        indexed=indexed,
        types=kinds,
        data_types=tuple(kind for kind, item in zip(kinds, entry["inputs"], strict=True) if not item["indexed"]),
    )


def to_abi(kind: str, value: Any) -> Any:
    """A value of an action as the ABI encoder wants it: addresses as text."""
    if kind == "address[]":
        return [to_hex(one) for one in value]
    return to_hex(value) if kind == "address" else value


@cache
def field_types(kind: Any) -> tuple[Any, ...]:
    """The types of a record's fields, in order."""
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in fields(kind))


def build(kind: Any, value: Any) -> Any:
    """A decoded ABI value as the type the model's record declares."""
    if is_dataclass(kind):
        return kind(*(build(hint, item) for hint, item in zip(field_types(kind), value, strict=True)))  # type: ignore[arg-type,operator]
    if get_origin(kind) is tuple:
        return tuple(build(get_args(kind)[0], item) for item in value)
    if isinstance(value, str):
        return int(value, 16)
    if kind is str:
        return bytes(value).rstrip(b"\0").decode()
    return value
