"""Signed price reports that anybody brings: verified, stored if newer, and picked without a choice for settlement.

Rules PUL-4 to PUL-11.
"""

from __future__ import annotations

from dataclasses import replace

from oracle import errors as oracle_errors
from oracle.signing import MAX_SIGNERS, PriceReport, hash_domain, verify_payload
from protocol import errors
from protocol.env import NO_QUOTE, Quote, Status
from protocol.records import Table, record
from protocol.units import PRICE_LIMIT, Seconds, cdiv, fdiv

MAX_REPORTS = 16  # payloads in a call, and ids in a settlement
MAX_AHEAD = 60
FEE_LIMIT = 2**96
DEFAULT_BAND = 1
MAX_BAND = 10


@record
class PullFeed:
    """The signers, the terms, the newest report of each feed, and where all this is: what its signatures hold for."""

    chain_id: int
    address: int
    admin: int
    signers: tuple[int, ...]  # ascending
    threshold: int
    faults: int  # signers that may lie, or sign twice
    fee: int  # wei for each report
    ahead: Seconds  # how far a report may be from the future
    balance: int  # wei
    reports: Table[bytes, PriceReport]
    bands: Table[bytes, int]  # of feeds that do not have the default


@record
class SetSigners:
    """Replace all signers (specs/oracle/pull.md)."""

    signers: tuple[int, ...]
    threshold: int
    faults: int


@record
class SetTerms:
    """Change the fee of a report, and how far from the future it may be (specs/oracle/pull.md)."""

    fee: int
    ahead: Seconds


@record
class SetBand:
    """Change how many times its confidence the sides of a feed lie from its price (specs/oracle/pull.md)."""

    feed_id: bytes
    band: int


@record
class WithdrawFees:
    """Send all that was paid to the admin (specs/oracle/pull.md)."""


@record
class UpdatePriceFeeds:
    """Reports to verify and to store where they are newer; ``value`` is the wei sent along (specs/oracle/pull.md)."""

    payloads: tuple[bytes, ...]
    value: int


@record
class ParsePriceFeedUpdatesUnique:
    """The same, and ask for the first report of each feed in a span of time (specs/oracle/pull.md)."""

    payloads: tuple[bytes, ...]
    feed_ids: tuple[bytes, ...]
    t_min: Seconds
    t_max: Seconds
    value: int


@record
class SignersSet:
    """The signers now in force."""

    signers: tuple[int, ...]
    threshold: int
    faults: int


@record
class TermsSet:
    """The terms now in force."""

    fee: int
    ahead: Seconds


@record
class BandSet:
    """The band of a feed now in force."""

    feed_id: bytes
    band: int


@record
class FeesWithdrawn:
    """What the admin took."""

    amount: int


@record
class ReportStored:
    """A feed's newest report."""

    feed_id: bytes
    price: int
    conf: int
    expo: int
    publish_time: Seconds
    prev_publish_time: Seconds


PullAction = SetSigners | SetTerms | SetBand | WithdrawFees | UpdatePriceFeeds
PullEvent = SignersSet | TermsSet | BandSet | FeesWithdrawn | ReportStored


# --- configuration --------------------------------------------------------------------------------------------------


def check_signers(signers: tuple[int, ...], threshold: int, faults: int) -> None:
    """Refuse a set of signers that could be outvoted, or split into two that share no honest signer (PUL-4).

    Refuses: oracle/signers.
    """
    count = len(signers)
    ascending = all(low < high for low, high in zip((0, *signers), signers, strict=False))
    safe = 2 * faults + 1 <= threshold <= count and count + faults + 1 <= 2 * threshold
    if count > MAX_SIGNERS or not ascending or not safe:
        raise oracle_errors.BadSigners


def check_terms(fee: int, ahead: Seconds) -> None:
    """Refuse terms that cannot be stored, or that let reports come from the future (PUL-5).

    Refuses: oracle/terms.
    """
    if fee >= FEE_LIMIT or ahead > MAX_AHEAD:
        raise oracle_errors.BadTerms


def make_pull_feed(
    chain_id: int, address: int, admin: int, signing: SetSigners, terms: SetTerms
) -> tuple[PullFeed, tuple[PullEvent, ...]]:
    """A new contract without reports (PUL-4, PUL-5).

    Refuses: oracle/signers, oracle/terms.
    """
    empty = PullFeed(chain_id, address, admin, (), 0, 0, 0, 0, 0, Table(), Table())
    feed, signers_set = process_set_signers(empty, 0, admin, signing)
    feed, terms_set = process_set_terms(feed, 0, admin, terms)
    return feed, (*signers_set, *terms_set)


