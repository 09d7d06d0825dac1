"""One measured row, and how it is said: a JSON object a line on stdout. Progress goes to stderr."""

import json
import statistics
import sys
from collections.abc import Sequence


def say(sentence: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(f"bench: {sentence}\n")
    sys.stderr.flush()


def told(bench: str, value: float | None, unit: str, *, n: int | None = None, note: str = "") -> None:
    """A row without a target: it helps to read the others."""
    _print(bench, value, unit, target=None, ok=None, n=n, note=note)


def at_least(bench: str, value: float, unit: str, least: float, *, n: int | None = None, note: str = "") -> None:
    """A row that is well when `value` is not below `least`."""
    _print(bench, value, unit, target=f">= {least:g}", ok=value >= least, n=n, note=note)


def at_most(bench: str, value: float | None, unit: str, most: float, *, n: int | None = None, note: str = "") -> None:
    """A row that is well when `value` is not above `most`; `None`: it never came to be, which is not well."""
    _print(bench, value, unit, target=f"<= {most:g}", ok=value is not None and value <= most, n=n, note=note)


def within(bench: str, value: float, unit: str, least: float, most: float, *, n: int | None = None, note: str = "") -> None:
    """A row that is well from `least` to `most`."""
    _print(bench, value, unit, target=f"{least:g} to {most:g}", ok=least <= value <= most, n=n, note=note)


def spread(values: Sequence[float]) -> str:
    """The median's company: smallest, quartiles, largest."""
    if len(values) < 3:
        return "of " + ", ".join(f"{value:.3g}" for value in values)
    low, _, high = statistics.quantiles(values, n=4)
    return f"rounds {min(values):.3g} | {low:.3g} to {high:.3g} | {max(values):.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """`share` from 0 to 1, by nearest rank. Raises ValueError when there is nothing to rank."""
    if not values:
        raise ValueError("no value was measured: there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _print(bench: str, value: float | None, unit: str, *, target: str | None, ok: bool | None, n: int | None, note: str) -> None:
    row: dict[str, object] = {
        "bench": bench,
        "value": None if value is None else float(f"{value:.5g}"),
        "unit": unit,
        "target": target,
        "ok": ok,
    }
    if n is not None:
        row["n"] = n
    if note:
        row["note"] = note
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()
