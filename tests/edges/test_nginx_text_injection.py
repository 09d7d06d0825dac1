"""Any text in any field of a service: it is refused, or nginx's grammar sees the same directives with that text as itself.

An injected directive, argument, block, comment or variable would show as another tree.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from k8s import model, nginx, nginx_values, wish_document
from tests.edges import nginx_tree

CONFIG = nginx.ProxyConfig(
    run="/run/ferry",
    listen="127.0.0.1:8080",
    status_listen="127.0.0.1:8081",
    nginx_version=(1, 22, 1),
    ca_folder="/etc/ferry/ca",
    default_ca="/etc/ferry/ca/default.pem",
)
SECRET = "5ec2e7" * 6
PLAIN: dict[str, str] = {
    "name": "kname",
    "old_host": "kold.example",
    "new_host": "knew.example",
    "header.name": "KHeader",
    "header.values": "kvalue",
    "cidrs": "192.0.2.0/24",
    "user.source": "kuser",
    "user.ids": "kid",
    "sticky": "ksticky",
    "tls.server_name": "kserver.example",
    "tls.ca": "kca",
    "trusted_proxies": "198.51.100.0/24",
    "override_secret": SECRET,
    "paths.path": "/kpath",
    "old_address": "203.0.113.1:81",
    "new_address": "203.0.113.2:82",
    "path_address": "203.0.113.3:83",
    "old_backend": "kbackend.team.svc",
}
NASTY = "abzAZ09-._=@+/:;,{}()[]<>$\"'\\\n\r\t\0 #~*^|%&!?`\u2028é"
TEXTS = (
    st.text(max_size=12)
    | st.text(NASTY, min_size=1, max_size=16)
    | st.text("abz09-.", min_size=1, max_size=10)
    | st.from_regex(r"[a-z0-9.:/-]{1,12}[;{}$\"'\\ \n~]?[a-z0-9]{0,4}", fullmatch=True)
)


@dataclass(frozen=True)
class Fields:
    """The values of a service, one of them any text."""

    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]


def modelled(strategy: model.Strategy, value: Fields) -> nginx.Site:
    exposure = model.Exposure(
        weight=25,
        old_host=value["old_host"],
        new_host=value["new_host"],
        strategy=strategy,
        header=model.HeaderRule(value["header.name"], (value["header.values"],)),
        cidrs=(value["cidrs"],),
        user=model.UserRule(model.Sticky(model.StickyKind.COOKIE, value["user.source"]), (value["user.ids"],)),
        sticky=model.Sticky(model.StickyKind.HEADER, value["sticky"]),
        tls=model.Tls(server_name=value["tls.server_name"], ca=value["tls.ca"]),
        trusted_proxies=(value["trusted_proxies"],),
        override_hash=hashlib.sha256(value["override_secret"].encode("utf-8", "replace")).hexdigest(),
    )
    backend = model.Backend(value["old_backend"], 80)
    paths = (model.PathBackend(value["paths.path"], backend),)
    return sited(model.Service(value["name"], exposure, backend, paths=paths), value)


def documented(strategy: model.Strategy, value: Fields) -> nginx.Site:
    """The same by way of the customer's document."""
    entry = {
        "name": value["name"],
        "old_host": value["old_host"],
        "new_host": value["new_host"],
        "old_backend": f"{value['old_backend']}:80",
        "migration_percentage": 25,
        "strategy": str(strategy),
        "header": {"name": value["header.name"], "values": [value["header.values"]]},
        "cidrs": [value["cidrs"]],
        "user": {"source": f"cookie:{value['user.source']}", "ids": [value["user.ids"]]},
        "sticky": f"header:{value['sticky']}",
        "tls": {"server_name": value["tls.server_name"], "ca": value["tls.ca"]},
        "trusted_proxies": [value["trusted_proxies"]],
        "override_hash": hashlib.sha256(value["override_secret"].encode("utf-8", "replace")).hexdigest(),
        "paths": [{"path": value["paths.path"], "backend": f"{value['old_backend']}:80"}],
    }
    wish = wish_document.read(json.dumps({"services": [entry]}, ensure_ascii=False))
    [service] = wish.services.values()
    return sited(service, value)


def sited(service: model.Service, value: Fields) -> nginx.Site:
    return nginx.Site(
        service,
        service.exposure,
        (value["old_address"],),
        (value["new_address"],),
        path_addresses=((value["path_address"],),),
        override_secret=value["override_secret"],
    )


