"""Asks Prometheus, for all services at once and beside everything else: `handlers.ports.Measures`.

The customer's client blocks, so it lives in a thread of its own; nothing waits for it, `look` gives what was seen last.
"""

import asyncio
import io
import json
import threading
from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib import parse

import requests
import structlog
from urllib3.util import retry

from bot import background, prometheus_queries, prometheus_readings
from handlers import ports
from handlers.rules import gates

_LOG = structlog.get_logger(__name__)
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0  # without a byte
_ANSWER_SECONDS = 10.0  # for one whole answer
_MOST_BYTES = 8_000_000
_PIECE = 65_536
_LATE_SECONDS = 10.0  # a round may take that long without the last one being too old
_QUERY_WRONG = (400, 422)
_MOST_SHOWN = 200  # characters of what Prometheus says
NOT_SET_UP = "Prometheus is not asked here: the settings give no address of it (prometheus.url)."


class _Away(Exception):
    """Why no query can be asked, as part of a sentence; never with what a library says: that may hold the address."""


class _Refused(Exception):
    """Prometheus answers, but not to this query."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last round that was answered: when it began (monotonic)."""

    at: float
    look: gates.Look


class PrometheusLook:
    """`url`: http(s)://[user:password@]host:port[/path]; empty: nothing is asked. `window`: seconds that are looked at.

    `every`: seconds between rounds. `queries`: PromQL by the names of `prometheus_queries`, in place of what ships. Raises
    ValueError with a sentence for queries or a window that cannot be asked.
    """

    def __init__(
        self, *, url: str, window: float, every: float, clock: ports.Clock, queries: Mapping[str, str] | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._window = window
        self._every = every
        self._clock = clock
        self._queries = prometheus_queries.queries(queries or {}, window=window)
        self._shown = _shown(self._url)
        self._trouble = "it has not been asked yet"
        self._seen: _Seen | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: futures.ThreadPoolExecutor | None = None
        self._ending = threading.Event()
        self._client: Any = None  # only the thread uses it

    @property
    def configured(self) -> bool:
        return bool(self._url)

    def look(self) -> gates.Look:
        """As of the last round; at no cost. `trouble` where there is none, or the last one is too old to count."""
        if not self._url:
            return gates.Look(self._clock.now(), trouble=NOT_SET_UP)
        seen = self._seen
        if seen is not None:
            age = self._clock.monotonic() - seen.at
            if age <= 2 * self._every + _LATE_SECONDS:
                return seen.look
            why = self._trouble or "a round takes too long"
            return gates.Look(seen.look.at, trouble=self._away(f"{why}; its last answer is {age:.0f} s old"))
        return gates.Look(self._clock.now(), trouble=self._away(self._trouble))

    def start(self) -> None:
        """Asks from now on; without an address it never does."""
        if self._url and self._task is None:
            self._task = asyncio.create_task(self._run(), name="prometheus")

    async def stop(self) -> None:
        """Returns when the thread has ended: after the answer that it waits for."""
        task, self._task = self._task, None
        thread, self._thread = self._thread, None
        self._ending.set()
        await background.end(task)
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)

    async def ask(self) -> None:
        """One round. What it fails with is told by `look`, once the last good round is too old."""
        if self._thread is None:
            self._thread = futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="prometheus")
            self._ending.clear()
        began, now = self._clock.monotonic(), self._clock.now()
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._round, now)
        except _Away as error:
            if str(error) != self._trouble:
                _LOG.warning("Prometheus cannot be asked; no gate passes without it", why=str(error), where=self._shown)
            self._trouble = str(error)
            return
        before, self._trouble = self._trouble, ""
        if before or self._seen is None or self._seen.look.trouble != found.trouble:
            _LOG.info("Prometheus answers", trouble=found.trouble, services=len(found.services))
        self._seen = _Seen(began, found)

    async def _run(self) -> None:
        while True:
            try:
                await self.ask()
            except Exception:  # noqa: BLE001 whatever fails with one answer, the next question must be asked
                _LOG.exception("a look at Prometheus failed; the next one is made all the same")
                self._trouble = "the last look at it failed in the bot itself; its log says how"
            await self._clock.sleep(self._every)

    def _away(self, why: str) -> str:
        return f"Prometheus at {self._shown} cannot be asked ({why}); see that it runs and that the address is right."

    # From here on: in the thread.

    def _round(self, now: datetime) -> gates.Look:
        """Raises _Away."""
        answers: dict[str, prometheus_readings.Answer] = {}
        for name, text in self._queries.items():
            if self._ending.is_set():
                raise _Away("the bot ends")
            try:
                answers[name] = prometheus_readings.Answer(self._answer(text))
            except _Refused as error:
                answers[name] = prometheus_readings.Answer(trouble=f"Prometheus refuses it: {error}")
        return prometheus_readings.look(answers, window=self._window, at=now)

    def _answer(self, query: str) -> Any:
        """Raises _Away, _Refused."""
        try:
            if self._client is None:
                self._client = _connect(self._url, self._clock)
            # partial_response: what stands before several Prometheus must not leave one out without a word.
            return self._client.custom_query(
                query, params={"partial_response": "false"}, timeout=(_CONNECT_SECONDS, _READ_SECONDS)
            )
        except requests.exceptions.JSONDecodeError:
            raise _Away("its answer is no JSON; is this address Prometheus's") from None
        except requests.Timeout:
            raise _Away(f"it did not answer within {_READ_SECONDS:g} s") from None
        except requests.exceptions.SSLError:
            raise _Away("its certificate is not trusted") from None
        except requests.TooManyRedirects:
            raise _Away("it redirects; give the address where it answers itself") from None
        except requests.ConnectionError:
            raise _Away("there is no connection") from None
        except (requests.RequestException, ValueError):
            raise _Away("it cannot be asked at this address") from None
        except (KeyError, TypeError):
            raise _Away("its answer is none of Prometheus; is this its address") from None

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _connect(url: str, clock: ports.Clock) -> Any:
    """The customer's client, with a session of ours: no proxy variables, no redirects, no second tries, bounded answers."""
    # Imported here, in the thread: only who asks Prometheus pays. This module of it needs neither pandas nor matplotlib.
    from prometheus_api_client import prometheus_connect  # noqa: PLC0415

    parts = parse.urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.hooks["response"] = [lambda response, **_: _bounded(response, clock)]
    named = (parse.unquote(parts.username), parse.unquote(parts.password or "")) if parts.username else None
    return prometheus_connect.PrometheusConnect(url=plain, session=session, auth=named, retry=retry.Retry(0, read=False))


def _bounded(response: requests.Response, clock: ports.Clock) -> requests.Response:
    """The whole answer, if it is neither too large nor too slow. Raises _Away, _Refused for what is no answer."""
    limit = clock.monotonic() + _ANSWER_SECONDS
    body = bytearray()
    with response:
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > _MOST_BYTES:
                raise _Away(f"an answer is larger than {_MOST_BYTES} bytes")
            if clock.monotonic() > limit:
                raise _Away(f"an answer took longer than {_ANSWER_SECONDS:g} s")
    if response.status_code in _QUERY_WRONG:
        raise _Refused(_said(bytes(body)))
    if response.status_code != requests.codes.ok and not response.is_redirect:
        raise _Away(f"it answers {response.status_code}")
    whole = requests.Response()
    whole.status_code, whole.headers, whole.url = response.status_code, response.headers, response.url
    whole.request, whole.raw = response.request, io.BytesIO(bytes(body))
    return whole


def _said(body: bytes) -> str:
    """What Prometheus says of a query that it does not take."""
    try:
        text = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why"
    return " ".join(text.split())[:_MOST_SHOWN]


def _shown(url: str) -> str:
    """Without user and password."""
    try:
        parts = parse.urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(an address that cannot be read)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
