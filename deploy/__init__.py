"""How Ferry is deployed: manifests, monitoring, images, Slack app manifests, and the laptop deployment (`playground`).

Only `playground` is code. Nothing of Ferry imports this package.
"""
