"""The contracts as an engine: deployed for one run, with actors who have all the tokens they need."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from contracts_py.addresses import CHAIN_ID, feed_addresses, source_address, source_deployer
from contracts_py.backend import eth_tester_provider
from contracts_py.bindings import CrossMargin
from contracts_py.compile import GRAPH, Artifact, compile_all
from contracts_py.deploy import TokenPlan, deploy
from contracts_py.errors import NodeUnusable
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Chain, Node
from contracts_py.readback import read_oracle, read_state
from contracts_py.revm import RevmNode
from contracts_py.sources import CONTRACTS, Sources
from crossmargin.replay.books import Books
from crossmargin.replay.world import World
from oracle.pull import PullFeed
from oracle.sources import AtSource, Source
from protocol.errors import InvariantBroken
from protocol.events import TokenUpdated

WALLET = 2**110  # test token units given to each actor: more than any action can move
SETUP_TIME = 86_400  # seconds before the first action in which contracts are deployed and wallets filled


class ChainEngine:
    """Executes actions on a chain and reads its complete state back."""

    def __init__(
        self,
        backend: str,
        first_action: int,
        tokens: Sequence[TokenPlan],
        feeds: Sequence[str],
        actors: Iterable[str],
        artifacts: dict[str, Artifact] | None = None,
        with_graph: bool = False,
        sources: Mapping[str, Source | None] | None = None,
    ) -> None:
        self.seconds = 0.0
        self.books = Books()
        self._artifacts = artifacts or compile_all()
        if with_graph:
            self._artifacts = {**compile_all(names=(GRAPH,)), **self._artifacts}
        node = self._open(backend, first_action)
        self.client = node.client
        roles = {role: address_of(role) for role in ("admin", "guardian", "poster")}
        self.deployment = deploy(node, self._artifacts, roles, tokens, feeds)
        if with_graph and self.deployment.feeds != feed_addresses(len(feeds)):
            raise NodeUnusable(
                "the deployer has sent transactions before, so that contracts are not at the addresses that nodes of "
                "the graph name; start a new node for every replay"
            )
        self.contracts = CrossMargin(node, self.deployment, self._artifacts)
        self.sources = self._create_sources(node, sources or {})
        # Who deploys a source sends nothing else, or it would be at another address.
        deployers = set(map(source_deployer, sources or {}))
        for actor in actors:
            if actor not in deployers:
                self.fill_wallet(actor)
        if node.now >= first_action:
            raise NodeUnusable("setting up took more chain time than there is before the first action")

    def _open(self, backend: str, first_action: int) -> Chain:
        genesis = first_action - SETUP_TIME
        if backend == "eth-tester":
            return Node(eth_tester_provider(genesis))
        if backend == "pyrevm":
            return RevmNode(genesis)
        node = Node.connect(backend)
        if node.now > genesis:
            raise NodeUnusable(
                f"its newest block is from {node.now}, but this scenario needs a chain that stands at or before "
                f"{genesis}; start a new node for every replay, with that time (anvil: --timestamp {genesis})"
            )
        return node

    def _create_sources(self, node: Chain, sources: Mapping[str, Source | None]) -> Sources:
        """Deploy sources by name; those that are None only get somebody who can, and will be growth caps."""
        artifacts: dict[str, Artifact] = {}
        for name, _ in CONTRACTS.values() if sources else ():
            artifacts |= compile_all(names=(name,))
        created = Sources(node, artifacts)
        for name, source in sources.items():
            node.fund(address_of(source_deployer(name)))
            if source is None:
                continue
            if isinstance(source, PullFeed) and node.chain_id != CHAIN_ID:
                raise NodeUnusable(
                    f"its chain has the id {node.chain_id}, but reports are signed for {CHAIN_ID}; start it with that "
                    f"one (anvil: --chain-id {CHAIN_ID})"
                )
            if created.create(private_key(source_deployer(name)), source).contract != source_address(name):
                raise NodeUnusable(
                    f"the deployer of the source {name} has sent transactions before, so that it is not at the address "
                    "that nodes of the graph name; start a new node for every replay"
                )
        return created

    def fill_wallet(self, actor: str) -> None:
        """Give an actor gas and all the tokens it will need, and let the protocol take them."""
        node, address, key = self.contracts.node, address_of(actor), private_key(actor)
        node.fund(address)
        for token in self.deployment.tokens:
            node.send(key, token, _call("mint", address, WALLET))
            node.send(key, token, _call("approve", self.deployment.protocol, 2**256 - 1))

    def execute(self, time: int, sender: str, action: Any) -> tuple[tuple[Any, ...], int]:
        """The events of an action at ``time``, and its gas. Raises a ``Refusal``."""
        started = clock.perf_counter()
        try:
            at = self.sources if isinstance(action, AtSource) else self.contracts
            events, receipt = at.execute(action, private_key(sender), address_of(sender), time)
        finally:
            self.seconds += clock.perf_counter() - started
        return events, receipt.gas_used

    def audit(self, events: Iterable[Any]) -> None:
        """Check the money identities on what the chain reported, and its tokens against what it recorded.

        Raises ``InvariantBroken``.
        """
        self.books.take(events)
        for event in events:
            if isinstance(event, TokenUpdated):
                balance = self.contracts.token_balance(event.token, self.deployment.protocol)
                if balance != event.held:
                    raise InvariantBroken(f"C2: token {event.token}: {event.held} recorded, {balance} in the vault")

    def read(self) -> World:
        """The complete state of the contracts."""
        node = self.contracts.node
        return World(
            read_state(node, self.deployment, self._artifacts),
            read_oracle(node, self.deployment, self._artifacts, self.sources.read()),
        )


def _call(name: str, address: int, amount: int) -> bytes:
    return keccak(text=f"{name}(address,uint256)")[:4] + encode(["address", "uint256"], [to_hex(address), amount])
