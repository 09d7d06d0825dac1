"""`/api/v1`: the use cases over HTTP, for the command line and for other programs.

Who calls is known by a bearer token that the settings give to a person of Slack, so that nobody is two persons: rights, four eyes
and the audit are the same whichever way somebody comes.
"""
