"""Everything a registry collects as Prometheus' text, for tens of thousands of lines every two seconds.

`prometheus_client.generate_latest` takes several times as long a line: it looks for what our names and labels cannot have.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from prometheus_client import core, registry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TIMES_MADE = (
    2.0  # as long as it took, so many times over, a text is still told: several who ask together cost little more than one
)
LONGEST_KEPT = 1.0  # seconds
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Exposition:
    """`text` may be asked by many at once; it is made in a thread, for one of them at a time. `clock`: monotonic seconds."""

    def __init__(self, of: registry.Collector, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._of = of
        self._clock = clock
        self._turn = asyncio.Lock()
        self._text = b""
        self._kept_until = float("-inf")

    async def text(self) -> bytes:
        async with self._turn:
            began = self._clock()
            if began >= self._kept_until:
                self._text = await asyncio.to_thread(self._made)
                now = self._clock()
                self._kept_until = now + min(LONGEST_KEPT, TIMES_MADE * (now - began))
            return self._text

    def _made(self) -> bytes:
        return text_of(self._of.collect())


class _Escaped(dict[str, str]):
    """Values of labels as they are written: there are few, in very many lines."""

    def __missing__(self, value: str) -> str:
        found = self[value] = value.translate(_ESCAPES)
        return found


def text_of(families: Iterable[core.Metric]) -> bytes:
    """Counters, gauges and histograms without time stamps. When a counter began (`_created`) is not told."""
    lines, escaped = list[str](), _Escaped()
    for family in families:
        name = family.name + "_total" if family.type == "counter" else family.name
        lines += (f"# HELP {name} {_help(family.documentation)}\n", f"# TYPE {name} {family.type}\n")
        created = family.name + "_created"
        for sample in family.samples:
            if sample.name == created:
                continue
            if sample.labels:
                labels = ",".join([f'{key}="{escaped[value]}"' for key, value in sample.labels.items()])
                lines.append(f"{sample.name}{{{labels}}} {sample.value}\n")
            else:
                lines.append(f"{sample.name} {sample.value}\n")
    return "".join(lines).encode()


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
