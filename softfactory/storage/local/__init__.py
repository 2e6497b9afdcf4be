"""The storage adapter for one machine's disk; ``LocalStorage`` keeps S3's promises there."""

from softfactory.storage.local.storage import LocalStorage

__all__ = ["LocalStorage"]
