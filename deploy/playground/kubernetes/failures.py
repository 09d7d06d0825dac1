"""Every refusal of the API, as the Status object a real API server answers with."""

from dataclasses import dataclass, field

from deploy.playground.kubernetes.kinds import Json, Kind


class ApiFailure(Exception):
    """A request that was refused. `status` is the answer's body, `code` its HTTP status."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Json | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details
        self.headers = headers or {}

    @property
    def status(self) -> Json:
        """The Status object."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }
        if self.details is not None:
            body["details"] = self.details
        return body


@dataclass(slots=True)
class Causes:
    """Collects what is wrong with one object; one refusal names all of it."""

    kind: Kind
    name: str
    found: list[Json] = field(default_factory=list)

    def invalid(self, where: str, value: object, why: str) -> None:
        """A value that cannot stand."""
        shown = f'"{value}"' if isinstance(value, str) else _go(value)
        self._add("FieldValueInvalid", where, f"Invalid value: {shown}: {why}")

    def required(self, where: str, why: str = "") -> None:
        """A value that is missing."""
        self._add("FieldValueRequired", where, f"Required value: {why}" if why else "Required value")

    def forbidden(self, where: str, why: str) -> None:
        """A change or a field that is not allowed."""
        self._add("FieldValueForbidden", where, f"Forbidden: {why}")

    def unsupported(self, where: str, value: object, supported: list[str]) -> None:
        """Not one of the known words."""
        words = ", ".join(f'"{word}"' for word in sorted(supported))
        self._add("FieldValueNotSupported", where, f'Unsupported value: "{value}": supported values: {words}')

    def duplicate(self, where: str, value: object) -> None:
        """A second item with the same key."""
        self._add("FieldValueDuplicate", where, f"Duplicate value: {_go(value)}")

    def not_found(self, where: str, value: object) -> None:
        """A reference to something the object does not have."""
        self._add("FieldValueNotFound", where, f'Not found: "{value}"')

    def too_long(self, where: str, limit: int) -> None:
        """More bytes than allowed."""
        self._add("FieldValueTooLong", where, f"Too long: may not be more than {limit} bytes")

    def _add(self, reason: str, where: str, message: str) -> None:
        self.found.append({"reason": reason, "message": message, "field": where})

    def refuse_if_any(self) -> None:
        """Raises the 422 that lists everything collected."""
        if not self.found:
            return
        lines = [f"{cause['field']}: {cause['message']}" for cause in self.found]
        summary = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
        details = {"name": self.name, "group": self.kind.group, "kind": self.kind.kind, "causes": self.found}
        raise ApiFailure(422, "Invalid", f'{self.kind.qualified} "{self.name}" is invalid: {summary}', details=details)


def _go(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else "null" if value is None else str(value)


def _about(kind: Kind, name: str) -> Json:
    about: Json = {"kind": kind.plural}
    if name:
        about["name"] = name
    if kind.group:
        about["group"] = kind.group
    return about


def not_found(kind: Kind, name: str) -> ApiFailure:
    """404: no such object."""
    return ApiFailure(404, "NotFound", f'{kind.resource} "{name}" not found', details=_about(kind, name))


def no_such_path() -> ApiFailure:
    """404: no such kind or path."""
    return ApiFailure(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(kind: Kind, name: str) -> ApiFailure:
    """409: created twice."""
    return ApiFailure(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details=_about(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> ApiFailure:
    """409: written by someone else in between, or a precondition that does not hold."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiFailure(409, "Conflict", message, details=_about(kind, name))


def forbidden(kind: Kind, name: str, why: str) -> ApiFailure:
    """403: not allowed for this user, or not at this time."""
    subject = f'{kind.resource} "{name}"' if name else kind.resource
    return ApiFailure(403, "Forbidden", f"{subject} is forbidden: {why}", details=_about(kind, name))


def unauthorized() -> ApiFailure:
    """401: no token, or one that is not (or no longer) known."""
    return ApiFailure(401, "Unauthorized", "Unauthorized")


def bad_request(why: str) -> ApiFailure:
    """400: not understood."""
    return ApiFailure(400, "BadRequest", why)


def unprocessable_patch() -> ApiFailure:
    """422: a JSON patch that does not fit the object, for example a `test` that fails."""
    return ApiFailure(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def method_not_allowed() -> ApiFailure:
    """405: the path exists, the verb does not."""
    message = "the server does not allow this method on the requested resource"
    return ApiFailure(405, "MethodNotAllowed", message, details={})


def unsupported_media(accepted: str) -> ApiFailure:
    """415: a content type nobody reads here."""
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiFailure(415, "UnsupportedMediaType", message)


def too_large(limit: int) -> ApiFailure:
    """413: a longer request than the server reads."""
    return ApiFailure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def gone(why: str) -> ApiFailure:
    """410: that version is no longer kept; list again."""
    return ApiFailure(410, "Expired", why)


def version_too_large(asked: int, current: int) -> ApiFailure:
    """504: a version this server has not reached."""
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiFailure(504, "Timeout", message, details=details, headers={"Retry-After": "1"})


def too_many_requests(retry_after: int) -> ApiFailure:
    """429: come back later."""
    details = {"retryAfterSeconds": retry_after}
    message = "the server has received too many requests and has asked us to try again later"
    return ApiFailure(429, "TooManyRequests", message, details=details, headers={"Retry-After": str(retry_after)})


def internal(why: str) -> ApiFailure:
    """500: the server's own trouble."""
    return ApiFailure(500, "InternalError", f"Internal error occurred: {why}")
