"""All ports in one value, and the limits of everything that waits."""

from dataclasses import dataclass

from handlers import ports


@dataclass(frozen=True, slots=True)
class Outside:
    """What the use cases reach: each field is one seam, see `handlers.ports`.

    Where nobody keeps `journeys`, nothing soaks or climbs; without `entries` no objects are changed; without `measures` the gates
    are not judged; without `notices` what was changed by hand is only kept in the audit.
    """

    clock: ports.Clock
    pending: ports.Pending
    seen: ports.Seen
    cluster: ports.Cluster
    records: ports.Records
    wishes: ports.Wishes
    documents: ports.Documents
    holds: ports.Holds
    agents: ports.Agents
    chat: ports.Chat
    audit: ports.AuditLog
    alerts: ports.Alerts
    journeys: ports.Journeys | None = None
    entries: ports.Entries | None = None
    measures: ports.Measures | None = None
    notices: ports.Notices | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `converge`: until every proxy must serve a record; `hold`: until every proxy must serve a hold.

    `verify`: how long share, errors and latency are watched. `ask`: between two questions to the proxies. `tick`: between
    two rounds of the guard. `order`: what a hold may take until it is answered. `listen`: between two times that the proxies
    are asked what they hold on their own. `put_back`: what a broken document may stand before the last whole one is put back;
    `severe`: before it means 100% old; `again`: how long after it was put back the same trouble is severe at once. `keep`:
    between two times that a whole document is kept. `ladder`: between two looks at what soaks and climbs; `seldom`: where the
    soak is long. `no_proxies`: how long
    no proxy may be ready for an exposed service before its original entry is put back, and its old application may have no
    ready endpoint before people are called. `drift`: what was changed by hand may stand before it is put back; `drift_again`:
    between two times that it is put back for one service.
    """

    converge: float = 30.0
    hold: float = 30.0
    verify: float = 10.0
    ask: float = 0.25
    tick: float = 1.0
    order: float = 2.0
    listen: float = 5.0
    put_back: float = 10.0
    severe: float = 30.0
    again: float = 300.0
    keep: float = 5.0
    ladder: float = 1.0
    seldom: float = 5.0
    no_proxies: float = 30.0
    drift: float = 2.0
    drift_again: float = 60.0
