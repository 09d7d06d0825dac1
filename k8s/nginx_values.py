"""Single values as nginx's text may have them. Pure. Every refusal is a model.ModelError that names the field."""

import ipaddress
import re
from collections import Counter
from collections.abc import Sequence

from k8s import model

# The only characters that any value may bring into the text; a backslash only before a dot (in expressions), and no ~ in front,
# where it would make an expression of what follows.
_SAFE = re.compile(r"(?!~)(?:[A-Za-z0-9._@:=+/|~\[\]-]|\\\.)*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def only_safe(value: object) -> str:
    """Every printed value passes here. Raises ModelError: a template or a model that let this through is at fault."""
    text = str(value)
    if type(value) not in (int, str) or not _SAFE.fullmatch(text):
        raise model.ModelError("nginx", f"{value!r} must not reach the proxy's configuration; correct the field it came from")
    return text


def dots(text: str) -> str:
    """For use in an expression: of the characters that names may have, only the dot means something there."""
    return text.replace(".", r"\.")


def service_name(name: str) -> str:
    """A path is made of it, so it is looked at again: a name that is no service's would leave the folder."""
    if not isinstance(name, str) or not model.SERVICE_NAME.fullmatch(name):
        raise model.ModelError("name", f"{name!r} is no service's name; use 1 to 63 of a-z 0-9 -")
    return name


def demand_unique(names: Sequence[str], field_name: str) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise model.ModelError(field_name, f"{', '.join(twice)} stands there more than once; give each its own")


def networks(cidrs: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({str(ipaddress.ip_network(cidr)) for cidr in cidrs}))


def address(text: str, field_name: str) -> str:
    """`IP:port`, written as nginx reads it."""
    host, _, port = text.rpartition(":")
    try:
        found = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise model.ModelError(field_name, f"{text!r} is not IP:port ({error}); resolve the name first") from None
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise model.ModelError(field_name, f"{text!r} has no port from 1 to 65535; write IP:port")
    if found.version == 6 and found.scope_id:
        raise model.ModelError(field_name, f"{text!r} names a network interface; give the address without it")
    return f"[{found}]:{port}" if found.version == 6 else f"{found}:{port}"


def whole(value: object, field_name: str, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise model.ModelError(field_name, f"{value!r} is not a whole number from {least} to {most}")
    return value


def milliseconds(seconds: object, field_name: str) -> int:
    """Whole milliseconds, from 1 ms to a week."""
    if type(seconds) not in (int, float) or not 0.001 <= float(str(seconds)) <= 604800:
        raise model.ModelError(field_name, f"{seconds!r} is not a number of seconds from 0.001 to 604800")
    return round(float(str(seconds)) * 1000)
