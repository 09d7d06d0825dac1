"""What was looked at, as lines for people: history, audit, preflight, discovery, drift, rights. Pure; foreign text is cleaned."""

from collections.abc import Iterator

from bot.cli.counting import counted
from bot.cli.remote_lines import Told, clean, clock

_OK = {"yes": "ok", "no": "NO", "unknown": "??"}
_BECAME = {
    "waits": "Ferry puts it back, in a moment or when what is under way has ended.",
    "put_back": "Put back.",
    "accepted": "Accepted: it leads to old.",
    "stands": "It stands, and no proxy serves more than what was approved.",
}
_LEVELS = {"stop": "STOPS", "warning": "beware", "info": "note"}


def history(told: Told) -> Iterator[str]:
    if not told["changes"]:
        yield f"Nothing of {clean(told['service'])} was ever changed."
    for one in told["changes"]:
        at = clock(one["at"]) if one["at"] else "at an unknown time"
        start = "?" if one["before"] is None and one["generation"] > 1 else one["before"] or 0
        by = f", approved by {clean(', '.join(one['approved_by']))}" if one["approved_by"] else ""
        why = clean(one["reason"] or one["sentence"])
        yield f"{one['generation']:>4}  {at}  {start}% → {one['weight']}%  {clean(one['who'])}{by}: {why}"
    if told["changes"]:
        service = clean(told["service"])
        yield f"Back to what was in force then: ferry rollback {service} --to {told['changes'][-1]['generation']}"


def events(told: Told) -> Iterator[str]:
    if not told["events"]:
        yield "Nothing is kept of it."
    for one in told["events"]:
        about = f" {clean(one['service'])}:" if one["service"] else ""
        who = f"{clean(one['who'])} ({clean(one['source'])})"
        yield f"{clock(one['at'])}  {clean(one['kind']):<9}{about} {who}: {clean(one['sentence'])}"


def whoami(told: Told) -> Iterator[str]:
    yield f"{clean(told['shown'])} ({clean(told['id'])})"
    why = f": {clean(told['why'])}" if told["why"] else ""
    if not told["member"]:
        yield f"  may do nothing here{why}"
        return
    yield "  may look at everything, and take traffic back: rollback, safe-mode on, pause, bypass"
    yield "  may ask for more at new" if told["asks"] else f"  may not ask for more at new{why}"
    yield f"  {'may' if told['approves'] else 'may not'} approve what somebody else asked for"


def drift(told: Told) -> Iterator[str]:
    if not told["synced"]:
        yield "The cluster cannot be read completely, so this may be old."
    yield from (f"not known: {clean(one)}" for one in told["unseen"])
    yield from (_by_hand(one) for one in told["standing"])
    if not told["standing"]:
        unknown = told["unseen"] or not told["synced"]
        yield "Nothing that is known differs from what was approved." if unknown else "Nothing differs from what was approved."
    if told["lately"]:
        yield "lately:"
    yield from (f"  {_by_hand(one)}" for one in told["lately"])


def _by_hand(one: Told) -> str:
    by = f" (last written by {clean(one['by'])})" if one["by"] else ""
    became = _BECAME.get(one["became"], clean(one["became"]))
    return clean(f"{clock(one['since'])}  {one['service']}: {one['what']}{by}. {became} {one['todo']}")


def preflight(told: Told) -> Iterator[str]:
    against = [one for one in told["checks"] if one["ok"] != "yes"]
    for one in [*against, *(one for one in told["checks"] if one["ok"] == "yes")]:
        yield f"{_OK.get(one['ok'], '??')}  {clean(one['name'])}: {clean(one['sentence'])}"
        if one["remedy"]:
            yield f"      {clean(one['remedy'])}"
    if told["firewall"]:
        yield "openings that the proxies need:"
    yield from (f"  {clean(line)}" for line in told["firewall"])
    service, checks = clean(told["service"]), counted(len(told["checks"]), "check")
    if told["ok"] == "yes":
        yield f"{checks}, all well. Next: ferry prepare {service} --reason why"
    else:
        yield f"{len(against)} of {checks} not well, or not known; mend these and look again: ferry preflight {service}"


def found(told: Told) -> Iterator[str]:
    yield from (f"trouble: {clean(one)}" for one in told["trouble"])
    for one in told["proposals"]:
        yield from _proposal(one)
    for one in told["skipped"]:
        yield f"passed over: {clean(one['host'] or one['source'])}: {clean(one['why'])} {clean(one['remedy'])}"
    if not told["proposals"]:
        yield "Nothing is left to be added."
        return
    stopped = sum(1 for one in told["proposals"] if one["stops"])
    yield f"{counted(len(told['proposals']), 'proposal')}, {stopped} with something that stops it. Nothing is written yet."
    yield f"Add some: ferry accept {clean(told['proposals'][0]['name'])} …; all that nothing stops: ferry accept --all --yes"


def to_accept(told: Told) -> Iterator[str]:
    """What `--all` would add."""
    yield from (f"trouble: {clean(one)}" for one in told["trouble"])
    yield from (_hosts(one) for one in told["proposals"] if not one["stops"])


def accepted(told: Told) -> Iterator[str]:
    yield clean(told["said"])


def _proposal(one: Told) -> Iterator[str]:
    yield _hosts(one)
    for note in one["notes"]:
        level = _LEVELS.get(note["level"], "note")
        yield f"    {level}: {clean(note['about'])}: {clean(note['sentence'])} {clean(note['remedy'])}"


def _hosts(one: Told) -> str:
    return clean(f"{one['name']}: {one['old_host']} → {one['new_host']} ({', '.join(one['sources'])})")
