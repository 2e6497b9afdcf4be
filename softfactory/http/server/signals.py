"""What the worker and the application tell each other."""

STOPPING = "softfactory.stopping"
"""In the WSGI environ: whether this instance is going away, so that no new client should come."""

CLAIM = "softfactory.claim"
"""In the WSGI environ: a function to call with whom the request is for, before its body is read.

It raises ``MustWait`` where they have their share of the threads already.
"""


class ClientTooSlow(Exception):
    """Reading a request's body was given up; its client gets 408.

    No OSError, which the layers between worker and view take for a client that hung up.
    """


class MustWait(BaseException):
    """The request goes back to the main loop, and is begun again when there is room for it.

    No Exception, so that no handler of the application answers it.
    """
