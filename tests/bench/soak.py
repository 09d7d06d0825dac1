"""Full load for BENCH_MINUTES (30) through a whole proxy, its agent too: memory and descriptors stay flat, nothing fails."""

import asyncio
import os
import statistics
from dataclasses import dataclass

from tests.bench import memory, nginx_servers, proxy_world, rows, wrk
from tests.integration import one_proxy

WEIGHT, SLICE = 50, 10.0
GROWTH, MORE_DESCRIPTORS = 5.0, 10.0  # percent of the memory, and descriptors, that the whole run may add
MEGABYTE = 1024 * 1024


@dataclass(slots=True)
class Course:
    """One figure over the run: (minutes, value)."""

    unit: str
    points: list[tuple[float, float]]

    def settled(self) -> list[tuple[float, float]]:
        """Without the first fifth: buffers fill, connections open."""
        return self.points[len(self.points) // 5 :]

    def slope(self) -> float:
        """A minute, by least squares."""
        points = self.settled()
        return statistics.linear_regression([at for at, _ in points], [value for _, value in points]).slope


async def measure() -> None:
    minutes = float(os.environ.get("BENCH_MINUTES", "30"))
    with nginx_servers.scratch_folder() as folder:
        world = proxy_world.FastProxy(folder)
        async with proxy_world.torn_down(world):
            await world.start()
            await world.raised(WEIGHT, expected=0)
            await _run(world, minutes)


async def _run(world: proxy_world.FastProxy, minutes: float) -> None:
    master = int((world.folder / "run" / "nginx.pid").read_text())
    workers = memory.children(master)
    courses: dict[str, Course] = {}
    loop = asyncio.get_running_loop()
    began = loop.time()
    requests, failed, kinds = 0, 0, set()
    while (now := loop.time() - began) < minutes * 60:
        runs = await asyncio.gather(
            wrk.load(world.url, host=one_proxy.OLD_HOST, seconds=SLICE, connections=24),
            wrk.load(world.url, host=one_proxy.OLD_HOST, seconds=SLICE, connections=8, method="POST", body="a=1"),
        )
        requests += sum(run.requests for run in runs)
        failed += sum(run.failed for run in runs)
        kinds |= {run.kinds for run in runs if run.kinds}
        rows.say(f"{now / 60:.1f} of {minutes:g} minutes, {requests} requests, {failed} failed")
        proxy_world.demand_alive(world)
        _look(courses, (loop.time() - began) / 60, workers, world.agent.pid)
    proxy_world.demand_alive(world)
    if workers != memory.children(master):
        kinds.add("nginx's workers are not those of the beginning")
    rows.at_most(
        f"soak of {minutes:g} minutes: failed requests", failed, "requests", 0, n=requests,
        note="; ".join(sorted(kinds)) or f"{requests / (loop.time() - began):.0f} requests/s",
    )  # fmt: skip
    for name, course in courses.items():
        _report(name, course, minutes)


def _look(courses: dict[str, Course], minute: float, workers: list[int], agent: int) -> None:
    figures = {
        "nginx workers, memory": ("MB", sum(memory.proportional(pid) for pid in workers) / MEGABYTE),
        "agent, memory": ("MB", memory.resident(agent) / MEGABYTE),
        "nginx workers, descriptors": ("descriptors", sum(memory.descriptors(pid) for pid in workers)),
        "agent, descriptors": ("descriptors", memory.descriptors(agent)),
    }
    for name, (unit, value) in figures.items():
        courses.setdefault(name, Course(unit, [])).points.append((minute, value))


def _report(name: str, course: Course, minutes: float) -> None:
    if len(course.settled()) < 3:
        raise RuntimeError("too few points for a slope: set BENCH_MINUTES to 1 or more")
    values = [value for _, value in course.settled()]
    slope = course.slope()
    most = GROWTH / 100 * statistics.median(values) if course.unit == "MB" else MORE_DESCRIPTORS
    rows.at_most(
        f"soak: {name}, growth", slope * minutes, course.unit, most, n=len(values),
        note=f"slope {slope:.4g} a minute; {values[0]:.1f} first, {values[-1]:.1f} last, {max(values):.1f} at most",
    )  # fmt: skip
