"""What an app may post without the Web API: through a response URL, or in the acknowledgement of a command."""

from typing import Any

from deploy.playground.slack import block_rules, grants, people, records, workspace

Json = dict[str, Any]


def post(space: workspace.Workspace, grant: grants.ResponseUrl, body: Json) -> str:
    """Applies one response (text, blocks, response_type, replace_original, delete_original); Slack's error word, or ""."""
    if body.get("delete_original"):
        return _delete(space, grant)
    text, blocks = str(body.get("text") or ""), body.get("blocks") or []
    if not text and not blocks and not body.get("attachments"):
        return "no_text"
    if block_rules.check_message(blocks):
        return "invalid_blocks"
    filled = space.with_ids(blocks)
    if body.get("replace_original") and grant.source is not None:
        current = _current(space, grant.source)
        if current is None:
            return "message_not_found"
        space.replace(current, text=text, blocks=filled)
        return ""
    whispered = body.get("response_type", "ephemeral") != "in_channel"
    message = records.Message(
        channel=grant.channel,
        ts=space.next_ts(),
        user=people.BOT_USER,
        text=text,
        blocks=filled,
        attachments=tuple(body.get("attachments") or ()),
        metadata=body.get("metadata"),
        thread_ts=body.get("thread_ts") or grant.thread_ts,
        ephemeral_for=grant.user if whispered else None,
    )
    (space.whisper if whispered else space.post)(message)
    return ""


def _delete(space: workspace.Workspace, grant: grants.ResponseUrl) -> str:
    current = _current(space, grant.source) if grant.source is not None else None
    if current is None:
        return "message_not_found"
    space.remove(current)
    return ""


def _current(space: workspace.Workspace, source: records.Message) -> records.Message | None:
    if source.ephemeral_for is not None:
        return space.ephemeral(source.ephemeral_for, source.ts)
    return space.find(source.channel, source.ts)


def slackbot(space: workspace.Workspace, *, user: str, channel: str, text: str, thread_ts: str | None = None) -> None:
    """Slack itself says something that only this person sees."""
    space.whisper(
        records.Message(
            channel=channel,
            ts=space.next_ts(),
            user="USLACKBOT",
            text=text,
            thread_ts=thread_ts,
            ephemeral_for=user,
        ),
    )
