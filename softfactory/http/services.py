"""The services of files, made for the current request from its session and the application's ports."""

from softfactory.errors import NotConfigured
from softfactory.http.account_services import accounts, users
from softfactory.http.base_url import base_url
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.services.browser import Deletion, Folders, Listing, Objects
from softfactory.services.catalog import Catalog
from softfactory.services.credentials import Credentials
from softfactory.services.drive.confirmations import Confirmations
from softfactory.services.drive.files import DriveFiles
from softfactory.services.drive.identifiers import Finder
from softfactory.services.drive.listing_cache import ListingCache
from softfactory.services.drive.recent_list import RecentList
from softfactory.services.drive.storage_list import StorageList
from softfactory.services.drive.uploads import DriveUploads
from softfactory.services.entries import Entries
from softfactory.services.files import Files
from softfactory.services.links import Links
from softfactory.services.maintenance import Maintenance
from softfactory.services.multipart import (
    BrowserUploads,
    Completion,
    IdleUploads,
    MultipartRecords,
    OwnPartUrls,
    PartReceiver,
    StoragePartUrls,
    Uploads,
)
from softfactory.services.quotas import Quotas
from softfactory.services.reconcile import Reconciliation
from softfactory.services.signed import SignedObjects
from softfactory.services.simple import Simple
from softfactory.services.user_quotas import UserQuotas
from softfactory.services.verification import Throttle, Verification
from softfactory.services.visible import VisibleObjects


def links() -> Links:
    """Return the service that makes a file's URLs."""
    ports = runtime()
    return Links(storage=ports.storage, cloudfront=ports.cloudfront, clock=ports.clock)


def catalog() -> Catalog:
    """Return what keeps rows and objects together, on this request's session."""
    return Catalog(
        session=db.session(), storage=runtime().storage, clock=runtime().clock, quotas=quotas()
    )


def quotas() -> Quotas:
    """Return what tells how much of storage each user may fill."""
    config = runtime().config
    return Quotas(
        storage=runtime().storage,
        default=config.user_quota,
        max_open_uploads=config.max_open_uploads,
    )


def user_quotas() -> UserQuotas:
    """Return what sets users' quotas."""
    return UserQuotas(session=db.session(), users=users(), quotas=quotas())


def files() -> Files:
    """Return the files service on this request's session."""
    ports = runtime()
    return Files(
        session=db.session(),
        storage=ports.storage,
        catalog=catalog(),
        links=links(),
        clock=ports.clock,
        restore_days=ports.config.restore_days,
    )


def signed_objects() -> SignedObjects:
    """Return what the holders of signed URLs get."""
    ports = runtime()
    return SignedObjects(db.engine, ports.storage, ports.clock, ports.config.restore_days)


def credentials() -> Credentials:
    """Return the service of users' own credentials.

    Raises:
        NotConfigured: nothing here issues any.
    """
    issuer = runtime().issuer
    if issuer is None:
        raise NotConfigured(
            "This server issues no credentials. Set UPLOAD_STORAGE_HANDLER=s3, and "
            "AWS_ENDPOINT_URL where S3 is not Amazon's."
        )
    return Credentials(issuer)


def entries() -> Entries:
    """Return the service of files of any status, on this request's session."""
    return Entries(session=db.session(), catalog=catalog(), clock=runtime().clock)


def uploads() -> Uploads:
    """Return the service of uploads of declared size, on this request's session."""
    ports = runtime()
    return Uploads(
        session=db.session(),
        storage=ports.storage,
        catalog=catalog(),
        records=_multipart_records(),
        completion=_completion(),
        part_urls=_own_part_urls() or StoragePartUrls(ports.storage),
        clock=ports.clock,
        max_size=ports.config.max_file_upload_size,
        url_lifetime=ports.config.signed_url_lifetime,
    )


def browser_uploads() -> BrowserUploads:
    """Return the service of multipart uploads to keys that the client names."""
    ports = runtime()
    return BrowserUploads(
        session=db.session(),
        storage=ports.storage,
        catalog=catalog(),
        records=_multipart_records(),
        completion=_completion(),
        clock=ports.clock,
        url_lifetime=ports.config.signed_url_lifetime,
    )


def part_receiver() -> PartReceiver:
    """Return what takes parts that come to this service."""
    return PartReceiver(
        session=db.session(),
        storage=runtime().storage,
        catalog=catalog(),
        records=_multipart_records(),
        urls=_own_part_urls(),
    )


