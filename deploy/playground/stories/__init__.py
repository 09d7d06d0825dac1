"""Scripted stories: what a person would do on the page, done by a script, measured at the demo backends, judged afterwards.

`history` is what was recorded, `invariants` judges it and asks nobody; each story is one file. Nothing here is imported by
the playground's rooms below it, and what Ferry says of itself is never taken for a measured figure.
"""
