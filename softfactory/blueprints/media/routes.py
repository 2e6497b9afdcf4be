"""``/media/<key>``: where the URLs lead that this service signs, and not storage."""

from http import HTTPStatus
from typing import Any

from flask import Response, request
from werkzeug.http import quote_etag

from softfactory.errors import InvalidSignature
from softfactory.http.blueprint import Blueprint
from softfactory.http.bodies import body_chunks, declared_size
from softfactory.http.identity import public
from softfactory.http.limits import unlimited
from softfactory.http.runtime import runtime
from softfactory.http.schemas import BYTES, OCTETS
from softfactory.http.send import send_object
from softfactory.http.services import part_receiver, signed_objects
from softfactory.http.shares import count_for_url
from softfactory.storage.disposition import content_disposition
from softfactory.storage.keys import Key, StoredKey, shown_filename

blueprint = Blueprint("media", __name__, url_prefix="/media", description="Signed object URLs")


@blueprint.get("/<path:key>")
@blueprint.response(HTTPStatus.OK, BYTES, content_type=OCTETS)
@public
@unlimited
def get_object(key: str) -> Response:
    """Give the bytes of an object to whoever has its signed URL."""
    claims = _signed_claims(key)
    stored = signed_objects().open(StoredKey(key), version_id=claims.get("version_id"))
    content_type = claims.get("content_type") or stored.info.content_type
    disposition = claims.get("content_disposition") or content_disposition(
        shown_filename(StoredKey(key)), content_type
    )
    return send_object(stored, content_type=content_type, disposition=disposition)


@blueprint.put("/<path:key>")
@blueprint.doc(requestBody={"required": True, "content": {OCTETS: {"schema": BYTES}}})
@blueprint.response(HTTPStatus.OK)
@public
@unlimited
def put_object(key: str) -> Response:
    """Take the bytes of an object, or of one part of it, from whoever has the signed URL."""
    claims = _signed_claims(key)
    limit = runtime().config.max_file_upload_size
    size = declared_size(claims.get("size"), limit=limit)
    response = Response()
    response.headers.pop("Content-Type")  # There is no content.
    if (upload_id := claims.get("upload_id")) is not None:
        admitted = part_receiver().admit_signed(
            Key(key), upload_id, claims["part_number"], claims.get("size")
        )
        part = admitted.store(body_chunks(size), size=size)
        response.headers["ETag"] = quote_etag(part.etag)
    else:
        stored = signed_objects().put(
            Key(key),
            body_chunks(size),
            content_type=request.headers.get("Content-Type") or "application/octet-stream",
            content_encoding=request.headers.get("Content-Encoding"),
        )
        response.headers["ETag"] = quote_etag(stored.etag)
    return response


def _signed_claims(key: str) -> dict[str, Any]:
    """Return what the URL's token allows.

    Raises:
        InvalidSignature: there is no token, or it is for something else.
    """
    token = request.args.get("token", "")
    if not token:
        raise InvalidSignature(
            "This URL names a file and gives no bytes. Ask the API for a signed URL: "
            "POST /api/files/presigned-url."
        )
    claims = runtime().signer.verify(token, method=request.method, key=key)
    count_for_url(token)
    return claims
