"""Going back in time with a chain: deploying and configuring once is enough for many tests."""

from __future__ import annotations

from typing import Any

from contracts_py.node import Chain, Node
from contracts_py.revm import RevmNode


class BlockMoments:
    """Moments of eth-tester. The node remembers nonces, which a snapshot does not."""

    def __init__(self, node: Any) -> None:
        assert isinstance(node, Node)
        self._node = node
        self._tester: Any = node.web3.provider.ethereum_tester  # type: ignore[attr-defined]

    def save(self) -> tuple[Any, dict[bytes, int]]:
        """The present moment."""
        return self._tester.take_snapshot(), dict(self._node._nonces)

    def restore(self, moment: tuple[Any, dict[bytes, int]]) -> None:
        """Go back."""
        snapshot, nonces = moment
        self._tester.revert_to_snapshot(snapshot)
        self._node._nonces = dict(nonces)


class RevmMoments:
    """Moments of pyrevm, a stack of open checkpoints.

    A checkpoint can be used once and only while everything opened after it is closed: going back closes the later
    ones, then this one, and opens it again at once. So as many are open as there are moments, which matters because
    each counts as a call in the EVM's depth limit of 1,024.
    """

    def __init__(self, node: RevmNode) -> None:
        self._node = node
        self._open: list[tuple[object, Any]] = []

    def save(self) -> tuple[object, int, int]:
        """The present moment."""
        key = object()
        self._open.append((key, self._node._evm.snapshot()))
        return key, self._node.now, self._node._block

    def restore(self, moment: tuple[object, int, int]) -> None:
        """Go back."""
        key, now, block = moment
        assert any(key is known for known, _ in self._open), "going back to an earlier moment ended this one"
        while True:
            newest, checkpoint = self._open.pop()
            self._node._evm.revert(checkpoint)
            if newest is key:
                break
        self._open.append((key, self._node._evm.snapshot()))
        self._node._block = block - 1
        self._node._set_time(now)


def moments_of(node: Chain) -> BlockMoments | RevmMoments:
    """The way in which a node can go back."""
    return RevmMoments(node) if isinstance(node, RevmNode) else BlockMoments(node)
