"""The blueprint of ``/api/s3``, on which every module of this package registers its routes."""

from softfactory.http.blueprint import Blueprint

blueprint = Blueprint("s3", __name__, url_prefix="/api/s3", description="The storage browser")
