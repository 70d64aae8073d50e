"""Replaying scenarios on model and contracts."""
