"""Why an observation, a payload or a configuration of an oracle is refused. Codes are ``oracle/reason``."""

from __future__ import annotations

from protocol.errors import Refusal

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
