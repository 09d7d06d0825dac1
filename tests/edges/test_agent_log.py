"""The access log is read as it grows, through truncation and rotation, and no line is lost or counted twice."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from k8s.agent import access_log


class Nginx:
    """The writing side: it goes on in the file it has open until it is told to open the log anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = (folder / "access.log").open("ab", buffering=0)
        self.told = 0
        self.sought = 0
        self.alive = True

    def write(self, text: bytes) -> None:
        self.file.write(text)

    def told_to_reopen(self) -> bool:
        self.sought += 1
        self.told += self.alive
        return self.alive

    def close(self) -> None:
        self.file.close()

    def reopens(self) -> None:
        self.file.close()
        self.file = (self.folder / "access.log").open("ab", buffering=0)


class Reader:
    def __init__(self, nginx: Nginx, *, largest: int = 1_000_000) -> None:
        self.seen = b""
        self.log = access_log.AccessLog(nginx.folder, count=self._count, reopen=nginx.told_to_reopen, largest=largest)

    def _count(self, lines: bytes) -> None:
        assert lines.endswith(b"\n"), "only whole lines"
        self.seen += lines

    def reads(self) -> bytes:
        while self.log.read():
            pass
        found, self.seen = self.seen, b""
        return found


Start = Callable[..., Reader]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    one = Nginx(tmp_path)
    yield one
    one.close()


@pytest.fixture
def start(nginx: Nginx) -> Iterator[Start]:
    with ExitStack() as open_logs:

        def started(*, largest: int = 1_000_000) -> Reader:
            reader = Reader(nginx, largest=largest)
            open_logs.callback(reader.log.close)
            return reader

        yield started


def test_only_what_comes_after_the_start_is_counted_and_half_a_line_waits(nginx: Nginx, start: Start) -> None:
    nginx.write(b"before\n")
    reader = start()
    nginx.write(b"one\ntw")
    assert reader.reads() == b"one\n"
    nginx.write(b"o\n")
    assert reader.reads() == b"two\n"


def test_a_log_that_comes_later_is_read_from_its_first_line(tmp_path: Path, nginx: Nginx, start: Start) -> None:
    (tmp_path / "access.log").unlink()
    reader = start()
    assert reader.reads() == b""
    nginx.reopens()
    nginx.write(b"first\n")
    assert reader.reads() == b"first\n"


def test_a_log_cut_short_by_somebody_is_read_on_from_its_start(nginx: Nginx, start: Start) -> None:
    reader = start()
    nginx.write(b"a long line of before\n")
    reader.reads()
    nginx.file.truncate(0)
    nginx.write(b"after\n")
    assert reader.reads() == b"after\n"


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="who has a file open cannot be asked on this system")
def test_a_rotation_loses_no_line_of_a_writer_that_reopens_late(tmp_path: Path, nginx: Nginx, start: Start) -> None:
    reader = start(largest=10)
    nginx.write(b"0123456789\n")
    assert reader.reads() == b"0123456789\n"
    assert nginx.told == 1
    nginx.write(b"late\n")
    assert reader.reads() == b"late\n", "it still writes to the renamed file"
    nginx.reopens()
    nginx.write(b"new\n")
    assert reader.reads() == b"new\n"
    assert sorted(path.name for path in tmp_path.glob("access.log*")) == ["access.log", "access.log.1"]


def test_without_an_nginx_to_tell_the_log_stays_under_its_name(tmp_path: Path, nginx: Nginx, start: Start) -> None:
    reader = start(largest=10)
    nginx.alive = False
    nginx.write(b"0123456789\n")
    assert reader.reads() == b"0123456789\n"
    nginx.write(b"more\n")
    assert reader.reads() == b"more\n"
    assert [path.name for path in tmp_path.glob("access.log*")] == ["access.log"]


def test_only_the_last_rotated_file_is_kept(tmp_path: Path, nginx: Nginx, start: Start) -> None:
    reader = start(largest=10)
    for number in range(5):
        nginx.write(b"%010d\n" % number)
        assert reader.reads() == b"%010d\n" % number
        nginx.reopens()
        reader.reads()
    if hasattr(fcntl, "F_SETLEASE"):
        assert sorted(path.name for path in tmp_path.glob("access.log*")) == ["access.log", "access.log.5"]


def test_errors_are_put_aside_at_their_own_size_and_one_older_file_is_kept(
    tmp_path: Path, nginx: Nginx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "LARGEST_ERRORS", 10)
    reader = start()
    for text in ("errors one", "errors two"):
        (tmp_path / "error.log").write_text(text)
        reader.reads()
        assert not (tmp_path / "error.log").exists(), "nginx makes it anew when it is told"
        assert (tmp_path / "error.log.1").read_text() == text
    assert nginx.told == 2
    (tmp_path / "error.log").write_text("short")
    reader.reads()
    assert (nginx.told, (tmp_path / "error.log").read_text()) == (2, "short")


def test_without_an_nginx_to_tell_errors_stay_under_their_name(
    tmp_path: Path, nginx: Nginx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "LARGEST_ERRORS", 10)
    monkeypatch.setattr(access_log, "UNTOLD", 1e6)
    nginx.alive = False
    reader = start()
    (tmp_path / "error.log").write_text("many errors")
    (tmp_path / "error.log.1").write_text("older errors")
    for _ in range(3):
        reader.reads()
    assert (tmp_path / "error.log").read_text() == "many errors"
    assert (tmp_path / "error.log.1").read_text() == "older errors"
    assert nginx.sought == 1, "not at every look, while nothing has changed"
    monkeypatch.setattr(access_log, "UNTOLD", 0.0)
    nginx.alive = True
    reader.reads()
    assert sorted(path.name for path in tmp_path.glob("error.log*")) == ["error.log.1"]
    assert (tmp_path / "error.log.1").read_text() == "many errors"
