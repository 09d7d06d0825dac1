"""Where the `ferry` command enters."""

import typer

from bot.cli import verbs

app = typer.Typer(
    name="ferry",
    cls=verbs.Verbs,
    help="Moves live traffic from an old Kubernetes cluster to a new one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _ferry() -> None:
    """Verbs are found by `verbs.Verbs`."""


def main() -> None:
    app()


if __name__ == "__main__":
    main()
