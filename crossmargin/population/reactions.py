"""What a trader does about the prices it sees: known before the run, since it depends on the tape and its own book."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator

from crossmargin.population.book import Book
from crossmargin.population.members import Member
from crossmargin.population.prices import Prices
from crossmargin.population.profile import Profile
from crossmargin.steps.trading import ANY_CASH, NO_LIMIT_BUY, NO_LIMIT_SELL
from protocol.account_state import AccountState
from protocol.actions import Action, CloseAll, Deposit, Trade
from protocol.env import Env
from protocol.units import BPS, Price, Seconds, W

MOST_ANSWERS = 3  # margin calls that a trader answers: after the third it has no more money, or nothing worth a fourth

Timed = tuple[Seconds, Action]
Answer = Callable[[int, Env], list[Action]]  # to a margin call by number, at the prices of the answer


def react(
    member: Member, profile: Profile, account: int, book: Book, prices: Prices, feeds: Collection[int]
) -> Iterator[Timed]:
    """What a trader does after its opening, in order of time; ``feeds`` are those whose prices it needs.

    Nothing is checked: the protocol may refuse it.
    """
    if not book.positions:
        return
    trader = _Trader(member, profile, account, book, prices, feeds)
    if member.behaviour == "tops_up":
        yield from trader.answer_calls(trader.top_up)
    elif member.behaviour == "reduces":
        yield from trader.answer_calls(trader.reduce)
    elif member.behaviour == "stops":
        yield from trader.close_after(trader.is_stopped())
    elif member.behaviour == "panics":
        yield from trader.close_after(trader.is_alarmed())


class _Trader:
    """One trader with its book and the prices; ``main`` is the market that stops and panics look at."""

    def __init__(
        self, member: Member, profile: Profile, account: int, book: Book, prices: Prices, feeds: Collection[int]
    ) -> None:
        self._member = member
        self._profile = profile
        self._account = account
        self._book = book
        self._prices = prices
        self._feeds = feeds
        self._state = prices.state
        self._main, self._side = member.markets[0], member.sides[0]

    def _price(self, env: Env, market: int) -> Price:
        return env.quote(self._state.market_params[market].feed).mid

    def _delay(self, number: int) -> Seconds:
        return self._profile.reaction.at(self._member.draws(f"reaction {number}"))

    def answer_calls(self, answer: Answer) -> Iterator[Timed]:
        """At the first round that finds the book in MARGIN_CALL, and a delay later, an answer; then again.

        A book that falls below maintenance before the answer comes is left to the keepers.
        """
        answered_at, number = self._member.opens_at, 0
        for env in self._prices.after(self._member.opens_at, self._feeds):
            if env.now <= answered_at:
                continue
            stands = self._book.stand(self._state, env)
            if stands > AccountState.MARGIN_CALL:
                continue
            number += 1
            answered_at = env.now + self._delay(number)
            seen = [env, *(later for later in self._prices.after(env.now, self._feeds) if later.now <= answered_at)]
            if any(self._book.stand(self._state, later) < AccountState.MARGIN_CALL for later in seen):
                return
            for action in answer(number, seen[-1]):
                yield answered_at, action
            if number == MOST_ANSWERS or not self._book.positions:
                return

    def top_up(self, number: int, env: Env) -> list[Action]:
        """A deposit of USDC."""
        part = self._profile.top_up.at(self._member.draws(f"top-up {number}"))
        units = self._member.equity * part // BPS
        self._book.deposit(0, units)
        return [Deposit(self._account, 0, units)] if units else []

    def reduce(self, number: int, env: Env) -> list[Action]:
        """A part of each position closed, at least a lot; everything, where too little would stay open."""
        part = self._profile.reduction.at(self._member.draws(f"reduction {number}"))
        actions: list[Action] = []
        for market, position in tuple(self._book.positions.items()):
            lot = self._state.market_params[market].lot
            closed = max(abs(position.size) * part // (BPS * lot) * lot, lot)
            delta = -closed if position.size > 0 else closed
            self._book.fill(self._state, market, delta, self._price(env, market))
            actions.append(Trade(self._account, market, delta, NO_LIMIT_BUY if delta > 0 else NO_LIMIT_SELL))
        if self._book.is_small(self._state, env) or len(self._book.positions) < len(actions):
            self._book.positions = {}
            return [CloseAll(self._account, ANY_CASH)]
        return actions

    def close_after(self, signals: Iterator[Env]) -> Iterator[Timed]:
        """Everything closed a delay after the first signal, if there is one."""
        for env in signals:
            yield env.now + self._delay(1), CloseAll(self._account, ANY_CASH)
            return

    def is_stopped(self) -> Iterator[Env]:
        """Moments at which the main market's price is beyond the stop, which lies a part of the entry price away."""
        distance = self._profile.stop.at(self._member.draws("stop"))
        position = self._book.positions[self._main]
        entry = position.cost * W // position.size
        stop = entry * (BPS - self._side * distance)
        for env in self._prices.after(self._member.opens_at, self._feeds):
            if self._side * self._price(env, self._main) * BPS <= self._side * stop:
                yield env

    def is_alarmed(self) -> Iterator[Env]:
        """Moments at which the main market moved against the position, by a part of its best price shortly before."""
        move = self._profile.panic.at(self._member.draws("panic"))
        window = self._profile.panic_window.at(self._member.draws("panic window"))
        opened = self._prices.at(self._member.opens_at, self._feeds)
        assert opened is not None  # the positions have a price
        # By time, each worse for the holder than the one before it.
        best: deque[tuple[Seconds, Price]] = deque([(self._member.opens_at, self._price(opened, self._main))])
        for env in self._prices.after(self._member.opens_at, self._feeds):
            price = self._price(env, self._main)
            while best and self._side * best[-1][1] <= self._side * price:
                best.pop()
            best.append((env.now, price))
            while best[0][0] < env.now - window:
                best.popleft()
            if self._side * (best[0][1] - price) * BPS >= best[0][1] * move:
                yield env
