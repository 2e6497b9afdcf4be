"""S3's verbs together: the one public noun of this package."""

from softfactory.storage.s3.archive import Archive
from softfactory.storage.s3.checking import Checker
from softfactory.storage.s3.verifying import Verifier


class S3Storage(Checker, Archive, Verifier):
    """One bucket; keeps the promises of ``softfactory.storage.base.Storage``.

    Making one reaches for nothing: the first verb in a process makes its client, ``check`` says
    whether it works. Safe to share between threads and across forks.

    Args:
        bucket: its name.
        region: the bucket's region; any for most other servers.
        endpoint_url: where the server is; None for AWS itself.
        public_endpoint_url: what signed and unsigned URLs name, where clients reach the server by
            another name than this service does; default: ``endpoint_url``.
        access_key_id: None for the default credential chain (environment, profile, role).
        secret_access_key: goes with ``access_key_id``.
        upload_sessions: what signs URLs that write; default: the service's own credentials.
        upload_signer: makes the URLs that write lead to this service, which sends the bytes on.
        clock: what signed URLs are dated with.
    """
