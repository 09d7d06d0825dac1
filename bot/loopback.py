"""What is on this very machine: no proxy's business, and the only place where secrets may go without TLS. Pure."""

import ipaddress
from urllib.parse import urlsplit


def names(host: str) -> bool:
    """Whether a host name or address is this machine's own loopback."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def leads(url: str) -> bool:
    """Whether a URL leads there."""
    return names(urlsplit(url).hostname or "")
