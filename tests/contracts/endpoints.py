"""Every endpoint of every contract, with the test that proves it.

``test_endpoint_table.py`` holds this table against the application's URL map, in both directions.
Paths stand without their trailing slash, and ``{}`` for whatever the client puts there; proofs are
``<module below tests>::<function>``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one URL, the document that asks for it, and the test that proves it."""

    document: str
    method: str
    path: str
    proof: str


AUTH = "blueprints/test_auth.py"
BROWSER_LIST = "blueprints/test_browser_list.py"
BROWSER_UPLOAD = "blueprints/test_browser_upload.py"
BROWSER_DELETE = "blueprints/test_browser_delete.py"
BROWSER_OBJECTS = "blueprints/test_browser_objects.py"
BROWSER_MULTIPART = "blueprints/test_browser_multipart.py"
CREDENTIALS = "blueprints/test_credentials.py"
DRIVE_LISTS = "blueprints/test_drive_lists.py"
DRIVE_UPLOAD = "blueprints/test_drive_upload.py"
DRIVE_FILES = "blueprints/test_drive_files.py"
SIMPLE = "blueprints/test_simple.py"
UPLOADS_INITIATE = "blueprints/test_uploads_initiate.py"
UPLOADS_PARTS = "blueprints/test_uploads_parts.py"
UPLOADS_COMPLETE = "blueprints/test_uploads_complete.py"
UPLOADS_FILES = "blueprints/test_uploads_files.py"
FILES_UPLOAD = "blueprints/test_files_upload.py"
FILES_MANAGE = "blueprints/test_files_manage.py"

