"""The API's own documents: Swagger UI, ReDoc and the OpenAPI JSON, from this service alone.

The code of the two pages comes out of the installed packages ``flask-swagger-ui`` and
``flask-openapi3-redoc``. Only their asset files are used, and found without an import.
docs/decisions/0001-docs-pages.md tells why.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    make_response,
    render_template,
    request,
    send_file,
)

from softfactory.errors import NotFound
from softfactory.http.identity import public

ASSET_MAX_AGE = 3600
"""Seconds; the ETag turns what follows into a 304."""

_STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_REDOC_POLICY = _STRICT_POLICY.replace(
    "style-src 'self'",
    # The hash of nothing: ReDoc makes an empty style element and inserts its rules by script.
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
)
_REDOC_POLICY += "; worker-src blob:"  # its search index

Spec = Callable[[], Mapping[str, Any]]
"""Returns the OpenAPI document of the app."""


def register_docs(app: Flask, spec: Spec) -> None:
    """Serve the OpenAPI document and its two readers below ``/api``, to everyone.

    Routes: ``/api/openapi.json``, ``/api/docs``, ``/api/redoc`` and ``/api/docs/assets/<name>``.
    The browser is told to load nothing from any other host. ``spec`` is called for each request
    of the document.

    Raises:
        importlib.metadata.PackageNotFoundError: a package with the pages' code is missing.
    """
    assets = _find_assets()
    docs = Blueprint("docs", __name__, template_folder="templates")

    @public
    def openapi_json() -> Response:
        return jsonify(spec())

    @public
    def swagger_ui() -> Response:
        return _page("swagger_ui.html", _STRICT_POLICY)

    @public
    def redoc() -> Response:
        return _page("redoc.html", _REDOC_POLICY)

    @public
    def asset(name: str) -> Response:
        if name not in assets:
            raise NotFound
        return send_file(assets[name], max_age=ASSET_MAX_AGE)

    for path, view in (
        ("/api/openapi.json", openapi_json),
        ("/api/docs", swagger_ui),
        ("/api/redoc", redoc),
        ("/api/docs/assets/<name>", asset),
    ):
        for rule in (path, f"{path}/"):
            docs.add_url_rule(rule, endpoint=view.__name__, view_func=view)

    app.register_blueprint(docs)


def _page(template: str, policy: str) -> Response:
    # Relative, so that a proxy may put any path in front without telling anyone.
    api = "../" if request.path.endswith("/") else "./"
    response = make_response(render_template(template, api=api))
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _find_assets() -> dict[str, Path]:
    """Return every file that the pages may load, by the name in its URL."""
    swagger_ui = Path(str(distribution("flask-swagger-ui").locate_file("flask_swagger_ui/dist")))
    redoc = Path(
        str(
            distribution("flask-openapi3-redoc").locate_file("flask_openapi3_redoc/templates/redoc")
        )
    )
    own = Path(__file__).parent / "static"
    return {
        "favicon.png": swagger_ui / "favicon-32x32.png",
        "page.css": own / "page.css",
        "redoc-start.js": own / "redoc-start.js",
        "redoc.js": redoc / "js" / "redoc.standalone.js",
        "swagger-ui-start.js": own / "swagger-ui-start.js",
        "swagger-ui.css": swagger_ui / "swagger-ui.css",
        "swagger-ui.js": swagger_ui / "swagger-ui-bundle.js",
    }
