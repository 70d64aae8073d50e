"""Why the oracle layer refuses (specs/oracle/)."""

from __future__ import annotations

from protocol.errors import Refusal

# --- the graph and its policy ----------------------------------------------------------------------------------------


class UnknownNode(Refusal):
    """No node has this id."""

    code = "oracle/unknown-node"


class UnknownKind(Refusal):
    """No kind of node has this number."""

    code = "oracle/node-kind"


class BadNodeParents(Refusal):
    """A node has as many parents as its kind takes, each only once."""

    code = "oracle/node-parents"


class BadNodeParams(Refusal):
    """A parameter of a node is outside its bounds, or not 0 where the kind has none."""

    code = "oracle/node-params"


class UnitsDoNotCompose(Refusal):
    """The units of a node's parents do not cancel, or are not the same where they must be."""

    code = "oracle/units"


class GraphTooLarge(Refusal):
    """Evaluating the node could take more steps or more calls than allowed."""

    code = "oracle/graph-size"


class NotInDollars(Refusal):
    """A node whose unit is not dollars for something is no price."""

    code = "oracle/not-in-dollars"


class NoNodeState(Refusal):
    """The node has no state of the kind that the action would change."""

    code = "oracle/node-state"


class TooLittleGas(Refusal):
    """Less gas is left than a source may use, so its failure would say nothing. Only the contracts raise it."""

    code = "oracle/gas"


class PriceFuture(Refusal):
    """A price the action needs was published later than now."""

    code = "oracle/future"


class NoQuorum(Refusal):
    """Too few sources of a price the action needs are usable."""

    code = "oracle/no-quorum"


class PriceHalted(Refusal):
    """A price the action needs is halted by the guardian or by a breaker."""

    code = "oracle/halted"


class SequencerDown(Refusal):
    """The sequencer of the chain is reported down."""

    code = "oracle/sequencer-down"


class PriceDeviated(Refusal):
    """Two live sources of a price the action needs disagree."""

    code = "oracle/deviated"


class SequencerGrace(Refusal):
    """The sequencer of the chain has been back for less than its grace period."""

    code = "oracle/sequencer-grace"


class MarketClosed(Refusal):
    """The market of a price the action needs is closed."""

    code = "oracle/market-closed"


class PriceCapped(Refusal):
    """A price the action needs is held below its live rate by a cap."""

    code = "oracle/capped"


class PriceUncertain(Refusal):
    """A price the action needs has a wide spread, is near a bound, or is not confirmed by its reference."""

    code = "oracle/uncertain"
