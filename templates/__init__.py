"""Words and texts, no code: nginx config, the words of every card, the playground's page. `read` finds them.

Anybody may import this package; it imports nothing of Ferry.
"""
