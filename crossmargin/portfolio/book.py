"""A portfolio as a state of the protocol: one account, its markets, and what the file says of everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.faults import Fault, Faults, texts_at
from crossmargin.fields import validate
from crossmargin.library import PARAMETERS, PORTFOLIOS
from crossmargin.messages import listed, near, shown
from crossmargin.names import resolve
from crossmargin.parameters import SETTLEMENT, ParameterSet, genesis_actions, load_parameters
from crossmargin.portfolio.file import OthersModel, PortfolioModel, PositionModel, QuoteModel
from crossmargin.quantities import BadText, read_decimal, write_decimal
from crossmargin.yamltext import Document, read_yaml
from oracle.feeds import SetRateFeed
from oracle.quotes import make_quote, multiply
from protocol.actions import SetCollateral, SetMarket, SetRisk
from protocol.env import NO_QUOTE, Env, Quote, Status
from protocol.fills import compute_fill, compute_reserved
from protocol.params import MAX_POSITIONS
from protocol.records import Table
from protocol.state import (
    INSTANT,
    NO_POSITION,
    USDC,
    Account,
    Ledger,
    Market,
    Position,
    State,
    Token,
    account_id,
    genesis,
)
from protocol.transition import apply
from protocol.units import SIGNED_LIMIT, UNITS_LIMIT, USDC_TO_W, Price, Size, Units, Usd, W, fdiv

OWNER, KEEPER, GOVERNOR = 1, 2, 3  # addresses
ACCOUNT = account_id(OWNER)
NOW = 1  # no rule of a book asks the time: nothing is stale, flagged, phased in or waiting for funding
AMPLE: Usd = 2**112  # more than any reserve, and far below the width of a ledger


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio, measured in ``state`` at the prices of ``env``.

    ``given`` are the quotes as the file has them, by feed; ``bare`` is the state before the account had a position;
    ``assumed`` says what the file leaves open.
    """

    name: str
    title: str
    params: ParameterSet
    given: Mapping[int, Quote]
    env: Env
    state: State
    bare: State
    assumed: tuple[str, ...]

    @property
    def account(self) -> Account:
        """The account that is measured."""
        return self.state.accounts[ACCOUNT]

    def market(self, market: int) -> str:
        """A market's name."""
        return self.params.markets[market].name

    def token(self, token: int) -> str:
        """A token's name."""
        return self.params.tokens[token].name

    def priced_markets(self) -> list[int]:
        """The markets that have a price, by id."""
        return [market for market, spec in enumerate(self.params.markets) if self.env.quote(spec.params.feed).mid]


@dataclass(frozen=True, slots=True)
class _Holdings:
    """What the file says that somebody holds, by id."""

    collateral: Mapping[int, Units]
    positions: Mapping[int, Position]
    leverage_caps: Mapping[int, int]
    others: Mapping[int, OthersModel]


def find_portfolio(text: str) -> Path:
    """The file that ``text`` means: a bare name under ``specs/portfolios``, or a path. Refuses what does not exist."""
    try:
        return PORTFOLIOS.find(text)
    except BadText as problem:
        raise InputError(text, problem.message, remedy=problem.remedy) from None


def load_book(path: Path) -> Book:
    """Read a portfolio and its parameter set. Whatever is wrong with them is an ``InputError``."""
    return parse_book(read_yaml(path))


def parse_book(document: Document) -> Book:
    """A book from a document already read; what is wrong is told together."""
    model, faults = validate(document, PortfolioModel), Faults(document)
    try:
        with texts_at(("params",)):
            path = PARAMETERS.find(model.params, document.source.file.parent)
        params = load_parameters(path)
    except (Fault, InputError) as fault:
        faults.note(fault)
        faults.stop()
        raise AssertionError from None
    given = _read_prices(model, params, faults)
    holdings = _read_holdings(model, params, faults)
    assumed = []
    if params.risk.usdc_feed and params.risk.usdc_feed - 1 not in given:
        given[params.risk.usdc_feed - 1] = _flat(W)
        assumed.append(
            f"{SETTLEMENT} is worth a dollar (`prices` has no {params.feeds[params.risk.usdc_feed - 1].name})"
        )
    env = make_env(params, given)
    _check_priced(params, env, holdings, faults)
    faults.stop()
    ordered = [spec.name for spec in params.markets if spec.orders != INSTANT]
    if ordered:
        assumed.append(f"{', '.join(ordered)} can be traded at once (the set has committed orders there)")
    if model.pool is None:
        assumed.append("no limit of the pool binds (there is no `pool`)")
    if not model.others:
        assumed.append("nobody else trades (there are no `others`)")
    bare = _make_state(model, params, env, replace(holdings, positions={}))
    state = _make_state(model, params, env, holdings)
    return Book(document.source.file.stem, model.title, params, given, env, state, bare, tuple(assumed))


