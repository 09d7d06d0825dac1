"""Makes views from what an app sends: ids, hashes, and the fields that it left to Slack."""

from typing import Any

from deploy.playground.slack import form_state, records, workspace

Json = dict[str, Any]


def make(space: workspace.Workspace, user: str, body: Json, *, above: records.View | None = None) -> records.View:
    filled = {**body, "blocks": list(space.with_ids(body.get("blocks", ())))}
    view_id = f"V{space.token(10).upper()}"
    return records.View(
        id=view_id,
        kind=str(body["type"]),
        user=user,
        hash=new_hash(space),
        body=filled,
        root_view_id=above.root_view_id if above else view_id,
        previous_view_id=above.id if above else None,
        external_id=str(body.get("external_id") or ""),
        state=form_state.state_of(filled["blocks"], {}),
    )


def update(space: workspace.Workspace, view: records.View, body: Json) -> records.View:
    """The view with a new body; what the person typed into fields that are still there stays, as in Slack's client."""
    filled = {**body, "blocks": list(space.with_ids(body.get("blocks", ())))}
    fresh = form_state.state_of(filled["blocks"], {})
    kept = {
        block_id: {action_id: view.state.get(block_id, {}).get(action_id, content) for action_id, content in fields.items()}
        for block_id, fields in fresh.items()
    }
    return space.screens.replace(view, body=filled, hash=new_hash(space), state=kept)


def new_hash(space: workspace.Workspace) -> str:
    return f"{int(space.clock.now())}.{space.token(8)}"
