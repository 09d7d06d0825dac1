"""docs/VERBS.md names every verb of Slack, of the command line and of the API, and no other; gaps are exceptions named here."""

import re
import shlex
from pathlib import Path

import pytest

from bot.cli import verbs
from bot.slack import parsing

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "docs" / "VERBS.md"
PAGES = (LIST, ROOT / "README.md", ROOT / "README.zh-CN.md")
OF_WAVES = {"waves under way", "how far a wave is"}
WITHOUT_SLACK = {"add it at 0%", "what a stage would change", "reject, or withdraw", "follow a change", *OF_WAVES}
WITHOUT_COMMAND_LINE = OF_WAVES
WITHOUT_HTTP: set[str] = set()
OWN_MACHINE = {"check", "render", "keys", "audit export", "audit verify", "serve", "playground"}
BY_REMOTE_VERB = [name for name, verb in verbs.VERBS.items() if verb.where.startswith("bot.cli.remote")]


def rows(columns: int) -> list[list[str]]:
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in LIST.read_text().splitlines() if line.startswith("|")
    ]
    return [cells for cells in found if len(cells) == columns and not set(cells[0]) <= {"-"} and cells[0] != "what"]


def spoken(cell: str) -> str:
    """The command of a cell; empty: a dash stands there, and why."""
    if cell.startswith("– "):
        assert len(cell) > 10
        return ""
    found = re.fullmatch(r"`([^`]+)`", cell)
    assert found, cell
    return found[1]


def named(command: str) -> str:
    """`audit show` of `ferry audit show api`."""
    words = shlex.split(command)[1:]
    return " ".join(words[:2] if words[0] == "audit" else words[:1])


def routes() -> set[str]:
    text = "".join(path.read_text() for path in (ROOT / "bot" / "api").glob("routes*.py"))
    return {f"{method.upper()} {path}" for method, path in re.findall(r'@app\.(get|post|put|patch|delete)\("([^"]+)"\)', text)}


def command_lines() -> set[str]:
    """Every verb, those of `audit` one by one, and what the playground brings."""
    below = verbs.loaded("audit").commands
    return {*(set(verbs.VERBS) - {"audit"}), *(f"audit {name}" for name in below), "playground"}


def test_every_verb_of_slack_is_listed() -> None:
    typed = [one for cells in rows(5) if (one := spoken(cells[2]))]
    assert {one.split()[1] for one in typed} == set(parsing.VERBS)
    assert [one for one in typed if isinstance(parsing.parse(one), parsing.Help) is not one.endswith(" help")] == []
    assert {cells[0] for cells in rows(5) if not spoken(cells[2])} == WITHOUT_SLACK


def test_every_verb_of_the_command_line_is_listed() -> None:
    typed = [one for cells in rows(5) if (one := spoken(cells[3]))]
    alone = [spoken(cells[1]) for cells in rows(2)]
    assert {named(one) for one in alone} == OWN_MACHINE
    assert {named(one) for one in (*typed, *alone)} - {"--help"} == command_lines()
    assert {cells[0] for cells in rows(5) if not spoken(cells[3])} == WITHOUT_COMMAND_LINE


def test_every_address_of_the_api_is_listed() -> None:
    assert len(routes()) > 20
    listed = [one for cells in rows(5) if (one := spoken(cells[4]))]
    assert set(listed) == routes() | {"GET /openapi.json"}
    assert len(listed) == len(set(listed))
    assert {cells[0] for cells in rows(5) if not spoken(cells[4])} == WITHOUT_HTTP


def commands(page: Path) -> list[list[str]]:
    text = page.read_text()
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    inline = re.findall(r"`(ferry [^`]+)`", text)
    parts = [part.strip() for line in (*blocks.splitlines(), *inline) for part in re.split(r";|\|", re.sub(r"\s#.*", "", line))]
    bare = [re.sub(r"^(?:[A-Z_]+=\S*\s+)+", "", part) for part in parts]
    return [shlex.split(one) for one in bare if one.startswith("ferry ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_is_printed_exists_with_its_options(page: Path) -> None:
    typed = commands(page)
    assert len(typed) > 15
    for words in typed:
        if words[1] in ("--help", "playground"):
            continue
        command, rest = verbs.loaded(words[1]), words[2:]
        if hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        options = {option for one in command.params for option in one.opts}
        assert {word for word in rest if word.startswith("-")} <= options, words


@pytest.mark.parametrize("name", [*BY_REMOTE_VERB, "check", "render", "audit export", "audit verify", "audit show"])
def test_whatever_prints_values_prints_them_as_json_too(name: str) -> None:
    first, _, second = name.partition(" ")
    command = verbs.loaded(first)
    command = command.commands[second] if second else command
    assert "--json" in {option for one in command.params for option in one.opts}


def test_the_verbs_that_wait_are_those_that_are_said_to() -> None:
    waiting = {name for name in BY_REMOTE_VERB if any("--wait" in one.opts for one in verbs.loaded(name).params)}
    [said] = [line for line in LIST.read_text().splitlines() if "take `--wait`" in line]
    assert {one for one in re.findall(r"`([^`]+)`", said) if one != "--wait"} == waiting
