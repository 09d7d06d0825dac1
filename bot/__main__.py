"""Where the `ferry` command enters."""

from importlib import metadata

import typer

from bot.cli import audit, documents, run

app = typer.Typer(
    name="ferry",
    help="Moves live traffic from an old Kubernetes cluster to a new one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(documents.check)
app.command()(documents.keys)
app.command()(run.run)
app.add_typer(audit.app, name="audit")


@app.callback()
def _ferry() -> None:
    """Keeps verbs as verbs, however few there are."""


def main() -> None:
    """Adds the verbs that other packages bring, then runs the one that was asked for."""
    for found in metadata.entry_points(group="ferry.commands"):
        app.command(name=found.name)(found.load())
    app()


if __name__ == "__main__":
    main()
