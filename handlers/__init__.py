"""What happens when: one use case a file, the pure core that decides (`rules`), and the one place that acts (`perform`).

A message comes in, a use case loads what it needs through `ports`, asks `rules.decide`, and hands the effects to
`perform`. Lowering traffic has its own short lane (`hold`), which needs none of that. What does not live here: Slack,
Redis, HTTP, clocks, the Kubernetes client. `bot` and the playground may import this package.
"""