def swaps(name: str, text: str) -> dict[str, str]:
    """How the plain value shows in the text, and what must stand there instead. More specific forms come first."""
    plain = PLAIN[name]
    match name:
        case "header.values" | "user.ids":
            return {f"|{plain}|": f"|{text}|", f"s0|{plain}": f"s0|{text.lower()}"}
        case "header.name" | "sticky":
            return {"http_" + plain.lower(): "http_" + text.lower().replace("-", "_")}
        case "old_address" | "new_address" | "path_address":
            return {plain: nginx_values.address(text, name)}
        case "paths.path":
            return {plain: text.rstrip("/")}
        case "user.source":
            return {plain: nginx_values.dots(text)}
        case "new_host":
            return {nginx_values.dots(plain): nginx_values.dots(text), plain: text}
        case _:
            return {plain: text}


def without_parents(part: Any) -> Any:
    """A cookie's domains are the new host and its parents: how many there are is the host's own affair, not what they hold."""
    if isinstance(part, list):
        return [without_parents(one) for one in part]
    if part[0] == "proxy_cookie_domain":
        assert all(character.isalnum() or character in r".-\|^$?:()~[]" for character in part[1][0])
        return part[0], ["", part[1][1]], *part[2:]
    return part[0], part[1], without_parents(part[2]), part[3]


@pytest.mark.parametrize("way", [modelled, documented])
@pytest.mark.parametrize("strategy", [model.Strategy.HEADER, model.Strategy.IP, model.Strategy.USER])
def test_any_text_in_any_field_is_refused_or_only_itself(
    tmp_path: Path, strategy: model.Strategy, way: Callable[[model.Strategy, Fields], nginx.Site]
) -> None:
    plain = nginx.render(CONFIG, [way(strategy, Fields(PLAIN))])
    before = without_parents(nginx_tree.tree(tmp_path, plain.text))
    passed: set[str] = set()

    @settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(name=st.sampled_from(sorted(PLAIN)), text=TEXTS)
    @example(name="header.values", text="a.b@c:d=e+f/g-h")
    @example(name="user.source", text="my-session.id")
    @example(name="paths.path", text="/~me/a.b")
    @example(name="new_host", text="a-b.c.d.example")
    @example(name="tls.ca", text="team.pem")
    @example(name="new_address", text="[2001:db8::1]:8443")
    @example(name="override_secret", text="0123456789abcdef" * 8)
    @example(name="cidrs", text="2001:db8::/32")
    def judged(name: str, text: str) -> None:
        try:
            rendered = nginx.render(CONFIG, [way(strategy, Fields({**PLAIN, name: text}))])
        except (model.ModelError, wish_document.WishError):
            return
        passed.add(name)
        swapped = {**swaps(name, text), plain.generation: rendered.generation}
        assert without_parents(nginx_tree.tree(tmp_path, rendered.text)) == nginx_tree.renamed(before, swapped)

    judged()
    assert {"user.source", "paths.path", "new_host", "tls.ca", "new_address", "override_secret", "cidrs"} <= passed


@pytest.mark.parametrize("way", [modelled, documented])
@pytest.mark.parametrize("name", PLAIN)
def test_no_character_that_means_something_to_nginx_passes_in_any_field(
    tmp_path: Path, name: str, way: Callable[[model.Strategy, Fields], nginx.Site]
) -> None:
    """Each in front, inside and behind a good value: what the search above may miss."""
    for character in ";{}\"'$\\\n\t #*^|%&!?`()<>,\0\u00e9\u2028":
        for text in (f"{character}{PLAIN[name]}", f"{PLAIN[name][:3]}{character}{PLAIN[name][3:]}", f"{PLAIN[name]}{character}"):
            for strategy in (model.Strategy.HEADER, model.Strategy.IP, model.Strategy.USER):
                with pytest.raises((model.ModelError, wish_document.WishError)):
                    nginx.render(CONFIG, [way(strategy, Fields({**PLAIN, name: text}))])


def test_a_secret_that_is_none_is_refused_without_being_repeated() -> None:
    for text in ("", "a" * 31, "a" * 129, "G" * 64, "A" * 64, "0123456789abcdef" * 2 + ";", "\n" + "a" * 40):
        with pytest.raises(model.ModelError) as refused:
            nginx.render(CONFIG, [modelled(model.Strategy.IP, Fields({**PLAIN, "override_secret": text}))])
        assert len(text) < 2 or text not in str(refused.value)
