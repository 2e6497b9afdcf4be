"""Which browsers may call, and what they may send and read there (Fetch standard, CORS protocol)."""

from datetime import timedelta

from flask import Flask
from flask_cors import CORS

EXPOSED = [
    # What uploads in parts and their retries need.
    "ETag",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    # What readers of ranges need, such as pdf.js.
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Last-Modified",
    # What else an answer says.
    "Allow",
    "X-Search-Complete",
    "Content-Disposition",
    "Location",
    "WWW-Authenticate",
    "X-Request-ID",
]


def allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Let pages of ``origins`` call every route of ``app`` with any header, and without cookies.

    A header grants nothing by itself: who calls is told by a token, which no browser adds on its
    own. A list of harmless ones would only keep out clients that nobody thought of.
    """
    CORS(
        app,
        origins=list(origins),
        allow_headers="*",
        expose_headers=EXPOSED,
        max_age=timedelta(hours=1),
    )
