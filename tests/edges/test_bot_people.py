"""Who may do what: told by Slack, remembered for a minute, asked anew for an approval, and closed when Slack is silent."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bot.slack import people as persons
from bot.slack import web_client
from deploy.playground.slack import people
from deploy.playground.slack.server import SlackStandIn

HERE = people.C_MIGRATION
BOT_PERSON = people.Person(id="U0ROBOT001", name="robot", real_name="Robot", role="bot", is_bot=True)
GONE = people.Person(id="U0GONE0001", name="gone", real_name="Gone", role="left", deleted=True)
SLACKBOT = people.Person(id="USLACKBOT", name="slackbot", real_name="Slackbot", role="bot")
SINGLE = people.Person(id="U0SINGLE01", name="sue", real_name="Sue", role="guest", is_ultra_restricted=True)


class Watch:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(people=(*people.DEFAULT_PEOPLE, BOT_PERSON, GONE, SINGLE, SLACKBOT)) as stand_in:
        yield stand_in


def asked(slack: SlackStandIn, watch: Callable[[], float] | None = None, **rights: object) -> persons.People:
    chosen: dict[str, object] = {"team": people.TEAM_ID, "channels": (HERE,), "group": people.S_APPROVERS} | rights
    client = web_client.open_client(slack.api_url, slack.bot_token)
    return persons.People(client, persons.Rights(**chosen), monotonic=watch or Watch())  # type: ignore[arg-type]  # a test's dict


def calls(slack: SlackStandIn, method: str) -> int:
    return [call.method for call in slack.calls].count(method)


async def test_members_of_the_group_and_listed_people_approve_and_others_only_ask(slack: SlackStandIn) -> None:
    of = asked(slack, approvers=(people.U_LI,))
    ann, bob, li = [await of.person_of(user, people.TEAM_ID, HERE) for user in (people.U_ANN, people.U_BOB, people.U_LI)]
    assert [one.person.approver for one in (ann, bob, li)] == [False, True, True]
    assert [one.person.refused for one in (ann, bob, li)] == ["", "", ""]
    assert all(one.person.member for one in (ann, bob, li))
    assert (bob.person.id, bob.person.shown, li.person.locale) == (f"slack:{people.TEAM_ID}/{people.U_BOB}", "bob", "zh-CN")
    assert of.locale_of(people.U_LI) == "zh-CN"


@pytest.mark.parametrize(
    ("user", "because"),
    [
        (people.U_GUEST, "guests"),
        (SINGLE.id, "guests"),
        (people.U_STRANGER, "another workspace"),
        (BOT_PERSON.id, "bots"),
        (GONE.id, "deactivated"),
        ("U0NOBODY01", "does not know you"),
    ],
)
async def test_whoever_is_no_full_member_may_do_nothing_and_hears_why(slack: SlackStandIn, user: str, because: str) -> None:
    of = asked(slack, approvers=(user,))
    for known in (await of.person_of(user, people.TEAM_ID, HERE), await of.person_lowering(user, people.TEAM_ID)):
        assert not known.person.member
        assert because in known.person.refused
        assert because in known.why
        assert not known.person.approver


async def test_another_team_is_turned_away_without_asking_slack(slack: SlackStandIn) -> None:
    of = asked(slack)
    for known in (await of.person_of(people.U_BOB, "T0EVIL", HERE), await of.person_lowering(people.U_BOB, "T0EVIL")):
        assert not known.member
        assert "another workspace" in known.person.refused
        assert known.person.id == f"slack:T0EVIL/{people.U_BOB}"
    assert slack.calls == []


async def test_an_unlisted_or_shared_channel_refuses_raising_but_not_taking_back(slack: SlackStandIn) -> None:
    of = asked(slack)
    elsewhere = await of.person_of(people.U_BOB, people.TEAM_ID, people.C_GENERAL)
    shared = await of.person_of(people.U_BOB, people.TEAM_ID, HERE, shared=True)
    assert "heard only in" in elsewhere.person.refused
    assert "another company" in shared.person.refused
    assert not elsewhere.person.approver
    assert elsewhere.member
    assert shared.member


async def test_only_listed_requesters_and_approvers_may_ask_when_there_is_a_list(slack: SlackStandIn) -> None:
    of = asked(slack, requesters=(people.U_ANN,))
    ann, bob, li = [await of.person_of(user, people.TEAM_ID, HERE) for user in (people.U_ANN, people.U_BOB, people.U_LI)]
    assert [bool(one.person.refused) for one in (ann, bob, li)] == [False, False, True]
    assert li.member


async def test_answers_are_remembered_for_a_minute_and_asked_anew_for_an_approval(slack: SlackStandIn) -> None:
    watch = Watch()
    of = asked(slack, watch)
    for _ in range(3):
        await of.person_of(people.U_BOB, people.TEAM_ID, HERE)
    assert (calls(slack, "users.info"), calls(slack, "usergroups.users.list")) == (1, 1)
    watch.now += 61
    await of.person_of(people.U_BOB, people.TEAM_ID, HERE)
    assert (calls(slack, "users.info"), calls(slack, "usergroups.users.list")) == (2, 2)
    await of.person_of(people.U_BOB, people.TEAM_ID, HERE, fresh=True)
    assert (calls(slack, "users.info"), calls(slack, "usergroups.users.list")) == (3, 3)


async def test_an_approval_fails_closed_when_the_group_cannot_be_asked(slack: SlackStandIn) -> None:
    of = asked(slack)
    assert (await of.person_of(people.U_BOB, people.TEAM_ID, HERE)).person.approver
    slack.faults.rate_limit("usergroups.users.list", times=None, retry_after=60)
    known = await of.person_of(people.U_BOB, people.TEAM_ID, HERE, fresh=True)
    assert not known.person.approver
    assert "who the approvers are" in known.person.refused


async def test_a_group_that_does_not_exist_has_no_members_and_the_sentence_says_what_to_correct(slack: SlackStandIn) -> None:
    known = await asked(slack, group="S0NOWHERE1").person_of(people.U_BOB, people.TEAM_ID, HERE, fresh=True)
    assert not known.person.approver
    assert "no_such_subteam" in known.person.refused
    assert "slack.approvers.group names no user group of this workspace: correct it" in known.person.refused


async def test_whoever_is_named_by_id_approves_whatever_becomes_of_the_group(slack: SlackStandIn) -> None:
    slack.faults.rate_limit("usergroups.users.list", times=None, retry_after=60)
    of = asked(slack, approvers=(people.U_LI,))
    assert (await of.person_of(people.U_LI, people.TEAM_ID, HERE, fresh=True)).person.approver
    bob = await of.person_of(people.U_BOB, people.TEAM_ID, HERE, fresh=True)
    assert not bob.person.approver
    assert "only those approve whom slack.approvers.users names" in bob.person.refused


async def test_a_group_that_cannot_be_read_makes_nobody_an_approver_once_what_is_remembered_is_old(slack: SlackStandIn) -> None:
    watch = Watch()
    of = asked(slack, watch)
    assert (await of.person_of(people.U_BOB, people.TEAM_ID, HERE)).person.approver
    del slack.space.groups[people.S_APPROVERS]
    watch.now += 59
    assert (await of.person_of(people.U_BOB, people.TEAM_ID, HERE)).person.approver
    watch.now += 1
    known = await of.person_of(people.U_BOB, people.TEAM_ID, HERE)
    assert not known.person.approver
    assert known.person.refused == "", "they may ask for a change as everybody may"
    listed = asked(slack, watch, requesters=(people.U_ANN,))
    assert "who the approvers are" in (await listed.person_of(people.U_BOB, people.TEAM_ID, HERE)).person.refused
    assert (await listed.person_of(people.U_ANN, people.TEAM_ID, HERE)).person.refused == ""


async def test_who_left_the_group_approves_no_more_and_who_came_does(slack: SlackStandIn) -> None:
    of = asked(slack)
    assert (await of.person_of(people.U_BOB, people.TEAM_ID, HERE)).person.approver
    group = slack.space.groups[people.S_APPROVERS]
    slack.space.groups[people.S_APPROVERS] = replace(group, members=(people.U_ANN,))
    assert not (await of.person_of(people.U_BOB, people.TEAM_ID, HERE, fresh=True)).person.approver
    assert (await of.person_of(people.U_ANN, people.TEAM_ID, HERE, fresh=True)).person.approver


async def test_many_approvals_at_once_share_a_question_that_was_asked_after_they_came(slack: SlackStandIn) -> None:
    clock = itertools.count(1000.0, 0.001)
    of = asked(slack, lambda: next(clock))
    slack.faults.slow(0.05, method="usergroups.users.list")
    known = await asyncio.gather(*(of.person_of(people.U_BOB, people.TEAM_ID, HERE, fresh=True) for _ in range(20)))
    assert all(one.person.approver for one in known)
    assert calls(slack, "usergroups.users.list") <= 3
    assert calls(slack, "users.info") <= 3


@pytest.mark.parametrize("user", [people.U_GUEST, SINGLE.id, BOT_PERSON.id, GONE.id, SLACKBOT.id, people.U_STRANGER])
async def test_a_member_of_the_group_who_is_no_full_member_of_the_team_approves_nothing(slack: SlackStandIn, user: str) -> None:
    group = slack.space.groups[people.S_APPROVERS]
    slack.space.groups[people.S_APPROVERS] = replace(group, members=(user,))
    known = await asked(slack).person_of(user, people.TEAM_ID, HERE, fresh=True)
    assert not known.person.approver
    assert not known.person.member
    assert known.person.refused


async def test_with_slack_away_nobody_raises_and_the_team_may_still_lower(slack: SlackStandIn) -> None:
    slack.faults.refuse()
    of = asked(slack)
    raising = await of.person_of(people.U_BOB, people.TEAM_ID, HERE)
    assert "could not be asked who you are" in raising.person.refused
    assert not raising.person.approver
    lowering = await of.person_lowering(people.U_BOB, people.TEAM_ID)
    assert lowering.member
    assert not (await of.person_lowering(people.U_BOB, "T0EVIL")).member


async def test_for_lowering_what_was_known_once_is_enough_however_old(slack: SlackStandIn) -> None:
    watch = Watch()
    of = asked(slack, watch)
    await of.person_of(people.U_GUEST, people.TEAM_ID, HERE)
    await of.person_of(people.U_BOB, people.TEAM_ID, HERE)
    watch.now += 100_000
    slack.faults.refuse()
    before = len(slack.calls)
    assert (await of.person_lowering(people.U_BOB, people.TEAM_ID)).person.shown == "bob"
    assert len(slack.calls) == before
    assert not (await of.person_lowering(people.U_GUEST, people.TEAM_ID)).member


async def test_with_slack_away_a_guest_is_still_the_guest_that_was_known(slack: SlackStandIn) -> None:
    watch = Watch()
    of = asked(slack, watch)
    await of.person_of(people.U_GUEST, people.TEAM_ID, HERE)
    watch.now += 61
    slack.faults.refuse()
    known = await of.person_of(people.U_GUEST, people.TEAM_ID, HERE)
    assert not known.person.member
    assert "guests" in known.why


async def test_a_guest_who_is_promoted_meanwhile_may_lower_at_once(slack: SlackStandIn) -> None:
    """A remembered no is asked again; a remembered yes is not."""
    watch = Watch()
    of = asked(slack, watch)
    await of.person_of(people.U_GUEST, people.TEAM_ID, HERE)
    promoted = people.Person(id=people.U_GUEST, name="gus", real_name="Gus", role="member now")
    slack.space.people[people.U_GUEST] = promoted
    watch.now += 61
    assert (await of.person_lowering(people.U_GUEST, people.TEAM_ID)).member
