"""The stand-in says no where Slack says no, and with Slack's words."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from deploy.playground.slack import block_rules, clock, grants, manifest, people, rate_limits
from deploy.playground.slack.server import SlackStandIn

Json = dict[str, Any]
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def time() -> clock.SteppedClock:
    return clock.SteppedClock()


@pytest.fixture
async def slack(time: clock.SteppedClock) -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(time=time) as stand_in:
        yield stand_in


@pytest.fixture
def client(slack: SlackStandIn) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def button(**different: Any) -> Json:
    return {"type": "button", "action_id": "go", "text": plain("Go"), **different}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def section(text: str = "words") -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def options(count: int) -> list[Json]:
    return [{"text": plain(str(number)), "value": str(number)} for number in range(count)]


BROKEN_BLOCKS: dict[str, tuple[list[Json], str]] = {
    "51 blocks": ([section()] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    "section of 3001": ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    "empty section": ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "section of nothing": ([{"type": "section"}], "missing required field: text or fields"),
    "11 fields": ([{"type": "section", "fields": [plain("x")] * 11}], "no more than 10 items"),
    "field of 2001": ([{"type": "section", "fields": [plain("x" * 2001)]}], "/blocks/0/fields/0/text"),
    "header of 151": ([{"type": "header", "text": plain("x" * 151)}], "must be less than 151 characters"),
    "header in mrkdwn": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "must be one of: plain_text"),
    "11 in a context": ([{"type": "context", "elements": [plain("x")] * 11}], "no more than 10 items"),
    "26 buttons": ([actions(*(button(action_id=str(n)) for n in range(26)))], "no more than 25 items"),
    "no buttons": ([actions()], "no fewer than 1 items"),
    "button of 76": ([actions(button(text=plain("x" * 76)))], "/blocks/0/elements/0/text/text"),
    "value of 2001": ([actions(button(value="x" * 2001))], "/blocks/0/elements/0/value"),
    "green button": ([actions(button(style="success"))], "must be one of: primary, danger"),
    "action_id of 256": ([actions(button(action_id="x" * 256))], "must be less than 256 characters"),
    "same action_id": ([actions(button(), button())], "action_id `go` already exists"),
    "same block_id": ([section() | {"block_id": "a"}, section() | {"block_id": "a"}], "block_id a already exists"),
    "confirm without deny": ([actions(button(confirm={"title": plain("?")}))], "missing required field: deny"),
    "6 in an overflow": ([actions({"type": "overflow", "action_id": "o", "options": options(6)})], "no more than 5"),
    "101 options": ([actions({"type": "static_select", "action_id": "s", "options": options(101)})], "no more than 100"),
    "an unknown block": ([{"type": "marquee"}], "unsupported type: marquee"),
    "an alert in a message": ([{"type": "alert", "text": plain("!")}], "unsupported type: alert"),
    "a text input among actions": ([actions({"type": "plain_text_input", "action_id": "t"})], "unsupported type"),
    "markdown of 12001": ([{"type": "markdown", "text": "x" * 12_001}], "must be less than 12001"),
    "a table of 21 columns": ([{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}], "no more than 20"),
    "blocks that are no list": ({"type": "section"}, "must provide an array"),  # type: ignore[dict-item]  # the point of it
}


@pytest.mark.parametrize("name", BROKEN_BLOCKS)
def test_block_kit_is_checked_with_a_place_and_a_reason(name: str) -> None:
    blocks, expected = BROKEN_BLOCKS[name]
    assert any(expected in sentence for sentence in block_rules.check_message(blocks)), block_rules.check_message(blocks)


def test_everything_at_its_limit_is_accepted() -> None:
    at_limit = [
        *([section("x" * 3000)] * 46),
        {"type": "header", "text": plain("x" * 150)},
        {"type": "section", "fields": [plain("x" * 2000)] * 10},
        actions(*(button(action_id=f"{n}" + "x" * 250, value="x" * 2000, text=plain("x" * 75)) for n in range(25))),
        {"type": "context", "elements": [plain("x")] * 10},
    ]  # fmt: skip
    assert len(at_limit) == 50
    assert block_rules.check_message(at_limit) == []


def test_a_modal_with_inputs_needs_a_submit_button() -> None:
    field = {"type": "input", "label": plain("Why"), "element": {"type": "plain_text_input", "action_id": "t"}}
    view: Json = {"type": "modal", "title": plain("x" * 25), "blocks": [field]}
    assert [sentence.partition("]")[2].strip() for sentence in block_rules.check_view(view)] == [
        "must be less than 25 characters [json-pointer:/title/text]",
        "submit is required when an input block is within blocks array [json-pointer:/submit]",
    ]


async def refusal(call: Any) -> SlackApiError:
    with pytest.raises(SlackApiError) as refused:
        await call
    return refused.value


async def test_invalid_blocks_say_precisely_what(client: AsyncWebClient) -> None:
    error = await refusal(client.chat_postMessage(channel=people.C_MIGRATION, text="x", blocks=[section("")]))
    assert error.response["error"] == "invalid_blocks"
    assert error.response["response_metadata"]["messages"] == [
        "[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]",
    ]


async def test_posting_is_refused_where_the_bot_is_not(client: AsyncWebClient) -> None:
    for place, error in ((people.C_GENERAL, "not_in_channel"), ("C0NOWHERE1", "channel_not_found")):
        assert (await refusal(client.chat_postMessage(channel=place, text="x"))).response["error"] == error
    whisper = client.chat_postEphemeral(channel=people.C_SHARED, user=people.U_CAROL, text="x")
    assert (await refusal(whisper)).response["error"] == "user_not_in_channel"
    empty = AsyncWebClient(token=client.token, base_url=client.base_url).api_call(
        "chat.postMessage", json={"channel": people.C_MIGRATION}
    )
    assert (await refusal(empty)).response["error"] == "no_text"


async def test_only_ones_own_living_messages_can_be_updated(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = await slack.driver.say(people.U_ANN, "mine")
    update = client.chat_update(channel=people.C_MIGRATION, ts=ts, text="yours")
    assert (await refusal(update)).response["error"] == "cant_update_message"
    whisper = await client.chat_postEphemeral(channel=people.C_MIGRATION, user=people.U_ANN, text="psst")
    for gone in ("1.000001", whisper["message_ts"]):
        update = client.chat_update(channel=people.C_MIGRATION, ts=gone, text="x")
        assert (await refusal(update)).response["error"] == "message_not_found"


async def test_a_whisper_in_a_thread_is_seen_only_where_somebody_has_replied(slack: SlackStandIn, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel=people.C_MIGRATION, text="a card"))["ts"]

    async def whispered(text: str) -> list[str]:
        await client.chat_postEphemeral(channel=people.C_MIGRATION, user=people.U_ANN, text=text, thread_ts=root)
        return [message.text for message in slack.driver.ephemerals(people.U_ANN)]

    assert await whispered("into the void") == []
    await slack.driver.say(people.U_BOB, "a reply", thread_ts=root)
    assert await whispered("beside the reply") == ["beside the reply"]


async def test_an_update_with_text_alone_removes_blocks_and_with_blocks_alone_is_not_marked(
    slack: SlackStandIn,
    client: AsyncWebClient,
) -> None:
    posted = await client.chat_postMessage(channel=people.C_MIGRATION, text="one", blocks=[section("one"), actions(button())])
    ts = posted["ts"]
    await client.api_call("chat.update", json={"channel": people.C_MIGRATION, "ts": ts, "blocks": [section("two")]})
    second = slack.driver.find(people.C_MIGRATION, ts)
    assert second is not None
    assert (second.words, second.edited, second.action_ids) == ("one\ntwo", None, [])
    await client.chat_update(channel=people.C_MIGRATION, ts=ts, text="three")
    third = slack.driver.find(people.C_MIGRATION, ts)
    assert third is not None
    assert (third.words, third.blocks, third.edited is not None) == ("three", (), True)
    assert all("block_id" in block for block in posted["message"]["blocks"])


async def test_tokens_and_scopes_are_checked(slack: SlackStandIn, client: AsyncWebClient) -> None:
    for token, error in (("", "not_authed"), ("xoxb-other", "invalid_auth"), (slack.app_token, "not_allowed_token_type")):
        call = AsyncWebClient(token=token, base_url=slack.api_url).auth_test()
        assert (await refusal(call)).response["error"] == error
    missing = await refusal(client.conversations_info(channel=people.C_MIGRATION))
    assert (missing.response["error"], missing.response["needed"]) == ("missing_scope", "channels:read,groups:read,im:read")
    assert (await refusal(client.api_call("chat.postTelepathy"))).response["error"] == "unknown_method"
    assert (await client.auth_test())["bot_id"] == people.BOT_ID


async def test_people_are_described_with_what_makes_them_guests(client: AsyncWebClient) -> None:
    described = {
        user: (await client.users_info(user=user, include_locale=True))["user"]
        for user in (people.U_GUEST, people.U_STRANGER, people.U_LI, people.BOT_USER)
    }
    assert described[people.U_GUEST]["is_restricted"]
    assert described[people.U_STRANGER]["is_stranger"]
    assert described[people.U_STRANGER]["team_id"] == people.OTHER_TEAM_ID
    assert described[people.U_LI]["locale"] == "zh-CN"
    assert described[people.BOT_USER]["is_bot"]
    members = await client.usergroups_users_list(usergroup=people.S_APPROVERS)
    assert members["users"] == [people.U_BOB, people.U_CAROL]
    assert (await refusal(client.usergroups_users_list(usergroup="S0NOBODY01"))).response["error"] == "no_such_subteam"


async def test_posting_faster_than_slack_allows_is_429_with_retry_after(client: AsyncWebClient, time: clock.SteppedClock) -> None:
    for number in range(5):
        await client.chat_postMessage(channel=people.C_MIGRATION, text=str(number))
    error = await refusal(client.chat_postMessage(channel=people.C_MIGRATION, text="too many"))
    assert (error.response.status_code, error.response["error"]) == (429, "ratelimited")
    assert error.response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel=people.C_SHARED, text="another channel has its own limit")
    time.advance(1)
    await client.chat_postMessage(channel=people.C_MIGRATION, text="a second later")


def test_a_tier_three_method_has_fifty_a_minute(time: clock.SteppedClock) -> None:
    limits = rate_limits.RateLimits(time)
    assert [limits.take("chat.update") for _ in range(51)] == [0] * 50 + [2]
    time.advance(60)
    assert limits.take("chat.update") == 0


async def test_a_forced_429_is_waited_out_by_the_sdk(slack: SlackStandIn) -> None:
    patient = AsyncWebClient(
        token=slack.bot_token, base_url=slack.api_url, retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=2)],
    )  # fmt: skip
    slack.faults.rate_limit("chat.postMessage", times=1, retry_after=0)
    assert (await patient.chat_postMessage(channel=people.C_MIGRATION, text="in the end"))["ok"]
    assert [(call.status, call.error) for call in slack.calls] == [(429, "ratelimited"), (200, "")]


async def test_a_lost_reply_has_taken_effect(slack: SlackStandIn) -> None:
    slack.faults.lose_reply("chat.postMessage")
    hasty = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    with pytest.raises(Exception, match=r"[Dd]isconnected|reset"):
        await hasty.chat_postMessage(channel=people.C_MIGRATION, text="posted all the same")
    assert [m.text for m in slack.driver.messages()] == ["posted all the same"]


def test_a_trigger_works_once_and_for_three_seconds(time: clock.SteppedClock) -> None:
    triggers = grants.Triggers(time)
    first, second = triggers.issue(people.U_ANN), triggers.issue(people.U_ANN)
    assert triggers.redeem(first).user == people.U_ANN
    assert triggers.redeem(first).error == "exchanged_trigger_id"
    time.advance(3.1)
    assert triggers.redeem(second).error == "expired_trigger_id"
    assert triggers.redeem("made up").error == "invalid_trigger_id"


def test_a_response_url_works_five_times_within_half_an_hour(time: clock.SteppedClock) -> None:
    urls = grants.ResponseUrls(time)
    secret, idle = urls.issue(user=people.U_ANN, channel="C"), urls.issue(user=people.U_ANN, channel="C")
    assert [isinstance(urls.redeem(secret), str) for _ in range(6)] == [False] * 5 + [True]
    time.advance(30 * 60 + 1)
    assert urls.redeem(idle) == "expired_url"


MODAL: Json = {"type": "modal", "title": plain("One"), "blocks": [actions(button())]}


async def test_modals_stack_three_deep_and_updates_check_the_hash(slack: SlackStandIn, client: AsyncWebClient) -> None:
    issue = slack._triggers.issue
    first = (await client.views_open(trigger_id=issue(people.U_ANN), view=MODAL))["view"]
    outside = client.views_push(trigger_id=issue(people.U_ANN), view=MODAL)
    assert (await refusal(outside)).response["error"] == "invalid_trigger_id"
    for _ in range(2):
        await client.views_push(trigger_id=issue(people.U_ANN, view=slack.driver.open_view(people.U_ANN)), view=MODAL)
    deeper = client.views_push(trigger_id=issue(people.U_ANN, view=slack.driver.open_view(people.U_ANN)), view=MODAL)
    assert (await refusal(deeper)).response["error"] == "push_limit_reached"
    newer = (await client.views_update(view_id=first["id"], hash=first["hash"], view=MODAL))["view"]
    assert newer["hash"] != first["hash"]
    late = client.views_update(view_id=first["id"], hash=first["hash"], view=MODAL)
    assert (await refusal(late)).response["error"] == "hash_conflict"
    await slack.driver.close_view(people.U_ANN, everything=True)
    gone = client.views_update(view_id=first["id"], view=MODAL)
    assert (await refusal(gone)).response["error"] == "not_found"


async def test_a_home_tab_is_published_against_its_hash(slack: SlackStandIn, client: AsyncWebClient) -> None:
    home: Json = {"type": "home", "blocks": [section("one")]}
    first = (await client.views_publish(user_id=people.U_ANN, view=home))["view"]
    await client.views_publish(user_id=people.U_ANN, view=home, hash=first["hash"])
    late = client.views_publish(user_id=people.U_ANN, view=home, hash=first["hash"])
    assert (await refusal(late)).response["error"] == "hash_conflict"


async def test_a_file_takes_three_steps(time: clock.SteppedClock) -> None:
    allowed = {**manifest.DEFAULT_MANIFEST, "oauth_config": {"scopes": {"bot": ["files:write", "chat:write"]}}}
    async with SlackStandIn(time=time, manifest=allowed) as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        await client.files_upload_v2(channel=people.C_MIGRATION, filename="plan.diff", content="-a\n+b\n", initial_comment="plan")
        assert [(m.text, m.files[0]["name"]) for m in slack.driver.messages()] == [("plan", "plan.diff")]
