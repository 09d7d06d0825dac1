"""nginx text from the model. Pure: the same values give the same bytes, whatever order the services come in.

Weights are not in the text: a request's slot is a name in a folder, and `allow/<service>` is a link to the folder in which
as many names as the weight says are plain files. Where there is no link nothing reaches the new cluster.
Nothing free reaches the text: `nginx_values.only_safe` refuses every value that is not made of a few harmless characters.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from k8s import nginx_block, nginx_decision, nginx_values
from k8s.nginx_site import ProxyConfig, Site

__all__ = [
    "BUCKETS", "KEEPALIVE_MIN_TIMEOUT_SINCE", "SLOTS", "ProxyConfig", "Rendered", "Site", "allow_link", "bucket_names", "render",
    "weight_folder",
]  # fmt: skip

BUCKETS = 100
KEEPALIVE_MIN_TIMEOUT_SINCE = (1, 27, 4)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text, and the hash by which nginx, asked for `/generation`, says that it serves this text."""

    text: str
    generation: str


def weight_folder(run: str, weight: int) -> Path:
    """The folder of a weight (0 to 100), made once: of all SLOTS, the `bucket_names(weight)` are plain files, the rest is not."""
    return Path(run, "weights", str(nginx_values.whole(weight, "weight", least=0, most=BUCKETS)))


def allow_link(run: str, service: str) -> Path:
    """The link that says a service's weight by pointing to a `weight_folder`; change it by one atomic rename.

    Without it nothing (weight, rule, listed user, override) of the service reaches new.
    """
    return Path(run, "allow", nginx_values.service_name(service))


def bucket_names(weight: int) -> tuple[str, ...]:
    """The buckets that go to new at a weight: each weight's are a superset of the smaller one's."""
    return tuple(str(bucket) for bucket in range(nginx_values.whole(weight, "weight", least=0, most=BUCKETS)))


SLOTS = (*bucket_names(BUCKETS), "none")  # all names a request is looked for under; the last is of those that no rule means


def render(config: ProxyConfig, sites: Sequence[Site]) -> Rendered:
    """The whole nginx configuration. Raises model.ModelError naming the field when a value cannot be rendered."""
    ordered = sorted(sites, key=lambda site: site.service.name)
    nginx_values.demand_unique([site.service.name for site in ordered], "name")
    nginx_values.demand_unique([site.exposure.old_host for site in ordered], "old_host")
    cookies = nginx_decision.cookie_names(ordered)
    blocks = [_block(config, number, site, cookies) for number, site in enumerate(ordered)]
    template = _templates().get_template("proxy.conf.j2")

    unnamed = template.render(
        config=config,
        has_keepalive_min_timeout=config.nginx_version >= KEEPALIVE_MIN_TIMEOUT_SINCE,
        sites=blocks,
        cookies=[nginx_values.dots(cookie) for cookie in cookies],
        buckets=range(BUCKETS - 1),
        last_bucket=BUCKETS - 1,
        generation="",
    )
    generation = hashlib.sha256(unnamed.encode()).hexdigest()[:16]
    # No value has a quotation mark or a space, so that only the template's own line can read like this.
    return Rendered(unnamed.replace('return 200 "";', f'return 200 "{generation}";'), generation)


def _block(config: ProxyConfig, number: int, site: Site, cookies: Sequence[str]) -> nginx_block.Block:
    name = site.service.name
    return nginx_block.block(
        config,
        f"s{number}",
        site,
        allow_link=str(allow_link(config.run, name)),
        cookies=cookies,
    )


@functools.cache  # compiling the templates takes fifty times as long as filling them in
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("templates", "nginx"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,  # changes nothing here: what only_safe lets pass has nothing to escape
        finalize=nginx_values.only_safe,
    )
    environment.filters["dots"] = nginx_values.dots
    return environment
