"""Shares of limits, measured at a real process in a real cgroup with a view of its own, as a container has one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from k8s.agent import pressure

GROUPS = Path("/sys/fs/cgroup")
MIB = 1024 * 1024
LIMIT, USED = 64 * MIB, 40 * MIB
BURNT = 0.3  # seconds of CPU time

# Shows the process its own groups alone, then becomes it. The group is joined last: the way there costs it nothing.
SHOWN = """
set -e
view=$1; shift
mount --bind "$view" "$view"
for pair in $GROUPS_SHOWN; do
  mkdir -p "$view/${pair%%=*}"
  mount --bind "${pair#*=}" "$view/${pair%%=*}"
done
mount --rbind "$view" /sys/fs/cgroup
for group in $GROUPS_SHOWN; do echo $$ > "/sys/fs/cgroup/${group%%=*}/cgroup.procs"; done
exec "$@"
"""
BUSY = """
import sys, time
kept = bytearray(int(sys.argv[1]))
kept[::4096] = b"x" * len(kept[::4096])
print("ready", flush=True)
for _ in sys.stdin:
    end = time.process_time() + float(sys.argv[2])
    while time.process_time() < end:
        pass
    print("burnt", flush=True)
"""


class Container:
    """A process that holds USED bytes and burns BURNT seconds of CPU time whenever it is told to."""

    def __init__(self, shown: dict[str, Path], folder: Path, *unshared: str) -> None:
        view = folder / "view"
        view.mkdir()
        (folder / "shown.sh").write_text(SHOWN)
        self.process = subprocess.Popen(
            ["unshare", "--mount", *unshared, "sh", folder / "shown.sh", view, sys.executable, "-c", BUSY, str(USED), str(BURNT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "GROUPS_SHOWN": " ".join(f"{name}={path}" for name, path in shown.items())},
        )
        (folder / "nginx.pid").write_text(f"{self.process.pid}\n")

    def says(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def burns(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        assert self.says() == b"burnt\n"

    def stop(self) -> None:
        self.process.communicate()


def made(path: Path, opened: ExitStack, **limits: str) -> Path:
    """A group that is gone afterwards. Skips where none can be made or limited."""
    try:
        path.mkdir()
        opened.callback(path.rmdir)
        for name, text in limits.items():
            (path / name.replace("__", ".")).write_text(text)
    except OSError as error:
        pytest.skip(f"no cgroup of its own can be made here: {error}")
    return path


@pytest.fixture(params=["v1", "v2"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    name = f"ferry-test-{os.getpid()}"
    with ExitStack() as opened:
        if request.param == "v1":
            if not (GROUPS / "memory" / "memory.limit_in_bytes").exists():
                pytest.skip("cgroups of version 1 are not mounted here")
            shown = {
                "memory": made(GROUPS / "memory" / name, opened, memory__limit_in_bytes=str(LIMIT)),
                "cpu": made(GROUPS / "cpu" / name, opened, cpu__cfs_period_us="100000", cpu__cfs_quota_us="50000"),
                "cpuacct": made(GROUPS / "cpuacct" / name, opened),
            }
            one = Container(shown, tmp_path)
        else:
            controllers = GROUPS / "cgroup.controllers"
            if not controllers.exists() or not {"cpu", "memory"} <= set(controllers.read_text().split()):
                pytest.skip("cgroups of version 2 have no cpu and memory controllers here")
            try:
                (GROUPS / "cgroup.subtree_control").write_text("+cpu +memory")
            except OSError as error:
                pytest.skip(f"cgroups of version 2 cannot be delegated here: {error}")
            group = made(GROUPS / name, opened, memory__max=str(LIMIT), cpu__max="50000 100000")
            one = Container({".": group}, tmp_path, "--cgroup")
        opened.callback(one.stop)
        assert one.says() == b"ready\n"
        yield one


def test_a_container_says_how_much_of_its_limits_it_uses(container: Container, tmp_path: Path) -> None:
    limits = pressure.Pressure(tmp_path)
    used = limits.memory()
    assert used is not None
    assert USED / LIMIT <= used <= 1
    assert limits.cpu(now=0.0) is None, "a rate needs two looks"
    container.burns()
    share = limits.cpu(now=1.0)
    assert share is not None
    assert share >= BURNT / 0.5, "of half a CPU, as if a second had passed"
    container.burns()
    assert limits.cpu(now=1.0 + 1000.0) == pytest.approx(BURNT / 0.5 / 1000, rel=0.5)


def test_of_a_process_in_the_same_group_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "nginx.pid").write_text(f"{os.getpid()}\n")
    limits = pressure.Pressure(tmp_path)
    assert (limits.memory(), limits.cpu(now=1.0), limits.cpu(now=2.0)) == (None, None, None)


def test_pages_of_files_that_the_kernel_takes_back_are_no_pressure(tmp_path: Path) -> None:
    (tmp_path / "nginx.pid").write_text("41\n")
    for process, group in (("self", "cgroup:[1]"), ("41", "cgroup:[2]")):
        (tmp_path / "proc" / process / "ns").mkdir(parents=True)
        (tmp_path / "proc" / process / "ns" / "cgroup").symlink_to(group)
    group_view = tmp_path / "proc" / "41" / "root" / "sys" / "fs" / "cgroup"
    group_view.mkdir(parents=True)
    for name, text in {
        "memory.max": "1000",
        "memory.current": "950",
        "memory.stat": "anon 300\nactive_file 50\ninactive_file 600",
    }.items():
        (group_view / name).write_text(text + "\n")
    assert pressure.Pressure(tmp_path, processes=tmp_path / "proc").memory() == pytest.approx(0.35)
