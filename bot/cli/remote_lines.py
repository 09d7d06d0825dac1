"""What the API answered, as lines for people. Pure. Foreign text loses what could steer a terminal."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.cli.counting import counted

Told = Mapping[str, Any]


def clean(text: object) -> str:
    """One line, printable."""
    return "".join(sign if sign.isprintable() else " " for sign in str(text)).strip()


def change(operation: Told) -> str:
    """`api: 5% → 10% of ip 10.2.0.0/16`, with what it was before where that was another rule."""
    before, after = operation["before"], operation["after"]
    if said := _of_objects_or_steps(operation):
        return clean(f"{operation['service']}: {said}")
    was, now = rule(before) if before else "", rule(after)
    start = f"{before['weight'] if before else 0}%" + (f" of {was}" if before and was != now else "")
    return clean(f"{operation['service']}: {start} → {after['weight']}% of {now}")


def _of_objects_or_steps(operation: Told) -> str:
    """What is asked for; empty where it is another share."""
    objects = f"{counted(len(operation['objects']), 'object')}, the weight stays at {operation['after']['weight']}%"
    match operation["kind"]:
        case "release":
            return f"release of {', '.join(operation['clears'])}; the weight stays at {operation['after']['weight']}%"
        case "run":
            steps = ", ".join(f"{weight}%" for weight in operation["steps"])
            return f"standing approval of the steps {steps}, each once, until {clock(operation['until'])}"
        case "wave":
            members = ", ".join(f"{one['service']} from {one['before']}%" for one in operation["members"])
            return f"{counted(len(operation['members']), 'service')} to {operation['after']['weight']}%: {members}"
        case "prepare":
            return f"prepare: the old ingress hands the host to the proxies ({objects})"
        case "bypass":
            return f"bypass: the original entry again, without the proxies ({objects})"
        case "finish":
            return f"finish: the old host forwards to the new cluster for good ({objects})"
        case "remove":
            return f"remove: the old application goes ({objects})"
        case _:
            return ""


def rule(exposure: Told) -> str:
    """Which requests the weight is a share of."""
    match exposure["strategy"]:
        case "header":
            told = exposure["header"]
            return f"header {told['name']}={','.join(told['values'])}"
        case "ip":
            return f"ip {','.join(exposure['cidrs'])}"
        case "user":
            told = exposure["user"]
            return f"user {told['source']}" + (f"={','.join(told['ids'])}" if told["ids"] else "")
        case _:
            return "every request"


def answer(told: Told) -> Iterator[str]:
    """Of a request or a decision."""
    yield clean(told["said"])
    if operation := told["operation"]:
        yield from _operation(operation)


def _operation(told: Told) -> Iterator[str]:
    yield f"  {change(told)}"
    given = ", ".join(clean(one["shown"]) for one in told["approvals"]) or "nobody"
    needed = f"approved by {given} ({told['approvals_needed']} needed)" if told["approvals_needed"] else "no approval needed"
    waits = f", open until {clock(told['expires_at'])}" if told["outcome"] == "open" and not told["confirmed_at"] else ""
    yield f"  {told['id']}, plan {told['plan_hash'][:8]}, {needed}{waits}"
    if told["next"]:
        yield clean(told["next"])


def preview(told: Told) -> Iterator[str]:
    """Of a plan that nobody asked for."""
    before, after = told["before"], told["after"]
    start = f"{before['weight']}% of {rule(before)}" if before else "0%"
    yield clean(f"Plan only: {told['service']}: {start} → {after['weight']}% of {rule(after)} ({told['kind']})")
    if told["refusal"] is None:
        yield f"It would be accepted: ferry shift {clean(told['service'])} {after['weight']}% --reason why"
    else:
        yield clean(f"It would be refused now: {told['refusal']['sentence']}")


def placed_or_answer(told: Told) -> Iterator[str]:
    return placed(told) if "hold" in told else answer(told)


def to_decide(told: Told) -> Iterator[str]:
    """Before somebody decides: what it is, by whom, why."""
    yield f"{change(told)}, asked for by {clean(told['requester_shown'])}: {clean(told['reason']) or 'no reason given'}"
    if told["skips"]:
        yield f"  passes over {clean(told['skips'])}"
    yield from (f"  {clean(name)}" for name in told["objects"])


def placed(told: Told) -> Iterator[str]:
    yield f"{clean(told['said'])} {told['held']} of {told['asked']} proxies took it in {told['milliseconds']:g} ms."
    yield f"  hold {clean(told['hold']['id'])}"
    service = clean(told["hold"]["service"])
    yield f"When the cause is repaired, ask for its release: ferry safe-mode off {service}"


def releases(told: Told) -> Iterator[str]:
    for one in told["requests"]:
        yield from answer(one)


def overview(told: Told) -> Iterator[str]:
    if not told["synced"]:
        yield "The cluster cannot be read completely, so this may be old."
    yield from (clean(sentence) for sentence in told["trouble"])
    width = max((len(one["name"]) for one in told["services"]), default=0)
    for one in told["services"]:
        yield f"{clean(one['name']):<{width}}  {one['weight']:>3}%  {_standing(one)}"
    if not told["services"]:
        yield "No service is named in migration.yaml yet; ferry discover shows what could be."


def service(told: Told) -> Iterator[str]:
    of = f" of {rule(told['exposure'])}" if told["exposure"] else ""
    yield clean(f"{told['name']}: {told['weight']}%{of}, {_standing(told)}")
    yield f"  generation {told['generation']}, migration.yaml says {told['wish']}%; {clean(told['served'])}"
    if told["suppressed"]:
        yield clean(f"  {told['suppressed']}")
    for hold in told["holds"]:
        yield clean(f"  held by {hold['id']} since {hold['since']}: {hold['reason']}")
    for one in told["proxies"]:
        served = "no answer" if one["served"] is None else f"{one['served']}%, generation {one['generation']}"
        yield clean(f"  {one['pod']}: {served} ({one['because']})")
    yield from (clean(f"  fires: {sentence}") for sentence in told["firing"])
    yield from (clean(f"  trouble: {sentence}") for sentence in told["trouble"])
    if told["operation"]:
        yield "under way:"
        yield from _operation(told["operation"])
    elif told["last"]:
        yield f"last: {change(told['last'])}, {clean(told['last']['outcome'])}: {clean(told['last']['because'])}"


def clock(text: str) -> str:
    """As UTC, to the second."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _standing(told: Told) -> str:
    if told["holds"]:
        return "held at 100% old"
    operation = told["operation"]
    waiting = f", {operation['id']}" if operation else ""
    return f"{told['phase']}{waiting}"
