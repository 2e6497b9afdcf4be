"""Uploads that nothing moves any more: what cleanup may end, and what only lacks its commit.

Parts that go straight to storage move no row, so storage is asked when one last arrived.
"""

from dataclasses import dataclass
from datetime import datetime

from softfactory.errors import UploadNotFound
from softfactory.models import MultipartUpload, UploadStatus
from softfactory.services.multipart.completing import Completion
from softfactory.services.multipart.records import MultipartRecords
from softfactory.services.unit_of_work import write
from softfactory.storage.base import MultipartInfo, Storage


@dataclass(frozen=True, slots=True)
class IdleUploads:
    """Tells uploads that were abandoned from those that are alive in storage alone."""

    storage: Storage
    records: MultipartRecords
    completion: Completion

    def is_abandoned(self, file_id: int, since: datetime, *, dry_run: bool) -> bool:
        """Whether nothing has moved the upload of this file since ``since``; True for any other.

        One that storage has completed, and whose commit a crash prevented, is no longer one
        afterwards; one that is alive has its row say so. A dry run changes neither.
        """
        try:
            upload = self.records.of_file(file_id)
        except UploadNotFound:
            return True
        if upload.file.status != UploadStatus.UPLOADING.value:
            return True
        stored = self._stored(upload)
        if stored is None:
            if dry_run:
                return self.completion.object_of(upload) is None
            return not self.completion.recover(upload)
        if stored.last_activity < since:
            return True
        if not dry_run:
            with write(self.records.session):
                upload.file.last_activity_at = stored.last_activity
        return False

    def _stored(self, upload: MultipartUpload) -> MultipartInfo | None:
        open_uploads = self.storage.list_multiparts(upload.file.file_key)
        return next((u for u in open_uploads if u.upload_id == upload.upload_id), None)
