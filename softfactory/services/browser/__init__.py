"""The storage browser: objects and folders as storage has them (docs/api/browser.md)."""

from softfactory.services.browser.deletion import BatchReport, Deletion
from softfactory.services.browser.entries import Entry
from softfactory.services.browser.folders import Folders
from softfactory.services.browser.listing import EntryPage, Listing
from softfactory.services.browser.objects import DownloadLink, Objects

__all__ = [
    "BatchReport",
    "Deletion",
    "DownloadLink",
    "Entry",
    "EntryPage",
    "Folders",
    "Listing",
    "Objects",
]
