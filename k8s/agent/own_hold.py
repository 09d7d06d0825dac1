"""A hold that this agent makes itself, whatever for: in force at once, whether or not all of it could be written."""

import logging

from k8s import model
from k8s.agent import serving

log = logging.getLogger("ferry.agent")


def place(served: serving.Serving, order: model.Hold) -> None:
    """What could not be moved or written is said by `served.trouble`, and tried again there."""
    whom = "every service" if order.service == model.ALL_SERVICES else order.service
    log.error("%s is held at the old cluster by this proxy itself (%s): %s", whom, order.id, order.reason)
    try:
        served.hold(order)
    except OSError as error:
        log.error("the hold %s is not complete: %s", order.id, error)  # noqa: TRY400 a sentence, not a traceback
