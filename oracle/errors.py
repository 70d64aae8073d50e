"""Why an observation, a payload or a configuration of an oracle is refused. Codes are ``oracle/reason``."""

from __future__ import annotations

from protocol.errors import Refusal

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
