"""Tells a story: starts a playground, runs it, judges it by what was counted and by the invariants."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.playground import flags, laptop
from deploy.playground.stories import (
    alert,
    bypass,
    control_plane_gone,
    invariants,
    journey,
    new_cluster_dies,
    people,
    real_alert,
    recording,
    replace,
    scene,
    shift,
    walk,
)

Json = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Story:
    """`play` fills what was measured; it returns why it did not hold, one sentence each. `needs`: invariants that must have
    been put to the test. `limits` and `settings`: of the bot, where waiting would prove nothing. `entry` False: it begins before
    Ferry (see `before_ferry`)."""

    play: Callable[[scene.Scene], Awaitable[None]]
    needs: tuple[str, ...]
    limits: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    entry: bool = True


_ALWAYS = ("I1", "I2", "I6", "I7", "I8", "I9", "I10", "I15", "I16")
# What is verified is a scrape old at least: the gates have heard of a step before its operation ends.
_OBJECTS = (*_ALWAYS, "I18")
_WINDOW = "15s"  # of their hundred and more requests a second
_WITH_HOLD = (*_ALWAYS, "I3", "I5", "I17")
STORIES: Mapping[str, Story] = {
    "shift": Story(shift.play, _ALWAYS, {"verify": "2s"}),
    "alert": Story(alert.play, _WITH_HOLD, {"verify": "1s"}),
    "real-alert": Story(real_alert.play, (*_ALWAYS, "I3"), {"verify": "2s"}),
    "new-cluster-dies": Story(new_cluster_dies.play, (*_ALWAYS, "I13", "I14"), {"verify": "2s"}),
    "control-plane-gone": Story(control_plane_gone.play, (*_ALWAYS, "I5", "I13", "I17"), {"verify": "2s"}),
    "journey": Story(journey.play, _OBJECTS, {"verify": "3s"}, settings=walk.settings(_WINDOW), entry=False),
    "replace": Story(replace.play, _OBJECTS, {"verify": "3s"}, settings=walk.settings(_WINDOW), entry=False),
    "bypass": Story(
        bypass.play,
        _OBJECTS,
        {"verify": "3s", "no_proxies": "10s"},
        settings={**walk.settings(_WINDOW), "trust": {"soak": False}},
        entry=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Told:
    """`why`: what did not hold, one sentence each; empty when it held. `screens`: what Slack showed where it got stuck."""

    story: str
    measured: Mapping[str, Any]
    verdict: invariants.Verdict
    why: tuple[str, ...]
    screens: str = ""

    @property
    def held(self) -> bool:
        """Everything the story promises was seen, and no invariant was broken."""
        return not self.why

    def as_document(self) -> Json:
        """The one JSON object."""
        failures = {"why_not": list(self.why)} if self.why else {}
        measured = {**self.measured, **failures}
        return {"story": self.story, "held": self.held, "measured": measured, "invariants": self.verdict.as_document()}

    def sentences(self) -> list[str]:
        """For people."""
        lines = [f"The story {self.story} {'held' if self.held else 'DID NOT HOLD'}."]
        lines += [f"  {name}: {value}" for name, value in self.measured.items()]
        lines += [f"  promises put to the test: {', '.join(f'{name} ({n})' for name, n in self.verdict.checked.items())}"]
        return [*lines, *(f"  because {sentence}" for sentence in self.why)]


async def tell(
    name: str,
    *,
    sabotage: str = "",
    choices: flags.Choices | None = None,
    sizes: scene.Sizes | None = None,
    say: Say = lambda _: None,
) -> Told:
    """Runs one story in a playground of its own. `sizes`: how often and how much; the full ones by default.

    Raises what `Playground.start` raises; a story that goes wrong is told, not raised.
    """
    story, screens, sizes = STORIES[name], "", sizes or scene.Sizes()
    chosen = dataclasses.replace(choices, port=0) if choices else None
    playground = laptop.Playground(
        chosen,
        say=say,
        limits=story.limits,
        agent=sizes.agent,
        service=sizes.service,
        settings=_settings(story, sizes),
        entry=story.entry,
    )
    async with playground:
        await playground.watched_within()
        notes = recording.Recording(playground)
        told = scene.Scene(playground, people.Persons(playground), notes, sizes, sabotage, say)
        try:
            await story.play(told)
        except people.Stuck as stuck:
            told.broke(f"the story got stuck: {stuck}")
            screens = stuck.screens
        except TimeoutError:
            told.broke("the story got stuck: what was waited for did not come; its log says how far it got")
        verdict = invariants.check(await notes.gathered())
    return Told(name, told.measured, verdict, (*told.why, *_judged(story, verdict, told.why)), screens)


def _settings(story: Story, sizes: scene.Sizes) -> Mapping[str, Mapping[str, Any]]:
    if not sizes.window or "prometheus" not in story.settings:
        return story.settings
    return {**story.settings, "prometheus": {**story.settings["prometheus"], "window": f"{sizes.window:g}s"}}


def _judged(story: Story, verdict: invariants.Verdict, why: Sequence[str]) -> list[str]:
    """`why`: a story that broke off early has not got to everything it puts to the test, and says already why."""
    unchecked = [] if why else [f"{name} was not put to the test" for name in story.needs if name not in verdict.checked]
    return [*(f"a promise was broken: {sentence}" for sentence in verdict.broken), *unchecked]
