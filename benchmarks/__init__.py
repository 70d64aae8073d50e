"""Measurements: gas of every action, and the figures that decisions rest on."""
