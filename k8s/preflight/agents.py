"""What every proxy sees of a new host, as checks: all of them must see it well. Pure."""

import datetime
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from k8s.preflight.report import Check, no, unknown, yes
from k8s.preflight.seen import CONNECT, HTTP, OK, TLS, UNASKED, At, Seen, Target

SOON = 14 * 86400.0  # seconds before its end from which a certificate stands in the way
NAMES = (
    "DNS of the new host",
    "TCP to the new host",
    "TLS of the new host",
    "certificate of the new host",
    "HTTP of the new host",
)
_DNS, _TCP, _TLS, _CERTIFICATE, _HTTP = NAMES
_ORDER = (UNASKED, CONNECT, TLS, HTTP, OK)
_ASK_AGAIN = "See `kubectl -n migration-system get pods`, then look again."
Answers = Mapping[str, tuple[Seen, ...] | str]  # by pod: what it sees, or why it does not say


@dataclass(frozen=True, slots=True)
class _Fault:
    pod: str
    why: str


def checks(target: Target, answers: Answers, *, now: float, allowed: Sequence[str] = ()) -> tuple[Check, ...]:
    """`now`: Unix seconds. `allowed`: networks that the proxies may reach once they are confined; none: any. A proxy that
    says nothing makes everything unknown that no other proxy makes a no.
    """
    silent = [_Fault(pod, answer) for pod, answer in answers.items() if isinstance(answer, str)]
    seen = {pod: _of(target.service, answer) for pod, answer in answers.items() if not isinstance(answer, str)}
    silent += [_Fault(pod, "it does not tell of this service") for pod, one in seen.items() if one is None]
    silent += [_Fault(pod, one.unasked) for pod, one in seen.items() if one is not None and one.unasked]
    well = {pod: one for pod, one in seen.items() if one is not None and not one.unasked}
    if not answers:
        return tuple(unknown(name, "There is no proxy that could look.", _ASK_AGAIN) for name in NAMES)
    found = [
        _dns(target, well, allowed),
        _stage(_TCP, target, well, at=CONNECT, well="Every proxy reaches it", remedy=_opening(target)),
        _stage(_TLS, target, well, at=TLS, well=_tls_words(target, well), remedy=_trust(target)),
        _certificate(target, well, now),
        _http(target, well),
    ]
    why = _told(silent, len(answers))
    return tuple(unknown(one.name, f"{why}.", _ASK_AGAIN) if silent and one.ok == "yes" else one for one in found)


def firewall(target: Target, answers: Answers, sources: Iterable[str]) -> tuple[str, ...]:
    """What must be open. `sources`: where the proxies' connections come from, as far as it is known."""
    found = [one for answer in answers.values() if not isinstance(answer, str) for one in answer if one.service == target.service]
    addresses = sorted({address for one in found for address in one.addresses}) or [f"{target.host}:{target.port}"]
    known = "; ".join(sources)
    origin = "the migration-proxy pods" + (f" ({known})" if known else "")
    return tuple(f"from {origin} to {address} TCP" for address in addresses)


def _of(service: str, answer: tuple[Seen, ...]) -> Seen | None:
    return next((one for one in answer if one.service == service), None)


def _dns(target: Target, seen: Mapping[str, Seen], allowed: Sequence[str]) -> Check:
    faults = [_Fault(pod, one.dns_why) for pod, one in seen.items() if not one.addresses]
    if faults:
        remedy = f"Let the old cluster's DNS know {target.host}, for example by forwarding its zone."
        return no(_DNS, f"{_told(faults, len(seen))}.", remedy)
    addresses = sorted({address.rpartition(":")[0] for one in seen.values() for address in one.addresses})
    networks = [ipaddress.ip_network(one, strict=False) for one in allowed]
    outside = [
        one for one in addresses if networks and not any(ipaddress.ip_address(one.strip("[]")) in each for each in networks)
    ]
    if outside:
        sentence = (
            f"{target.host} is {', '.join(outside)}, which entry.load_balancers does not name: network policies will bar it."
        )
        return no(_DNS, sentence, "Add it to entry.load_balancers in the settings, or correct its DNS.")
    slowest = max((one.dns_seconds for one in seen.values()), default=0.0)
    return yes(_DNS, f"{target.host} is {', '.join(addresses)} (within {slowest * 1000:.0f} ms).")


def _stage(name: str, target: Target, seen: Mapping[str, Seen], *, at: str, well: str, remedy: str) -> Check:
    """Whether every address came past this stage, as far as it came there at all."""
    here = _faults(seen, lambda one: one.outcome == at)
    if here:
        return no(name, f"{_told(here, len(seen))}.", remedy)
    before = _faults(seen, lambda one: _ORDER.index(one.outcome) < _ORDER.index(at))
    return _not_so_far(name, target, seen, before) or yes(name, f"{well}.")


def _not_so_far(name: str, target: Target, seen: Mapping[str, Seen], before: list[_Fault]) -> Check | None:
    if any(not one.at for one in seen.values()) or before:
        return unknown(
            name, f"Not every proxy came so far as to ask {target.host}.", "Repair what comes before it, then look again."
        )
    return None


