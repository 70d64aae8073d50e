"""Pull reports: who may sign, what is paid, what is stored, what settles, and what readers get."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_py.addresses import CHAIN_ID
from contracts_py.keys import address_of
from oracle.pull import (
    BandSet,
    FeesWithdrawn,
    ParsePriceFeedUpdatesUnique,
    PullFeed,
    ReportStored,
    SetBand,
    SetSigners,
    SetTerms,
    SignersSet,
    TermsSet,
    UpdatePriceFeeds,
    WithdrawFees,
    get_band,
    get_price_no_older_than,
    get_price_unsafe,
    get_update_fee,
    is_first_in_span,
    make_pull_feed,
    quote,
)
from oracle.signing import PriceReport
from protocol.env import NO_QUOTE, Status
from protocol.errors import Refusal
from protocol.units import PRICE_LIMIT, W
from tests.oracle.pulling import (
    ADDRESSES,
    BTC,
    CONTRACT,
    ETH,
    START,
    Action,
    outcome_of,
    payload_of,
    report_of,
    signing_of,
)

ADMIN, KEEPER = address_of("admin"), address_of("keeper")


def feed_with(
    threshold: int = 1, faults: int = 0, count: int | None = None, *, fee: int = 0, ahead: int = 0
) -> PullFeed:
    """A contract without reports."""
    return make_pull_feed(CHAIN_ID, CONTRACT, ADMIN, signing_of(threshold, faults, count), SetTerms(fee, ahead))[0]


def run(feed: PullFeed, action: Action, now: int = START, sender: int = KEEPER) -> PullFeed:
    """The contract after an action that is allowed."""
    code, after, _, _ = outcome_of(feed, now, sender, action)
    assert code == "ok"
    return after


def refuse(feed: PullFeed, code: str, *actions: Action, now: int = START, sender: int = KEEPER) -> None:
    """Each action is refused with the code."""
    for action in actions:
        assert outcome_of(feed, now, sender, action)[0] == code, action


def update(feed: PullFeed, *reports: PriceReport, now: int = START, value: int = 0) -> PullFeed:
    """The contract after a call with reports that are well signed."""
    payloads = tuple(payload_of(report, feed.threshold) for report in reports)
    return run(feed, UpdatePriceFeeds(payloads, value), now)


def code_of(function: Any, *arguments: Any) -> str:
    """The code that a function refuses with."""
    with pytest.raises(Refusal) as refused:
        function(*arguments)
    return refused.value.code


# --- configuration: PUL-4 to PUL-7 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "faults", "threshold", "good"),
    [
        *((1, 0, 1, True), (0, 0, 0, False), (1, 0, 0, False), (1, 0, 2, False), (1, 1, 1, False)),
        # 2 m >= n + f + 1: any two quorums share a signer who is honest.
        *((2, 0, 1, False), (2, 0, 2, True), (3, 0, 1, False), (3, 0, 2, True), (4, 0, 2, False), (5, 0, 3, True)),
        *((4, 1, 3, True), (5, 1, 3, False), (5, 1, 4, True), (7, 2, 5, True), (8, 2, 5, False), (13, 4, 9, True)),
        # 2 f + 1 <= m: those who signed and are honest outvote the others.
        *((3, 1, 3, True), (2, 1, 2, False), (5, 2, 5, True), (4, 2, 4, False), (13, 6, 13, True), (13, 7, 13, False)),
        *((13, 0, 13, True), (14, 0, 14, False), (13, 4, 14, False), (13, 2**256 - 1, 13, False)),
    ],
)
def test_a_threshold_fits_its_signers_and_their_faults(count: int, faults: int, threshold: int, good: bool) -> None:
    """PUL-4: 2f + 1 <= m <= n, n + f + 1 <= 2m, at most 13."""
    action = SetSigners(ADDRESSES[:count], threshold, faults)
    code, after, events, _ = outcome_of(feed_with(), START, ADMIN, action)
    assert code == ("ok" if good else "oracle/signers")
    if good:
        assert (after.signers, after.threshold, after.faults) == (ADDRESSES[:count], threshold, faults)
        assert events == (SignersSet(ADDRESSES[:count], threshold, faults),)


def test_two_quorums_share_an_honest_signer() -> None:
    """PUL-4: counted for every size, against the smallest overlap that two quorums can have."""
    for count in range(1, 14):
        for threshold in range(count + 1):
            for faults in range(count + 1):
                overlap = max(0, 2 * threshold - count)
                safe = overlap > faults and 2 * faults < threshold
                action = SetSigners(ADDRESSES[:count], threshold, faults)
                assert (outcome_of(feed_with(), START, ADMIN, action)[0] == "ok") == safe


def test_signers_are_different_and_ascending() -> None:
    """PUL-4: so that nobody counts twice, and nobody is the empty address."""
    one, two, three = ADDRESSES[:3]
    bad = ((two, one, three), (one, one, two), (one, two, two), (0, one, two), (three, two, one))
    refuse(feed_with(), "oracle/signers", *(SetSigners(signers, 3, 1) for signers in bad), sender=ADMIN)


def test_old_signers_sign_nothing_any_more() -> None:
    """PUL-4: a key that was lost is taken out; what it signed before is refused too, what is stored stays."""
    feed = update(feed_with(), report_of())
    early = payload_of(report_of(time=START + 5))
    feed = run(feed, SetSigners(ADDRESSES[1:2], 1, 0), sender=ADMIN)
    refuse(feed, "oracle/not-signer", UpdatePriceFeeds((early,), 0), now=START + 9)
    assert get_price_unsafe(feed, ETH) == report_of()
    feed = run(feed, UpdatePriceFeeds((payload_of(report_of(time=START + 5), first=1),), 0), START + 9)
    assert get_price_unsafe(feed, ETH).publish_time == START + 5


def test_only_the_admin_configures() -> None:
    """PUL-4 to PUL-7: first of all checks."""
    bad = (SetSigners((), 0, 0), SetTerms(2**96, 61), SetBand(ETH, 0), WithdrawFees())
    refuse(feed_with(), "role/not-admin", *bad, signing_of(1), SetTerms(0, 0), SetBand(ETH, 1))
    refuse(feed_with(), "oracle/signers", bad[0], sender=ADMIN)
    refuse(feed_with(), "oracle/terms", bad[1], sender=ADMIN)
    refuse(feed_with(), "oracle/band", bad[2], sender=ADMIN)


def test_terms_have_limits() -> None:
    """PUL-5: a minute from the future at most, and a fee that fits."""
    feed = run(feed_with(), SetTerms(2**96 - 1, 60), sender=ADMIN)
    assert (feed.fee, feed.ahead) == (2**96 - 1, 60)
    refuse(feed, "oracle/terms", SetTerms(2**96, 0), SetTerms(0, 61), sender=ADMIN)
    assert outcome_of(feed, START, ADMIN, SetTerms(7, 5))[2] == (TermsSet(7, 5),)
    assert code_of(make_pull_feed, 1, 1, 1, signing_of(1), SetTerms(0, 61)) == "oracle/terms"
    assert code_of(make_pull_feed, 1, 1, 1, signing_of(1, 1), SetTerms(0, 61)) == "oracle/signers"


def test_a_band_has_limits() -> None:
    """PUL-6: 1 to 10, 1 unless it was set, each feed its own, before the first report as well."""
    feed = run(feed_with(), SetBand(ETH, 10), sender=ADMIN)
    assert (get_band(feed, ETH), get_band(feed, BTC)) == (10, 1)
    refuse(feed, "oracle/band", SetBand(ETH, 0), SetBand(ETH, 11), SetBand(ETH, 2**256 - 1), sender=ADMIN)
    assert outcome_of(feed, START, ADMIN, SetBand(ETH, 2))[2] == (BandSet(ETH, 2),)
    assert quote(update(feed, report_of(conf=10**8)), ETH).bid == 190 * W


def test_a_fee_is_paid_for_every_report() -> None:
    """PUL-7: at least the fee; what is more is kept; reports that change nothing cost the same."""
    feed = feed_with(fee=5)
    payloads = (payload_of(report_of()), payload_of(report_of()), payload_of(report_of(time=START - 1)))
    assert get_update_fee(feed, payloads) == 15
    assert get_update_fee(feed, ()) == 0
    refuse(feed, "oracle/fee", UpdatePriceFeeds(payloads, 14), UpdatePriceFeeds(payloads, 0))
    refuse(feed, "oracle/fee", ParsePriceFeedUpdatesUnique(payloads, (ETH,), START, START, 14))
    feed = run(feed, UpdatePriceFeeds(payloads, 15))
    feed = run(feed, UpdatePriceFeeds(payloads[:1], 9))
    feed = run(feed, UpdatePriceFeeds((), 2))
    assert feed.balance == 26
    feed = run(feed, ParsePriceFeedUpdatesUnique(payloads[:1], (ETH,), START, START, 5))
    assert outcome_of(feed, START, ADMIN, WithdrawFees())[2] == (FeesWithdrawn(31),)
    assert run(feed, WithdrawFees(), sender=ADMIN).balance == 0


# --- storing: PUL-8 -------------------------------------------------------------------------------------------------


def test_a_newer_report_is_stored() -> None:
    """PUL-8: with its own time, whatever the time it arrives."""
    code, feed, events, _ = outcome_of(
        feed_with(), START + 100, KEEPER, UpdatePriceFeeds((payload_of(report_of()),), 0)
    )
    assert (code, get_price_unsafe(feed, ETH)) == ("ok", report_of())
    assert events == (ReportStored(ETH, 200 * 10**8, 10**7, -8, START, START - 10),)


@pytest.mark.parametrize("time", [START, START - 1, START - 10**6, 1, 0])
def test_a_report_that_is_not_newer_changes_nothing(time: int) -> None:
    """PUL-8: no refusal, so that nobody stops a batch by being first; no event either."""
    feed = update(feed_with(), report_of())
    batch = (payload_of(report_of(1, time)), payload_of(report_of(3 * 10**8, feed_id=BTC)))
    code, after, events, _ = outcome_of(feed, START, KEEPER, UpdatePriceFeeds(batch, 0))
    assert code == "ok"
    assert get_price_unsafe(after, ETH) == report_of()
    assert [event.feed_id for event in events] == [BTC]


@pytest.mark.parametrize(("ahead", "time", "stored"), [(0, 0, True), (0, 1, False), (60, 60, True), (60, 61, False)])
def test_a_report_from_the_future_changes_nothing(ahead: int, time: int, stored: bool) -> None:
    """PUL-8: it would keep out all honest ones until its time comes."""
    feed = update(feed_with(ahead=ahead), report_of(time=START + time))
    assert (ETH in feed.reports) == stored
    # It is refused for its time alone: when that has come, it is stored.
    assert ETH in update(feed, report_of(time=START + time), now=START + time).reports


def test_reports_of_one_call_are_taken_in_order() -> None:
    """PUL-8: the newest stays, in whatever order they come; each feed for itself."""
    old, new, other = report_of(1, START - 5), report_of(2, START), report_of(3, START - 9, feed_id=BTC)
    up, down = update(feed_with(), old, other, new), update(feed_with(), new, other, old)
    assert get_price_unsafe(up, ETH) == get_price_unsafe(down, ETH) == new
    assert get_price_unsafe(up, BTC) == other


def test_one_bad_signature_refuses_the_whole_call() -> None:
    """PUL-8: also when the report would have changed nothing."""
    feed = update(feed_with(), report_of())
    good, forged = payload_of(report_of(time=START + 1)), payload_of(report_of(time=START - 1), first=5)
    refuse(feed, "oracle/not-signer", UpdatePriceFeeds((good, forged), 0), now=START + 1)
    assert get_price_unsafe(run(feed, UpdatePriceFeeds((good,), 0), START + 1), ETH).publish_time == START + 1


def test_a_call_has_at_most_16_reports_and_ids() -> None:
    """PUL-8, PUL-9: before the fee."""
    feed, payload = feed_with(fee=1), payload_of(report_of())
    run(feed, UpdatePriceFeeds((payload,) * 16, 16))
    run(feed, ParsePriceFeedUpdatesUnique((payload,), (ETH,) * 16, START, START, 1))
    refuse(
        feed,
        "oracle/payload",
        UpdatePriceFeeds((payload,) * 17, 0),
        ParsePriceFeedUpdatesUnique((payload,), (ETH,) * 17, START, START, 0),
    )


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)), max_size=12))
def test_the_time_of_a_feed_never_goes_back(steps: list[tuple[int, int]]) -> None:
    """PUL-8: whatever comes, the newest report that was not from the future when it came is the stored one."""
    feed, now, best = feed_with(ahead=1), START, 0
    for number, (offset, wait) in enumerate(steps):
        now += wait
        feed = update(feed, report_of(number + 1, now + offset), now=now)
        best = max(best, now + offset) if offset <= 1 else best
        assert (get_price_unsafe(feed, ETH).publish_time if ETH in feed.reports else 0) == best


# --- settling: PUL-9 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prev", "time", "first"),
    [
        *((99, 100, True), (100, 100, False), (0, 110, True), (99, 110, True), (100, 110, False), (99, 111, False)),
        *((98, 99, False), (0, 99, False), (109, 110, False), (111, 110, False)),
    ],
)
def test_a_report_is_the_first_of_a_span(prev: int, time: int, first: bool) -> None:
    """PUL-9: t_min <= time <= t_max, and the one before is earlier than t_min."""
    assert is_first_in_span(report_of(time=time, prev=prev), 100, 110) == first


@given(st.lists(st.integers(0, 4), min_size=1, max_size=15), st.integers(0, 20), st.integers(0, 20))
def test_at_most_one_report_of_a_chain_is_the_first(gaps: list[int], start: int, length: int) -> None:
    """PUL-9: among all reports that signers ever sign, each naming the one before; so nobody has a choice."""
    times = [sum(gaps[:end]) for end in range(1, len(gaps) + 1)]
    chain = [report_of(time=time, prev=prev) for prev, time in zip([-1, *times[:-1]], times, strict=True)]
    found = [report for report in chain if is_first_in_span(report, start, start + length)]
    inside = [report for report in chain if start <= report.publish_time <= start + length]
    assert len(found) == bool(inside)
    assert found == inside[:1]


def settle(feed: PullFeed, *payloads: bytes, ids: tuple[bytes, ...] = (ETH,), now: int = START + 50) -> Any:
    """Code and answers of a settlement at the first report from START on, within 10 seconds."""
    action = ParsePriceFeedUpdatesUnique(payloads, ids, START, START + 10, 0)
    code, _, _, answers = outcome_of(feed, now, KEEPER, action)
    return code if code != "ok" else tuple(answers)


def test_a_settlement_gets_the_first_report_and_no_other() -> None:
    """PUL-9: of four signed reports only one is taken, whichever the submitter brings."""
    feed = feed_with()
    chain = [
        report_of(price, START + 4 * i - 2, prev=START + 4 * i - 6) for i, price in enumerate((199, 200, 250, 150))
    ]
    before, first, second, third = map(payload_of, chain)
    assert settle(feed, first) == settle(feed, third, before, first, second) == (chain[1],)
    for menu in ((before,), (second,), (third,), (before, second, third), ()):
        assert settle(feed, *menu) == "oracle/no-unique-report"


def test_a_settlement_of_several_feeds_needs_all() -> None:
    """PUL-9: in the order of the ids; an id that is asked for twice is answered twice; none asks for nothing."""
    feed = feed_with()
    ether, coin = report_of(prev=START - 1), report_of(7, prev=START - 1, feed_id=BTC)
    payloads = (payload_of(ether), payload_of(coin))
    assert settle(feed, *payloads, ids=(BTC, ETH)) == (coin, ether)
    assert settle(feed, *payloads, ids=(ETH, ETH)) == (ether, ether)
    assert settle(feed, *payloads, ids=()) == ()
    assert settle(feed, payloads[0], ids=(ETH, BTC)) == "oracle/no-unique-report"
    assert settle(feed, *payloads, ids=(ETH, bytes(32))) == "oracle/no-unique-report"


def test_a_settlement_stores_what_is_newer() -> None:
    """PUL-9, PUL-8: all that it brought, also what was not asked for; an older one settles without being stored."""
    feed = update(feed_with(), report_of(time=START + 20), now=START + 50)
    ether, coin = report_of(prev=START - 1), report_of(7, feed_id=BTC)
    action = ParsePriceFeedUpdatesUnique((payload_of(ether), payload_of(coin)), (ETH,), START, START + 10, 0)
    code, after, events, answers = outcome_of(feed, START + 50, KEEPER, action)
    assert (code, answers) == ("ok", (ether,))
    assert [event.feed_id for event in events] == [BTC]
    assert get_price_unsafe(after, ETH).publish_time == START + 20
    assert get_price_unsafe(after, BTC) == coin


@pytest.mark.parametrize(("ahead", "now", "settles"), [(0, 8, True), (0, 7, False), (3, 5, True), (3, 4, False)])
def test_a_report_from_the_future_settles_nothing(ahead: int, now: int, settles: bool) -> None:
    """PUL-9: even if the span reaches there."""
    report = report_of(time=START + 8, prev=START - 1)
    answer = settle(feed_with(ahead=ahead), payload_of(report), now=START + now)
    assert answer == ((report,) if settles else "oracle/no-unique-report")


# --- reading: PUL-10, PUL-11 ----------------------------------------------------------------------------------------


def test_a_price_is_read_with_an_age_or_without() -> None:
    """PUL-10: any age; or at most an age, before or after."""
    feed = update(feed_with(), report_of())
    assert get_price_unsafe(feed, ETH) == report_of()
    assert code_of(get_price_unsafe, feed, BTC) == "oracle/unavailable"
    assert code_of(get_price_no_older_than, feed, START, BTC, 10**9) == "oracle/unavailable"
    for now in (START - 60, START, START + 60):
        assert get_price_no_older_than(feed, now, ETH, 60) == report_of()
    for now in (START - 61, START + 61):
        assert code_of(get_price_no_older_than, feed, now, ETH, 60) == "oracle/stale"
    assert get_price_no_older_than(feed, START, ETH, 0) == report_of()
    assert code_of(get_price_no_older_than, feed, START + 1, ETH, 0) == "oracle/stale"


def quoted(price: int, conf: int, expo: int, band: int = 1) -> tuple[int, int, int, int]:
    """Bid, mid, ask and status of a report."""
    feed = run(feed_with(), SetBand(ETH, band), sender=ADMIN)
    found = quote(update(feed, report_of(price, conf=conf, expo=expo)), ETH)
    assert found.publish_time == START
    return found.bid, found.mid, found.ask, found.status


UNCERTAIN, OUT, NOT = int(Status.UNCERTAIN), int(Status.OUT_OF_BOUNDS), int(Status.NON_POSITIVE)


@pytest.mark.parametrize(
    ("price", "conf", "expo", "band", "expected"),
    [
        # Exact from -18 up.
        (200 * 10**8, 10**7, -8, 1, (1_999 * W // 10, 200 * W, 2_001 * W // 10, 0)),
        (200 * 10**8, 10**7, -8, 10, (199 * W, 200 * W, 201 * W, 0)),
        (7, 0, -18, 1, (7, 7, 7, 0)),
        (7, 2, 0, 3, (W, 7 * W, 13 * W, 0)),
        # Below, mid and bid down, ask up.
        (25, 4, -19, 1, (2, 2, 3, 0)),
        (30, 9, -19, 1, (2, 3, 4, 0)),
        (30, 10, -19, 1, (2, 3, 4, 0)),
        (1_234, 35, -20, 1, (11, 12, 13, 0)),
        (1_200, 0, -20, 1, (12, 12, 12, 0)),
        # No bid is 0 and marked; the others stay.
        (10, 9, -18, 1, (1, 10, 19, 0)),
        (10, 10, -18, 1, (0, 10, 20, UNCERTAIN)),
        (10, 11, -18, 1, (0, 10, 21, UNCERTAIN)),
        (10, 4, -18, 3, (0, 10, 22, UNCERTAIN)),
        (15, 6, -19, 1, (0, 1, 3, UNCERTAIN)),
        (15, 5, -19, 1, (1, 1, 2, 0)),
        # No price is 0 on all sides.
        (0, 0, 0, 1, (0, 0, 0, NOT)),
        (-1, 5, 12, 1, (0, 0, 0, NOT)),
        (-(2**63), 2**64 - 1, -8, 1, (0, 0, 0, NOT)),
        (9, 0, -19, 1, (0, 0, 0, NOT)),
        (99, 2**64 - 1, -20, 10, (0, 0, 0, NOT)),
        (100, 0, -20, 1, (1, 1, 1, 0)),
        # Too large: the ask is enough.
        ((PRICE_LIMIT - 1) // W, 0, 0, 1, ((PRICE_LIMIT - 1) // W * W,) * 3 + (0,)),
        ((PRICE_LIMIT - 1) // W, 1, 0, 1, (0, 0, 0, OUT)),
        ((PRICE_LIMIT - 1) // W + 1, 0, 0, 1, (0, 0, 0, OUT)),
        (2**63 - 1, 2**64 - 1, 12, 10, (0, 0, 0, OUT)),
        (1, 0, 10, 1, (10**28, 10**28, 10**28, 0)),
        (1, 0, 11, 1, (0, 0, 0, OUT)),
        (1, 2**64 - 1, 0, 1, (0, 0, 0, OUT)),
    ],
)
def test_a_quote_has_two_sides(price: int, conf: int, expo: int, band: int, expected: tuple[int, ...]) -> None:
    """PUL-11, O5, O6, T9: scale, rounding, the sides and what is wrong."""
    assert quoted(price, conf, expo, band) == expected


def test_a_feed_without_a_report_has_no_quote() -> None:
    """PUL-11: a band alone is no price."""
    feed = run(feed_with(), SetBand(ETH, 2), sender=ADMIN)
    assert quote(feed, ETH) == quote(feed, BTC) == NO_QUOTE


@given(st.integers(-10, 2**63 - 1), st.integers(0, 2**64 - 1), st.integers(-20, 12), st.integers(1, 10))
def test_a_quote_contains_the_reported_price(price: int, conf: int, expo: int, band: int) -> None:
    """PUL-11: bid <= mid <= ask, each less than a wei from the exact one, and on its side of it."""
    bid, mid, ask, status = quoted(price, conf, expo, band)
    if status in {NOT, OUT}:
        assert (bid, mid, ask) == (0, 0, 0)
        # Scaled by 100, all of them are integers.
        scaled = 10 ** (expo + 20)
        assert price * scaled < 100 if status == NOT else (price + band * conf) * scaled > (PRICE_LIMIT - 1) * 100
        return
    scaled = 10 ** (expo + 20)
    assert 0 <= price * scaled - 100 * mid < 100
    assert 0 <= 100 * ask - (price + band * conf) * scaled < 100
    assert 0 <= max(price - band * conf, 0) * scaled - 100 * bid < 100
    assert bid <= mid <= ask < PRICE_LIMIT
    assert status == (UNCERTAIN if bid == 0 else 0)
