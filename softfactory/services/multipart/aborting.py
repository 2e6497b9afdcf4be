"""Aborting an upload: of a race with completing, storage decides the winner."""

from sqlalchemy.orm import Session

from softfactory.errors import Conflict, ObjectNotFound, UploadNotFound
from softfactory.models import FileUpload, MultipartUpload, UploadStatus
from softfactory.services.unit_of_work import write
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key


def abort(session: Session, storage: Storage, upload: MultipartUpload) -> None:
    """End the upload, which shows as aborted until cleanup, and drop its parts; safe to repeat.

    Raises:
        Conflict: it is completed, or storage has completed it at this moment.
        UploadNotFound: it is gone altogether.
        StorageError: the parts are still there, and the upload is open as before.
    """
    completed = Conflict("This upload is completed. Delete the file instead.")
    with write(session):
        file = session.get(FileUpload, upload.file_id, with_for_update=True)
        if file is None:
            raise UploadNotFound
        if file.status == UploadStatus.COMPLETED.value:
            raise completed
        file.status = UploadStatus.ABORTED.value
        key = Key(file.file_key)
        storage.abort_multipart(key, upload.upload_id)
        # The row holds its key, so an object there is this upload's own.
        if file.staging_key is None and _exists(storage, key):
            raise completed


def _exists(storage: Storage, key: Key) -> bool:
    try:
        storage.head(key)
    except ObjectNotFound:
        return False
    return True