def make_env(params: ParameterSet, given: Mapping[int, Quote]) -> Env:
    """The surroundings at these quotes: a rate feed is the product of its two, another one not given has no price."""
    quotes: list[Quote] = []
    for feed, spec in enumerate(params.feeds):
        if isinstance(spec.action, SetRateFeed):
            quotes.append(multiply(quotes[spec.action.rate], quotes[spec.action.underlying]))
        else:
            quotes.append(given.get(feed, NO_QUOTE))
    return Env(NOW, OWNER, tuple(quotes))


def find_feed(params: ParameterSet, text: str) -> int:
    """The feed that a price belongs to: its own name, or that of a market it prices. Raises ``BadText``."""
    feeds, markets = [feed.name for feed in params.feeds], [market.name for market in params.markets]
    if text in feeds:
        feed = feeds.index(text)
    elif text in markets:
        feed = params.markets[markets.index(text)].params.feed
    else:
        names = dict.fromkeys((*feeds, *markets))
        raise BadText(f"unknown feed or market {shown(text)}" + near(text, names), listed(names))
    action = params.feeds[feed].action
    if isinstance(action, SetRateFeed):
        rate, underlying = params.feeds[action.rate].name, params.feeds[action.underlying].name
        raise BadText(f"{params.feeds[feed].name} is {rate} times {underlying}", "give those two")
    return feed


def _flat(price: Price) -> Quote:
    return make_quote(price, price, price, NOW, int(Status.OK))


def _read_prices(model: PortfolioModel, params: ParameterSet, faults: Faults) -> dict[int, Quote]:
    """The quotes of the file by feed."""
    given: dict[int, Quote] = {}
    for text, price in model.prices.items():
        loc = ("prices", text)
        with faults.noted():
            with texts_at(loc, key=True):
                feed = find_feed(params, text)
            if feed in given:
                raise Fault(loc, f"the price of feed {params.feeds[feed].name} stands here a second time", key=True)
            if isinstance(price, QuoteModel):
                if not price.bid <= price.price <= price.ask:
                    raise Fault(loc, "the sides are out of order", "write bid <= price <= ask")
                quote = make_quote(price.bid, price.price, price.ask, NOW, int(Status.OK))
            else:
                quote = _flat(price)
            if quote.status:
                raise Fault(loc, "a price must be above 0", "leave out a price that there is not")
            given[feed] = quote
    return given


def _read_holdings(model: PortfolioModel, params: ParameterSet, faults: Faults) -> _Holdings:
    """What the account and the others hold; in order of id, as the rules want them."""
    tokens, markets = [token.name for token in params.tokens], [market.name for market in params.markets]
    collateral, positions, caps, others = {}, {}, {}, {}
    for name, text in model.collateral.items():
        with faults.noted():
            token = resolve(name, tokens, ("collateral", name), "token", key=True)
            if token == USDC:
                raise Fault(("collateral", name), f"{name} is no collateral", "write it as `cash`", key=True)
            with texts_at(("collateral", name)):
                units = read_decimal(text, params.tokens[token].decimals, limit=UNITS_LIMIT, holder=name)
            if units:
                collateral[token] = units
    for name, position in model.positions.items():
        with faults.noted():
            market = resolve(name, markets, ("positions", name), "market", key=True)
            positions[market] = _read_position(position, params.markets[market].params.lot, name)
    if len(positions) > MAX_POSITIONS:
        faults.note(Fault(("positions",), f"an account holds at most {MAX_POSITIONS} positions", key=True))
    for name, cap in model.leverage_caps.items():
        with faults.noted():
            caps[resolve(name, markets, ("leverage_caps", name), "market", key=True)] = cap
    for name, other in model.others.items():
        with faults.noted():
            others[resolve(name, markets, ("others", name), "market", key=True)] = other
    return _Holdings(
        dict(sorted(collateral.items())),
        dict(sorted(positions.items())),
        {market: cap for market, cap in sorted(caps.items()) if cap},
        others,
    )


