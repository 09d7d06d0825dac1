"""nginx text from the model. Pure: the same values give the same bytes, whatever order the services come in.

Weights are not in the text: a request's bucket is the name of a file, and `split/<service>` is a link to the folder
that holds as many such files as the weight says. `allow/<service>` must exist before anything reaches the new cluster.
Nothing free reaches the text: `_only_safe` refuses every value that is not made of a few harmless characters.
"""

import functools
import hashlib
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from k8s import model

BUCKETS = 100
KEEPALIVE_MIN_TIMEOUT_SINCE = (1, 27, 4)

# The only characters that any value may bring into the text; a backslash only before a dot (in expressions).
_SAFE = re.compile(r"(?:[A-Za-z0-9._@:=+/|\[\]-]|\\\.)*")
_FOLDER = re.compile(r"/[A-Za-z0-9._/-]{1,200}")
_WORKER_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_WORKER_COUNT = re.compile(r"auto|[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Where things are on this proxy, and what this nginx can do.

    `run` holds `weights/`, `split/`, `allow/`, the logs and the pid. `scratch` takes the bodies of requests: large, on disk, and
    never in `run`, whose memory must have room for a hold. `status_listen` is for the agent alone: loopback.
    `worker_user` is needed only where nginx starts as root; the workers must be able to read `run`.
    """

    run: str
    listen: str
    status_listen: str
    nginx_version: tuple[int, int, int]
    ca_folder: str
    default_ca: str
    scratch: str = "/var/cache/nginx"
    worker_processes: str = "auto"
    worker_user: str | None = None
    worker_connections: int = 8192
    new_max_conns: int = 100
    upstream_keepalive: int = 64

    def __post_init__(self) -> None:
        for name in ("run", "ca_folder", "default_ca", "scratch"):
            if not _FOLDER.fullmatch(getattr(self, name)):
                raise model.ModelError(
                    name, f"{getattr(self, name)!r} is not a plain absolute path; use letters, digits and . _ - /"
                )
        for name in ("listen", "status_listen"):
            if _address(getattr(self, name), name) != getattr(self, name):
                raise model.ModelError(name, f"write {getattr(self, name)!r} as {_address(getattr(self, name), name)}")
        if not ipaddress.ip_address(self.status_listen.rpartition(":")[0].strip("[]")).is_loopback:
            raise model.ModelError("status_listen", "must be a loopback address: it is for the agent in the same pod only")
        if not _WORKER_COUNT.fullmatch(self.worker_processes):
            raise model.ModelError("worker_processes", f"{self.worker_processes!r} is not auto or 1 to 999")
        if self.worker_user is not None and not _WORKER_USER.fullmatch(self.worker_user):
            raise model.ModelError("worker_user", f"{self.worker_user!r} is not a plain user name")
        for name in ("worker_connections", "new_max_conns", "upstream_keepalive"):
            _whole(getattr(self, name), name, least=1, most=1_000_000)


@dataclass(frozen=True, slots=True)
class Site:
    """One service to render, its names resolved by the agent to `IP:port`.

    `service` gives the old side and the times; `exposure` the hosts, the rules and the new side (of the signed record if
    there is one). Without `new_addresses`, whatever is meant for new is answered by old. `path_addresses` stand beside
    `service.paths`, in the same order.
    """

    service: model.Service
    exposure: model.Exposure
    old_addresses: tuple[str, ...]
    new_addresses: tuple[str, ...]
    path_addresses: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text, and the hash by which nginx, asked for `/generation`, says that it serves this text."""

    text: str
    generation: str


@dataclass(frozen=True, slots=True)
class _OldBackend:
    upstream: str
    addresses: tuple[str, ...]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class _Block:
    """A site as the template sees it: only what is printed. Times in milliseconds, `fail_timeout` in seconds."""

    index: str
    name: str
    old_host: str
    new_host: str
    new_port: int
    cookie_domains: str
    strategy: str
    sticky: str
    subject: str
    accepted: tuple[tuple[str, str], ...]
    cidrs: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    allow_file: str
    split_link: str
    old_backends: tuple[_OldBackend, ...]
    new_servers: tuple[str, ...]
    max_fails: int
    fail_timeout: int
    tries: int
    falls_back: bool
    connect_timeout: int
    timeout: int
    upgrade_timeout: int
    tls_name: str
    tls_verify: bool
    ca: str | None

    @property
    def old_known(self) -> bool:
        return any(old.addresses for old in self.old_backends)


def weight_folder(run: str, weight: int) -> Path:
    """The folder of a weight (0 to 100): the files `bucket_names(weight)`, empty, made once."""
    return Path(run, "weights", str(_whole(weight, "weight", least=0, most=BUCKETS)))


def split_link(run: str, service: str) -> Path:
    """The link that says a service's weight by pointing to a `weight_folder`; change it by one atomic rename."""
    return Path(run, "split", _service_name(service))


def allow_file(run: str, service: str) -> Path:
    """The file without which nothing (weight, rule, listed user) of a service reaches new."""
    return Path(run, "allow", _service_name(service))


def bucket_names(weight: int) -> tuple[str, ...]:
    """The buckets that go to new at a weight: each weight's are a superset of the smaller one's."""
    return tuple(str(bucket) for bucket in range(_whole(weight, "weight", least=0, most=BUCKETS)))


def render(config: ProxyConfig, sites: Sequence[Site]) -> Rendered:
    """The whole nginx configuration. Raises model.ModelError naming the field when a value cannot be rendered."""
    ordered = sorted(sites, key=lambda site: site.service.name)
    _demand_unique([site.service.name for site in ordered], "name")
    _demand_unique([site.exposure.old_host for site in ordered], "old_host")
    cookies = sorted({source.name for site in ordered for source in _sources(site) if source.kind is model.StickyKind.COOKIE})
    blocks = [_block(config, f"s{number}", site, cookies) for number, site in enumerate(ordered)]
    template = _templates().get_template("proxy.conf.j2")

    def text(generation: str) -> str:
        return template.render(
            config=config,
            has_keepalive_min_timeout=config.nginx_version >= KEEPALIVE_MIN_TIMEOUT_SINCE,
            sites=blocks,
            cookies=[_dots(cookie) for cookie in cookies],
            buckets=range(BUCKETS - 1),
            last_bucket=BUCKETS - 1,
            generation=generation,
        )

    generation = hashlib.sha256(text("").encode()).hexdigest()[:16]
    return Rendered(text(generation), generation)


@functools.cache  # compiling the templates takes fifty times as long as filling them in
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("templates", "nginx"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,  # changes nothing here: what _only_safe lets pass has nothing to escape
        finalize=_only_safe,
    )
    environment.filters["dots"] = _dots
    return environment


def _only_safe(value: object) -> str:
    """Every printed value passes here. Raises ModelError: a template or a model that let this through is at fault."""
    text = str(value)
    if type(value) not in (int, str) or not _SAFE.fullmatch(text):
        raise model.ModelError("nginx", f"{value!r} must not reach the proxy's configuration; correct the field it came from")
    return text


def _dots(text: str) -> str:
    """For use in an expression: of the characters that names may have, only the dot means something there."""
    return text.replace(".", r"\.")


def _block(config: ProxyConfig, index: str, site: Site, cookies: Sequence[str]) -> _Block:
    service, exposure = site.service, site.exposure
    retries = _whole(service.retries, "retries", least=0, most=10)
    tries = max(1, retries)
    return _Block(
        index=index,
        name=service.name,
        old_host=exposure.old_host,
        new_host=exposure.new_host,
        new_port=exposure.new_port,
        cookie_domains="|".join(_cookie_domains(exposure)),
        strategy=str(exposure.strategy),
        sticky=_sticky_variable(exposure, cookies),
        subject=_subject_variable(exposure, cookies),
        accepted=_accepted(exposure),
        cidrs=_networks(exposure.cidrs) if exposure.strategy is model.Strategy.IP else (),
        trusted_proxies=_networks(exposure.trusted_proxies),
        allow_file=str(allow_file(config.run, service.name)),
        split_link=str(split_link(config.run, service.name)),
        old_backends=_old_backends(index, site),
        new_servers=_new_servers(site.new_addresses, tries),
        max_fails=_whole(service.breaker.failures, "breaker.failures", least=1, most=1_000_000),
        fail_timeout=math.ceil(_milliseconds(service.breaker.pause, "breaker.pause") / 1000),
        tries=tries,
        falls_back=retries > 0,
        connect_timeout=_milliseconds(service.connect_timeout, "connect_timeout"),
        timeout=_milliseconds(service.timeout, "timeout"),
        upgrade_timeout=_milliseconds(service.upgrade_timeout, "upgrade_timeout"),
        tls_name=exposure.tls.server_name or exposure.new_host,
        tls_verify=exposure.tls.verify,
        ca=f"{config.ca_folder}/{exposure.tls.ca}" if exposure.tls.ca is not None else None,
    )


def _sources(site: Site) -> list[model.Sticky]:
    """The cookies and headers that a site's decision looks at."""
    user = site.exposure.user
    return [site.exposure.sticky, *([user.source] if user is not None else [])]


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


def _cookie_domains(exposure: model.Exposure) -> list[str]:
    """The new host and those of its parents that a browser at the old host would refuse as a cookie's domain."""
    labels = exposure.new_host.split(".")
    parents = [".".join(labels[start:]) for start in range(1, len(labels) - 1)]
    return [exposure.new_host, *(parent for parent in parents if not f".{exposure.old_host}".endswith(f".{parent}"))]


def _new_servers(addresses: Sequence[str], tries: int) -> tuple[str, ...]:
    """Every address so often that there are as many servers as tries, and at least two of each."""
    distinct = sorted({_address(address, "new_addresses") for address in addresses})
    copies = max(2, -(-tries // len(distinct))) if distinct else 0
    return tuple(address for address in distinct for _ in range(copies))


def _old_backends(index: str, site: Site) -> tuple[_OldBackend, ...]:
    if len(site.path_addresses) != len(site.service.paths):
        raise model.ModelError("paths", "every path needs its backend's addresses; resolve each path's backend")
    prefixes = [part.path.rstrip("/") for part in site.service.paths]
    _demand_unique(prefixes, "paths.path")
    if "" in prefixes:
        raise model.ModelError("paths.path", "'/' is what old_backend is for; put that backend there")
    groups = [("", site.old_addresses), *zip(prefixes, site.path_addresses, strict=True)]
    return tuple(
        _OldBackend(
            upstream=f"old_cluster_backend_{index}" + (f"_p{number}" if prefix else ""),
            addresses=tuple(sorted({_address(address, "old_addresses") for address in addresses})),
            prefix=prefix,
        )
        for number, (prefix, addresses) in enumerate(groups)
    )


def _service_name(name: str) -> str:
    """A path is made of it, so it is looked at again: a name that is no service's would leave the folder."""
    if not model.SERVICE_NAME.fullmatch(name):
        raise model.ModelError("name", f"{name!r} is no service's name; use 1 to 63 of a-z 0-9 -")
    return name


def _demand_unique(names: Sequence[str], field_name: str) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise model.ModelError(field_name, f"{', '.join(twice)} stands there more than once; give each its own")


def _networks(cidrs: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({str(ipaddress.ip_network(cidr)) for cidr in cidrs}))


def _address(text: str, field_name: str) -> str:
    """`IP:port`, written as nginx reads it. Raises ModelError."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise model.ModelError(field_name, f"{text!r} is not IP:port ({error}); resolve the name first") from None
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise model.ModelError(field_name, f"{text!r} has no port from 1 to 65535; write IP:port")
    if address.version == 6 and address.scope_id:
        raise model.ModelError(field_name, f"{text!r} names a network interface; give the address without it")
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _whole(value: object, field_name: str, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise model.ModelError(field_name, f"{value!r} is not a whole number from {least} to {most}")
    return value


def _milliseconds(seconds: object, field_name: str) -> int:
    """Whole milliseconds, from 1 ms to a week. Raises ModelError."""
    if type(seconds) not in (int, float) or not 0.001 <= float(str(seconds)) <= 604800:
        raise model.ModelError(field_name, f"{seconds!r} is not a number of seconds from 0.001 to 604800")
    return round(float(str(seconds)) * 1000)
