"""What the worker tells the application."""

STOPPING = "softfactory.stopping"
"""In the WSGI environ: whether this instance is going away, so that no new client should come."""


class ClientTooSlow(Exception):
    """Reading a request's body was given up; its client gets 408.

    No OSError, which the layers between worker and view take for a client that hung up.
    """