def _multipart_records() -> MultipartRecords:
    return MultipartRecords(session=db.session(), clock=runtime().clock)


def _completion() -> Completion:
    return Completion(storage=runtime().storage, catalog=catalog(), records=_multipart_records())


def _own_part_urls() -> OwnPartUrls | None:
    """Return the signer of this service's own part URLs; None where storage has its own."""
    ports = runtime()
    if ports.config.upload_storage_handler != "local":
        return None
    return OwnPartUrls(ports.config.secret_key, base_url(), ports.clock)


def drive_uploads() -> DriveUploads:
    """Return the service that begins the drive's uploads, on this request's session."""
    ports = runtime()
    return DriveUploads(
        session=db.session(),
        storage=ports.storage,
        quotas=quotas(),
        clock=ports.clock,
        max_size=ports.config.max_file_upload_size,
        url_lifetime=ports.config.signed_url_lifetime,
    )


def confirmations() -> Confirmations:
    """Return the service that ends the drive's uploads, on this request's session."""
    ports = runtime()
    return Confirmations(
        session=db.session(), storage=ports.storage, catalog=catalog(), clock=ports.clock
    )


def drive_files() -> DriveFiles:
    """Return the service of single files of the drive, on this request's session."""
    ports = runtime()
    return DriveFiles(
        session=db.session(),
        storage=ports.storage,
        catalog=catalog(),
        finder=Finder(session=db.session(), storage=ports.storage, clock=ports.clock),
        links=links(),
        url_lifetime=ports.config.signed_url_lifetime,
        restore_days=ports.config.restore_days,
    )


def recent_list() -> RecentList:
    """Return the drive's list out of the database."""
    return RecentList(session=db.session(), storage=runtime().storage, clock=runtime().clock)


def storage_list() -> StorageList:
    """Return the drive's list out of storage."""
    ports = runtime()
    return StorageList(
        session=db.session(),
        storage=ports.storage,
        cache=ListingCache(ports.response_cache, ports.clock),
        clock=ports.clock,
    )


def reconciliation() -> Reconciliation:
    """Return what compares database and storage, on this context's session."""
    ports = runtime()
    return Reconciliation(
        session=db.session(), storage=ports.storage, catalog=catalog(), clock=ports.clock
    )


def verification(*, rate: float | None) -> Verification:
    """Return what reads bytes back, at ``rate`` bytes a second at most, on this context's session."""
    return Verification(db.session(), runtime().storage, Throttle(rate))


def maintenance() -> Maintenance:
    """Return the maintenance service on this context's session."""
    ports = runtime()
    return Maintenance(
        session=db.session(),
        storage=ports.storage,
        catalog=catalog(),
        idle=IdleUploads(
            storage=ports.storage, records=_multipart_records(), completion=_completion()
        ),
        accounts=accounts(),
        clock=ports.clock,
        upload_expiry=ports.config.upload_expiry,
        noncurrent_version_age=ports.config.noncurrent_version_age,
        unconfirmed_age=ports.config.unconfirmed_age,
    )


def visible_objects() -> VisibleObjects:
    """Return what lists storage for clients, on this request's session."""
    ports = runtime()
    return VisibleObjects(session=db.session(), storage=ports.storage, clock=ports.clock)


def browser_listing() -> Listing:
    """Return the browser's lists, on this request's session."""
    return Listing(visible_objects())


def browser_objects() -> Objects:
    """Return the browser's use cases of one object, on this request's session."""
    ports = runtime()
    return Objects(
        storage=ports.storage,
        catalog=catalog(),
        visible=visible_objects(),
        links=links(),
        clock=ports.clock,
        restore_days=ports.config.restore_days,
        url_lifetime=ports.config.signed_url_lifetime,
    )


def browser_folders() -> Folders:
    """Return the browser's folders, on this request's session."""
    return Folders(storage=runtime().storage, catalog=catalog(), visible=visible_objects())


def browser_deletion() -> Deletion:
    """Return what deletes for the browser, on this request's session."""
    return Deletion(
        storage=runtime().storage,
        catalog=catalog(),
        visible=visible_objects(),
        folders=browser_folders(),
    )


def simple() -> Simple:
    """Return the simple service, on this request's session."""
    ports = runtime()
    return Simple(
        storage=ports.storage,
        catalog=catalog(),
        visible=visible_objects(),
        restore_days=ports.config.restore_days,
    )
