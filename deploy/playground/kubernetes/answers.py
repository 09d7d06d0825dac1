"""One request, answered: authorised, read, handed to the semantic core, and encoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deploy.playground.kubernetes import bodies, failures, kinds, lists, reviews, scale, selectors
from deploy.playground.kubernetes.deletion import Options
from deploy.playground.kubernetes.journal import Asked
from deploy.playground.kubernetes.kinds import Json
from deploy.playground.kubernetes.objects import Objects
from deploy.playground.kubernetes.paths import Target
from deploy.playground.kubernetes.rbac import Question, Rules
from deploy.playground.kubernetes.selectors import Selection
from deploy.playground.kubernetes.tokens import Tokens, User
from deploy.playground.kubernetes.watching import Wish


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came, with who sent it."""

    target: Target
    user: User
    query: Mapping[str, str]
    media: str
    agent: str
    body: bytes

    warnings: list[str] = field(default_factory=list)

    def asked(self, options_kind: str, *, is_apply: bool = False) -> Asked:
        """How this write is asked for."""
        asked = bodies.asked(self.query, user=self.user.name, agent=self.agent, options_kind=options_kind, is_apply=is_apply)
        return replace(asked, warnings=self.warnings)


class Answers:
    """Answers calls. Synchronous: between reading a body and answering nothing else runs, so every write is one step."""

    def __init__(self, objects: Objects, rules: Rules, tokens: Tokens) -> None:
        self._objects = objects
        self._rules = rules
        self._tokens = tokens

    def authorise(self, target: Target, user: User, query: Mapping[str, str]) -> Selection:
        """The selection of the request. Raises 403 when RBAC does not allow it."""
        selection = Selection()
        if target.verb in {"list", "watch", "deletecollection"}:
            selection = selectors.parse(target.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        self._rules.require(user, target.kind, target.question(selected_name=selection.name))
        return selection

    def wish(self, target: Target, selection: Selection, query: Mapping[str, str]) -> Wish:
        """What a watch request asks for. Raises 422 for parameters that contradict each other."""
        initial = bodies.truth(query.get("sendInitialEvents", ""))
        match = query.get("resourceVersionMatch", "")
        causes = failures.Causes(kinds.Kind("ListOptions", "", "meta.k8s.io"), "")
        if match and not initial:
            causes.forbidden(
                "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        if initial and match != "NotOlderThan":
            causes.forbidden("sendInitialEvents", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        causes.refuse_if_any()
        return Wish(
            kind=target.kind,
            namespace=target.namespace,
            selection=selection,
            version=bodies.number(query.get("resourceVersion", ""), "resourceVersion"),
            timeout=bodies.number(query.get("timeoutSeconds", ""), "timeoutSeconds"),
            bookmarks=bodies.truth(query.get("allowWatchBookmarks", "")),
            initial_events=initial,
        )

    def answer(self, call: Call, selection: Selection) -> tuple[int, Json]:
        """HTTP status and body for everything but a watch."""
        target = call.target
        if len(call.body) > bodies.MOST_STORED_BYTES:
            raise failures.internal("etcdserver: request is too large")
        if not target.kind.stored:
            return 201, reviews.answer(
                target.kind, bodies.item(call.body, call.media), call.user, rules=self._rules, tokens=self._tokens
            )
        if target.subresource in {"scale", "token", "binding", "eviction"}:
            return self._special(call)
        match target.verb:
            case "get":
                return 200, self._objects.get(target.kind, target.namespace, target.name)
            case "list":
                return 200, lists.answer(self._objects.store, target.kind, target.namespace, selection, call.query)
            case "create":
                return self._create(call)
            case "update":
                body = bodies.item(call.body, call.media)
                item, created = self._objects.replace(
                    target.kind, target.namespace, target.name, body, call.asked("UpdateOptions"), subresource=target.subresource
                )
                return (201 if created else 200), item
            case "patch":
                return self._patch(call)
            case "delete":
                return self._delete(call)
        return self._delete_all(call, selection)

    def _create(self, call: Call) -> tuple[int, Json]:
        target = call.target
        body = bodies.item(call.body, call.media)
        return 201, self._objects.create(target.kind, target.namespace, body, call.asked("CreateOptions"))

    def _patch(self, call: Call) -> tuple[int, Json]:
        target = call.target
        if call.media != bodies.APPLY:
            asked = call.asked("PatchOptions")
            change = bodies.change(target.kind, call.body, call.media)
            return 200, self._objects.patch(
                target.kind, target.namespace, target.name, change, asked, subresource=target.subresource
            )
        asked = call.asked("PatchOptions", is_apply=True)
        if self._objects.store.get(target.kind, (target.namespace, target.name)) is None:
            creation = Question("create", target.kind.group, target.kind.plural, target.namespace, target.name)
            self._rules.require(call.user, target.kind, creation)
        item, created = self._objects.apply(
            target.kind,
            target.namespace,
            target.name,
            bodies.item(call.body, call.media),
            asked,
            force=bodies.truth(call.query.get("force", "")),
            subresource=target.subresource,
        )
        return (201 if created else 200), item

    def _delete(self, call: Call) -> tuple[int, Json]:
        target = call.target
        options, dry_run = bodies.deletion(call.body, call.media, call.query)
        live = self._objects.get(target.kind, target.namespace, target.name)
        last, gone = self._objects.deletions.delete(target.kind, live, options, Asked(call.user.name, dry_run=dry_run))
        if not gone or target.kind.returns_deleted:
            return 200, last
        details = {"name": target.name, "kind": target.kind.plural, "uid": last["metadata"]["uid"]}
        if target.kind.group:
            details["group"] = target.kind.group
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _delete_all(self, call: Call, selection: Selection) -> tuple[int, Json]:
        target = call.target
        options, dry_run = bodies.deletion(call.body, call.media, call.query)
        asked = Asked(call.user.name, dry_run=dry_run)
        chosen = [item for item in self._objects.store.all(target.kind, target.namespace) if selection.matches(item)]
        for item in chosen:
            key = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
            live = self._objects.store.get(target.kind, key)
            if live is not None:
                self._objects.deletions.delete(target.kind, live, options, asked)
        metadata = {"resourceVersion": str(self._objects.store.version)}
        listed = {"kind": f"{target.kind.kind}List", "apiVersion": target.kind.api_version, "metadata": metadata, "items": chosen}
        return 200, listed

    def _special(self, call: Call) -> tuple[int, Json]:
        target = call.target
        live = self._objects.get(target.kind, target.namespace, target.name)
        if target.subresource == "scale":
            return 200, scale.view(live if target.verb == "get" else self._rescale(call))
        body = bodies.item(call.body, call.media)
        if target.subresource == "token":
            dry_run = call.query.get("dryRun") == "All"
            return 201, reviews.token(live, body, self._tokens, dry_run=dry_run)
        if target.subresource == "binding":
            asked = call.asked("CreateOptions")
            self._objects.bind(live, (body.get("target") or {}).get("name", ""), asked)
        else:
            asked = call.asked("CreateOptions")
            self._objects.deletions.delete(target.kind, live, Options(), asked)
        return 201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _rescale(self, call: Call) -> Json:
        target = call.target
        asked = call.asked("UpdateOptions" if target.verb == "update" else "PatchOptions")
        if target.verb == "update":
            wanted = bodies.item(call.body, call.media)

            def change(item: Json) -> Json:
                return scale.scaled(item, wanted)
        else:
            patch = bodies.change(kinds.DEPLOYMENT, call.body, call.media)

            def change(item: Json) -> Json:
                return scale.scaled(item, patch(scale.view(item)))

        return self._objects.patch(target.kind, target.namespace, target.name, change, asked, subresource="scale")
