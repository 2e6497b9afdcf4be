"""The root: what is this, which version, and where to go on."""

from typing import cast

from flask import Blueprint, Response, jsonify, redirect, request

from softfactory import __version__
from softfactory.http.base_url import base_url
from softfactory.http.identity import public
from softfactory.http.runtime import runtime

blueprint = Blueprint("root", __name__)


@blueprint.get("/")
@public
def introduce() -> Response:
    """Answer programs with JSON and lead browsers to the API's documents, where they are on."""
    docs = f"{base_url()}/api/docs" if runtime().config.api_docs_enabled else None
    if docs is not None and _is_browser():
        response = cast(Response, redirect(docs))
    else:
        response = jsonify(
            name="SoftFactory Files", version=__version__, docs=docs, health=f"{base_url()}/healthz"
        )
    response.vary.add("Accept")
    return response


def _is_browser() -> bool:
    """Whether HTML is liked better than JSON; who takes anything gets JSON."""
    offers = ["application/json", "text/html"]
    return request.accept_mimetypes.best_match(offers) == "text/html"
