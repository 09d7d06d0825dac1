"""When a link is moved, when it is left alone, and what is said where it could not be moved."""

from pathlib import Path

import pytest

from k8s import model, proxy_report
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
        self.links = Links(folder / "run")
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
