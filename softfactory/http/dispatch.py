"""One URL, two contracts: the content type of the request's body decides whose view answers."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue


def dispatch_by_content_type(app: Flask, endpoint: str, others: Mapping[str, str]) -> None:
    """Let the view of another endpoint answer where the body is of its content type.

    Call it when the limits are in place: each view keeps its own.

    Args:
        endpoint: the one that the URL leads to; it also answers, and refuses, any other type.
        others: endpoints by content type, ``endpoint``'s own among them.
    """
    default = app.view_functions[endpoint]
    views = {content_type: app.view_functions[name] for content_type, name in others.items()}

    def dispatch(**arguments: Any) -> ResponseReturnValue:  # noqa: ANN401  # what the URL holds
        view = views.get(request.mimetype, default)
        answer: ResponseReturnValue = app.ensure_sync(view)(**arguments)
        return answer

    app.view_functions[endpoint] = dispatch
