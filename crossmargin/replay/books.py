"""The money identities, kept from events alone.

Whoever reads only a twin's events can rebuild every balance; these books do, and check after each action that no
dollar and no token appeared or vanished (specs/invariants.md, C1 and C9).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from protocol.errors import InvariantBroken
from protocol.events import AccountUpdated, CollateralUpdated, EscrowUpdated, LedgerUpdated, MarketUpdated, TokenUpdated
from protocol.state import USDC
from protocol.units import USDC_TO_W


class Books:
    """Totals over everything one twin has reported so far."""

    def __init__(self) -> None:
        self.cash: dict[int, int] = {}
        self.units: dict[tuple[int, int], int] = {}
        self.held: dict[int, int] = {}
        self._cash_total = 0
        self._units_total: dict[int, int] = {}
        self._inventory: dict[int, int] = {}
        self._own = 0  # pool plus insurance less deficit
        self._impact: dict[int, int] = {}
        self._escrow = 0

    def take(self, events: Iterable[Any]) -> None:
        """Enter the events of one action. Raises ``InvariantBroken`` if an identity no longer holds."""
        touched = set()
        for event in events:
            if isinstance(event, AccountUpdated):
                self._cash_total += event.cash - self.cash.get(event.account, 0)
                self.cash[event.account] = event.cash
            elif isinstance(event, CollateralUpdated):
                key = (event.account, event.token)
                change = event.units - self.units.get(key, 0)
                self._units_total[event.token] = self._units_total.get(event.token, 0) + change
                self.units[key] = event.units
                touched.add(event.token)
            elif isinstance(event, LedgerUpdated):
                self._own = event.pool + event.insurance - event.deficit
            elif isinstance(event, EscrowUpdated):
                self._escrow = event.escrow
            elif isinstance(event, MarketUpdated):
                self._impact[event.market] = event.impact
            elif isinstance(event, TokenUpdated):
                self.held[event.token] = event.held
                self._inventory[event.token] = event.inventory
                touched.add(event.token)
        held = self.held.get(USDC, 0) * USDC_TO_W
        ledgers = self._cash_total + self._own + self._escrow + sum(self._impact.values())
        if ledgers != held:
            raise InvariantBroken(f"C1: ledgers sum to {ledgers}, USDC held is {held}")
        for token in touched - {USDC}:
            owned = self._units_total.get(token, 0) + self._inventory.get(token, 0)
            if owned != self.held.get(token, 0):
                raise InvariantBroken(f"C1: token {token}: {owned} owned, {self.held.get(token, 0)} held")
