"""The rules of the house that no linter knows: sizes, names, one reader of the environment, no addresses in pins."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["bot", "handlers", "k8s", "deploy", "templates"]
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FORBIDDEN_NAMES = frozenset(
    {"utils", "helpers", "common", "misc", "base", "core", "manager", "engine", "processor", "impl"}
    | {"types", "constants", "data", "info"}
)
MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 60


def test_no_file_grows_past_its_responsibility() -> None:
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES
        if (lines := len(path.read_text().splitlines())) > MOST_LINES_A_FILE
    }
    assert too_long == {}


def test_no_function_grows_past_a_screen() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno > MOST_LINES_A_FUNCTION
    ]
    assert too_long == []


def test_names_explain_themselves() -> None:
    assert [path for path in SOURCES if path.stem in FORBIDDEN_NAMES or path.stem.endswith("_tools")] == []


def test_every_package_says_what_lives_there() -> None:
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    assert packages
    assert [path for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"os\.(environ|getenv)|from os import environ", path.read_text())
    }
    allowed = {"bot/settings.py", "k8s/agent/settings.py"}
    assert {reader for reader in readers if not reader.startswith("deploy/playground/")} <= allowed


def test_pins_carry_hashes_and_name_no_address() -> None:
    for pins in (ROOT / "deploy").glob("requirements*.txt"):
        text = pins.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--(index|extra-index|find-links|trusted)", text)
