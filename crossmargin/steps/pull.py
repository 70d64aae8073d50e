"""Steps of pull feeds. A step says what is signed and by whom; the reader of the file signs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from contracts_py.addresses import CHAIN_ID
from contracts_py.keys import address_of, private_key
from crossmargin.faults import Fault, texts_at
from crossmargin.fields import ACTOR_NAME, DecimalText, Duration, FileModel, Integer, Reader
from crossmargin.known import Known
from crossmargin.messages import shown
from crossmargin.moments import Instant, When
from crossmargin.quantities import BadText, read_decimal, write_decimal
from crossmargin.source_file import ReportField, encode_feed_id, write_feed_id
from crossmargin.source_set import SourceSpec
from crossmargin.steps.base import AnyAction, ReferenceField
from crossmargin.steps.sources import SourceStepModel
from crossmargin.yamltext import Loc
from oracle.pull import (
    MAX_REPORTS,
    ParsePriceFeedUpdatesUnique,
    PullFeed,
    SetBand,
    SetSigners,
    SetTerms,
    UpdatePriceFeeds,
    WithdrawFees,
)
from oracle.signing import (
    CONF_BITS,
    MAX_SIGNERS,
    PRICE_BITS,
    REPORT_SIZE,
    SIGNATURE_SIZE,
    SMALLEST_EXPO,
    TIME_BITS,
    PriceReport,
    decode_payload,
    encode_payload,
    hash_domain,
    hash_report,
    hash_typed_data,
    recover_signer,
    sign_digest,
)
from oracle.sources import AtSource
from protocol.errors import Refusal

SENT_SIZE = REPORT_SIZE + MAX_SIGNERS * SIGNATURE_SIZE + 1  # bytes of a payload that the contract can be sent
USUAL_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class HexText(Reader[bytes]):
    """Bytes, written as 0x and two digits for each."""

    most: int

    def read(self, text: str) -> bytes:
        """At most so many."""
        if not re.fullmatch("0x([0-9a-f]{2})*", text) or len(text) > 2 + 2 * self.most:
            raise BadText(f"{shown(text)} is not up to {self.most} bytes", "write 0x and two digits 0-9 a-f for each")
        return bytes.fromhex(text[2:])

    def write(self, value: bytes) -> str:
        """All of them."""
        return "0x" + value.hex()

    def schema(self) -> dict[str, Any]:
        """The form."""
        return {"type": "string", "pattern": "^0x([0-9a-f]{2})*$"}


class ReportModel(FileModel):
    """A report, and who signs it."""

    feed_id: ReportField = Field(description="The feed of reports, as ETH/USD.")
    price: Annotated[str, DecimalText(signed=True)] = Field(description="The price in dollars.")
    conf: Annotated[str, DecimalText()] = Field(default="0", description="Its confidence in dollars.")
    decimals: Annotated[int, Integer(1 - SMALLEST_EXPO)] = Field(
        default=USUAL_DECIMALS, description="Decimals in which both are signed, up to 20."
    )
    published: Annotated[When, Instant(TIME_BITS)] | None = Field(
        default=None, description="When it was published; by default at the time of the step."
    )
    previous: Annotated[When, Instant(TIME_BITS)] = Field(
        default=When(0, is_offset=False), description="When the report of this feed before it was; 0 for its first."
    )
    signers: tuple[Annotated[str, ACTOR_NAME], ...] | None = Field(
        default=None, description="Who signs, by name and in any order; by default as many as the set asks for."
    )

    def to_payload(self, known: Known, spec: SourceSpec, loc: Loc) -> bytes:
        """The report with its signatures, in ascending order of the signers."""
        assert isinstance(spec.plan, PullFeed)
        names = spec.people[: spec.plan.threshold] if self.signers is None else self.signers
        if len(names) > MAX_SIGNERS:
            raise Fault((*loc, "signers"), f"at most {MAX_SIGNERS} can sign", "to try more, write the payload as 0x")
        with texts_at((*loc, "price")):
            price = read_decimal(self.price, self.decimals, signed=True, limit=2 ** (PRICE_BITS - 1))
        with texts_at((*loc, "conf")):
            conf = read_decimal(self.conf, self.decimals, limit=2**CONF_BITS)
        report = PriceReport(
            encode_feed_id(self.feed_id),
            price,
            conf,
            -self.decimals,
            known.time(self.published),
            known.time(self.previous),
        )
        return sign_report(report, spec.address, names)


def sign_report(report: PriceReport, contract: int, names: Sequence[str]) -> bytes:
    """The payload of a report that actors sign for a contract."""
    digest = hash_typed_data(hash_domain(CHAIN_ID, contract), hash_report(report))
    signers = sorted(names, key=address_of)
    return encode_payload(report, tuple(sign_digest(digest, private_key(name)) for name in signers))


def _payload_form(value: Any) -> str:
    return "report" if isinstance(value, dict | ReportModel) else "raw"


PayloadField = Annotated[
    Annotated[ReportModel, Tag("report")] | Annotated[bytes, HexText(SENT_SIZE), Tag("raw")],
    Discriminator(_payload_form),
]


def payload_text(payload: bytes, known: Known, source: int) -> ReportModel | str:
    """A payload as a report that known actors signed; else as its bytes."""
    raw = HexText(SENT_SIZE).write(payload)
    count, rest = divmod(len(payload) - REPORT_SIZE, SIGNATURE_SIZE)
    if rest or not 0 <= count <= MAX_SIGNERS:
        return raw
    try:
        report = decode_payload(payload, count)
    except Refusal:
        return raw
    digest = hash_typed_data(hash_domain(CHAIN_ID, source), hash_report(report))
    people = {address_of(name): name for spec in known.params.sources for name in spec.people}
    signatures = (payload[at : at + SIGNATURE_SIZE] for at in range(REPORT_SIZE, len(payload), SIGNATURE_SIZE))
    names = [people.get(recover_signer(digest, signature), "") for signature in signatures]
    if report.expo > 0 or not all(names) or sign_report(report, source, names) != payload:
        return raw
    return ReportModel.model_construct(
        feed_id=write_feed_id(report.feed_id),
        price=write_decimal(report.price, -report.expo),
        conf=write_decimal(report.conf, -report.expo),
        decimals=-report.expo,
        published=When(report.publish_time, is_offset=False),
        previous=When(report.prev_publish_time, is_offset=False),
        signers=tuple(names),
    )


class _PullModel(SourceStepModel):
    def find(self, known: Known, loc: Loc) -> SourceSpec:
        """The pull source that the step names."""
        return known.source(self.source, PullFeed, (*loc, "source"))


class UpdatePriceFeedsModel(_PullModel):
    """Bring signed reports, to be stored where they are newer. Who brings them is said with `by`."""

    payloads: Annotated[tuple[PayloadField, ...], Field(max_length=MAX_REPORTS + 1)] = Field(
        description="The reports, each as what is signed, or as bytes that are sent just as they are."
    )
    value: Annotated[int, Integer(2**96)] = Field(default=0, description="Wei of native coin sent along.")

    def read_payloads(self, known: Known, spec: SourceSpec, loc: Loc) -> tuple[bytes, ...]:
        """All payloads, signed."""
        return tuple(
            each if isinstance(each, bytes) else each.to_payload(known, spec, (*loc, "payloads", place))
            for place, each in enumerate(self.payloads)
        )

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        spec = self.find(known, loc)
        return AtSource(spec.address, UpdatePriceFeeds(self.read_payloads(known, spec, loc), self.value))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """What was signed, if it is that."""
        payloads = tuple(payload_text(payload, known, action.source) for payload in action.action.payloads)
        return {"payloads": payloads, "value": action.action.value}


class ParsePriceFeedUpdatesUniqueModel(UpdatePriceFeedsModel):
    """Bring signed reports, and ask for the first of each feed in a span of time."""

    feed_ids: Annotated[tuple[ReportField, ...], Field(max_length=MAX_REPORTS + 1)] = Field(
        description="The feeds of reports that are asked for."
    )
    begins: Annotated[When, Instant(64)] = Field(description="The first second of the span.")
    ends: Annotated[When, Instant(64)] = Field(description="The last second of it.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        spec = self.find(known, loc)
        ids = tuple(map(encode_feed_id, self.feed_ids))
        payloads = self.read_payloads(known, spec, loc)
        span = known.time(self.begins), known.time(self.ends)
        return AtSource(spec.address, ParsePriceFeedUpdatesUnique(payloads, ids, *span, self.value))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """The span as well."""
        asked = action.action
        return {
            **super().texts_of(action, known),
            "feed_ids": tuple(map(write_feed_id, asked.feed_ids)),
            "begins": When(asked.t_min, is_offset=False),
            "ends": When(asked.t_max, is_offset=False),
        }


class SetSignersModel(_PullModel):
    """Replace all signers of a pull source."""

    sender = "admin"
    signers: Annotated[tuple[ReferenceField, ...], Field(max_length=MAX_SIGNERS + 1)] = Field(
        description="The new signers: names in any order, or addresses just as they stand."
    )
    threshold: Annotated[int, Integer()] = Field(description="How many must have signed a report.")
    faults: Annotated[int, Integer()] = Field(default=0, description="How many signers may lie.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        spec = self.find(known, loc)
        signers = tuple(known.actor(text, (*loc, "signers", place)) for place, text in enumerate(self.signers))
        if not any(text[0].isdigit() for text in self.signers):
            signers = tuple(sorted(signers))
        return AtSource(spec.address, SetSigners(signers, self.threshold, self.faults))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """By address."""
        asked = action.action
        return {"signers": tuple(map(hex, asked.signers)), "threshold": asked.threshold, "faults": asked.faults}


class SetTermsModel(_PullModel):
    """Change the fee of a report, and how far from the future it may be."""

    sender = "admin"
    fee: Annotated[int, Integer()] = Field(description="Wei of native coin for each report.")
    ahead: Annotated[int, Duration()] = Field(description="How far a report may be from the future.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        return AtSource(self.find(known, loc).address, SetTerms(self.fee, self.ahead))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """Both parts."""
        return {"fee": action.action.fee, "ahead": action.action.ahead}


class SetBandModel(_PullModel):
    """Change how many times its confidence the sides of a feed lie from its price."""

    sender = "admin"
    feed_id: ReportField = Field(description="The feed of reports.")
    band: Annotated[int, Integer()] = Field(description="How many times.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        return AtSource(self.find(known, loc).address, SetBand(encode_feed_id(self.feed_id), self.band))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """Both parts."""
        return {"feed_id": write_feed_id(action.action.feed_id), "band": action.action.band}


class WithdrawFeesModel(_PullModel):
    """Send all coin that was paid to the admin."""

    sender = "admin"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        return AtSource(self.find(known, loc).address, WithdrawFees())
