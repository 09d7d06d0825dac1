"""Who asks: a person of Slack, looked up in Slack, and what they may do.

Raising fails closed: whoever cannot be looked up may not. Lowering needs almost nothing: any full member of the team may,
whatever the channel, and when Slack does not answer, the team that it signed into the request is enough.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers import messages

KEPT_SECONDS = 60.0
LOOKUP_SECONDS = 2.0
LOWERING_SECONDS = 0.5  # for somebody never seen before; then their team is enough
MOST_REMEMBERED = 5_000
Found = TypeVar("Found")
_log = structlog.get_logger("ferry.slack")

UNKNOWN = "Slack could not be asked who you are"
NO_GROUP = "Slack could not be asked who the approvers are"
_SLACKBOT = "USLACKBOT"  # the one bot that Slack does not call one
_GROUP_FIXES = {
    "no_such_subteam": "slack.approvers.group names no user group of this workspace: correct it",
    "plan_upgrade_required": "the workspace's plan has no user groups: name the approvers in slack.approvers.users",
    "missing_scope": "the app may not read user groups: install it again with the scope usergroups:read",
}


@dataclass(frozen=True, slots=True)
class Rights:
    """From the settings. `team`: T…; `channels`: C…, where commands that raise are heard; `approvers`: U…; `group`: S… or
    empty; `requesters`: U…, empty for every full member.
    """

    team: str
    channels: tuple[str, ...]
    approvers: tuple[str, ...] = ()
    group: str = ""
    requesters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """`person.member`: a full member of the team, who may always take traffic back; when not, `why` says why."""

    person: messages.Person
    why: str = ""
    heard_here: bool = True

    @property
    def member(self) -> bool:
        return self.person.member


@dataclass(frozen=True, slots=True)
class _Profile:
    shown: str
    team: str
    locale: str
    outsider: str  # why this is no full member of its team; empty: is one


@dataclass(frozen=True, slots=True)
class _Silence:
    """Slack gave no answer that can be used; `why`: its word for it, or the error."""

    why: str


class People:
    def __init__(self, client: AsyncWebClient, rights: Rights, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._rights = rights
        self._monotonic = monotonic
        self._profiles: dict[str, tuple[float, _Profile]] = {}
        self._group: tuple[float, frozenset[str]] | None = None
        self._locks: dict[str, asyncio.Lock] = {}

    async def person_of(self, user: str, team: str, channel: str, *, fresh: bool = False, shared: bool = False) -> Known:
        """`team`: as the request says. `fresh`: for an approval, nothing remembered counts. `shared`: the channel is another
        company's too. Never raises.
        """
        if foreign := self._foreign(team):
            return self._known(user, team, None, why=foreign)
        profile = await self._looked_up(f"user {user}", self._profile, user, fresh=fresh, limit=LOOKUP_SECONDS)
        if isinstance(profile, _Silence):
            return self._remembered_outsider(user, team) or self._unknown(user, team)
        if outsider := self._foreign(profile.team) or profile.outsider:
            return self._known(user, team, profile, why=outsider)
        approver, trouble = await self._approves(user, fresh=fresh)
        heard = channel in self._rights.channels and not shared
        refused = "" if heard else self._not_here(shared=shared)
        unlisted = bool(self._rights.requesters) and not approver and user not in self._rights.requesters
        if not refused and trouble and (fresh or unlisted):
            refused = trouble
        elif not refused and unlisted:
            refused = "only those whom slack.requesters names, and approvers, may ask for more traffic at new"
        return Known(self._person(user, profile, approver=approver and heard, refused=refused), heard_here=heard)

    async def person_lowering(self, user: str, team: str) -> Known:
        """For taking traffic back: what is remembered counts however old it is, and nobody waits long for Slack."""
        if foreign := self._foreign(team):
            return self._known(user, team, None, why=foreign)
        remembered = self._profiles.get(user)
        profile = remembered[1] if remembered else None
        if profile is None or profile.outsider:  # a no may have become a yes; a yes needs no question
            asked = await self._looked_up(f"user {user}", self._profile, user, fresh=False, limit=LOWERING_SECONDS)
            profile = profile if isinstance(asked, _Silence) else asked
        if profile is None:
            return self._unknown(user, team)
        outsider = self._foreign(profile.team) or profile.outsider
        return self._known(user, team, profile, why=outsider)

    def locale_of(self, user: str) -> str:
        """As far as it is remembered; `en` otherwise."""
        remembered = self._profiles.get(user)
        return remembered[1].locale if remembered else "en"

    def _foreign(self, team: str) -> str:
        if team == self._rights.team:
            return ""
        return f"you are of another workspace ({team or 'unknown'}), and only {self._rights.team} is served"

    def _not_here(self, *, shared: bool) -> str:
        if shared:
            return "this channel is shared with another company, so nothing is raised from here"
        listed = " ".join(f"<#{channel}>" for channel in self._rights.channels)
        return f"changes are heard only in {listed}"

    def _unknown(self, user: str, team: str) -> Known:
        nobody = messages.Person(f"slack:{team}/{user}", user, refused=UNKNOWN, locale="en")
        return Known(nobody, heard_here=False)

    def _remembered_outsider(self, user: str, team: str) -> Known | None:
        """While Slack does not answer, a guest is still the guest that we know."""
        remembered = self._profiles.get(user)
        why = (self._foreign(remembered[1].team) or remembered[1].outsider) if remembered else ""
        return self._known(user, team, remembered[1], why=why) if remembered and why else None

    def _known(self, user: str, team: str, profile: _Profile | None, *, why: str) -> Known:
        """`why` this is no full member; empty: is one, of whom no more is asked than taking traffic back takes."""
        if profile is None:
            person = messages.Person(f"slack:{team}/{user}", user, refused=why)
        else:
            person = self._person(user, profile, approver=False, refused=why)
        return Known(replace(person, member=not why), why, heard_here=False)

    def _person(self, user: str, profile: _Profile, *, approver: bool, refused: str) -> messages.Person:
        name = f"slack:{profile.team}/{user}"
        return messages.Person(name, profile.shown, approver=approver, refused=refused, locale=profile.locale)

    async def _approves(self, user: str, *, fresh: bool) -> tuple[bool, str]:
        """Whether they may approve; and what kept us from knowing. Whoever is named by id needs no group."""
        group = self._rights.group
        if user in self._rights.approvers or not group:
            return user in self._rights.approvers, ""
        members = await self._looked_up("group", self._group_members, group, fresh=fresh, limit=LOOKUP_SECONDS)
        if isinstance(members, _Silence):
            fix = _GROUP_FIXES.get(members.why, "until it answers, only those approve whom slack.approvers.users names")
            return False, f"{NO_GROUP} ({members.why}): {fix}"
        return user in members, ""

    async def _looked_up(
        self, key: str, ask: Callable[[str, float], Awaitable[Found]], name: str, *, fresh: bool, limit: float
    ) -> Found | _Silence:
        """One question at a time for each key; whoever waited meanwhile takes an answer that was asked for after they came."""
        since = self._monotonic() - (0.0 if fresh else KEPT_SECONDS)
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(limit), lock:
                return await ask(name, since)
        except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            word = error.response.get("error") if isinstance(error, SlackApiError) else str(error) or type(error).__name__
            _log.warning("Slack could not be asked about a person", asked=key, why=str(word))
            return _Silence(str(word) if isinstance(error, SlackApiError) else "it does not answer")
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    async def _profile(self, user: str, since: float) -> _Profile:
        remembered = self._profiles.get(user)
        if remembered is not None and remembered[0] > since:
            return remembered[1]
        asked_at = self._monotonic()
        try:
            answer = await self._client.users_info(user=user, include_locale=True)
        except SlackApiError as error:
            if error.response.get("error") not in ("user_not_found", "user_not_visible"):
                raise
            profile = _Profile(user, self._rights.team, "en", "Slack does not know you here")
        else:
            profile = _read(user, answer.get("user") or {})
        if len(self._profiles) >= MOST_REMEMBERED:
            self._profiles.clear()
        self._profiles[user] = (asked_at, profile)
        return profile

    async def _group_members(self, group: str, since: float) -> frozenset[str]:
        if self._group is not None and self._group[0] > since:
            return self._group[1]
        asked_at = self._monotonic()
        answer = await self._client.usergroups_users_list(usergroup=group)
        listed: Sequence[Any] = answer.get("users") or ()
        self._group = (asked_at, frozenset(str(user) for user in listed))
        return self._group[1]


def _read(user: str, told: Mapping[str, Any]) -> _Profile:
    profile: Mapping[str, Any] = told.get("profile") or {}
    shown = profile.get("display_name") or told.get("real_name") or told.get("name") or user
    return _Profile(str(shown), str(told.get("team_id") or ""), str(told.get("locale") or "en"), _outsider(told))


def _outsider(told: Mapping[str, Any]) -> str:
    if told.get("deleted"):
        return "your account is deactivated"
    if told.get("is_bot") or told.get("is_workflow_bot") or told.get("id") == _SLACKBOT:
        return "bots may not ask for anything"
    if told.get("is_stranger"):
        return "you are of another company"
    if told.get("is_restricted") or told.get("is_ultra_restricted"):
        return "guests may not change traffic"
    return ""
