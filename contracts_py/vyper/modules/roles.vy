# @title Storage of roles, the oracle and the pause

admin: address
guardian: address
oracle: address
opening_paused: bool
