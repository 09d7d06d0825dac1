"""Slack, and nothing but Slack: words in, cards out, and the connection that carries both.

Pure files say what a person asked for (`parsing`, `buttons`) and what may stand in a card (`block_limits`, `escaping`);
they do no I/O and read no clock. Decisions do not live here: a click or a command becomes a
typed message (`handlers.messages`), and what a card shows comes from the store, never from a button or a message's text.
Besides the wiring only the other ways in import from here: the API asks `people` who somebody is, the command line reads a
strategy with `strategy_text`, so that nobody is two persons and no rule has two spellings.
"""
