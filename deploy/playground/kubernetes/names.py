"""Names, labels and keys: what may be written where. Each check returns the reason why not, or an empty string."""

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV_NAME = re.compile(r"[^\s=\x00-\x1f\x7f]+")

_ALPHANUMERIC = "must consist of lower case alphanumeric characters"
_BOUNDS = "and must start and end with an alphanumeric character"
_MIXED = "alphanumeric characters, '-', '_' or '.'"
_REGEX = "regex used for validation is"

SUBDOMAIN_RULE = (
    f"a lowercase RFC 1123 subdomain {_ALPHANUMERIC}, '-' or '.', {_BOUNDS} (e.g. 'example.com', {_REGEX} "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    f"a lowercase RFC 1123 label {_ALPHANUMERIC} or '-', {_BOUNDS} (e.g. 'my-name',  or '123-abc', {_REGEX} "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_RULE = (
    f"a DNS-1035 label {_ALPHANUMERIC} or '-', start with an alphabetic character, and end with an alphanumeric character "
    f"(e.g. 'my-name',  or 'abc-123', {_REGEX} '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_CONFIG_KEY_RULE = (
    f"a valid config key must consist of {_MIXED} (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', {_REGEX} '[-._a-zA-Z0-9]+')"
)
_LABEL_VALUE_RULE = (
    f"a valid label must be an empty string or consist of {_MIXED}, {_BOUNDS} (e.g. 'MyValue',  or 'my_value',  or '12345', "
    f"{_REGEX} '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_QUALIFIED_RULE = (
    f"name part must consist of {_MIXED}, {_BOUNDS} (e.g. 'MyName',  or 'my.name',  or '123-abc', {_REGEX} "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def _checked(text: str, pattern: re.Pattern[str], rule: str, most: int, *, unit: str = "bytes") -> str:
    if len(text) > most:
        return f"must be no more than {most} {unit}"
    return "" if pattern.fullmatch(text) else rule


def subdomain(text: str) -> str:
    """Most objects' names, host names."""
    return _checked(text, _SUBDOMAIN, SUBDOMAIN_RULE, 253)


def label(text: str) -> str:
    """Names of namespaces and containers."""
    return _checked(text, _LABEL, _LABEL_RULE, 63)


def service(text: str) -> str:
    """Names of Services: they become DNS labels."""
    return _checked(text, _LABEL_1035, _LABEL_1035_RULE, 63)


def path_segment(text: str) -> str:
    """Names of roles and bindings: anything that can stand in a URL."""
    if text in {".", ".."}:
        return f"may not be '{text}'"
    wrong = next((sign for sign in "/%" if sign in text), "")
    return f"may not contain '{wrong}'" if wrong else ""


def config_key(text: str) -> str:
    """Keys of a ConfigMap or Secret."""
    if text in {".", ".."}:
        return f"must not be '{text}'"
    if text.startswith(".."):
        return "must not start with '..'"
    return _checked(text, _CONFIG_KEY, _CONFIG_KEY_RULE, 253, unit="characters")


def label_value(text: str) -> str:
    """Values of labels."""
    return "" if text == "" else _checked(text, _QUALIFIED, _LABEL_VALUE_RULE, 63)


def qualified(text: str) -> str:
    """Keys of labels and annotations: an optional DNS prefix, a slash, a name."""
    prefix, slash, name = text.rpartition("/")
    if slash and (not prefix or subdomain(prefix)):
        return f"prefix part {subdomain(prefix) or 'must be non-empty'}"
    return _checked(name, _QUALIFIED, _QUALIFIED_RULE, 63)


def environment(text: str) -> str:
    """Names of environment variables."""
    ok = bool(_ENV_NAME.fullmatch(text))
    return "" if ok else "a valid environment variable name must consist only of printable ASCII characters other than '='"


def object_name(kind: str, text: str) -> str:
    """The rule for the names of this kind."""
    if kind in {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}:
        return path_segment(text)
    if kind == "Namespace":
        return label(text)
    if kind == "Service":
        return service(text)
    return subdomain(text)
