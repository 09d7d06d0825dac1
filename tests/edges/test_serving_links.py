"""When a link is moved, when it is left alone, and what is said where it could not be moved."""

from pathlib import Path

import pytest

from k8s import model, nginx, proxy_report
from k8s.agent import links, memory_file, serving
from tests.edges.protected_proxy import EXPOSURE, view


class Links(links.Links):
    """Real links on disk. `moves`: what was asked of them; while `stuck` none can be moved."""

    def __init__(self, run: Path) -> None:
        super().__init__(run)
        self.moves: list[int] = []
        self.stuck = False

    def serve(self, service: str, weight: int) -> None:
        self.moves.append(weight)
        if self.stuck:
            raise OSError(28, "No space left on device")
        super().serve(service, weight)


class Proxy:
    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.links = Links(self.run)
        self.links.prepare()
        self.serving = serving.Serving(memory=memory_file.MemoryFolder(folder / "memory"), links=self.links)
        self.serving.nginx_serves({"api": EXPOSURE})
        self.serving.look(view(40))
        assert self.links.served("api") == 40
        self.links.moves.clear()


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    return Proxy(tmp_path)


def test_a_link_that_could_not_be_moved_is_said_and_is_not_called_applied(proxy: Proxy) -> None:
    proxy.links.stuck = True
    with pytest.raises(OSError, match=r"could not be moved .* sends 40% to new, not 0%"):
        proxy.serving.hold(model.Hold("api", "oncall"))
    report = proxy.serving.reports(lambda _: proxy_report.Traffic())["api"]
    assert (report.served, report.applied, proxy.serving.converged("api")) == (40, False, False)
    assert "could not be moved" in report.because
    proxy.links.stuck = False
    proxy.serving.look(view(40))
    assert (proxy.links.served("api"), proxy.serving.converged("api")) == (0, True)


def test_a_memory_that_could_not_be_written_is_not_called_applied(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(memory_file.MemoryFolder, "save", full)
        with pytest.raises(OSError, match="could not be written"):
            proxy.serving.hold(model.Hold("api", "oncall"))
        assert (proxy.links.served("api"), proxy.serving.converged("api")) == (0, False)
    proxy.serving.look(view(40))
    assert proxy.serving.converged("api")


def test_a_link_at_0_is_written_once_and_again_only_for_a_new_word_or_after_it_has_moved(proxy: Proxy) -> None:
    proxy.serving.suppressed_by(lambda _: serving.Suppression(0, "new is down"))
    for _ in range(3):
        proxy.serving.reconsider(["api"])
    proxy.serving.nginx_serves({"api": EXPOSURE})
    assert proxy.links.moves == [0]
    proxy.serving.hold(model.Hold("api", "oncall"))
    assert proxy.links.moves == [0, 0], "whoever holds is answered by a link that was written for it"
    nginx.allow_link(str(proxy.run), "api").unlink()
    nginx.allow_link(str(proxy.run), "api").symlink_to("../weights/7")
    proxy.serving.reconsider(["api"])
    assert (proxy.links.moves, proxy.links.served("api")) == ([0, 0, 0], 0)


def test_a_link_to_a_folder_of_somebody_elses_is_put_to_0_though_it_reads_as_0(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path)
    proxy.serving.hold(model.Hold("api", "oncall"))
    link = nginx.allow_link(str(proxy.run), "api")
    link.unlink()
    link.symlink_to("/somewhere/else")
    assert proxy.links.served("api") == 0
    serving.Serving(memory=memory_file.MemoryFolder(tmp_path / "memory"), links=proxy.links)
    assert str(link.readlink()) == "../weights/0", "an agent that starts anew takes nothing on trust"


def test_a_move_to_0_that_failed_is_tried_again_though_nobody_says_anything_new(proxy: Proxy) -> None:
    proxy.serving.suppressed_by(lambda _: None)
    proxy.links.stuck = True
    proxy.serving.suppressed_by(lambda _: serving.Suppression(0, "new is down"))
    assert (proxy.links.served("api"), list(proxy.serving.trouble)) == (40, ["api"])
    proxy.links.stuck = False
    proxy.serving.reconsider(["api"])
    assert (proxy.links.served("api"), proxy.serving.trouble) == (0, {})
