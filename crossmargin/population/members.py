"""Who a population is: what each of its traders and providers holds, and how it will behave, by its draws alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crossmargin.faults import Fault
from crossmargin.names import resolve
from crossmargin.parameters import ParameterSet
from crossmargin.population.draws import Draws, choose, pick
from crossmargin.population.file import HUNDRED, PopulationModel
from crossmargin.population.profile import LONGEST, Profile
from crossmargin.quantities import LATEST_STEP, write_time
from crossmargin.yamltext import Loc
from protocol.state import USDC
from protocol.units import BPS, Bps, Seconds, Units

LOC: Loc = ("population",)
TWO_MARKETS = ("basket", "spread")
LATEST_REACTION = 5 * LONGEST  # after the opening: a tape's last round apart, each delay is at most a year


@dataclass(frozen=True, slots=True)
class Member:
    """One trader. ``markets`` and ``sides`` (+1 long, -1 short) are of its positions, the first one its main one."""

    name: str
    draws: Draws
    book: str
    behaviour: str
    markets: tuple[int, ...]
    sides: tuple[int, ...]
    isolated: bool
    token: int  # of its collateral
    cash_part: Bps  # of its equity in USDC
    equity: Units  # of USDC, at the prices of the opening
    leverage: int  # hundredths
    opens_at: Seconds


@dataclass(frozen=True, slots=True)
class Provider:
    """One liquidity provider; ``asks_at`` and ``claims_after`` (the redemption delay) are None for one that stays."""

    name: str
    stake: Units  # of USDC
    asks_at: Seconds | None
    claims_after: Seconds


@dataclass(frozen=True, slots=True)
class Population:
    """Everyone of a population, by number."""

    profile: Profile
    opens_at: Seconds
    members: tuple[Member, ...]
    providers: tuple[Provider, ...]


def draw_population(model: PopulationModel, profile: Profile, params: ParameterSet, start: Seconds) -> Population:
    """Who a population is. Raises ``Fault`` where the file asks for what cannot be."""
    return _Drawing(model, profile, params, start).draw()


class _Drawing:
    """The draws of one population. Weights are by id of market and token."""

    def __init__(self, model: PopulationModel, profile: Profile, params: ParameterSet, start: Seconds) -> None:
        self._model = model
        self._profile = profile
        self._begin, self._end = model.opens.begin.after(start), model.opens.end.after(start)
        if self._begin < start:
            raise Fault((*LOC, "opens", "from"), f"this is before the scenario begins, at {write_time(start)}")
        if self._end <= self._begin:
            raise Fault((*LOC, "opens", "until"), f"this is not after the opening begins, at {write_time(self._begin)}")
        if self._end > LATEST_STEP - LATEST_REACTION:
            raise Fault((*LOC, "opens", "until"), "this is too late: what follows would end after the year 9998")
        self._markets = _read_weights(model.markets, [spec.name for spec in params.markets], "market", "markets")
        self._tokens = _read_weights(model.collateral, [spec.name for spec in params.tokens], "token", "collateral")
        self._books: Mapping[str, int] = dict(model.books)
        self._behaviours: Mapping[str, int] = dict(model.behaviours)
        for key, weights in (("books", self._books), ("behaviours", self._behaviours)):
            _check_some(weights, (*LOC, key))
        if model.accounts == 0:
            raise Fault((*LOC, "accounts"), "a population has at least one account", "leave `population` out for none")
        self._coverable = self._find_coverable(params)
        self._check_books()

    def _find_coverable(self, params: ParameterSet) -> dict[int, dict[int, int]]:
        """By market that has a weight: the weights of tokens with the market's own feed."""
        by_market: dict[int, dict[int, int]] = {}
        for market, weight in self._markets.items():
            feed = params.markets[market].params.feed
            specs = ((token, params.tokens[token].params) for token in self._tokens)
            tokens = {token: self._tokens[token] for token, found in specs if found is not None and found.feed == feed}
            if weight and any(tokens.values()):
                by_market[market] = tokens
        return by_market

    def _check_books(self) -> None:
        markets = sum(weight > 0 for weight in self._markets.values())
        for book in TWO_MARKETS:
            if self._books[book] and markets < 2:
                remedy = "give a second market a weight, or leave the book out"
                raise Fault((*LOC, "books", book), f"a {book} needs two markets, there is {markets}", remedy)
        if self._books["covered"] and not self._coverable:
            remedy = "give one a weight under `collateral`, or leave the book out"
            raise Fault((*LOC, "books", "covered"), "no collateral has the feed of a market", remedy)

    def draw(self) -> Population:
        """Everyone, in order of number."""
        model = self._model
        width = max(3, len(str(model.accounts)))
        members = tuple(self._draw_member(number, width) for number in range(1, model.accounts + 1))
        count = model.providers.number if model.providers else 0
        providers = tuple(self._draw_provider(number) for number in range(1, count + 1))
        return Population(self._profile, self._begin, members, providers)

    def _draw_member(self, number: int, width: int) -> Member:
        draws = Draws(self._model.seed, str(number))
        profile = self._profile
        book = choose(self._books, draws("book"))
        behaviour = choose(self._behaviours, draws("behaviour"))
        choice = self._markets
        if book == "covered":
            choice = {market: self._markets[market] for market in self._coverable}
        markets = [choose(choice, draws("market"))]
        if book in TWO_MARKETS:
            others = {market: weight for market, weight in choice.items() if market != markets[0]}
            markets.append(choose(others, draws("second market")))
        first = -1 if book in {"short", "covered"} else 1
        sides = (first,) if len(markets) == 1 else (first, -first if book == "spread" else first)
        isolated = book in {"long", "short"} and pick(HUNDRED, draws("isolated")) < self._model.isolated
        token = choose(self._coverable[markets[0]] if book == "covered" else self._tokens, draws("token"))
        if isolated:
            token = USDC  # all that such an account takes (ACC-1)
        cash_part = 0 if book == "covered" else BPS if token == USDC else pick(BPS + 1, draws("cash"))
        return Member(
            name=f"{book}_{behaviour}_{number:0{width}}",
            draws=draws,
            book=book,
            behaviour=behaviour,
            markets=tuple(markets),
            sides=sides,
            isolated=isolated,
            token=token,
            cash_part=cash_part,
            equity=profile.equity.at(draws("equity")),
            leverage=profile.leverage.at(draws("leverage")),
            opens_at=self._begin + pick(self._end - self._begin, draws("opening")),
        )

    def _draw_provider(self, number: int) -> Provider:
        assert self._model.providers is not None
        draws, profile = Draws(self._model.seed, f"lp{number}"), self._profile
        leaves = pick(HUNDRED, draws("leaves")) < self._model.providers.leaving
        return Provider(
            name=f"lp_{number:03}",
            stake=profile.stake.at(draws("stake")),
            asks_at=self._begin + profile.leaving.at(draws("leaving")) if leaves else None,
            claims_after=profile.claiming.at(draws("claiming")),
        )


def _read_weights(weights: Mapping[str, int], names: list[str], what: str, key: str) -> dict[int, int]:
    """Weights by id, from weights by name."""
    found = {resolve(name, names, (*LOC, key, name), what, key=True): weight for name, weight in weights.items()}
    _check_some(found, (*LOC, key))
    return found


def _check_some(weights: Mapping[str, int] | Mapping[int, int], loc: Loc) -> None:
    if not any(weights.values()):
        raise Fault(loc, "nothing here has a weight above 0", "give at least one a weight, as 1")