def check_admin(feed: PullFeed, sender: int) -> None:
    """Refuse everybody but the admin.

    Refuses: role/not-admin.
    """
    if sender != feed.admin:
        raise errors.NotAdmin


def process_set_signers(
    feed: PullFeed, now: Seconds, sender: int, action: SetSigners
) -> tuple[PullFeed, tuple[SignersSet]]:
    """Replace all signers; what the old ones signed is refused from now on (PUL-4).

    Refuses: role/not-admin, oracle/signers.
    """
    check_admin(feed, sender)
    check_signers(action.signers, action.threshold, action.faults)
    changed = replace(feed, signers=action.signers, threshold=action.threshold, faults=action.faults)
    return changed, (SignersSet(action.signers, action.threshold, action.faults),)


def process_set_terms(feed: PullFeed, now: Seconds, sender: int, action: SetTerms) -> tuple[PullFeed, tuple[TermsSet]]:
    """Change the fee, and how far from the future a report may be (PUL-5).

    Refuses: role/not-admin, oracle/terms.
    """
    check_admin(feed, sender)
    check_terms(action.fee, action.ahead)
    return replace(feed, fee=action.fee, ahead=action.ahead), (TermsSet(action.fee, action.ahead),)


def process_set_band(feed: PullFeed, now: Seconds, sender: int, action: SetBand) -> tuple[PullFeed, tuple[BandSet]]:
    """Change the band of a feed, which need not have a report yet (PUL-6).

    Refuses: role/not-admin, oracle/band.
    """
    check_admin(feed, sender)
    if not 1 <= action.band <= MAX_BAND:
        raise oracle_errors.BadBand
    return replace(feed, bands=feed.bands.put(action.feed_id, action.band)), (BandSet(action.feed_id, action.band),)


def process_withdraw_fees(
    feed: PullFeed, now: Seconds, sender: int, action: WithdrawFees
) -> tuple[PullFeed, tuple[FeesWithdrawn]]:
    """Send all coin that the contract holds to the admin (PUL-7).

    Refuses: role/not-admin.
    """
    check_admin(feed, sender)
    return replace(feed, balance=0), (FeesWithdrawn(feed.balance),)


# --- storing and settling -------------------------------------------------------------------------------------------


def get_update_fee(feed: PullFeed, payloads: tuple[bytes, ...]) -> int:
    """What a call with these payloads costs at least, in wei (PUL-7)."""
    return feed.fee * len(payloads)


def store_report(feed: PullFeed, now: Seconds, report: PriceReport) -> tuple[PullFeed, tuple[ReportStored, ...]]:
    """Keep a report that is newer than the stored one and not from the future; else change nothing (PUL-8)."""
    stored = feed.reports.get(report.feed_id)
    newest = stored.publish_time if stored else 0
    if report.publish_time <= newest or report.publish_time > now + feed.ahead:
        return feed, ()
    event = ReportStored(
        report.feed_id, report.price, report.conf, report.expo, report.publish_time, report.prev_publish_time
    )
    return replace(feed, reports=feed.reports.put(report.feed_id, report)), (event,)


def take_reports(
    feed: PullFeed, now: Seconds, payloads: tuple[bytes, ...], value: int
) -> tuple[PullFeed, tuple[ReportStored, ...], tuple[PriceReport, ...]]:
    """Charge for, verify and store the reports of a call, in their order (PUL-8).

    Refuses: oracle/payload, oracle/fee, sys/domain, oracle/signature, oracle/not-signer, oracle/signer-order.
    """
    if len(payloads) > MAX_REPORTS:
        raise oracle_errors.BadPayload
    fee = get_update_fee(feed, payloads)
    if value < fee:
        raise oracle_errors.FeeTooLow(fee=fee)
    feed = replace(feed, balance=feed.balance + value)
    domain = hash_domain(feed.chain_id, feed.address)
    stored: list[ReportStored] = []
    reports: list[PriceReport] = []
    for payload in payloads:
        report = verify_payload(payload, domain, feed.signers, feed.threshold)
        feed, events = store_report(feed, now, report)
        stored.extend(events)
        reports.append(report)
    return feed, tuple(stored), tuple(reports)


def process_update_price_feeds(
    feed: PullFeed, now: Seconds, sender: int, action: UpdatePriceFeeds
) -> tuple[PullFeed, tuple[ReportStored, ...]]:
    """Store each report that is newer; one that is not costs its fee and changes nothing (PUL-8).

    Refuses: oracle/payload, oracle/fee, sys/domain, oracle/signature, oracle/not-signer, oracle/signer-order.
    """
    feed, stored, _ = take_reports(feed, now, action.payloads, action.value)
    return feed, stored


