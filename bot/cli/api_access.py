"""How a verb reaches the bot's API: its address, the caller's token, one call, and what went wrong as one sentence."""

import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import httpx
import typer

from bot import loopback

SECONDS = 40.0  # a hold answers when it is obeyed; a change when it is asked for
_INSIDE = (".svc", ".svc.cluster.local")  # names that only a cluster resolves, and keeps within
_TRY = "FERRY_API=http://127.0.0.1:8080 after kubectl -n migration-system port-forward deploy/ferry-bot 8080"


class NotDone(Exception):
    """`sentence` for people, `kind` for programs; `status` 0: nobody answered. `told`: as the API says it, where it does."""

    def __init__(self, sentence: str, kind: str, status: int = 0, told: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.kind = kind
        self.status = status
        self.told = dict(told) if told else {"kind": kind, "sentence": sentence}


def _not_typed(ctx: typer.Context, value: str) -> str:
    source = ctx.get_parameter_source("token")
    if source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("a token on a command line is seen by everybody here; set FERRY_API_TOKEN, or use --token-file")
    return value


Url = Annotated[str, typer.Option("--api", envvar="FERRY_API", help="where the bot listens, such as http://127.0.0.1:8080")]
Token = Annotated[str, typer.Option("--token", envvar="FERRY_API_TOKEN", hidden=True, callback=_not_typed)]
TokenFile = Annotated[Path | None, typer.Option(help="a file with your token; else FERRY_API_TOKEN has it", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="print what the API answers")]


@dataclass(frozen=True, slots=True)
class Access:
    """Where, and with whose token; never printed."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Access({self.url!r})"

    def get(self, path: str) -> dict[str, Any]:
        """Raises NotDone."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Once, also where the first answer was lost on its way. Raises NotDone."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "X-Ferry-Client": "cli",
            "Idempotency-Key": uuid.uuid4().hex,
        }
        direct = loopback.leads(self.url)
        with httpx.Client(base_url=f"{self.url}/api/v1/", timeout=SECONDS, trust_env=not direct) as client:
            try:
                try:
                    answer = client.request(method, path, json=body, headers=headers)
                except (httpx.ReadError, httpx.RemoteProtocolError):
                    answer = client.request(method, path, json=body, headers=headers)  # the same key: it is done once
            except httpx.TimeoutException:
                sentence = f"{self.url} gave no answer within {SECONDS:g} s; ferry status says whether it was done."
                raise NotDone(sentence, "late") from None
            except httpx.HTTPError as error:
                why = str(error) or type(error).__name__
                raise NotDone(f"{self.url} is not reached ({why}); see that the bot runs, or use {_TRY}.", "away") from None
        return _read(answer, self.url)


def access(url: str, token: str, token_file: Path | None) -> Access:
    """Ends the process with 2 and a sentence where something is missing or unsafe."""
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        usage(f"FERRY_API, or --api, does not say where the bot listens; use {_TRY}")
    if parts.scheme == "http" and not (loopback.names(parts.hostname or "") or (parts.hostname or "").endswith(_INSIDE)):
        usage(f"{url} would show your token to everybody on the way; write https://, or use {_TRY}")
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            usage(f"{token_file} cannot be read ({reason}); name the file that holds your token")
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        usage("there is no token; set FERRY_API_TOKEN, or name its file with --token-file")
    return Access(url.rstrip("/"), token)


def usage(sentence: str) -> NoReturn:
    """Asked wrongly: nothing was sent."""
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def _read(answer: httpx.Response, url: str) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        sentence = f"{url} answered with status {answer.status_code} and not as Ferry does; see that FERRY_API leads to the bot."
        raise NotDone(sentence, "strange", answer.status_code)
    if answer.status_code >= 400:
        told = document.get("error")
        told = told if isinstance(told, dict) else {}
        sentence = str(told.get("sentence") or f"{url} answered with status {answer.status_code}.")
        raise NotDone(sentence, str(told.get("kind") or "strange"), answer.status_code, told)
    return document
