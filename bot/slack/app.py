"""The Bolt app and everything around it that speaks to Slack, put together. `bot.wiring` calls this and nothing else here."""

import logging
import secrets
from typing import Any, Self

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.logger import messages as bolt_words
from slack_sdk.web.async_client import AsyncWebClient

from bot import settings
from bot.slack import (
    answer_cards,
    card_writer,
    drift_cards,
    listeners,
    operation_cards,
    outgoing,
    people,
    poster,
    reception,
    replies,
    use_cases,
    web_client,
)
from bot.slack.words import Words
from handlers import kubectl, messages, ports, tasks

NO_SECRET = (
    "Slack cannot be used: slack.mode is http and there is no signing secret, so that anybody could pose as Slack; "  # noqa: S105
    "set SLACK_SIGNING_SECRET to the one on the app's page."
)


def open_poster(
    chosen: settings.Slack, cards: card_writer.Cards, clock: ports.Clock, words: Words, *, namespace: str, spacing: float = 1.0
) -> poster.Poster:
    """`handlers.ports.Chat`; it needs no front, so that the front can have it."""
    token = chosen.bot_token.get_secret_value()
    page = _mention(chosen.page)
    group = [_mention(chosen.approvers.group)] if chosen.approvers.group else []
    approvers = " ".join([*group, *(_mention(user) for user in chosen.approvers.users)])

    def card(operation: Any) -> Any:
        line = kubectl.hold_line(namespace, operation.plan.service)
        return operation_cards.operation_card(operation, words, take_back=line, approvers_shown=approvers)

    def called(service: str, sentence: str, held: bool) -> Any:
        line = kubectl.hold_line(namespace, service) if service else ""
        return answer_cards.page_card(service, sentence, words, mention=page, take_back=line, held=held)

    def rang(alert: messages.Alert) -> Any:
        line = kubectl.hold_line(namespace, alert.service) if alert.service else ""
        return answer_cards.alert_card(alert, words, take_back=line)

    return poster.Poster(
        outgoing.Outgoing(web_client.open_patient_client(chosen.api_url, token), clock),
        cards,
        clock,
        channels=tuple(dict.fromkeys([chosen.channel, *chosen.heard])),
        draw_card=card,
        draw_page=called,
        draw_alert=rang,
        draw_line=lambda sentence: answer_cards.sentence_card(sentence, words),
        draw_notice=lambda service, told: drift_cards.notice_card(service, told, words),
        spacing=spacing,
    )


def open_people(chosen: settings.Slack) -> people.People:
    """Who somebody is and may do, whichever way they come; asks Slack only when it is asked itself."""
    rights = people.Rights(
        team=chosen.team,
        channels=chosen.heard,
        approvers=chosen.approvers.users,
        group=chosen.approvers.group,
        requesters=chosen.requesters.users,
    )
    return people.People(web_client.open_client(chosen.api_url, chosen.bot_token.get_secret_value()), rights)


class SlackApp:
    """`app`: for Socket Mode and HTTP alike. Made by `build`; `stop` ends every request that is still being answered."""

    def __init__(self, app: AsyncApp, client: AsyncWebClient, identity: web_client.Identity, work: tasks.Tasks) -> None:
        self.app = app
        self.client = client
        self.identity = identity
        self._work = work

    @classmethod
    async def build(cls, chosen: settings.Slack, behind: use_cases.Behind) -> Self:
        """Asks Slack who we are (so the first request need not). Raises web_client.NotUsable."""
        client = web_client.open_client(chosen.api_url, chosen.bot_token.get_secret_value())
        identity = await web_client.who_we_are(client, team=chosen.team)
        desk = reception.Reception(behind, open_people(chosen), replies.Replies(client), channels=chosen.heard)
        work = tasks.Tasks()
        app = _bolt(client, identity, chosen)
        listeners.Listeners(desk, work).listen(app)
        return cls(app, client, identity, work)

    async def stop(self) -> None:
        await self._work.stop()


def _bolt(client: AsyncWebClient, identity: web_client.Identity, chosen: settings.Slack) -> AsyncApp:
    async def known(team_id: str | None, enterprise_id: str | None) -> AuthorizeResult:
        """Everything comes from one installation. Who may do what is asked of each person, not of the installation."""
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id or identity.team,
            bot_user_id=identity.user,
            bot_id=identity.bot,
            bot_token=client.token,
        )

    secret = chosen.signing_secret.get_secret_value()
    if not secret:
        if chosen.mode == "http":
            raise web_client.NotUsable(NO_SECRET)
        secret = secrets.token_hex(32)  # Bolt demands one; in Socket Mode nothing is signed, and nobody can guess this
    log = logging.getLogger("slack_bolt.ferry")
    log.addFilter(_of_interest)
    bare = AsyncWebClient(base_url=client.base_url, timeout=web_client.SECONDS)  # the listeners use a client of their own
    return AsyncApp(
        name="ferry",
        logger=log,
        client=bare,
        authorize=known,
        signing_secret=secret,
        process_before_response=False,
    )


def _of_interest(record: logging.LogRecord) -> bool:
    """Bolt looks for SLACK_BOT_TOKEN by itself, and says that it is not used: ours goes to the clients that need it."""
    return record.getMessage() != bolt_words.warning_client_prioritized_and_token_skipped()


def _mention(person: str) -> str:
    """`S…` is a user group, `U…` or `W…` a person."""
    if not person:
        return ""
    return f"<!subteam^{person}>" if person.startswith("S") else f"<@{person}>"
