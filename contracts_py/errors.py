"""What can go wrong between us and a chain, apart from the protocol's own refusals."""


class NodeUnusable(Exception):
    """The node cannot run a replay: not reachable, not a development chain, or not the chain it was."""


class Reverted(Exception):
    """A call or transaction failed on chain; ``reason`` is its revert string, empty if it gave none."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason or "reverted without a reason")
        self.reason = reason


class UnknownRevert(Exception):
    """The contracts failed with a reason that is no refusal: a defect of the contracts."""
