"""What the use cases may meet when an edge fails. The cluster's own errors are `k8s.errors`."""


class Away(Exception):
    """A convenient part (the store, Alertmanager, Slack) cannot be reached. The sentence says which, why, and what to do.

    What raises is refused with it; what lowers goes on without that part.
    """
