"""Measurements, run by hand: each module prints what it measured, and asserts nothing."""
