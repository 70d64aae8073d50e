# pragma version 0.4.3
# pragma nonreentrancy on
# @title Roles: who may do what, and the pause
# @notice Twin of the second half of protocol/governance.py; rules in specs/actions/governance.md.
# @custom:kill The guardian stops the growth of positions; the admin cannot stop anything else.

from modules import storage
initializes: storage

from modules import events
from modules import roles

uses: roles


@external
def pause_opening(paused: bool):
    """
    @notice Stop the growth of positions, or resume it; the guardian may only stop it (GOV-4).
    """
    assert msg.sender == roles.admin or (paused and msg.sender == roles.guardian), "role/not-guardian"
    roles.opening_paused = paused
    log events.OpeningPaused(paused=paused)


@external
def propose_admin(admin: address):
    """
    @notice Name the next admin; nothing changes until that address accepts (GOV-6).
    """
    self._check_admin()
    roles.pending_admin = admin
    self._report_roles()


@external
def accept_admin():
    """
    @notice Become admin, if one was proposed (GOV-6).
    """
    assert msg.sender == roles.pending_admin, "role/not-pending"
    roles.admin = msg.sender
    roles.pending_admin = empty(address)
    self._report_roles()


@external
def set_guardian(guardian: address):
    """
    @notice Name the guardian (GOV-7).
    """
    self._check_admin()
    roles.guardian = guardian
    self._report_roles()


@internal
def _report_roles():
    """Report who may do what."""
    log events.RolesSet(admin=roles.admin, pending_admin=roles.pending_admin, guardian=roles.guardian)


@internal
@view
def _check_admin():
    """Refuse a sender who is not the admin."""
    assert msg.sender == roles.admin, "role/not-admin"
