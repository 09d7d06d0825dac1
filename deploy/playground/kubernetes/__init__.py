"""The laptop's Kubernetes API server: the same refusals, conflicts and limits as a real one, kept in memory.

`server` is the front door (HTTP or HTTPS); `objects` is the API's meaning without HTTP and can be tested alone; `store` keeps
versions and tells watchers. Nothing here knows Ferry, and nothing outside the playground and the tests may import it.

What it leaves out on purpose: admission webhooks, quotas, conversion between API versions, Table output, controllers (the
miniature kubelet beside it plays those) and everything about nodes. `kubectl` 1.32 works without `--validate=false`: apply (both
ways), patch, get, edit, delete, scale, create token, auth can-i. It sends tokens over HTTPS only, so give `tls`. Its
`create deployment` and other generators speak protobuf that is not read here: use `apply -f`.
"""
