"""The objects around a service: how the old ingress hands its host to the proxies, the forward at the end, the old application.

Pure: `documents` and `policies` (what Ferry makes), `app_ingress` (what it changes in the application's own Ingress),
`old_application` (what goes in the end), `planning` (which of it, in which order), `standing` (how it stands now).
Edge: `cluster_entries` (dry run, then the change itself), `sight` (what stands there, kept current).
"""
