"""The use cases through their one entrance, over the real books of the cluster and its stand-in API."""
