"""The outside world and the wiring: settings, Slack, Redis, the web endpoints, the clock, logs, the command line.

Here lives everything that speaks with something Ferry does not own. `bot.settings` alone reads the environment;
`bot.wiring` alone builds the whole. What does not live here: decisions (`handlers.rules`), the order of things
(`handlers`), anything of the cluster (`k8s`). Only `deploy.playground` may import this package, and `bot` never
imports the playground: the `ferry` command finds it through an entry point.
"""
