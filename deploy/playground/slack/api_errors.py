"""The one way in which a Web API method says no."""

from collections.abc import Sequence


class ApiError(Exception):
    """Slack's error word, with the sentences of `response_metadata.messages`, or what a missing scope needs."""

    def __init__(self, error: str, messages: Sequence[str] = (), **more: object) -> None:
        super().__init__(error)
        self.error = error
        self.messages = list(messages)
        self.more = more
