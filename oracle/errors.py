"""Why an observation, a payload or a configuration of an oracle is refused. Codes are ``oracle/reason``."""

from __future__ import annotations

from protocol.errors import Refusal

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
