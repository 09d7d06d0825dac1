"""views.open, push, update and publish as the Web API answers them."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deploy.playground.slack import block_rules, grants, records, view_making, workspace
from deploy.playground.slack.api_errors import ApiError

Json = dict[str, Any]


class ViewMethods:
    def __init__(self, space: workspace.Workspace, triggers: grants.Triggers, *, has_home: bool) -> None:
        self._space = space
        self._triggers = triggers
        self._has_home = has_home

    @property
    def table(self) -> Mapping[str, Callable[[Json], Awaitable[Json]]]:
        return {
            "views.open": self.open,
            "views.push": self.push,
            "views.update": self.update,
            "views.publish": self.publish,
        }

    async def open(self, asked: Json) -> Json:
        body = _checked(asked, "modal")
        redeemed = self._redeem(asked)
        self._refuse_taken_external_id(body, None)
        view = view_making.make(self._space, redeemed.user, body)
        self._space.screens.open(view)
        return {"view": view.as_payload()}

    async def push(self, asked: Json) -> Json:
        body = _checked(asked, "modal")
        redeemed = self._redeem(asked)
        above = self._space.screens.top(redeemed.user)
        if redeemed.view is None or above is None:
            raise ApiError("invalid_trigger_id", ["[ERROR] a view can only be pushed from an interaction inside a modal"])
        self._refuse_taken_external_id(body, None)
        view = view_making.make(self._space, redeemed.user, body, above=above)
        if not self._space.screens.push(view):
            raise ApiError("push_limit_reached")
        return {"view": view.as_payload()}

    async def update(self, asked: Json) -> Json:
        body = _checked(asked, "modal")
        view = self._space.screens.find(view_id=str(asked.get("view_id") or ""), external_id=str(asked.get("external_id") or ""))
        if view is None or view.kind != "modal":
            raise ApiError("not_found")
        if asked.get("hash") and asked["hash"] != view.hash:
            raise ApiError("hash_conflict")
        self._refuse_taken_external_id(body, view)
        return {"view": view_making.update(self._space, view, body).as_payload()}

    async def publish(self, asked: Json) -> Json:
        if not self._has_home:
            raise ApiError("not_enabled")
        body = _checked(asked, "home")
        user = str(asked.get("user_id") or "")
        if user not in self._space.people or self._space.people[user].is_bot:
            raise ApiError("invalid_arguments", ["[ERROR] user_id is no person in this workspace"])
        before = self._space.screens.home(user)
        if asked.get("hash") and (before is None or asked["hash"] != before.hash):
            raise ApiError("hash_conflict")
        view = view_making.make(self._space, user, body)
        if before is not None:
            view = dataclasses.replace(view, id=before.id, root_view_id=before.root_view_id)
        self._space.screens.publish(view)
        return {"view": view.as_payload()}

    def _redeem(self, asked: Json) -> grants.Redeemed:
        redeemed = self._triggers.redeem(str(asked.get("trigger_id") or asked.get("interactivity_pointer") or ""))
        if redeemed.error:
            raise ApiError(redeemed.error)
        return redeemed

    def _refuse_taken_external_id(self, body: Json, own: records.View | None) -> None:
        external_id = str(body.get("external_id") or "")
        taken = self._space.screens.find(external_id=external_id) if external_id else None
        if taken is not None and (own is None or taken.id != own.id):
            raise ApiError("duplicate_external_id")


def _checked(asked: Json, kind: str) -> Json:
    body = asked.get("view")
    if not isinstance(body, dict):
        raise ApiError("invalid_arguments", ["[ERROR] missing required field: view"])
    if body.get("type") != kind:
        raise ApiError("invalid_arguments", [f"[ERROR] the view's type must be {kind} [json-pointer:/view/type]"])
    if block_rules.view_too_large(body):
        raise ApiError("view_too_large")
    wrong = block_rules.check_view(body)
    if wrong:
        raise ApiError("invalid_arguments", [sentence.replace("[json-pointer:", "[json-pointer:/view") for sentence in wrong])
    return body
