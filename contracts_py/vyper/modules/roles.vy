# @title Storage of roles, the oracle, the pause and the routes

admin: address
pending_admin: address
guardian: address
oracle: address
opening_paused: bool
routes: HashMap[bytes4, address]  # selector -> engine; written by the router's constructor only
