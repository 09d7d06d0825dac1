"""What of a site decides where a request goes, as the template prints it: sticky keys, rules, the tester's override. Pure."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from k8s import model, nginx_values
from k8s.nginx_site import Site


@dataclass(frozen=True, slots=True)
class Decision:
    """`sticky`, `subject`: variables (without $) that hold what keeps a client on one side, and what a rule looks at; empty:
    nothing. `accepted`: what the rule accepts, see `_accepted`. `override`: the tester's secret; None: no override. `ruled`: the
    variable that holds the slot by the rule alone.
    """

    strategy: str
    sticky: str
    subject: str
    accepted: tuple[tuple[str, str], ...]
    cidrs: tuple[str, ...]
    override: str | None
    ruled: str

    @property
    def slot(self) -> str:
        """The variable (without $) that holds the slot."""
        return "ferry_override_slot" if self.override is not None else self.ruled


def decision(site: Site, cookies: Sequence[str]) -> Decision:
    """`cookies`: the names of all sites' cookies; each has the variable of its place."""
    exposure = site.exposure
    return Decision(
        strategy=str(exposure.strategy),
        sticky=_sticky_variable(exposure, cookies),
        subject=_subject_variable(exposure, cookies),
        accepted=_accepted(exposure),
        cidrs=nginx_values.networks(exposure.cidrs) if exposure.strategy is model.Strategy.IP else (),
        override=_override(site),
        ruled="ferry_bucket" if exposure.strategy is model.Strategy.WEIGHT else f"ferry_{exposure.strategy}_slot",
    )


def cookie_names(sites: Sequence[Site]) -> list[str]:
    """Of all cookies that decisions look at, sorted."""
    found = {source.name for site in sites for source in _sources(site.exposure) if source.kind is model.StickyKind.COOKIE}
    return sorted(found)


def _sources(exposure: model.Exposure) -> list[model.Sticky]:
    return [exposure.sticky, *([exposure.user.source] if exposure.user is not None else [])]


def _variable(source: model.Sticky, cookies: Sequence[str]) -> str:
    """The variable (without $) that holds a cookie's or header's value."""
    if source.kind is model.StickyKind.COOKIE:
        return f"ferry_cookie_{cookies.index(source.name)}"
    return "http_" + source.name.lower().replace("-", "_")


def _sticky_variable(exposure: model.Exposure, cookies: Sequence[str]) -> str:
    if exposure.strategy is model.Strategy.USER and exposure.user is not None:
        return _variable(exposure.user.source, cookies)
    match exposure.sticky.kind:
        case model.StickyKind.NONE:
            return ""
        case model.StickyKind.CLIENT_IP:
            return "remote_addr"
        case _:
            return _variable(exposure.sticky, cookies)


def _subject_variable(exposure: model.Exposure, cookies: Sequence[str]) -> str:
    if exposure.strategy is model.Strategy.HEADER and exposure.header is not None:
        return _variable(model.Sticky(model.StickyKind.HEADER, exposure.header.name), cookies)
    if exposure.strategy is model.Strategy.USER and exposure.user is not None:
        return _variable(exposure.user.source, cookies)
    return ""


def _accepted(exposure: model.Exposure) -> tuple[tuple[str, str], ...]:
    """Lower-case value → its spellings as `|One|one|`: nginx looks up without case, the template compares exactly."""
    values: tuple[str, ...] = ()
    if exposure.strategy is model.Strategy.HEADER and exposure.header is not None:
        values = exposure.header.values
    elif exposure.strategy is model.Strategy.USER and exposure.user is not None:
        values = exposure.user.ids
    spellings: dict[str, set[str]] = {}
    for value in values:
        spellings.setdefault(value.lower(), set()).add(value)
    return tuple((key, f"|{'|'.join(sorted(spellings[key]))}|") for key in sorted(spellings))


def _override(site: Site) -> str | None:
    """The secret, if it is the one whose hash was signed. Its text is never part of a refusal."""
    secret, signed = site.override_secret, site.exposure.override_hash
    if secret is None or signed is None or site.finished:
        return None
    if not model.OVERRIDE_SECRET.fullmatch(secret):
        raise model.ModelError("override_secret", "is not 32 to 128 of 0-9 a-f; make one with: openssl rand -hex 32")
    return secret if hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), signed) else None