def _faults(seen: Mapping[str, Seen], wrong: Callable[[At], bool]) -> list[_Fault]:
    return [_Fault(pod, f"{one.address}: {one.why}") for pod, some in seen.items() for one in some.at if wrong(one)]


def _tls_words(target: Target, seen: Mapping[str, Seen]) -> str:
    versions = sorted({one.version for some in seen.values() for one in some.at if one.version})
    trusted = "its chain is trusted" if target.tls.verify else "nobody checks its chain"
    return f"Every proxy shakes hands with SNI {target.tls.server_name or target.host} ({', '.join(versions)}); {trusted}"


def _opening(target: Target) -> str:
    return f"Open the firewall for the proxies (see the list), and see that the new cluster listens at port {target.port}."


def _trust(target: Target) -> str:
    ca = (
        f"put the authority into the agents' CA folder as {target.tls.ca}"
        if target.tls.ca
        else "name the new cluster's authority in tls.ca"
    )
    return f"See that the new Ingress serves a certificate for {target.tls.server_name or target.host}, and {ca}."


def _certificate(target: Target, seen: Mapping[str, Seen], now: float) -> Check:
    shown = [one.certificate for some in seen.values() for one in some.at if one.certificate is not None]
    if not shown:
        return unknown(_CERTIFICATE, "No proxy was shown a certificate.", "Repair what comes before it, then look again.")
    first = min(shown, key=lambda one: one.expires)
    day = datetime.datetime.fromtimestamp(first.expires, datetime.UTC).strftime("%Y-%m-%d")
    renew = f"Renew the certificate of {target.host} in the new cluster before requests go there."
    if first.expires <= now:
        return no(_CERTIFICATE, f"It ended on {day} (issuer {first.issuer}).", renew)
    days = int((first.expires - now) // 86400)
    if first.expires - now < SOON:
        return no(_CERTIFICATE, f"It ends in {days} days, on {day} (issuer {first.issuer}).", renew)
    if not target.tls.verify:
        sentence = f"It ends on {day}, and nobody checks it: tls.verify is false."
        return unknown(_CERTIFICATE, sentence, "Set tls.verify to true, with tls.ca if its authority is your own.")
    refused = [one for some in seen.values() for one in some.at if one.outcome == TLS]
    sentence = f"It ends in {days} days, on {day} (issuer {first.issuer})."
    if refused:
        return unknown(_CERTIFICATE, f"{sentence} Not every proxy accepts it.", "Repair TLS of the new host first.")
    return yes(_CERTIFICATE, sentence)


def _http(target: Target, seen: Mapping[str, Seen]) -> Check:
    asked = f"GET {target.path}"
    dead = _faults(seen, lambda one: one.outcome == HTTP)
    dead += _answers(seen, lambda one: one.status >= 500)
    if dead:
        return no(_HTTP, f"{_told(dead, len(seen))}.", f"See why the app behind {target.host} does not answer {asked}.")
    before = _faults(seen, lambda one: one.outcome != OK)
    if (early := _not_so_far(_HTTP, target, seen, before)) is not None:
        return early
    lost = _answers(seen, lambda one: one.status == 404 and one.wrong_host == 404)
    if lost:
        sentence = (
            f"{asked} is answered with 404, just as for a host that nobody has: the new Ingress may not know {target.host}."
        )
        return unknown(_HTTP, sentence, "See that the Ingress exists there, or name a health.path that the app answers.")
    strange = _answers(seen, lambda one: one.status >= 400 and one.status not in {401, 403, 404})
    if strange or (target.path != "/" and _answers(seen, lambda one: one.status == 404)):
        codes = sorted({one.status for some in seen.values() for one in some.at})
        sentence = f"{asked} is answered with {', '.join(str(code) for code in codes)}."
        return unknown(_HTTP, sentence, "Name a health.path in its entry that the app answers well.")
    codes = sorted({one.status for some in seen.values() for one in some.at})
    wrong = sorted({one.wrong_host for some in seen.values() for one in some.at})
    shown, other = (" and ".join(str(code) if code else "nothing" for code in some) for some in (codes, wrong))
    return yes(_HTTP, f"{asked} is answered with {shown}; a Host that nobody has gets {other}.")


def _answers(seen: Mapping[str, Seen], wrong: Callable[[At], bool]) -> list[_Fault]:
    return [
        _Fault(pod, f"{one.address} answers {one.status}")
        for pod, some in seen.items()
        for one in some.at
        if one.status and wrong(one)
    ]


def _told(faults: list[_Fault], proxies: int) -> str:
    """`2 of 3 proxies: why (proxy-a), …`: every why once, with the first proxy that says so."""
    whys: dict[str, str] = {}
    for one in faults:
        whys.setdefault(one.why.rstrip("."), one.pod)
    shown = "; ".join(f"{why} ({pod})" for why, pod in list(whys.items())[:3])
    more = f"; and {len(whys) - 3} more" if len(whys) > 3 else ""
    return f"{len({one.pod for one in faults})} of {proxies} proxies: {shown}{more}"
