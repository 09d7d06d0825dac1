"""The sidecar beside each nginx: watches the cluster, decides what this proxy serves, and proves that it does.

It alone writes nginx's links and config. It needs the API server only to learn of raises: it lowers by
itself. Imports nothing but `k8s` and `templates`; nobody imports it but its own tests and the playground.
"""
