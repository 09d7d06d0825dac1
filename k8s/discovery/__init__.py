"""What the old cluster serves, read from its Ingresses, and proposed as entries of `migration.yaml`. Nothing is written here.

`proposal`: the values. `routes`: Ingress objects as one line for each host and path. `backends`: Services and EndpointSlices
behind them. `notes`, `sessions`, `host_notes`: what a proposal means at the proxy, and what to do about it.
`entry_text`: a proposal as YAML. `finding`: all of it together. These are pure; `listing` alone asks the API server.
"""

from k8s.discovery.finding import Known, found, known, notes_of
from k8s.discovery.proposal import Found, HostRule, Level, Note, Proposal, Skipped, digest

__all__ = ["Found", "HostRule", "Known", "Level", "Note", "Proposal", "Skipped", "digest", "found", "known", "notes_of"]
