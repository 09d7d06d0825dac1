"""The edge: every change is rehearsed by the API server itself (dryRun), shown, and carried out exactly so.

`ports.Entries` of the handlers, structurally. Nothing of anybody else's is taken by force; only the way back to old is.
"""

import asyncio
from collections.abc import Callable, Mapping

from k8s import client, entry_change, errors, model
from k8s.entries import app_ingress, app_routes, difference, entry_kinds, old_application, planning, sight, standing
from k8s.entries import entry_names as names
from k8s.entries.entry_names import EntrySettings, Json, Place
from k8s.entries.steps import Apply, Course, Delete, Found, Pause, Rewrite, Step, UntilGone

_TRIES = 4
_Planned = list[tuple[Step, entry_change.ObjectChange | None]]


class Entries:
    """`services`: those of `migration.yaml`, by name. Seconds: `settle`, until an ingress has surely followed a change (at most
    3.3 s until it looks, 1 s until its workers know); `pods_gone`, how long removal waits for pods; `look_again` between looks.
    """

    def __init__(
        self,
        api: client.ClusterClient,
        settings: EntrySettings,
        services: Callable[[], Mapping[str, model.Service]],
        *,
        settle: float = 5.0,
        pods_gone: float = 120.0,
        look_again: float = 1.0,
    ) -> None:
        self._api = api
        self._settings = settings
        self._services = services
        self._settle = settle
        self._pods_gone = pods_gone
        self._look_again = look_again
        self._sight = sight.Sight(api)

    def start(self) -> None:
        """Returns at once; an API server that is away is tried until it answers."""
        self._sight.start()

    async def stop(self) -> None:
        await self._sight.stop()

    def view(self, service: str) -> entry_change.EntryView:
        """As of the last event; UNKNOWN while the cluster cannot be watched."""
        wished = self._services()
        one = wished.get(service)
        if one is None:
            return entry_change.EntryView(sentence=f"{service} is not in migration.yaml: nobody knows its entry")
        if self._sight.trouble:
            return entry_change.EntryView(sentence=self._sight.trouble)
        return standing.view(one, self._sight.of(one, wished, self._settings))

    async def plan(self, service: model.Service, stage: entry_change.Stage) -> entry_change.Arrangement:
        """By a dry run: nothing is changed. Raises errors.ClusterError."""
        course, planned = await self._planned(service, stage)
        return _arrangement(service, stage, course, planned)

    async def arrange(self, service: model.Service, stage: entry_change.Stage, objects: tuple[tuple[str, str], ...]) -> str:
        """Exactly these (`Arrangement.objects`), in order; what is so already is left. Answers what was done, one sentence.

        Raises errors.Conflict when somebody owns, or has moved, what is to be changed; other errors.ClusterError. BYPASS is made
        from what stands there now, whatever was shown before: it leads to old.
        """
        if stage is not entry_change.Stage.BYPASS:
            course, planned = await self._planned(service, stage)
            _demand(_arrangement(service, stage, course, planned), objects)
            return await self._carry_out(planned)
        for number in range(_TRIES):
            course = planning.course(service, stage, await self._find(service, stage))
            if course.troubles:
                raise errors.Conflict(course.troubles[0])
            try:
                return await self._carry_out([(step, None) for step in course.steps])
            except errors.Conflict:
                if number == _TRIES - 1:
                    raise  # else somebody wrote at the same moment: look again
        raise AssertionError("unreachable")

    async def _planned(self, service: model.Service, stage: entry_change.Stage) -> tuple[Course, _Planned]:
        found = await self._find(service, stage)
        course = planning.course(service, stage, found)
        ingresses = {names.place(item): item for item in found.ingresses}
        planned: _Planned = []
        for step in course.steps:
            match step:
                case Apply():
                    planned.append((step, await self._rehearsed(step)))
                case Rewrite():
                    planned.append((step, await self._rehearsed_rewrite(step, ingresses[step.where])))
                case Delete():
                    where = step.where
                    digest = entry_change.digest({"uid": step.uid})  # another of its name is not what was approved
                    change = entry_change.ObjectChange(
                        entry_change.Verb.DELETE, step.kind, where.namespace, where.name, digest=digest
                    )
                    planned.append((step, change))
                case _:
                    planned.append((step, None))
        return course, planned

    async def _find(self, service: model.Service, stage: entry_change.Stage) -> Found:
        homes = {place.namespace for one in app_routes.backends(service) if (place := names.place_of(one)) is not None}
        spaces = sorted({*homes, self._settings.namespace})
        ingresses, services, slices = await asyncio.gather(
            self._listed("Ingress", entry_kinds.INGRESSES, ("",)),
            self._listed("Service", entry_kinds.SERVICES, spaces),
            self._listed("EndpointSlice", entry_kinds.SLICES, spaces),
        )
        owned: dict[str, tuple[Json, ...]] = {}
        if stage is entry_change.Stage.REMOVE:
            kinds = {
                **{kind: entry_kinds.RESOURCES[kind] for kind in old_application.WORKLOADS},
                "HorizontalPodAutoscaler": entry_kinds.SCALERS,
                "PodDisruptionBudget": entry_kinds.BUDGETS,
                "Pod": client.PODS,
            }
            lists = await asyncio.gather(*(self._listed(kind, one, sorted(homes)) for kind, one in kinds.items()))
            owned = dict(zip(kinds, lists, strict=True))
        return Found(
            ingresses=ingresses,
            services={names.place(item): item for item in services},
            ready=sight.ready_endpoints(slices),
            wished=self._services(),
            settings=self._settings,
            owned=owned,
        )

    async def _listed(self, kind: str, resource: client.Resource, spaces: "list[str] | tuple[str, ...]") -> tuple[Json, ...]:
        """Of these namespaces; items of a list do not say their kind."""
        lists = await asyncio.gather(*(self._api.list(resource, one) for one in spaces))
        return tuple({"apiVersion": resource.group_version, "kind": kind, **item} for one in lists for item in one["items"])

    async def _rehearsed(self, step: Apply) -> entry_change.ObjectChange:
        kind, where = str(step.document["kind"]), names.place(step.document)
        live = await self._live(kind, where)
        conflict, text = "", ""
        try:
            planned = await self._apply(step, dry_run=True)
            text = difference.diff(live, planned if live is not None else step.document)
        except errors.Conflict as error:
            conflict = (
                f"{step.title} belongs to somebody else: {error}. Let its owner make it what the plan shows, or remove it there, "
                "and ask again; Ferry takes nothing by force"
            )
        return _change(kind, where, entry_change.digest(step.document), text, conflict)

    async def _rehearsed_rewrite(self, step: Rewrite, live: Json) -> entry_change.ObjectChange:
        wanted = {"rules": list(step.wanted.rules), "annotations": dict(step.wanted.annotations)}
        digest = entry_change.digest({"Ingress": str(step.where), **wanted})
        if step.wanted.stands(live):
            return _change("Ingress", step.where, digest, "", "")
        again, _ = app_routes.owners_of_rules(live)
        conflict = ""
        if again and not step.force and step.wanted.rules != app_ingress.rules_of(live):
            conflict = (
                f"the rules of {step.title} belong to {', '.join(sorted(set(again)))}, which would put them back: change them in "
                "its source to what the plan shows, and ask again; Ferry takes nothing by force"
            )
        planned = await self._patch(step, dry_run=True)
        return _change("Ingress", step.where, digest, difference.diff(live, planned), conflict)

    async def _carry_out(self, planned: _Planned) -> str:
        done: list[str] = []
        try:
            for number, (step, change) in enumerate(planned):
                match step:
                    case Apply() if change is None or change.diff:
                        await self._apply(step)
                        done.append(f"{step.title} applied")
                    case Rewrite() if await self._rewrite(step):
                        done.append(f"{step.title} changed")
                    case Delete() if await self._delete(step):
                        done.append(f"{step.title} deleted")
                    case Pause() if any(one is not None and _acts(one) for _, one in planned[number:]):
                        await asyncio.sleep(self._settle)
                    case UntilGone():
                        await self._until_gone(step)
        except errors.ClusterError as error:
            before = "; done before: " + ", ".join(done) if done else "; nothing was changed"
            raise _with_more(error, f"{error}{before}") from error
        return ", ".join(done) if done else "everything was so already"

    async def _rewrite(self, step: Rewrite) -> bool:
        """False: it was so already. Somebody else's status updates do not stand in the way, other rules do."""
        for _ in range(_TRIES):
            live = await self._api.get(entry_kinds.INGRESSES, *step.where)
            if step.wanted.stands(live):
                return False
            if app_ingress.rules_of(live) not in (step.before, step.wanted.rules):
                raise errors.Conflict(f"the rules of {step.title} were changed meanwhile; plan it again")
            try:
                await self._patch(step, version=str(live["metadata"].get("resourceVersion") or ""))
            except errors.Conflict:
                continue
            return True
        raise errors.Conflict(f"{step.title} changed {_TRIES} times while it was written; plan it again")

    async def _patch(self, step: Rewrite, *, version: str = "", dry_run: bool = False) -> Json:
        metadata: Json = {"annotations": dict(step.wanted.annotations)}
        if version:
            metadata["resourceVersion"] = version
        body = {"metadata": metadata, "spec": {"rules": list(step.wanted.rules)}}
        return await self._api.patch(entry_kinds.INGRESSES, *step.where, body, field_manager=names.MANAGER, dry_run=dry_run)

    async def _apply(self, step: Apply, *, dry_run: bool = False) -> Json:
        return await self._api.patch(
            entry_kinds.RESOURCES[str(step.document["kind"])],
            *names.place(step.document),
            step.document,
            kind=client.PatchKind.APPLY,
            field_manager=names.MANAGER,
            force=step.force,
            dry_run=dry_run,
        )

    async def _delete(self, step: Delete) -> bool:
        try:
            await self._api.delete(entry_kinds.RESOURCES[step.kind], *step.where, uid=step.uid)
        except errors.Missing:
            return False
        return True

    async def _until_gone(self, step: UntilGone) -> None:
        labels = ",".join(f"{name}={value}" for name, value in sorted(step.labels.items()))
        try:
            async with asyncio.timeout(self._pods_gone):
                while True:
                    if not (await self._api.list(client.PODS, step.namespace, labels=labels))["items"]:
                        return
                    await asyncio.sleep(self._look_again)
        except TimeoutError:
            told = f"pods with {labels} are still there in {step.namespace} after {self._pods_gone:g} s"
            raise errors.Busy(f"{told}: look at them (finalizers, long ends), then ask again; the rest waits") from None

    async def _live(self, kind: str, where: Place) -> Json | None:
        try:
            return await self._api.get(entry_kinds.RESOURCES[kind], *where)
        except errors.Missing:
            return None


