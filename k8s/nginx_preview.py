"""nginx's text for documents alone, without a cluster: names stand for documentation addresses, and nothing listens.

Agents resolve names anew again and again, so that what people read before must not depend on what a name means just now.
"""

from collections.abc import Iterable

from k8s import model, nginx

OLD, NEW = "192.0.2.1", "192.0.2.2"  # of the block that is for documentation; ports are the documents' own
CONFIG = nginx.ProxyConfig(
    run="/run/ferry",
    listen="0.0.0.0:8080",
    status_listen="127.0.0.1:9081",
    nginx_version=nginx.KEEPALIVE_MIN_TIMEOUT_SINCE,
    ca_folder="/etc/ferry/ca",
    default_ca="/etc/ssl/certs/ca-certificates.crt",
)


def rendered(services: Iterable[model.Service]) -> nginx.Rendered:
    """As an agent serves them that has met no record yet. Raises model.ModelError when a value cannot be rendered."""
    return nginx.render(CONFIG, [_site(one) for one in services])


def _site(service: model.Service) -> nginx.Site:
    return nginx.Site(
        service,
        service.exposure,
        old_addresses=(f"{OLD}:{service.old_backend.port}",),
        new_addresses=(f"{NEW}:{service.exposure.new_port}",),
        path_addresses=tuple((f"{OLD}:{one.backend.port}",) for one in service.paths),
    )
