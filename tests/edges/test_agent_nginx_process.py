"""What the agent writes for nginx and repeats of what nginx says: testers' secrets stand in the one and never in the other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.playground.world import addresses
from k8s import nginx
from k8s.agent import nginx_process

SECRETS = ["0123456789abcdef" * 2, "ab" * 64]
TELLS_MODE = """#!/bin/sh
for last; do true; done
echo "2026/01/01 00:00:00 [emerg] 1#1: mode $(stat -c %a "$last")"; exit 1
"""


class Process(nginx_process.NginxProcess):
    """With an nginx that does not run: `reloaded` is called in its place."""

    def __init__(self, run: Path, *, binary: Path | None = None, reloaded: Callable[[], object] = lambda: None) -> None:
        url = f"http://127.0.0.1:{addresses.free_port()}/generation"
        super().__init__(binary=binary or Path(shutil.which("nginx") or "/usr/sbin/nginx"), run=run, status_url=url)
        self._reloaded = reloaded

    def reload(self) -> bool:
        self._reloaded()
        return True


@pytest.mark.parametrize("secret", SECRETS)
async def test_what_nginx_repeats_of_a_configuration_has_no_secret_in_it(tmp_path: Path, secret: str) -> None:
    twice = f'"s0|{secret}|new" "new"; "s0|{secret}|new" "old";'
    found = await Process(tmp_path).complaint(f"events {{ }} http {{ map $http_x_migrate_token $asked {{ {twice} }} }}")
    assert found.startswith('conflicting parameter "s0|(a secret)|new"')
    found = await Process(tmp_path).complaint(f"events {{ }} {secret} on;")
    assert found.startswith('unknown directive "(a secret)"')


async def test_why_nginx_did_not_take_a_configuration_is_told_without_secrets(tmp_path: Path) -> None:
    def refuse() -> None:
        line = f'2026/01/01 00:00:00 [emerg] 1#1: conflicting parameter "{SECRETS[0]}"\n'
        (tmp_path / "error.log").write_text(line)

    outcome = await Process(tmp_path, reloaded=refuse).apply(nginx.Rendered("text", "g1"), limit=0.2)
    assert 'conflicting parameter "(a secret)"' in outcome.trouble
    assert SECRETS[0] not in outcome.trouble


@pytest.mark.parametrize("said_in", ["error.log", "error.log.1"])
async def test_why_nginx_did_not_take_a_configuration_is_found_though_its_log_was_put_aside_meanwhile(
    tmp_path: Path, said_in: str
) -> None:
    log, aside = tmp_path / "error.log", tmp_path / "error.log.1"
    earlier = "2026/01/01 00:00:00 [emerg] 1#1: of an earlier configuration\n"
    for path in (log, aside):
        path.write_text(earlier * 100)

    def refuse() -> None:
        """nginx writes to the file that it has open, or to the new one already."""
        log.replace(aside)
        log.touch()
        with (tmp_path / said_in).open("a") as writing:
            writing.write('2026/01/01 00:00:00 [emerg] 1#1: unknown directive "this"\n')

    outcome = await Process(tmp_path, reloaded=refuse).apply(nginx.Rendered("text", "g1"), limit=60)
    assert 'unknown directive "this"' in outcome.trouble


async def test_nobody_else_can_read_a_configuration(tmp_path: Path) -> None:
    teller, run = tmp_path / "teller", tmp_path / "run"
    teller.write_text(TELLS_MODE)
    teller.chmod(0o755)
    run.mkdir()
    for name in ("nginx.conf", "nginx.new", "nginx.candidate"):  # of somebody who was careless
        (run / name).write_text("text")
        (run / name).chmod(0o644)
    modes: list[int] = []
    process = Process(run, binary=teller, reloaded=lambda: modes.append((run / "nginx.conf").stat().st_mode & 0o777))
    assert await process.complaint("candidate") == "mode 600"
    await process.apply(nginx.Rendered("text", "g1"), limit=0.01)
    assert modes == [0o600]
