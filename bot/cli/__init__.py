"""The `ferry` command: one file a group of verbs. Each verb prints one answer and ends with 0 ok, 1 refused, 2 usage.

Only `bot.__main__` imports this package. Verbs of other packages (`playground`) are found through the entry point group
`ferry.commands`, so that nothing of the bot imports them.
"""
