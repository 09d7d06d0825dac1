"""auth.test, apps.connections.open, users, usergroups and conversations as the Web API answers them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deploy.playground.slack import grants, manifest, people, workspace
from deploy.playground.slack.api_errors import ApiError

Json = dict[str, Any]


class DirectoryMethods:
    def __init__(
        self,
        space: workspace.Workspace,
        *,
        app: manifest.AppManifest,
        tickets: grants.Tickets,
        address: Callable[[], str],
        socket_mode: bool,
    ) -> None:
        self._space = space
        self._app = app
        self._tickets = tickets
        self._address = address
        self._socket_mode = socket_mode and app.socket_mode

    @property
    def table(self) -> Mapping[str, Callable[[Json], Awaitable[Json]]]:
        return {
            "api.test": self.api_test,
            "auth.test": self.auth_test,
            "apps.connections.open": self.open_connection,
            "users.info": self.user_info,
            "users.list": self.user_list,
            "usergroups.list": self.group_list,
            "usergroups.users.list": self.group_members,
            "conversations.info": self.channel_info,
            "conversations.members": self.channel_members,
            "conversations.open": self.open_conversation,
        }

    async def api_test(self, asked: Json) -> Json:
        return {"args": asked}

    async def auth_test(self, _asked: Json) -> Json:
        return {
            "url": self._address(),
            "team": people.TEAM_NAME,
            "user": self._app.bot_name,
            "team_id": people.TEAM_ID,
            "user_id": people.BOT_USER,
            "bot_id": people.BOT_ID,
            "is_enterprise_install": False,
        }

    async def open_connection(self, _asked: Json) -> Json:
        if not self._socket_mode:
            raise ApiError("socket_mode_disabled", ["[ERROR] the app's manifest, or this stand-in, uses signed HTTP instead"])
        address = self._address().replace("http://", "ws://", 1)
        return {"url": f"{address}link/?ticket={self._tickets.issue()}&app_id={people.APP_ID}"}

    async def user_info(self, asked: Json) -> Json:
        person = self._space.people.get(str(asked.get("user") or ""))
        if person is None:
            raise ApiError("user_not_found")
        return {"user": _user(person, with_locale=asked.get("include_locale") in (True, "1", "true"))}

    async def user_list(self, _asked: Json) -> Json:
        return {
            "members": [_user(person, with_locale=False) for person in self._space.people.values()],
            "response_metadata": {"next_cursor": ""},
        }

    async def group_list(self, _asked: Json) -> Json:
        return {
            "usergroups": [
                {"id": group.id, "team_id": people.TEAM_ID, "is_usergroup": True, "name": group.name, "handle": group.handle}
                for group in self._space.groups.values()
            ],
        }

    async def group_members(self, asked: Json) -> Json:
        group = self._space.groups.get(str(asked.get("usergroup") or ""))
        if group is None:
            raise ApiError("no_such_subteam")
        return {"users": list(group.members)}

    async def channel_info(self, asked: Json) -> Json:
        channel = self._channel(asked)
        return {
            "channel": {
                "id": channel.id,
                "name": channel.name,
                "is_channel": not channel.is_im,
                "is_im": channel.is_im,
                "is_private": channel.is_private,
                "is_archived": False,
                "is_member": channel.has_bot,
                "is_shared": channel.is_ext_shared,
                "is_ext_shared": channel.is_ext_shared,
                "is_org_shared": False,
                "context_team_id": people.TEAM_ID,
                "topic": {"value": channel.topic, "creator": "", "last_set": 0},
            },
        }

    async def channel_members(self, asked: Json) -> Json:
        channel = self._channel(asked)
        bot = [people.BOT_USER] if channel.has_bot else []
        return {"members": [*channel.members, *bot], "response_metadata": {"next_cursor": ""}}

    async def open_conversation(self, asked: Json) -> Json:
        users = str(asked.get("users") or "").split(",")
        if len(users) != 1 or users[0] not in self._space.people:
            raise ApiError("user_not_found")
        return {"channel": {"id": people.im_id(users[0])}}

    def _channel(self, asked: Json) -> people.Channel:
        channel = self._space.channel_named(str(asked.get("channel") or ""))
        if channel is None or (channel.is_private and not channel.has_bot):
            raise ApiError("channel_not_found")
        return channel


def _user(person: people.Person, *, with_locale: bool) -> Json:
    shown: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "real_name": person.real_name,
        "deleted": person.deleted,
        "tz": person.tz,
        "profile": {"real_name": person.real_name, "display_name": person.name, "team": person.team_id},
        "is_admin": False,
        "is_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "is_stranger": person.is_stranger,
    }
    return shown | ({"locale": person.locale} if with_locale else {})
