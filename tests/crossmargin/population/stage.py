"""Small populations on a few prices, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.errors import InputError
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario, Step
from tests.crossmargin.loading import START

# Every table at one value, so that a test chooses what is drawn.
ALIKE = {
    "equity": "1000",
    "leverage": "10",
    "reaction": "30s",
    "top_up": "0.5",
    "reduction": "0.5",
    "stop": "0.05",
    "panic": "0.04",
    "panic_window": "10m",
    "stake": "500000",
    "leaving": "1h",
    "claiming": "10m",
}
POPULATION = {
    "profile": "alike.yaml",
    "seed": "tests",
    "accounts": "1",
    "opens": "{from: 10s, until: 11s}",
    "markets": "{ETH: 1}",
    "collateral": "{USDC: 1}",
    "books": "{long: 1}",
    "behaviours": "{holds: 1}",
}
OPENED = 10  # seconds after the start


def write_profile(**values: str) -> str:
    """A profile in which everybody has the same value of each table."""
    tables = (
        f"{name}: [{{share: 0, value: {value}}}, {{share: 1, value: {value}}}]\n"
        for name, value in (ALIKE | values).items()
    )
    return "name: alike\n" + "".join(tables)


class Stage:
    """Loads a scenario with a population. ETH begins at 200 dollars, BTC at 8,000."""

    def __init__(self, folder: Path) -> None:
        self.first = "0s"  # when the first prices are pushed
        self.path = folder / "small.yaml"
        self.profile = folder / "alike.yaml"
        self.profile.write_text(write_profile(), "utf-8")

    def tables(self, **values: str) -> None:
        """Give everybody other values."""
        self.profile.write_text(write_profile(**values), "utf-8")

    def write(self, prices: dict[str, Any] | None = None, /, more: str = "", **population: str) -> str:
        """The text: ETH at prices by time, or all feeds in braces, and what is to differ from ``POPULATION``."""
        rounds = {self.first: "{BTC: 8000, ETH: 200}"} | {
            at: price if str(price).startswith("{") else f"{{ETH: {price}}}" for at, price in (prices or {}).items()
        }
        keys = "".join(f"  {key}: {value}\n" for key, value in (POPULATION | population).items() if value)
        steps = "".join(f"  - {{at: {at}, push: {price}}}\n" for at, price in rounds.items())
        head = "title: Small\nparams: reference\nstart: 2020-03-12T00:00:00Z\n"
        return f"{head}population:\n{keys}steps:\n{steps}{more}"

    def __call__(self, prices: dict[str, Any] | None = None, /, more: str = "", **population: str) -> Scenario:
        self.path.write_text(self.write(prices, more, **population), "utf-8")
        return load_scenario(self.path, address_of)

    def failure(self, prices: dict[str, Any] | None = None, /, more: str = "", **population: str) -> InputError:
        with pytest.raises(InputError) as caught:
            self(prices, more, **population)
        return caught.value


def told(scenario: Scenario) -> list[tuple[int, Any]]:
    """Second and action of the population's steps."""
    return [(step.at - START, step.action) for step in of_population(scenario)]


def after_opening(scenario: Scenario) -> list[tuple[int, Any]]:
    """Second and action of what traders do later."""
    return [(at, action) for at, action in told(scenario) if at > OPENED]


def of_population(scenario: Scenario) -> list[Step]:
    """The steps that the population takes."""
    return [step for step in scenario.steps if step.expect.may_refuse]
