"""The pure core: values in, a decision out. No I/O, no clock, no random, no logging; a contract checks it.

Everything that may raise exposure goes through `decide`. The transition table is data, and a test walks every phase
and every message through it. Only `handlers` imports this package.
"""
