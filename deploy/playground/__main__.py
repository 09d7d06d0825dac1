"""`ferry playground`: everything on this machine, until Ctrl-C; or one story, told and measured.

Exit codes: 0 ended well, 1 a story did not hold or something did not start, 2 flags that do not go together.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from deploy.playground import flags, kubeconfig, laptop, objects, panel
from deploy.playground.slack import people
from deploy.playground.stories import running, walk
from deploy.playground.world import addresses, processes
from k8s import errors

_FIRST = f"""
Open {{url}} and follow the tour on the right, or type there:

  as Ann   /migrate shift {objects.FIRST.name} 5% try it
  as Bob   press Approve on the card
  as Ann   press Confirm, and watch the chart

Then break the new cluster with a knob. Ctrl-C stops everything and leaves nothing behind.

The same from another terminal, as Ann (Bob's token stands beside hers):

  ferry list --api {{api}} --token-file {{token}}
"""

_WHOLE_WAY = f"""
Open {{url}}; nothing is listed in migration.yaml yet. As Ann:

  /migrate discover                      Look and adjust at {objects.FIRST.name}: add below `enabled: true`, as far to the right,
                                             soak: 20s
                                             backup: 30s
                                             {{gates}}
  /migrate prepare {objects.FIRST.name}         Bob approves, Ann confirms, here and at every step
  /migrate run {objects.FIRST.name}             each step asks for itself, after its soak and when its gates pass
  /migrate status {objects.FIRST.name}          what it waits for, old beside new
  /migrate finish {objects.FIRST.name}          after the backup time; afterwards: /migrate finish {objects.FIRST.name} remove

Ctrl-C stops everything and leaves nothing behind. From another terminal, as Ann:

  ferry status {objects.FIRST.name} --api {{api}} --token-file {{token}}
"""


def command(
    *,
    port: Annotated[int, typer.Option(help="of the page; 0: a free one", min=0, max=65535)] = 0,
    story: Annotated[str, typer.Option(help=f"tell one of: {', '.join(flags.STORIES)}; no browser needed")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="with --story: print one JSON object")] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="work on this API server instead of the stand-in")] = None,
    disposable: Annotated[bool, typer.Option("--disposable", help="nothing in the cluster of --kubeconfig is needed")] = False,
    slack_url: Annotated[str, typer.Option(help="a real Slack; tokens come from SLACK_BOT_TOKEN, SLACK_APP_TOKEN, …")] = "",
    redis_url: Annotated[str, typer.Option(help="a Redis of your own")] = "",
    alertmanager_url: Annotated[str, typer.Option(help="an Alertmanager of your own, with ALERTMANAGER_TOKEN")] = "",
    sabotage: Annotated[str, typer.Option(help="with --story: break it on purpose; it must then fail")] = "",
    before_ferry: Annotated[
        bool, typer.Option("--before-ferry", help="nothing is listed yet: walk a service's whole way by hand, in some minutes")
    ] = False,
) -> None:
    """The whole of Ferry on this machine, with a page that looks like Slack: nothing else is needed."""
    typed = flags.Typed(
        port=port, story=story, as_json=as_json, kubeconfig=kubeconfig, disposable=disposable, slack_url=slack_url,
        redis_url=redis_url, alertmanager_url=alertmanager_url, sabotage=sabotage, before_ferry=before_ferry,
    )  # fmt: skip
    try:
        choices = flags.choose(typed, os.environ)
    except flags.Refused as refusal:
        print(refusal, file=sys.stderr)
        raise typer.Exit(2) from None
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    work = _story(choices) if choices.story else _page(choices)
    say = _aside if choices.story else _say  # what a story prints may be JSON
    raise typer.Exit(asyncio.run(_until_stopped(work, stopped=1 if choices.story else 0, say=say)))  # cut short: not held


async def _until_stopped(work: Coroutine[Any, Any, int], *, stopped: int, say: laptop.Say) -> int:
    """Runs it until it ends, or until Ctrl-C or TERM: `stopped` then, with everything stopped before this returns."""
    task = asyncio.ensure_future(work)
    asked: list[int] = []

    def end_once() -> None:
        if not asked:  # an impatient second Ctrl-C must not cut the orderly end short
            task.cancel()
        asked.append(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end_once)
    try:
        return await task
    except asyncio.CancelledError:
        say("stopped; nothing is left behind")
        return stopped
    except (laptop.NotReady, processes.NotReady, addresses.NoAddresses, errors.ClusterError, kubeconfig.Unusable) as error:
        print(f"The playground could not start: {error}", file=sys.stderr)
        return 1


async def _page(choices: flags.Choices) -> int:
    settings = walk.settings("1m") if choices.before_ferry else {}
    playground = laptop.Playground(choices, say=_say, panel=panel.Panel, settings=settings, entry=not choices.before_ferry)
    async with playground:
        print(
            (_WHOLE_WAY if choices.before_ferry else _FIRST).format(
                url=playground.slack.url,
                api=playground.bot_url,
                token=playground.folder / f"api-token-{people.U_ANN}",
                gates=walk.GATES,
            ),
            flush=True,
        )
        if choices.slack is not None:
            print("Commands are heard in your own Slack; the page shows the traffic and the knobs.", flush=True)
        if choices.alertmanager_url:
            print(f"Your Alertmanager must call {playground.webhook_url} with its bearer token.", flush=True)
        await asyncio.get_running_loop().create_future()
    return 0


async def _story(choices: flags.Choices) -> int:
    told = await running.tell(choices.story, sabotage=choices.sabotage, choices=choices, say=_aside)
    if choices.as_json:
        print(orjson.dumps(told.as_document(), option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(told.sentences()))
        if told.screens:
            _aside(f"Slack showed then:\n{told.screens}")
    return 0 if told.held else 1


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _aside(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(command)
