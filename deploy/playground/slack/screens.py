"""What each person has open: their stack of modals and their Home tab."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable

from deploy.playground.slack import records

DEEPEST_STACK = 3


class Screens:
    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._stacks: dict[str, list[records.View]] = defaultdict(list)
        self._homes: dict[str, records.View] = {}

    def stack(self, user: str) -> list[records.View]:
        """The person's modals, the visible one last."""
        return list(self._stacks[user])

    def top(self, user: str) -> records.View | None:
        return self._stacks[user][-1] if self._stacks[user] else None

    def home(self, user: str) -> records.View | None:
        return self._homes.get(user)

    def find(self, *, view_id: str = "", external_id: str = "") -> records.View | None:
        for view in [*(view for stack in self._stacks.values() for view in stack), *self._homes.values()]:
            if (view_id and view.id == view_id) or (external_id and view.external_id == external_id):
                return view
        return None

    def open(self, view: records.View) -> None:
        self._stacks[view.user] = [view]
        self._notify()

    def push(self, view: records.View) -> bool:
        """False when the stack is as deep as Slack allows."""
        if len(self._stacks[view.user]) >= DEEPEST_STACK:
            return False
        self._stacks[view.user].append(view)
        self._notify()
        return True

    def replace(self, view: records.View, **different: object) -> records.View:
        newer = dataclasses.replace(view, **different)  # type: ignore[arg-type]  # the callers name fields of View
        stack = self._stacks[view.user]
        for place, known in enumerate(stack):
            if known.id == view.id:
                stack[place] = newer
        self._notify()
        return newer

    def publish(self, home: records.View) -> None:
        self._homes[home.user] = home
        self._notify()

    def close(self, view: records.View, *, everything: bool = False) -> list[records.View]:
        """Takes the view and what lies above it off the screen, or the whole stack; what was closed, top first."""
        stack = self._stacks[view.user]
        place = 0 if everything else next((n for n, known in enumerate(stack) if known.id == view.id), len(stack))
        closed = stack[place:]
        del stack[place:]
        self._notify()
        return closed[::-1]