def is_first_in_span(report: PriceReport, t_min: Seconds, t_max: Seconds) -> bool:
    """Whether a report is in the span and the one before it is not: no other of its feed is (PUL-9)."""
    return t_min <= report.publish_time <= t_max and report.prev_publish_time < t_min


def process_parse_price_feed_updates_unique(
    feed: PullFeed, now: Seconds, sender: int, action: ParsePriceFeedUpdatesUnique
) -> tuple[PullFeed, tuple[ReportStored, ...], tuple[PriceReport, ...]]:
    """For each id the first report of its feed in the span, among those brought; they are stored as well (PUL-9).

    Refuses: oracle/payload, oracle/fee, sys/domain, oracle/signature, oracle/not-signer, oracle/signer-order,
    oracle/no-unique-report.
    """
    if len(action.feed_ids) > MAX_REPORTS:
        raise oracle_errors.BadPayload
    feed, stored, reports = take_reports(feed, now, action.payloads, action.value)
    t_max = min(action.t_max, now + feed.ahead)
    found: list[PriceReport] = []
    for feed_id in action.feed_ids:
        matches = (r for r in reports if r.feed_id == feed_id and is_first_in_span(r, action.t_min, t_max))
        match = next(matches, None)
        if match is None:
            raise oracle_errors.NoUniqueReport
        found.append(match)
    return feed, stored, tuple(found)


def apply_pull(feed: PullFeed, now: Seconds, sender: int, action: PullAction) -> tuple[PullFeed, tuple[PullEvent, ...]]:
    """The contract after an action without an answer, and its events. Raises a ``Refusal`` when it is not allowed."""
    if isinstance(action, UpdatePriceFeeds):
        return process_update_price_feeds(feed, now, sender, action)
    if isinstance(action, SetSigners):
        return process_set_signers(feed, now, sender, action)
    if isinstance(action, SetTerms):
        return process_set_terms(feed, now, sender, action)
    if isinstance(action, SetBand):
        return process_set_band(feed, now, sender, action)
    return process_withdraw_fees(feed, now, sender, action)


# --- reading --------------------------------------------------------------------------------------------------------


def get_price_unsafe(feed: PullFeed, feed_id: bytes) -> PriceReport:
    """The newest report of a feed, of any age and sign (PUL-10).

    Refuses: oracle/unavailable.
    """
    report: PriceReport | None = feed.reports.get(feed_id)
    if report is None:
        raise errors.PriceUnavailable
    return report


def get_price_no_older_than(feed: PullFeed, now: Seconds, feed_id: bytes, age: Seconds) -> PriceReport:
    """The newest report of a feed, if its time is at most ``age`` from now, either way (PUL-10).

    Refuses: oracle/unavailable, oracle/stale.
    """
    report = get_price_unsafe(feed, feed_id)
    if abs(now - report.publish_time) > age:
        raise errors.PriceStale
    return report


def get_band(feed: PullFeed, feed_id: bytes) -> int:
    """How many times its confidence the sides of a feed lie from its price (PUL-6)."""
    band: int = feed.bands.get(feed_id, DEFAULT_BAND)
    return band


def quote(feed: PullFeed, feed_id: bytes) -> Quote:
    """The newest report of a feed at scale W, with two sides (PUL-11).

    Mid and bid are rounded down and the ask up, against whoever trades or borrows on them. A bid of nothing is 0
    and UNCERTAIN, beside a mid and an ask.
    """
    report = feed.reports.get(feed_id)
    if report is None:
        return NO_QUOTE
    if report.price <= 0:
        return Quote(0, 0, 0, report.publish_time, int(Status.NON_POSITIVE))
    width = get_band(feed, feed_id) * report.conf
    expo = 18 + report.expo
    factor, divisor = (10**expo, 1) if expo >= 0 else (1, 10**-expo)
    bid = fdiv(max(report.price - width, 0) * factor, divisor)
    mid = fdiv(report.price * factor, divisor)
    ask = cdiv((report.price + width) * factor, divisor)
    if mid == 0:
        return Quote(0, 0, 0, report.publish_time, int(Status.NON_POSITIVE))
    if ask >= PRICE_LIMIT:
        return Quote(0, 0, 0, report.publish_time, int(Status.OUT_OF_BOUNDS))
    return Quote(bid, mid, ask, report.publish_time, int(Status.UNCERTAIN if bid == 0 else Status.OK))
