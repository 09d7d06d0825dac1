"""Testers' secrets from a folder: only what was approved counts, files come and go, and no secret is ever told."""

import hashlib
from pathlib import Path

import pytest

from k8s import model
from k8s.agent import overrides

SECRET = "0123456789abcdef" * 4
HASH = hashlib.sha256(SECRET.encode()).hexdigest()


def signed(override_hash: str | None = HASH) -> dict[str, model.Exposure]:
    return {"api": model.Exposure(5, "api.old.example", "api.new.example", override_hash=override_hash)}


def test_files_that_come_change_and_go_are_followed(tmp_path: Path) -> None:
    testers = overrides.Overrides(tmp_path / "overrides")
    assert testers.secrets(signed()) == {}
    assert "is missing" in testers.trouble[0]
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides" / "api").write_text(f"{SECRET}\n")
    assert (testers.secrets(signed()), testers.trouble) == ({"api": SECRET}, [])
    (tmp_path / "overrides" / "api").write_text(SECRET[::-1])
    assert testers.secrets(signed()) == {}
    assert "not the secret whose hash was approved" in testers.trouble[0]
    (tmp_path / "overrides" / "api").unlink()
    assert testers.secrets(signed()) == {}


def test_a_folder_alone_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "api").write_text(SECRET)
    (tmp_path / "shop").write_text(SECRET)
    testers = overrides.Overrides(tmp_path)
    assert testers.secrets(signed(None)) == {}
    assert testers.secrets({}) == {}
    assert testers.trouble == []


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"a" * 31, b"A" * 64, b"a" * 129, b"a" * 5000, b"0f" * 20 + b"; #"])
def test_a_file_that_holds_no_secret_is_refused_without_being_repeated(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "api").write_bytes(content)
    testers = overrides.Overrides(tmp_path)
    assert testers.secrets(signed(hashlib.sha256(content).hexdigest())) == {}
    [sentence] = testers.trouble
    assert "api" in sentence
    assert not content or content.decode("latin-1")[:20] not in sentence
