"""Benchmarks: what is measured against the numbers that the design wants to reach. Never part of the tests.

`python -m tests.bench SUBJECT…` prints one JSON object a row; ratios are taken within one run, by interleaved rounds.
"""
