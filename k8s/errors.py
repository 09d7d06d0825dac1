"""Everything that can go wrong with the cluster, as one family. No foreign exception passes the edge of `k8s`.

ClusterError                a sentence (what, why, what to do) and whether trying again may help
├── Unreachable             no answer, or none in time; what was sent may or may not have happened
├── Unauthorized            401: the credentials are not accepted (expired or rotated)
├── Forbidden               403: Ferry's role lacks this right
├── Missing                 404: the object (or its namespace) does not exist
├── Conflict                409: somebody else wrote first, or it exists already; read again and decide again
├── Expired                 410: the watch's resourceVersion is too old; list again
├── Invalid                 400, 413, 422: the API server refuses the object; trying again cannot help
├── Busy                    429 or 503: come back after `retry_after` seconds
└── BadReply                the API server, an agent or the object said something that cannot be understood
"""


class ClusterError(Exception):
    """A call to the cluster did not do what was asked. `retryable`: the same call may succeed later."""

    retryable = False


class Unreachable(ClusterError):
    """No answer in time, or the connection broke. The caller must read before writing again."""

    retryable = True


class Unauthorized(ClusterError):
    """401. The token was read again from its file and refused again."""


class Forbidden(ClusterError):
    """403. The sentence names the missing right as the API server does."""


class Missing(ClusterError):
    """404."""


class Conflict(ClusterError):
    """409. A lost race, not a fault."""

    retryable = True


class Expired(ClusterError):
    """410. Only watches and continued lists meet it."""

    retryable = True


class Invalid(ClusterError):
    """400, 413 or 422."""


class Busy(ClusterError):
    """429 or 503. `retry_after` is in seconds."""

    retryable = True

    def __init__(self, sentence: str, *, retry_after: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class BadReply(ClusterError):
    """The reply is not what the protocol allows."""


_BY_STATUS: dict[int, type[ClusterError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: Missing,
    409: Conflict,
    410: Expired,
    413: Invalid,
    422: Invalid,
}


def from_status(code: int, sentence: str, *, retry_after: float | None = None) -> ClusterError:
    """The error for an HTTP status of 400 and above; 5xx other than 503 counts as unreachable (it may have happened)."""
    if code in (429, 503):
        return Busy(sentence, retry_after=1.0 if retry_after is None else retry_after)
    if code >= 500:
        return Unreachable(sentence)
    return _BY_STATUS.get(code, BadReply)(sentence)
