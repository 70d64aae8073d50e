"""A population as the steps of a scenario: openings, reactions, and providers that come and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crossmargin.faults import Fault
from crossmargin.parameters import ParameterSet
from crossmargin.population.members import LOC, Member, Population, Provider
from crossmargin.population.opening import open_book
from crossmargin.population.prices import Prices
from crossmargin.population.reactions import react
from crossmargin.quantities import write_time
from crossmargin.scenario_records import ANY_OUTCOME, AccountSpec, Step
from crossmargin.steps.base import AnyAction
from crossmargin.textfile import Place
from protocol.actions import ClaimRedemption, DepositToPool, RequestRedemption
from protocol.units import USDC_TO_W, Seconds


def expand(
    population: Population, accounts: Mapping[str, AccountSpec], params: ParameterSet, prices: Prices, place: Place
) -> list[Step]:
    """The steps of everyone, by time; in one second, providers first, then traders by number.

    Each may be refused. Raises ``Fault`` where a price is missing when the opening begins.
    """
    _check_prices(population, params, prices)
    steps: list[Step] = []

    def add(at: Seconds, sender: str, action: AnyAction, account: str | None = None) -> None:
        steps.append(Step(at, place.line, sender, action, account, ANY_OUTCOME, place.column))

    for provider in population.providers:
        for at, pool_action in _provide(provider, population.opens_at, params):
            add(at, provider.name, pool_action)
    for member in population.members:
        account = accounts[member.name]
        feeds = set(_find_feeds(member, params))
        env = prices.at(member.opens_at, feeds)
        assert env is not None  # _check_prices
        book, opening = open_book(member, account.id, params, prices.state, env)
        for action in opening:
            add(member.opens_at, account.owner, action, account.name)
        for at, action in react(member, population.profile, account.id, book, prices, feeds):
            add(at, account.owner, action, account.name)
    return sorted(steps, key=lambda step: step.at)


def _provide(provider: Provider, opens_at: Seconds, params: ParameterSet) -> Iterator[tuple[Seconds, AnyAction]]:
    """A provider's deposit and, if it leaves, its request and its claim.

    It asks for as many shares as it paid dollars: so many a pool without a history sells for them.
    """
    yield opens_at, DepositToPool(provider.stake)
    if provider.asks_at is not None:
        yield provider.asks_at, RequestRedemption(provider.stake * USDC_TO_W)
        yield provider.asks_at + params.risk.redemption_delay + provider.claims_after, ClaimRedemption()


def _check_prices(population: Population, params: ParameterSet, prices: Prices) -> None:
    for feed in sorted({feed for member in population.members for feed in _find_feeds(member, params)}):
        if prices.at(population.opens_at, {feed}) is None:
            message = f"feed `{params.feeds[feed].name}` has no price at {write_time(population.opens_at)}"
            raise Fault((*LOC, "opens", "from"), message, "begin after its first round, or push one before")


def _find_feeds(member: Member, params: ParameterSet) -> Iterator[int]:
    for market in member.markets:
        yield params.markets[market].params.feed
    collateral = params.tokens[member.token].params
    if collateral is not None:
        yield collateral.feed
