"""The front door: a Kubernetes API server on loopback, over HTTP or HTTPS."""

import ssl

import orjson
from aiohttp import web

from deploy.playground.kubernetes import bodies, discovery, failures, kinds, paths
from deploy.playground.kubernetes.answers import Answers, Call
from deploy.playground.kubernetes.failures import ApiFailure
from deploy.playground.kubernetes.faults import After, Faults
from deploy.playground.kubernetes.journal import Asked, Journal, Write
from deploy.playground.kubernetes.kinds import Json
from deploy.playground.kubernetes.objects import Objects
from deploy.playground.kubernetes.paths import Target
from deploy.playground.kubernetes.rbac import Rules
from deploy.playground.kubernetes.store import Store
from deploy.playground.kubernetes.tokens import Tokens, User
from deploy.playground.kubernetes.watching import Watch, Wish, error_line

_HEALTH = {"/livez", "/readyz", "/healthz"}
_FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class KubernetesStandIn:
    """One API server with its objects.

    `port` 0 picks a free one; it stays the same over `stop` and `start`, and so do all objects, tokens and versions.
    `bookmark_every`: seconds between bookmarks on watches that ask for them. `window`: past changes kept a kind.
    """

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        bookmark_every: float = 60.0,
        window: int = 5000,
    ) -> None:
        self._address = address
        self._port = port
        self._tls = tls
        self._bookmark_every = bookmark_every
        self._store = Store(window=window)
        self._journal = Journal(self._store)
        self.objects = Objects(self._journal)
        self._tokens = Tokens()
        self._rules = Rules(self._store)
        self._answers = Answers(self.objects, self._rules, self._tokens)
        self._watches: dict[Watch, None] = {}
        self.faults = Faults(compact=self._store.compact, watches=lambda: self._watches)
        self._runner: web.AppRunner | None = None
        for name in _FIRST_NAMESPACES:
            self.objects.create(kinds.NAMESPACE, "", {"metadata": {"name": name}}, Asked("system:apiserver"))
        self.writes.clear()

    @property
    def url(self) -> str:
        """`https://127.0.0.1:PORT` (or http). Known after the first start."""
        if not self._port:
            raise RuntimeError("The API stand-in has no address yet: await start() first")
        return f"{'https' if self._tls else 'http'}://{self._address}:{self._port}"

    @property
    def admin_token(self) -> str:
        """The administrator's bearer token (system:masters)."""
        return self._tokens.administrator

    @property
    def writes(self) -> list[Write]:
        """Every committed write so far, oldest first."""
        return self._journal.writes

    @property
    def resource_version(self) -> int:
        """The newest version handed out."""
        return self._store.version

    @property
    def open_watches(self) -> int:
        """How many watches are open, cut ones included."""
        return len(self._watches)

    def service_account_token(self, namespace: str, name: str) -> str:
        """The token mounted into pods of this service account: the same text until it is rotated. The account need not exist."""
        return self._tokens.standing(namespace, name)

    def rotate_token(self, namespace: str, name: str) -> str:
        """Refuses every older token of the account with 401 from now on, and returns a new one."""
        self._tokens.revoke(namespace, name)
        return self._tokens.standing(namespace, name)

    async def start(self) -> None:
        """Begins to listen. Raises OSError when the port is taken by somebody else."""
        if self._runner is not None:
            return
        application = web.Application(client_max_size=bodies.MOST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._serve)
        # A watcher that hangs up must not leave its handler waiting for the next change.
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self._address, self._port, ssl_context=self._tls, reuse_address=True)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        if not self._port:
            self._port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        """Cuts every connection and refuses new ones, as a dead server does. Objects stay."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        if runner.server is not None:
            for connection in list(runner.server.connections):
                if connection.transport is not None:
                    connection.transport.abort()
        await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        after = After.ANSWER
        try:
            user, target = self._user(request), _target(request)
            after = await self.faults.meet(target, user.name if user else "")
            if after is After.DROP:
                return _cut(request)
            response = await self._answer(request, target, user)
        except ApiFailure as failure:
            response = _encoded(failure.code, failure.status, failure.headers)
        return _cut(request) if after is After.COMMIT_THEN_DROP else response

    def _user(self, request: web.Request) -> User | None:
        """Who asks; None when it cannot be told, which only health checks allow."""
        try:
            user = self._tokens.recognise(request.headers.get("Authorization", ""))
        except ApiFailure:
            return None
        namespace, name, uid = user.account or ("", "", "")
        account = self._store.get(kinds.SERVICE_ACCOUNT, (namespace, name))
        return None if uid and (account is None or account["metadata"]["uid"] != uid) else user

    async def _answer(self, request: web.Request, target: Target | None, user: User | None) -> web.StreamResponse:
        if request.path.rstrip("/") in _HEALTH:
            return web.Response(text="ok")
        if user is None and request.path.rstrip("/") != "/version":
            raise failures.unauthorized()
        if target is None or user is None:
            found = discovery.document(request.path)
            if found is None:
                paths.locate(request.method, request.path, request.query)
                raise failures.no_such_path()
            return _encoded(200, found)
        selection = self._answers.authorise(target, user, request.query)
        if target.verb == "watch":
            return await self._stream(request, self._answers.wish(target, selection, request.query))
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise failures.too_large(bodies.MOST_BYTES) from error
        media = request.headers.get("Content-Type", "").partition(";")[0].strip()
        call = Call(target, user, request.query, media, request.headers.get("User-Agent", ""), body)
        code, answer = self._answers.answer(call, selection)
        response = _encoded(code, answer)
        for warning in call.warnings:
            response.headers.add("Warning", "299 - " + orjson.dumps(warning).decode())
        return response

    async def _stream(self, request: web.Request, wish: Wish) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        watch = Watch(wish, self._store, bookmark_every=self._bookmark_every)
        try:
            watch.begin()
        except ApiFailure as failure:
            if self.faults.gone_as_http:
                raise
            await response.prepare(request)
            await response.write(error_line(failure))
            return response
        self._watches[watch] = None
        try:
            await response.prepare(request)
            await watch.pour(response, self.faults.flowing)
        except ConnectionResetError:
            return response
        finally:
            watch.end()
            del self._watches[watch]
        return _cut(request) if watch.reset else response


def _target(request: web.Request) -> Target | None:
    """What is asked for, None when it is no object: the refusal comes later, after the question who asks."""
    try:
        return paths.locate(request.method, request.path, request.query)
    except ApiFailure:
        return None


def _encoded(code: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=code, body=orjson.dumps(body), content_type="application/json", headers=headers)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
