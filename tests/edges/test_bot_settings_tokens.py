"""Tokens of the API in the bot's settings: read from files, one person each, shown nowhere."""

from pathlib import Path

import pytest

from bot import settings
from tests.edges import settings_files
from tests.edges.settings_files import API_TOKEN, refused, said, with_file


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return settings_files.good(tmp_path)


def api_tokens(tmp_path: Path, **held: str) -> str:
    """The section, with a file for each person (named by id) that holds this text."""
    tokens = []
    for person, text in held.items():
        file = tmp_path / f"token-{person}"
        file.write_text(text)
        tokens.append({"person": person.partition("_")[0], "token_file": str(file)})
    return said(api={"tokens": tokens})


def test_api_tokens_are_read_from_their_files_and_kept_secret(environment: dict[str, str], tmp_path: Path) -> None:
    told = api_tokens(tmp_path, U0ANN00001=f"{API_TOKEN}\n", U0ANN00001_next=API_TOKEN[::-1])
    found = settings.load(with_file(environment, told))
    assert {one.person for one in found.api.tokens} == {"U0ANN00001"}  # two of one person, for a rotation
    assert {API_TOKEN, API_TOKEN[::-1]} <= set(found.secrets())
    assert API_TOKEN not in repr(found)
    assert settings.load(with_file(environment, said())).api.tokens == ()


@pytest.mark.parametrize("text", [API_TOKEN[:-1], "", f"{API_TOKEN} x", f"{API_TOKEN}\n\n", "é" * 32, "a" * 513])
def test_a_token_that_is_short_or_strange_is_refused_and_never_shown(
    environment: dict[str, str], tmp_path: Path, text: str
) -> None:
    (problem,) = refused(with_file(environment, api_tokens(tmp_path, U0ANN00001=text)))
    assert "api.tokens[0].token_file" in problem
    assert "openssl rand -hex 32" in problem
    assert not text.strip() or text.strip() not in problem


def test_what_is_wrong_with_api_tokens_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (twice,) = refused(with_file(environment, api_tokens(tmp_path, U0ANN00001=API_TOKEN, U0BOB00001=API_TOKEN)))
    assert "the same token" in twice
    (away,) = refused(with_file(environment, said(api={"tokens": [{"person": "U0ANN00001", "token_file": "/nowhere/token"}]})))
    assert "/nowhere/token" in away
    (nobody,) = refused(with_file(environment, api_tokens(tmp_path, ann=API_TOKEN)))
    assert "is no person id" in nobody
    (unknown,) = refused(with_file(environment, said(api={"token": []})))
    assert "did you mean tokens?" in unknown
