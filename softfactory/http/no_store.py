"""No cache keeps what this service says: tokens, codes, secrets and signed URLs stand in it."""

from flask import Flask, Response


def forbid_storing(app: Flask) -> None:
    """Mark every JSON answer that says nothing itself (RFC 6749 section 5.1; RFC 9111, no-store).

    Nearly each carries something that opens a file, and none is worth a cache: what may be kept
    are bytes of files, which have their own rule (``send``).
    """

    @app.after_request
    def mark(response: Response) -> Response:
        if response.is_json:
            response.headers.setdefault("Cache-Control", "no-store")
        return response
