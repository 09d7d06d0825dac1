"""A Slack on loopback: the Web API, Socket Mode, signed HTTP mode, and a page that looks and behaves like Slack.

It keeps the real one's limits and refusals (deadlines, single-use triggers, scopes, rate limits, Block Kit), because a
stand-in that says yes to everything proves nothing. It knows nothing of Ferry beyond the app manifest it is given.

`server` wires the rooms together; `driver` is a person at the keyboard for tests and stories; `page` serves the same
person a browser. State lives in `workspace`, what reaches the app leaves through `deliveries`, what the app asks
arrives at `web_api`.
"""
