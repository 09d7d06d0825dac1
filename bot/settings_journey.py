"""Sections of the settings about a service's whole journey: what is measured, how hosts are handed over, the new cluster, and
how new names follow from old ones."""

import difflib
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from bot import prometheus_queries
from bot import settings_values as values
from k8s.entries import entry_names

_HOST_PART, _NAME_PART = re.compile(r"[a-z0-9.-]*"), re.compile(r"[a-z0-9-]*")
_GROUP = re.compile(r"\\(?:([1-9][0-9]?)|g<([A-Za-z_]\w*|[0-9]{1,2})>)")


def _query_name(value: object) -> str:
    if value in prometheus_queries.NAMES:
        return str(value)
    near = difflib.get_close_matches(str(value), prometheus_queries.NAMES, n=1)
    hint = f"did you mean {near[0]}? Else use" if near else "use"
    raise ValueError(f"{values.shown(value)} is no query that is asked; {hint} one of {', '.join(prometheus_queries.NAMES)}")


def _query(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{values.shown(value)} is no query; write PromQL as a text, or remove it for the shipped one")
    if len(value) > prometheus_queries.LONGEST:
        raise ValueError(
            f"is longer than {prometheus_queries.LONGEST} characters; make it a recording rule of Prometheus and ask for that"
        )
    return value.strip()


def _network(value: object) -> str:
    try:
        found = ipaddress.ip_network(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"{values.shown(value)} is no network; write an address or a range without host bits: {_meant(value)}")
    if found.prefixlen == 0:
        raise ValueError(
            f"{values.shown(value)} is every address there is; name the networks that are meant, such as 10.96.0.0/12"
        )
    return str(found)


def _meant(value: object) -> str:
    """The range that holds it, where it is one with host bits."""
    try:
        return str(ipaddress.ip_network(value, strict=False)) if isinstance(value, str) else "10.96.0.0/12"
    except ValueError:
        return "10.96.0.0/12"


def _regex(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{values.shown(value)} is no regular expression; write one for the whole name, in single quotes")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{values.shown(value)} is no regular expression: {error}; write it as Python's re takes it") from None
    return value


def _file(value: object) -> Path | None:
    if value in ("", None):
        return None
    if not isinstance(value, str | Path) or not Path(value).is_file():
        raise ValueError(f'names {values.shown(str(value))}, which is no file: mount it, correct the name, or write "" for none')
    return Path(value)


def _through_proxies(value: object) -> object:
    if value == "direct":
        raise ValueError(
            "'direct' would pass the proxies by before the end is reached, and only they obey a hold; write 'proxy', which stays"
            " for good when a service is finished"
        )
    return value


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError(
            f"{values.shown(value)} is no IP address; write one such as 203.0.113.10, a network has no place here"
        ) from None


QueryName = Annotated[str, pydantic.BeforeValidator(_query_name)]
Query = Annotated[str, pydantic.BeforeValidator(_query)]
Address = Annotated[str, pydantic.BeforeValidator(_address)]
Network = Annotated[str, pydantic.BeforeValidator(_network)]
Regex = Annotated[str, pydantic.BeforeValidator(_regex)]


class Prometheus(values.Part):
    """`url` empty: nothing is measured, so that no gate is judged and no ladder climbs by itself. `window`: seconds that a number
    is about; `every`: between two looks. `queries`: PromQL by name, in place of the shipped ones.
    """

    url: Annotated[str, values.HTTP_URL] = ""
    window: Annotated[float, values.time_between(5, 86400)] = 600.0
    every: Annotated[float, values.time_between(1, 300)] = 15.0
    queries: dict[QueryName, Query] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _often_enough(self) -> "Prometheus":
        if self.every > self.window:
            raise ValueError("looks less often than its window is long; write `every` shorter than `window`")
        return self


class Entry(values.Part):
    """How a host is handed to the proxies. `ingress_class`: of the old cluster. `forward`: what stays when a service is finished.

    `load_balancers`: of the new cluster, and `api_cidrs`: of the old cluster's API server: the proxies may reach no others; none
    named: any address, at the ports that are needed. `ca_secret`: a Secret with `ca.crt` in each application's namespace, for a
    direct forward. `old_addresses`: of the old load balancer, which preflight expects; none: what its Ingresses say. `old_port`:
    where it ends TLS. `dns_server` (ADDRESS:PORT): who is asked for old hosts; empty: who the bot itself asks.
    """

    ingress_class: Annotated[str, values.CLASS_NAME] = "nginx"
    forward: Annotated[Literal["proxy"], pydantic.BeforeValidator(_through_proxies)] = "proxy"
    load_balancers: tuple[Network, ...] = ()
    api_cidrs: tuple[Network, ...] = ()
    dns_namespace: Annotated[str, values.NAMESPACE] = "kube-system"
    ca_secret: Annotated[str, values.OBJECT_NAME] = ""
    old_addresses: tuple[Address, ...] = ()
    old_port: Annotated[int, pydantic.Field(ge=1, le=65535, strict=True)] = 443
    dns_server: Annotated[str, pydantic.Field(pattern=r"^(|\[?[0-9a-fA-F.:]+\]?:[0-9]{1,5})$")] = ""

    def objects(self, namespace: str) -> entry_names.EntrySettings:
        """For the objects around services. `namespace`: Ferry's own."""
        return entry_names.EntrySettings(
            namespace=namespace,
            ingress_class=self.ingress_class,
            forward=self.forward,
            load_balancers=self.load_balancers,
            api_cidrs=self.api_cidrs,
            dns_namespace=self.dns_namespace,
            ca_secret=self.ca_secret,
        )


class NewCluster(values.Part):
    """`kubeconfig`: a file that may read the new cluster; None: nobody looks into it."""

    kubeconfig: Annotated[Path | None, pydantic.BeforeValidator(_file)] = None


class HostRule(values.Part):
    r"""`match`: a regex for the whole old host; `new_host`: a template with its groups (`\1`, `\g<name>`).

    `new_namespace`: a template too, `{namespace}` is the old one; empty: none is proposed. `old_namespace`: a regex for the whole
    old namespace, whose groups `new_namespace` then means; the rule is for no other. `new_port`: of HTTPS in the new cluster.
    """

    match: Regex
    new_host: str
    new_namespace: str = ""
    old_namespace: Annotated[str, pydantic.BeforeValidator(lambda value: "" if value == "" else _regex(value))] = ""
    new_port: Annotated[int, pydantic.Field(ge=1, le=65535, strict=True)] = 443

    @pydantic.model_validator(mode="after")
    def _templates(self) -> "HostRule":
        if not self.new_host:
            raise ValueError(r"has an empty new_host; write a template such as \1.kong.example.com")
        _demand_template("new_host", self.new_host, _HOST_PART, "match", self.match)
        groups = "old_namespace" if self.old_namespace else "match"
        plain = self.new_namespace.replace("{namespace}", "")
        _demand_template("new_namespace", plain, _NAME_PART, groups, self.old_namespace or self.match)
        return self


class Discovery(values.Part):
    """`rules`: the first that matches an old host names the new one. `namespaces`: where Ingresses are read; none: everywhere."""

    rules: tuple[HostRule, ...] = ()
    namespaces: tuple[Annotated[str, values.NAMESPACE], ...] = ()


def _demand_template(name: str, template: str, literal: re.Pattern[str], source: str, pattern: str) -> None:
    """Text that a name may hold, and groups that are there: found now, not at the first host."""
    compiled: re.Pattern[Any] = re.compile(pattern)
    for number, group in _GROUP.findall(template):
        asked = number or group
        known = int(asked) <= compiled.groups if asked.isdigit() else asked in compiled.groupindex
        if not known:
            raise ValueError(
                f"has a {name} with the group {asked}, and {source} has {compiled.groups or 'no'} group"
                f"{'' if compiled.groups == 1 else 's'}; put the part that is kept into ( ) there, or correct the number"
            )
    if not literal.fullmatch(_GROUP.sub("", template)):
        raise ValueError(
            rf"has a {name} that is no template: {values.shown(template)}; write small letters, digits, - and ."
            r" with groups such as \1 (in single quotes)"
        )
