"""When a document that is missing or cannot be read becomes severe, so that an agent sends everything to old by itself.

Pure: what was seen of the cluster and a clock in, the hold to place out. Every agent that saw the same documents makes the same
hold. While the cluster cannot be read nothing is known about the document, and that time does not count.
"""

from collections.abc import Iterable

from k8s import hold_document, model, views

PREFIX = hold_document.DOCUMENT_PREFIX
CAUSE = "document"


class DocumentFault:
    """`patience`: seconds that a document may be missing or unreadable, in which somebody may put it back."""

    def __init__(self, *, patience: float, by: str) -> None:
        self._patience = patience
        self._by = by
        self._last_whole = ""  # version of the last document that could be read
        self._broken = ""  # version of the first one since then that could not; empty: it is missing
        self._why = ""
        self._waited = 0.0
        self._last_look: float | None = None  # when the trouble was seen last; None: not since the cluster was away, or at all
        self._decided = False

    @property
    def troubled(self) -> bool:
        """Whether the document does not count now, as far as is known."""
        return bool(self._why)

    def look(
        self, view: views.ClusterView, now: float, *, since: str, recorded: bool, standing: Iterable[str]
    ) -> model.Hold | None:
        """The hold to place now, once for each trouble. `now`: monotonic seconds; `since`: the same moment for people.

        `recorded`: there is a record, so that there is something to hold. `standing`: ids of the holds that stand.
        """
        if not view.synced:
            self._last_look = None
            return None
        if not view.document_trouble or view.document_state is views.DocumentState.ENTRIES:
            self._last_whole, self._why = view.document_version, ""
            self._waited, self._last_look, self._decided = 0.0, None, False
            return None
        if not self._why:
            self._broken = view.document_version
        self._why = view.document_trouble
        self._waited += now - self._last_look if self._last_look is not None else 0.0
        self._last_look = now
        if self._decided or not recorded or self._waited < self._patience:
            return None
        self._decided = True
        if any(one.startswith(PREFIX) for one in standing):
            return None  # another agent's, or one of before this agent began: one is enough
        return self._hold(since)

    def _hold(self, since: str) -> model.Hold:
        reason = f"migration.yaml cannot be relied on for {self._patience:.0f} s: {self._why}"
        broken = self._broken or f"{self._last_whole} gone"  # each deletion is another one: a released id never holds again
        return model.Hold(
            model.ALL_SERVICES, hold_document.document_hold_id(broken), reason=reason, by=self._by, since=since, cause=CAUSE
        )

    def sentence(self, standing: Iterable[str]) -> str:
        """What people should know of it; empty when there is nothing to say. The trouble itself is said by the view."""
        ours = sorted({one for one in standing if one.startswith(PREFIX)})
        if not ours:
            return ""
        if self._why:
            return f"everything goes to old by {', '.join(ours)}: migration.yaml was not put back in {self._patience:.0f} s"
        return (
            f"migration.yaml can be read again; {', '.join(ours)} still holds everything at old until a person releases it"
            " (`/migrate safe-mode off`)"
        )
