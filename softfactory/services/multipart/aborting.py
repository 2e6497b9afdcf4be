"""Aborting an upload: of a race with completing, whoever is first in storage wins."""

from softfactory.errors import Conflict
from softfactory.models import MultipartUpload, UploadStatus
from softfactory.services.heads import find_object
from softfactory.services.multipart.completing import Completion
from softfactory.services.unit_of_work import write
from softfactory.storage.keys import StoredKey


def abort(completion: Completion, upload: MultipartUpload) -> None:
    """End the upload, which shows as aborted until cleanup, and drop its parts; safe to repeat.

    Raises:
        Conflict: it is completed, or storage has completed it at this moment.
        UploadNotFound: it is gone altogether.
        StorageError: the parts are still there, and the upload is open as before.
    """
    storage, row_id = completion.storage, upload.id
    completed = Conflict("This upload is completed. Delete the file instead.")
    with write(completion.catalog.session):
        upload = completion.records.locked(row_id)
        file, key = upload.file, StoredKey(upload.file.file_key)
        holds_key = file.staging_key is None
        is_open = file.status == UploadStatus.UPLOADING.value
        if file.status == UploadStatus.COMPLETED.value:
            raise completed
        if is_open and not holds_key and completion.has_ended(upload):
            raise completed
        file.status = UploadStatus.ABORTED.value
        storage.abort_multipart(key, upload.upload_id)
        # Where the row holds its key, an object there is this upload's own.
        if holds_key and find_object(storage, key) is not None:
            raise completed
