"""Uploads in parts: begun, resumed, completed or aborted, for whichever contract asks."""

from softfactory.services.multipart.browser import BrowserUploads
from softfactory.services.multipart.completing import Completion
from softfactory.services.multipart.idle import IdleUploads
from softfactory.services.multipart.part_urls import OwnPartUrls, PartUrls, StoragePartUrls
from softfactory.services.multipart.parts import PartReceiver
from softfactory.services.multipart.records import MultipartRecords
from softfactory.services.multipart.uploads import Declared, Uploads, UploadState

__all__ = [
    "BrowserUploads",
    "Completion",
    "Declared",
    "IdleUploads",
    "MultipartRecords",
    "OwnPartUrls",
    "PartReceiver",
    "PartUrls",
    "StoragePartUrls",
    "UploadState",
    "Uploads",
]
