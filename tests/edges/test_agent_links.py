"""The weights on disk: what nginx finds under every name, and what a crash, a full disk or an older agent leaves of them."""

import os
import stat
from pathlib import Path

import pytest

from k8s import nginx
from k8s.agent import links


def prepared(folder: Path) -> links.Links:
    made = links.Links(folder)
    made.prepare()
    return made


def plain_files(folder: Path) -> set[str]:
    """What nginx's `-f` says yes to."""
    return {one.name for one in folder.iterdir() if one.is_file()}


def test_every_slot_has_a_name_at_every_weight_and_is_a_plain_file_only_where_it_goes_to_new(tmp_path: Path) -> None:
    prepared(tmp_path)
    for weight in range(101):
        folder = nginx.weight_folder(str(tmp_path), weight)
        assert {one.name for one in folder.iterdir()} == {"none", *map(str, range(100))}
        assert plain_files(folder) == {str(bucket) for bucket in range(weight)}


def test_what_goes_to_old_is_a_pipe_that_nobody_may_open(tmp_path: Path) -> None:
    prepared(tmp_path)
    pipe = (nginx.weight_folder(str(tmp_path), 40) / "none").stat()
    assert stat.S_ISFIFO(pipe.st_mode)
    assert stat.S_IMODE(pipe.st_mode) == 0
    every = {one.stat().st_ino for one in nginx.weight_folder(str(tmp_path), 0).iterdir()}
    assert every == {pipe.st_ino}, "one file under all names"


def test_a_served_weight_is_read_back_and_found_through_the_link(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    for weight in (0, 1, 40, 99, 100, 0):
        made.serve("api", weight)
        assert made.served("api") == weight
        assert len(plain_files(nginx.allow_link(str(tmp_path), "api"))) == weight
    nginx.allow_link(str(tmp_path), "api").unlink()
    assert (made.served("api"), list((tmp_path / "allow").iterdir())) == (0, [])


@pytest.mark.parametrize("target", ["../weights/101", "../weights/-1", "../weights", "/elsewhere/weights/40", "../weights/040"])
def test_a_link_that_is_none_of_ours_is_no_weight(tmp_path: Path, target: str) -> None:
    made = prepared(tmp_path)
    nginx.allow_link(str(tmp_path), "api").symlink_to(target)
    assert made.served("api") == 0


def test_at_nothing_a_full_disk_takes_the_link_away_and_at_more_it_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    made = prepared(tmp_path)
    made.serve("api", 40)
    with monkeypatch.context() as disk:
        disk.setattr(Path, "symlink_to", full)
        with pytest.raises(OSError, match="No space left"):
            made.serve("api", 90)
        assert made.served("api") == 40
        made.serve("api", 0)
        assert (made.served("api"), os.path.lexists(tmp_path / "allow" / "api")) == (0, False)
    made.serve("api", 90)
    assert made.served("api") == 90


def test_what_an_agent_left_that_died_between_two_steps_is_in_nobodys_way(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    (tmp_path / "allow" / ".api.new").symlink_to("../weights/100")
    whole, cut_short = nginx.weight_folder(str(tmp_path), 40), tmp_path / "weights" / ".40.new"
    whole.rename(cut_short)
    (cut_short / "39").unlink()
    made.prepare()
    assert len(plain_files(whole)) == 40
    made.serve("api", 40)
    assert (made.served("api"), os.path.lexists(tmp_path / "allow" / ".api.new")) == (40, False)


def test_the_folders_of_an_older_agent_are_completed_and_its_links_and_files_let_nothing_through(tmp_path: Path) -> None:
    """It gave names only to what goes to new, a link in `split/`, and allowed by a file in `allow/`."""
    for name in ("weights", "split", "allow"):
        (tmp_path / name).mkdir()
    for weight in range(101):
        folder = nginx.weight_folder(str(tmp_path), weight)
        folder.mkdir()
        for bucket in range(weight):
            (folder / str(bucket)).touch()
    (tmp_path / "split" / "api").symlink_to(nginx.weight_folder(str(tmp_path), 40))
    (tmp_path / "allow" / "api").touch()
    assert links.Links(tmp_path).served("api") == 0
    made = prepared(tmp_path)
    assert (made.served("api"), (tmp_path / "split").exists(), list((tmp_path / "allow").iterdir())) == (0, False, [])
    assert plain_files(nginx.weight_folder(str(tmp_path), 40)) == {str(bucket) for bucket in range(40)}
    assert {one.name for one in nginx.weight_folder(str(tmp_path), 0).iterdir()} == set(nginx.SLOTS)
    made.serve("api", 40)
    prepared(tmp_path)
    assert made.served("api") == 40, "a restart takes nothing away"


def test_a_file_in_the_links_place_lets_nothing_through_and_is_replaced(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    (tmp_path / "allow" / "api").touch()
    assert made.served("api") == 0
    made.serve("api", 40)
    assert made.served("api") == 40