def _read_position(model: PositionModel, lot: Size, name: str) -> Position:
    loc = ("positions", name)
    if model.size == 0:
        raise Fault((*loc, "size"), "a position has a size", "leave out a market without a position")
    if abs(model.size) % lot:
        remedy = f"write a multiple of {write_decimal(lot, 18)}"
        raise Fault((*loc, "size"), f"{write_decimal(model.size, 18)} is not whole lots", remedy)
    if model.cost is not None:
        if model.cost * model.size < 0:
            raise Fault((*loc, "cost"), "the cost of a long is positive, of a short negative", "change its sign")
        return Position(model.size, model.cost, 0)
    opened, _ = compute_fill(NO_POSITION, model.size, model.entry or 0, 0)
    if abs(opened.cost) >= SIGNED_LIMIT:
        raise Fault((*loc, "entry"), "size times entry is more than the protocol can hold", "is the price in dollars?")
    return opened


def _check_priced(params: ParameterSet, env: Env, holdings: _Holdings, faults: Faults) -> None:
    """Note what is held without a price."""
    for key, names, held in (
        ("collateral", params.tokens, holdings.collateral),
        ("positions", params.markets, holdings.positions),
    ):
        for index in held:
            spec = names[index]
            assert spec.params is not None
            if not env.quote(spec.params.feed).mid:
                feed = params.feeds[spec.params.feed]
                needed = feed.name
                if isinstance(feed.action, SetRateFeed):
                    needed = f"{params.feeds[feed.action.rate].name} and {params.feeds[feed.action.underlying].name}"
                faults.note(Fault((key, spec.name), f"{spec.name} has no price", f"add {needed} to `prices`", key=True))


def _make_state(model: PortfolioModel, params: ParameterSet, env: Env, holdings: _Holdings) -> State:
    """The state in which the account holds this, and the others what the file says."""
    state = genesis(GOVERNOR, GOVERNOR, len(params.tokens))
    for _, action in genesis_actions(params):
        if isinstance(action, SetRisk | SetMarket | SetCollateral):
            state = apply(state, Env(NOW, GOVERNOR, ()), action).state
    markets = tuple(
        _make_market(state, env, market, holdings.positions.get(market, NO_POSITION), holdings.others.get(market))
        for market in range(len(state.markets))
    )
    pool = AMPLE if model.pool is None else model.pool
    reserved = sum(market.reserved for market in markets)
    held = fdiv(pool + model.cash + sum(market.impact for market in markets), USDC_TO_W)
    tokens = (
        Token(max(held, 0), 0),
        *(Token(holdings.collateral.get(at, 0), 0) for at in range(1, len(params.tokens))),
    )
    return replace(
        state,
        accounts=Table(
            {
                ACCOUNT: Account(
                    model.cash, holdings.collateral, holdings.positions, holdings.leverage_caps, 0, 0, 0, 0, {}
                )
            }
        ),
        markets=markets,
        tokens=tokens,
        ledger=Ledger(pool, 0, 0, max(-model.cash, 0), 0, reserved),
    )


def _make_market(state: State, env: Env, market: int, own: Position, others: OthersModel | None) -> Market:
    """A market's totals: the position, and those of others, who came at the present price and owe no funding."""
    long, short, impact = (others.long, others.short, others.impact) if others else (0, 0, 0)
    price = env.quote(state.market_params[market].feed).mid
    theirs, _ = compute_fill(NO_POSITION, long - short, price, 0)
    totals = replace(
        state.markets[market],
        long_oi=long + max(own.size, 0),
        short_oi=short + max(-own.size, 0),
        cost=theirs.cost + own.cost,
        impact=impact,
        accrued_at=NOW,
    )
    return replace(totals, reserved=compute_reserved(totals, price, state.risk.lock_ratio))
