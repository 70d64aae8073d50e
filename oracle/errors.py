"""Why an observation, a payload, a node or a configuration of the oracle layer is refused: ``oracle/reason``."""

from __future__ import annotations

from protocol import errors
from protocol.errors import Refusal

# Every refusal there is, by code: those of protocol/errors.py, then those below, whatever was imported first.
REFUSALS = errors.REFUSALS

# --- averages and the growth cap ------------------------------------------------------------------------------------


class ShortHistory(Refusal):
    """The averages remember no observation that old."""

    code = "oracle/short-history"


class BadAverageConfig(Refusal):
    """A gap, window, time constant or clamp of the averages is out of range, or the window longer than the memory."""

    code = "oracle/average-config"


class BadCapConfig(Refusal):
    """A growth bound, delay, term, tolerance, drop or interval of a growth cap is out of range."""

    code = "oracle/cap-config"


class RateNotUsable(Refusal):
    """A snapshot can be set only while the live rate is there and nothing is wrong with it."""

    code = "oracle/cap-source"


class BadSnapshotTime(Refusal):
    """A snapshot is later than the one before, old enough to be known, and not older than the term."""

    code = "oracle/cap-time"


class SnapshotTooFar(Refusal):
    """A snapshot's ratio is further from the live rate than the tolerance."""

    code = "oracle/cap-ratio"


class CapBelowLive(Refusal):
    """The cap that would follow from the snapshot is below the live rate."""

    code = "oracle/cap-below-live"


# --- quorum medians: oracle/median.py -------------------------------------------------------------------------------


class BadMedianConfig(Refusal):
    """A median's reporters are not distinct, more than 13 or fewer than an odd quorum, or a limit is out of range."""

    code = "oracle/median-config"


class NotReporter(Refusal):
    """Only a reporter of a median may submit to it."""

    code = "oracle/not-reporter"


class NoMedian(Refusal):
    """Fewer reports than the quorum are fresh and of one time, so a median has no latest round."""

    code = "oracle/no-median"


# --- signed reports: oracle/pull.py ---------------------------------------------------------------------------------


class BadSigners(Refusal):
    """Signers are at most 13, ascending, none of them 0, and their threshold fits the faults assumed."""

    code = "oracle/signers"


class BadTerms(Refusal):
    """A fee is below 2^96 wei, and a report may be at most 60 seconds ahead."""

    code = "oracle/terms"


class BadBand(Refusal):
    """The band of a feed is 1 to 10 times the confidence."""

    code = "oracle/band"


class FeeTooLow(Refusal):
    """The coin sent along is less than the fee of the reports."""

    code = "oracle/fee"


class BadPayload(Refusal):
    """A payload is one report and exactly the threshold of signatures; a call has at most 16 payloads and ids."""

    code = "oracle/payload"


class BadSignature(Refusal):
    """A signature has the larger of its two s, or is of nobody."""

    code = "oracle/signature"


class NotSigner(Refusal):
    """A signature is of somebody who is not among the signers."""

    code = "oracle/not-signer"


class SignerOrder(Refusal):
    """Signatures stand in ascending order of their signers, each signer once."""

    code = "oracle/signer-order"


class NoUniqueReport(Refusal):
    """No report of the call is the first of its feed in the span asked for."""

    code = "oracle/no-unique-report"


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


class PriceJumps(Refusal):
    """While a feed's node has a usable price, its next node must have one too, at most 2 % from it."""

    code = "oracle/cut-over"


class NoNodeState(Refusal):
    """The node has no state of the kind that the action would change."""

    code = "oracle/node-state"


class TooLittleGas(Refusal):
    """Less gas is left than a source may use, so its failure would say nothing. Only the contracts raise it."""

    code = "oracle/gas"
