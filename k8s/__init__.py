"""What exists in the old cluster, how to read it, how to change it.

Pure: the model, `migration.yaml` and the model, the protocol of wish, record and hold, nginx text from the model, the
convergence verdict, the error family. Edge: the API client, ConfigMaps and ControllerRevisions, the watch loop, asking
each proxy. This package is the bottom of the house: it imports nothing of `bot`, `handlers` or the playground, so that
`k8s.agent` ships without Slack and Redis. Everybody may import it.
"""
