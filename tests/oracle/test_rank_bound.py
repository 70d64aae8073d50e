"""How far liars and relayers move a median, over every way in which values can be ordered.

A median asks only which of two values is larger. So honest values may be written as their ranks, and all that a liar
can do is to stand below the first of them, above the last, level with one, or between two: these places are tried
without exception. Equal honest values follow, since a map that keeps order, strictly or not, keeps each rank.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.median import compute_middle, create_median, get_median_quote
from protocol.units import W
from tests.oracle.medians import HOUR, START, fill, median_of, submit

MOST = 15
SIZES = [(count, liars) for count in range(1, MOST + 1) for liars in range((count - 1) // 2 + 1)]


def patterns(count: int, liars: int) -> Iterator[list[int]]:
    """Every order of ``count`` values of which ``liars`` are lies; the honest value of rank r is ``2 * r``."""
    honest = [2 * rank for rank in range(count - liars)]
    for lies in combinations_with_replacement(range(-1, 2 * len(honest)), liars):
        yield sorted([*honest, *lies])


def rank_bound(count: int, liars: int, rank: int) -> tuple[int, int]:
    """MED-4: honest ranks that the value of a rank lies between, in the units of ``patterns``."""
    return 2 * (rank - liars), 2 * min(rank, count - liars - 1)


@pytest.mark.parametrize(("count", "liars"), SIZES)
def test_liars_move_a_median_by_as_many_ranks_as_they_are(count: int, liars: int) -> None:
    """MED-4: h_(k-f) <= x_(k) <= h_min(k, n-f-1), for both middle values, and both bounds are reached."""
    ranks = ((count - 1) // 2, count // 2)
    bounds = [rank_bound(count, liars, rank) for rank in ranks]
    reached: tuple[set[int], set[int]] = (set(), set())
    for values in patterns(count, liars):
        for found, (low, high), middle in zip(reached, bounds, compute_middle(values), strict=True):
            assert low <= middle <= high
            found.add(middle)
    for found, (low, high) in zip(reached, bounds, strict=True):
        assert (min(found), max(found)) == (low, high)


@pytest.mark.parametrize(("count", "liars"), SIZES)
def test_a_median_stays_among_honest_values(count: int, liars: int) -> None:
    """MED-4: in [h_0, h_(n-f-1)] for every strategy, as long as f <= (n-1)//2: the middle of two as well."""
    last = 2 * (count - liars - 1)
    for values in patterns(count, liars):
        low, high = compute_middle(values)
        assert 0 <= low <= (low + high) // 2 <= high <= last


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_one_liar_more_sets_a_side_of_the_median(count: int) -> None:
    """MED-4: with f = (n-1)//2 + 1 the bound is gone: a side can be any number at all, up or down."""
    liars = (count - 1) // 2 + 1
    honest = [2 * rank for rank in range(count - liars)]
    for lie in (10**30, 77):
        assert compute_middle([*honest, *[lie] * liars])[1] == lie
        assert compute_middle([*honest, *[-lie] * liars])[0] == -lie


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=15), st.data())
def test_equal_honest_values_change_nothing(honest: list[int], data: st.DataObject) -> None:
    """MED-4: the rank bound with values that may be equal, liars among them."""
    lies = data.draw(st.lists(st.integers(-12, 12), max_size=len(honest) - 1))
    ordered, liars, count = sorted(honest), len(lies), len(honest) + len(lies)
    for rank, middle in zip(((count - 1) // 2, count // 2), compute_middle([*honest, *lies]), strict=True):
        assert ordered[rank - liars] <= middle <= ordered[min(rank, len(honest) - 1)]


@pytest.mark.parametrize(("count", "quorum"), [(5, 3), (9, 7), (13, 13), (13, 7)])
def test_the_bound_holds_for_the_slots_of_a_median(count: int, quorum: int) -> None:
    """MED-3, MED-4: liars that also choose their times, at every number of honest reports that leaves a quorum."""
    median = median_of(count, quorum, skew=60, ahead=60)
    liars = median.faults
    for honest in range(quorum - liars, count - liars + 1):
        for age in (-60, 0, 60, 120, HOUR):
            for answer in (1, 10**20):
                filled = fill(median, START, *((100 + 2 * i, i % 3) for i in range(honest)))
                for reporter in range(count - liars, count):
                    filled = submit(filled, START, reporter, answer, START - age)
                quote = get_median_quote(filled, START)
                if quote.status == 0:
                    assert 100 * 10**10 <= quote.bid <= quote.ask <= (100 + 2 * honest) * 10**10
                else:
                    assert honest < quorum  # only what honest reporters left open can be taken away


# --- the relayer's choice -------------------------------------------------------------------------------------------

REPORTERS, SUBMITTED = 21, 13


@pytest.mark.parametrize(("liars", "chosen", "all_of_them"), [(0, 6, 10), (3, 3, 7), (4, 2, 6), (6, 0, 4)])
def test_whoever_chooses_the_reports_moves_the_median_further_than_liars_can(
    liars: int, chosen: int, all_of_them: int
) -> None:
    """MED-4: lowest honest rank of 21 reporters' median, if 13 reports are picked, and if all count.

    Every choice of 13 is tried: f = 3 reaches rank 3 of 17, f = 4 rank 2, f = 6 the honest minimum. The liars alone
    reach ranks 7, 6 and 4.
    """
    honest = list(range(REPORTERS - liars))
    values = [*[-1] * liars, *honest]
    # Choices of an ordered row are ordered, so the middle one is at a fixed place.
    assert min(choice[SUBMITTED // 2] for choice in combinations(values, SUBMITTED)) == chosen
    assert chosen == max(SUBMITTED // 2 - liars, 0)
    assert compute_middle(values) == (all_of_them, all_of_them)
    assert all_of_them == REPORTERS // 2 - liars


def test_a_median_of_slots_leaves_no_choice_of_reports() -> None:
    """MED-3: of 13 reports, seven chosen ones give 3 ranks less than all; the slots give all or what came in time."""
    answers = [100 + rank for rank in range(13)]
    everything = fill(median_of(13, 7), START, *((answer, 0) for answer in answers))
    assert get_median_quote(everything, START).mid == 106 * 10**10
    assert min(compute_middle(choice) for choice in combinations(answers, 7)) == (103, 103)
    # Held back, a report is missing as if its reporter had crashed: the others count all the same.
    for first in range(7):
        some = median_of(13, 7)
        for reporter in range(first, first + 7):
            some = submit(some, START, reporter, answers[reporter])
        assert get_median_quote(some, START).mid == (103 + first) * 10**10
        for reporter in {*range(13)} - {*range(first, first + 7)}:
            some = submit(some, START, reporter, answers[reporter])
        assert some == everything


def test_the_middle_knows_no_limit_of_reporters() -> None:
    """MED-4: thirteen is the contract's limit; the statistic has none."""
    assert compute_middle(range(1_001)) == (500, 500)
    wide = create_median(tuple(range(1, 14)), 13, HOUR, 0, 0, 18)
    assert get_median_quote(fill(wide, START, *((W + i, 0) for i in range(13))), START).mid == W + 6
