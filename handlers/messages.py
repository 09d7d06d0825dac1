"""Typed messages: every stimulus becomes one of these before anything is decided."""
