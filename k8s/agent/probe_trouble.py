"""What probes found, in sentences for whoever is on call. Pure: what is wrong and the time in, sentences out."""

import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass

SOON = 14 * 86400  # seconds before its end from which a certificate is told of
SENTENCES = 8  # services that are spelled out in the report


@dataclass(frozen=True, slots=True)
class Fault:
    """`why`: half a sentence on why the new cluster is down for this service; empty: it is not.

    `expires`: Unix seconds; infinity when no certificate was seen.
    """

    service: str
    host: str
    why: str
    expires: float = math.inf


def sentences(found: Iterable[Fault], *, now: float) -> list[str]:
    """Those that are down first, then certificates by their end; what is well is not mentioned. `now`: Unix seconds."""
    faults = [one for one in found if one.why or one.expires - now < SOON]
    faults.sort(key=lambda one: (not one.why, one.expires, one.service))
    said = [_down(one, now) if one.why else _ending(one, now) for one in faults[:SENTENCES]]
    more = len(faults) - SENTENCES
    if more > 0:
        said.append(
            f"{more} more services do not reach the new cluster, or its certificate ends soon; ferry_agent_* metrics name them"
        )
    return said


def _down(fault: Fault, now: float) -> str:
    when = f"; its certificate ended on {_day(fault.expires)}, renew it there" if fault.expires <= now else ""
    return f"{fault.service}: the new cluster does not answer this proxy's probe: {fault.why}{when}; look at {fault.host}"


def _ending(fault: Fault, now: float) -> str:
    if fault.expires <= now:
        when = f"ended on {_day(fault.expires)} and is not verified"
    else:
        days = int((fault.expires - now) // 86400)
        in_time = f"in {days} days" if days > 1 else "in a day" if days == 1 else "in less than a day"
        when = f"ends {in_time}, on {_day(fault.expires)}"
    return f"{fault.service}: the new cluster's certificate for {fault.host} {when}; renew it there before requests fail"


def _day(expires: float) -> str:
    return datetime.datetime.fromtimestamp(expires, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
