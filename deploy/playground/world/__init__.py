"""The playground's world outside Kubernetes: demo backends, the new cluster, the ingress in front, names, traffic, processes.

Everything listens on loopback, on ports the system picks, and has `start()` and `stop()`. What is measured is counted here, at
the backends and at the client, and read from the objects themselves: nothing here asks Ferry, or knows it.
"""
