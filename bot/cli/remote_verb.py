"""What every verb that asks the bot has: where the bot is, whose token it shows, how the answer is printed, `--wait`.

`asks` adds these options to a function and gives it one `Line` in their place.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bot.cli import api_access, following, remote_calls

Document = remote_calls.Document
Wait = Annotated[bool, typer.Option("--wait", help="follow what was asked for, line by line, until it is decided and done")]
_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_OPTIONS = (
    inspect.Parameter("api", _KEYWORD, default="", annotation=api_access.Url),
    inspect.Parameter("token", _KEYWORD, default="", annotation=api_access.Token),
    inspect.Parameter("token_file", _KEYWORD, default=None, annotation=api_access.TokenFile),
    inspect.Parameter("as_json", _KEYWORD, default=False, annotation=api_access.AsJson),
)
_WAIT = inspect.Parameter("wait", _KEYWORD, default=False, annotation=Wait)


@dataclass(frozen=True, slots=True)
class Line:
    """One command line that asks the bot."""

    at: api_access.Access
    as_json: bool = False
    wait: bool = False

    def look(self, ask: Callable[[], Document], lines: Callable[[Document], Iterable[str]]) -> Document:
        """Prints the answer. Ends the process with 1 where there is none."""
        return remote_calls.tell(ask, lines, as_json=self.as_json)

    def tell(self, ask: Callable[[], Document], lines: Callable[[Document], Iterable[str]]) -> Document:
        """As `look`, and with `--wait` everything that follows the answer; ends with 1 where that came to nothing."""
        followed = (lambda asked: following.followed(self.at, asked, aloud=not self.as_json)) if self.wait else None
        return remote_calls.tell(ask, lines, as_json=self.as_json, then=followed)


def asks(*, waits: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`waits`: it asks for something that is decided and done later."""

    def verb_of(work: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]  # the first is the line

        def verb(**given: Any) -> None:
            at = api_access.access(given.pop("api"), given.pop("token"), given.pop("token_file"))
            work(Line(at, as_json=given.pop("as_json"), wait=given.pop("wait", False)), **given)

        verb.__name__, verb.__doc__, verb.__module__ = work.__name__, work.__doc__, work.__module__
        more = (*_OPTIONS, *([_WAIT] if waits else []))
        verb.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]  # what Typer makes options of
        verb.__annotations__ = {one.name: one.annotation for one in (*own, *more)}
        return verb

    return verb_of
