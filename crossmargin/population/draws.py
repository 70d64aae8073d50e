"""Draws: numbers that follow from a seed, an account and a field, and what is chosen by them. Integers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import TypeVar

from protocol.units import BPS

DRAWN = 2**256  # a draw is from 0 to one less

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of one account (or provider), by field: the same for the same three texts, on every machine."""

    seed: str
    account: str

    def __call__(self, field: str) -> int:
        """The SHA-256 of ``seed|account|field`` as a number, from 0 to ``DRAWN - 1``."""
        return int.from_bytes(sha256(f"{self.seed}|{self.account}|{field}".encode()).digest(), "big")


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution by its quantiles: at which share of all (basis points, 0 to 10^4, rising) it has which value."""

    shares: tuple[int, ...]
    values: tuple[int, ...]

    def at(self, drawn: int) -> int:
        """The value of a draw: on the straight line between the two quantiles around it, rounded down."""
        place = drawn * BPS
        rows = zip(self.shares, self.values, strict=True)
        for (lower, low), (upper, high) in pairwise(rows):
            if place < upper * DRAWN:
                return low + (high - low) * (place - lower * DRAWN) // ((upper - lower) * DRAWN)
        raise ValueError(f"{drawn} is not a draw")


def choose(weights: Mapping[T, int], drawn: int) -> T:
    """One of several by weight, in their order. At least one has a weight above 0."""
    left = pick(sum(weights.values()), drawn)
    for found, weight in weights.items():
        if left < weight:
            return found
        left -= weight
    raise ValueError("no weights to choose by")


def pick(count: int, drawn: int) -> int:
    """A whole number from 0 to ``count - 1``, each as likely as another."""
    return drawn * count // DRAWN