def _change(kind: str, where: Place, digest: str, text: str, conflict: str) -> entry_change.ObjectChange:
    return entry_change.ObjectChange(
        entry_change.Verb.APPLY, kind, where.namespace, where.name, digest=digest, diff=text, conflict=conflict
    )


def _arrangement(
    service: model.Service, stage: entry_change.Stage, course: Course, planned: _Planned
) -> entry_change.Arrangement:
    changes = tuple(change for _, change in planned if change is not None)
    return entry_change.Arrangement(stage, service.name, changes, course.left, course.troubles)


def _demand(arrangement: entry_change.Arrangement, objects: tuple[tuple[str, str], ...]) -> None:
    """What is left to do must be part of what was approved: what is missing in it was done before, or is gone."""
    if wrong := (*arrangement.troubles, *arrangement.conflicts):
        raise errors.Conflict(wrong[0])
    approved = set(objects)
    moved = [name for name, digest in arrangement.objects if (name, digest) not in approved]
    if moved:
        raise errors.Conflict(f"{', '.join(moved)} would become something else than was approved; plan it again")


def _acts(change: entry_change.ObjectChange) -> bool:
    return bool(change.diff) or change.verb is entry_change.Verb.DELETE


def _with_more(error: errors.ClusterError, sentence: str) -> errors.ClusterError:
    if isinstance(error, errors.Busy):
        return errors.Busy(sentence, retry_after=error.retry_after)
    return type(error)(sentence)
