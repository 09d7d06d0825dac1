"""Faults made on purpose: a real agent and a real nginx lose something, and what must hold all the same is counted."""
