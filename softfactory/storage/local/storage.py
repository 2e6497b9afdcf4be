"""The local-disk storage, all its verbs together."""

from softfactory.storage.local.health import Health
from softfactory.storage.local.multipart import Multipart
from softfactory.storage.local.sweeps import Sweeps
from softfactory.storage.local.tiers import Tiers
from softfactory.storage.local.urls import Urls
from softfactory.storage.local.verifying import Verifying


class LocalStorage(Health, Multipart, Tiers, Urls, Sweeps, Verifying):
    """Keeps the promises of ``Storage`` in one directory of one machine.

    Any number of threads and processes may use the directory at once, each through its own
    LocalStorage or, across a fork, through one that was made before.

    Bytes are written to nameless files, fsynced, named below ``files/``, and exist from the
    moment the index commits; a crash at any point leaves at most files that ``sweep_orphans``
    removes. No key decides a path.
    """