_ROWS: dict[str, dict[str, str]] = {
    "browser-api.md": {
        "POST /api/auth/register": f"{AUTH}::test_registering_answers_as_the_contract_shows",
        "POST /api/auth/confirm": f"{AUTH}::test_confirming_answers_as_the_contract_shows",
        "POST /api/auth/resend-code": f"{AUTH}::test_resending_answers_as_the_contract_shows",
        "POST /api/auth/login": f"{AUTH}::test_logging_in_answers_as_the_contract_shows",
        "POST /api/auth/refresh": f"{AUTH}::test_refreshing_answers_as_the_contract_shows",
        "POST /api/auth/logout": f"{AUTH}::test_logging_out_answers_as_the_contract_shows",
        "GET /api/auth/me": f"{AUTH}::test_me_answers_as_the_contract_shows",
        "POST /api/auth/forgot-password": f"{AUTH}::test_forgetting_answers_as_the_contract_shows",
        "POST /api/auth/reset-password": f"{AUTH}::test_resetting_answers_as_the_contract_shows",
        "POST /api/auth/change-password": f"{AUTH}::test_changing_answers_as_the_contract_shows",
        "GET /api/s3/objects": f"{BROWSER_LIST}::test_a_list_has_every_documented_field",
        "POST /api/s3/upload": (
            f"{BROWSER_UPLOAD}::test_an_upload_is_answered_as_documented_whatever_its_order"
        ),
        "DELETE /api/s3/object": f"{BROWSER_DELETE}::test_an_object_goes_with_its_row",
        "DELETE /api/s3/objects": f"{BROWSER_DELETE}::test_a_batch_reports_key_by_key",
        "POST /api/s3/download": f"{BROWSER_OBJECTS}::test_a_download_url_gives_the_bytes",
        "GET /api/s3/object/metadata": (
            f"{BROWSER_OBJECTS}::test_metadata_has_every_documented_field"
        ),
        "GET /api/s3/object/versions": (
            f"{BROWSER_OBJECTS}::test_versions_are_newest_first_and_tell_all"
        ),
        "POST /api/s3/folder": f"{BROWSER_LIST}::test_a_folder_is_made_once_and_is_no_file",
        "GET /api/s3/search": f"{BROWSER_LIST}::test_a_found_object_has_every_documented_field",
        "GET /api/s3/user-prefix": f"{BROWSER_LIST}::test_the_users_prefix_is_told",
        "POST /api/s3/multipart/initiate": (
            f"{BROWSER_MULTIPART}::test_nothing_shows_until_it_is_completed"
        ),
        "POST /api/s3/multipart/complete": (
            f"{BROWSER_MULTIPART}::test_an_upload_completes_with_parts_named_in_any_order"
        ),
        "POST /api/credentials/temporary": (
            f"{CREDENTIALS}::test_temporary_credentials_have_four_parts_and_an_end_in_utc"
        ),
        "POST /api/credentials/access-key": f"{CREDENTIALS}::test_a_new_key_tells_its_secret_once",
        "GET /api/credentials/access-keys": f"{CREDENTIALS}::test_who_never_made_a_key_has_none",
        "DELETE /api/credentials/access-key/{}": f"{CREDENTIALS}::test_a_deleted_key_is_gone",
        "PUT /api/credentials/access-key/{}/status": (
            f"{CREDENTIALS}::test_a_key_is_switched_off_and_on"
        ),
        "POST /api/credentials/access-key/rotate": (
            f"{CREDENTIALS}::test_rotating_puts_a_new_key_in_the_old_ones_place"
        ),
    },
    "drive-api.md": {
        "GET /api/v2/files": f"{DRIVE_LISTS}::test_a_page_has_every_documented_field",
        "GET /api/v3/files": f"{DRIVE_LISTS}::test_v3_goes_through_all_roots_in_key_order",
        "POST /api/files/upload": f"{DRIVE_UPLOAD}::test_several_files_get_a_url_each",
        "POST /api/files/confirm_uploads": (
            f"{DRIVE_UPLOAD}::test_several_are_confirmed_and_one_that_fails_stops_no_other"
        ),
        "POST /api/files/confirm_upload": (
            f"{DRIVE_UPLOAD}::test_a_confirmed_file_has_what_was_declared"
        ),
        "GET /api/files/{}/download_file": (
            f"{DRIVE_FILES}::test_a_download_is_an_attachment_of_its_own_name"
        ),
        "GET /api/files/{}/download_presigned_url": (
            f"{DRIVE_FILES}::test_a_presigned_url_gives_the_bytes_without_a_login"
        ),
        "DELETE /api/files": f"{DRIVE_FILES}::test_a_deleted_file_is_gone_everywhere",
        "POST /api/files/rename": f"{DRIVE_FILES}::test_a_renamed_file_keeps_its_folder_and_ids",
        "GET /api/files/{}/refresh": (
            f"{DRIVE_FILES}::test_refreshing_writes_what_storage_says_into_the_row"
        ),
        "POST /api/files/{}/change_tier": (
            f"{DRIVE_FILES}::test_a_file_goes_into_the_archive_and_comes_back"
        ),
        "GET /api/files/{}/details": f"{DRIVE_FILES}::test_details_have_every_documented_field",
    },
    "files-api.md": {
        "POST /api/files/upload": (
            f"{FILES_UPLOAD}::test_an_upload_answers_with_every_documented_field"
        ),
        "GET /api/files/{}": f"{FILES_MANAGE}::test_info_has_every_documented_field",
        "GET /api/files": f"{FILES_MANAGE}::test_the_list_is_newest_first_and_counts_all",
        "POST /api/files/presigned-url": (
            f"{FILES_MANAGE}::test_a_signed_url_answers_with_its_key_and_expiry"
        ),
        "DELETE /api/files/{}": (f"{FILES_MANAGE}::test_delete_removes_the_file_for_good_reading"),
    },
    "simple-s3-api.md": {
        "GET /s3": f"{SIMPLE}::test_the_endpoints_are_described",
        "POST /s3/upload": f"{SIMPLE}::test_an_upload_is_answered_as_documented",
        "GET /s3/download/{}": f"{SIMPLE}::test_a_download_is_an_attachment_of_the_bytes",
        "DELETE /s3/delete/{}": f"{SIMPLE}::test_a_delete_is_answered_as_documented",
        "GET /s3/list": f"{SIMPLE}::test_a_list_is_answered_as_documented",
    },
    "upload-flow.md": {
        "POST /v1/files/uploads": (
            f"{UPLOADS_INITIATE}::test_an_upload_begins_with_a_url_for_each_part"
        ),
        "PUT /v1/files/presigned-uploads/{}/upload-part/{}": (
            f"{UPLOADS_PARTS}::test_a_part_is_answered_with_its_number_and_etag_twice"
        ),
        "POST /v1/files/uploads/{}/complete": (
            f"{UPLOADS_COMPLETE}::test_a_completed_upload_is_answered_as_documented"
        ),
        "DELETE /v1/files/uploads/{}": (
            f"{UPLOADS_COMPLETE}::test_aborting_drops_the_parts_and_shows_as_aborted"
        ),
        "GET /v1/files": f"{UPLOADS_FILES}::test_the_list_is_paged_with_full_urls",
        "GET /v1/files/{}": (
            f"{UPLOADS_FILES}::test_a_file_that_came_by_form_shows_with_every_field"
        ),
        "PATCH /v1/files/{}": f"{UPLOADS_FILES}::test_a_name_is_changed_and_the_key_stays",
        "DELETE /v1/files/{}": f"{UPLOADS_FILES}::test_a_deleted_file_is_gone_everywhere",
    },
    "README.md": {  # "Beyond the document", and what serves a machine
        "POST /api/s3/multipart/part-url": (
            f"{BROWSER_MULTIPART}::test_a_part_url_is_answered_with_its_number_and_life"
        ),
        "GET /api/s3/multipart/parts": (
            f"{BROWSER_MULTIPART}::test_the_parts_that_arrived_are_listed_by_number"
        ),
        "DELETE /api/s3/multipart": f"{BROWSER_MULTIPART}::test_aborting_drops_the_parts",
        "GET /v1/files/uploads/{}": (
            f"{UPLOADS_COMPLETE}::test_resuming_gives_what_arrived_and_urls_for_the_rest"
        ),
        "GET ": "http/test_root.py::test_a_program_learns_what_it_speaks_to",
        "GET /healthz": "http/test_health.py::test_a_sound_service_is_alive_and_ready",
        "GET /readyz": "http/test_health.py::test_a_sound_service_is_alive_and_ready",
        "GET /api/docs": "http/test_docs.py::test_a_page_finds_everything_it_loads_on_this_service",
        "GET /api/redoc": (
            "http/test_docs.py::test_a_page_finds_everything_it_loads_on_this_service"
        ),
        "GET /api/docs/assets/{}": "http/test_docs.py::test_only_the_pages_own_files_are_served",
        "GET /api/openapi.json": "contracts/test_openapi.py::test_the_document_is_valid",
        "GET /media/{}": (
            "blueprints/test_media.py::test_the_whole_object_comes_with_all_its_headers"
        ),
        "PUT /media/{}": (
            "blueprints/test_media.py::test_a_signed_put_stores_the_bytes_and_their_type"
        ),
    },
}

ENDPOINTS = tuple(
    Endpoint(document, route.split(" ")[0], route.split(" ")[1], proof)
    for document, rows in _ROWS.items()
    for route, proof in rows.items()
)
"""The table."""
