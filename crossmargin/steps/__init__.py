"""The actions a scenario's steps name, as text and as the protocol's records."""
