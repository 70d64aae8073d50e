"""What a scenario says must happen, held against what did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts_py.keys import address_of
from crossmargin.quantities import write_time
from crossmargin.replay.run import Done
from crossmargin.scenario_records import IN_UNITS, Scenario, Step
from crossmargin.text import decimal, list_faults
from crossmargin.textfile import Place
from protocol.account_state import compute_account_state
from protocol.margin import compute_health
from protocol.state import NO_POSITION, NO_STAKE, USDC
from protocol.views import (
    compute_bankruptcy_price,
    compute_liquidation_price,
    compute_max_size,
    compute_withdrawable,
)

# What the numbers are that decide a refusal, by name; all the others are counts and ids.
IN_USD = frozenset(
    {
        *("cash", "debt", "deficit", "notional", "gross_notional", "pool", "reserved", "lower", "fee"),
        *("equity_raw", "equity_mm", "equity_im", "maintenance_margin", "initial_margin", "change"),
        *("price", "impact", "acceptable"),
    }
)
IN_SIZES = frozenset({"lot", "open_interest", "shares", "skew"})
IN_TOKENS = frozenset({"held", "units"})
IN_USDC = frozenset({"cost"})
AS_TIMES = frozenset({"claimable_at", "flagged_at", "margin_called_at", "until", "settles_from", "expires_at"})


@dataclass(frozen=True, slots=True)
class Missed:
    """An expectation that was not met, and where the scenario has it; ``facts`` say more."""

    place: Place
    subject: str
    expected: str
    found: str
    facts: str = ""

    def __str__(self) -> str:
        return f"line {self.place.line}: {self.what}"

    @property
    def what(self) -> str:
        """The expectation and what was found instead."""
        more = f" ({self.facts})" if self.facts else ""
        return f"{self.subject}: expected {self.expected}, found {self.found}{more}"


def check_step(done: Done) -> Iterator[Missed]:
    """What the step of an action expects: success, one refusal, or values afterwards."""
    step = done.planned.step
    if step is None or step.expect.may_refuse:
        return
    expected_code = step.expect.refused or "ok"
    subject = done.planned.name
    whole = Place(step.line, step.column)
    if done.code != expected_code:
        facts = ", ".join(f"{name} {show_fact(done, step, name, value)}" for name, value in done.facts.items())
        yield Missed(step.expect.places.get("refused", whole), subject, expected_code, done.code, facts)
        return
    yield from check_quotes(done, step)
    for name, expected in step.expect.values.items():
        found = read_value(done, step, name)
        if found != expected:
            decimals = find_decimals(done, step, name)
            place = step.expect.places.get(name, whole)
            yield Missed(place, f"{subject} {name}", show(expected, decimals), show(found, decimals))


def check_quotes(done: Done, step: Step) -> Iterator[Missed]:
    """What the step expects of feeds after it."""
    env = done.world.env(done.time) if step.expect.quotes else None
    place = step.expect.places.get("quotes", Place(step.line, step.column))
    for feed, expected in step.expect.quotes.items():
        assert env is not None
        quote = env.quote(feed)
        for name, wanted, found in (
            ("bid", expected.bid, quote.bid),
            ("price", expected.price, quote.mid),
            ("ask", expected.ask, quote.ask),
        ):
            if wanted is not None and wanted != found:
                yield Missed(place, f"feed {feed} {name}", show(wanted), show(found))
        if expected.status != quote.status:
            yield Missed(place, f"feed {feed} faults", name_faults(expected.status), name_faults(quote.status))


def name_faults(status: int) -> str:
    """What is wrong with a price, in one line."""
    return ", ".join(list_faults(status)) or "none"


def read_value(done: Done, step: Step, name: str) -> int | str | None:
    """A value that a step expects, as it is after the step; None if its account does not exist."""
    state = done.world.protocol
    action: Any = step.action
    if name == "shares":
        return int(state.stakes.get(address_of(step.sender), NO_STAKE).shares)
    account = state.accounts.get(action.account)
    if account is None:
        return None
    if name == "cash":
        return int(account.cash)
    if name == "units":
        return int(account.collateral.get(action.token, 0))
    if name in {"size", "cost"}:
        return int(getattr(account.positions.get(action.market, NO_POSITION), name))
    env = done.world.env(done.time)
    if name == "withdrawable":
        return compute_withdrawable(state, env, action.account, action.token)
    if name == "liquidation_price":
        return compute_liquidation_price(state, env, action.account, action.market)
    if name == "bankruptcy_price":
        return compute_bankruptcy_price(state, env, action.account, action.market)
    if name in {"max_long", "max_short"}:
        return compute_max_size(state, env, action.account, action.market, name == "max_long")
    health = compute_health(state, account, env)
    if name == "state":
        return compute_account_state(state.risk, health).name
    return int(getattr(health, name))


def find_decimals(done: Done, step: Step, name: str) -> int:
    """Decimals of a value that a step expects."""
    return find_token_decimals(done, step) if name in IN_UNITS else 18


def find_token_decimals(done: Done, step: Step) -> int:
    """Decimals of the token that a step is about."""
    token, listed = getattr(step.action, "token", USDC), done.world.protocol.collateral_params
    if token == USDC:
        return 6
    return listed[token - 1].decimals if token <= len(listed) else 0


def show_fact(done: Done, step: Step, name: str, value: int) -> str:
    """A number that decided a refusal, with its unit."""
    if name in AS_TIMES:
        return write_time(value)
    if name in IN_USD:
        return f"{decimal(value)} USD"
    if name in IN_SIZES:
        return decimal(value)
    if name in IN_USDC:
        return f"{decimal(value, 6)} USDC"
    return decimal(value, find_token_decimals(done, step)) if name in IN_TOKENS else str(value)


def check_end(scenario: Scenario, last: Done, result: dict[str, Any], liquidated: set[int]) -> Iterator[Missed]:
    """What the scenario expects of the run as a whole and of single accounts at its end."""
    places = scenario.expect.places
    for name, expected in scenario.expect.totals.items():
        if str(result[name]) != str(expected):
            yield Missed(places[name,], f"at the end: {name}", str(expected), str(result[name]))
    state = last.world.protocol
    for name, values in scenario.expect.accounts.items():
        key = scenario.accounts[name].id
        if key not in state.accounts:
            yield Missed(places["accounts", name], f"at the end: {name}", "a registered account", "none")
            continue
        account = state.accounts[key]
        health = compute_health(state, account, last.world.env(last.time))
        found: dict[str, Any] = {
            "cash": account.cash,
            "liquidated": key in liquidated,
            "state": compute_account_state(state.risk, health).name,
        }
        for item, expected in values.items():
            if found[item] != expected:
                yield Missed(
                    places["accounts", name, item], f"at the end: {name} {item}", show(expected), show(found[item])
                )


def show(value: Any, decimals: int = 18) -> str:
    """A value of an expectation as text; integers are amounts with so many decimals."""
    if isinstance(value, int) and not isinstance(value, bool):
        return decimal(value, decimals)
    return str(value)
