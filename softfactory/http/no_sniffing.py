"""No browser guesses at types: every answer is what its Content-Type says, or nothing."""

from flask import Flask, Response


def forbid_sniffing(app: Flask) -> None:
    """Say ``nosniff`` with every answer of ``app``, failures and redirects too."""

    @app.after_request
    def forbid(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
