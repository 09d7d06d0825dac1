"""What Ferry keeps in Redis: pending operations, ids of messages seen, where cards were posted, the audit chain.

All of it is convenient, none of it is what safety needs: Redis may be away, come back empty, or old, at any time. Only
`bot.wiring` (and the command line) builds these; the use cases see `handlers.ports`. What does not live here: decisions,
and the truth about traffic, which is in the old cluster (`k8s`).
"""
