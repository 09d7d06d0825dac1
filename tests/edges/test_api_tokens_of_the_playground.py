"""Whoever starts the playground has a token for the command line: somebody who asks, and somebody else who approves."""

from pathlib import Path

import yaml

from bot import settings
from bot.api import callers
from deploy.playground import installation
from deploy.playground.slack import people


def surroundings(folder: Path | None) -> installation.Surroundings:
    access = installation.SlackAccess("http://127.0.0.1:1/api/", "xoxb-1", "xapp-1")
    return installation.Surroundings(access, "redis://127.0.0.1:1/0", "http://127.0.0.1:2", 443, {}, folder=folder)


def test_the_bot_of_the_playground_knows_two_persons_by_the_tokens_in_its_folder(tmp_path: Path) -> None:
    keys, around = installation.Keys(), surroundings(tmp_path)
    installation.write_tokens(keys, around)
    told = yaml.safe_load(installation.settings(around, persons=tuple(keys.api_tokens)))
    read = settings.Api.model_validate(told["api"])
    known = callers.Callers((one.person, one.token_file.get_secret_value()) for one in read.tokens)
    for person in (people.U_ANN, people.U_BOB):
        file = around.token_file(person)
        assert file is not None
        assert file.stat().st_mode & 0o777 == 0o600
        assert known.person(f"Bearer {file.read_text()}") == person
        assert file.read_text() in keys.texts()
        assert file.read_text() not in yaml.safe_dump(told)


def test_without_a_folder_nobody_has_one() -> None:
    keys, around = installation.Keys(), surroundings(None)
    installation.write_tokens(keys, around)
    told = yaml.safe_load(installation.settings(around, persons=tuple(keys.api_tokens)))
    assert told["api"] == {"tokens": []}
