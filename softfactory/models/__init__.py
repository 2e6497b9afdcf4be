"""What is remembered: the tables, and nothing of what is done with them."""

from softfactory.models.base import Base
from softfactory.models.failed_tries import FailedTries
from softfactory.models.file_count import FileCount
from softfactory.models.file_upload import FileUpload, UploadStatus
from softfactory.models.login_session import LoginSession
from softfactory.models.mail_code import CodePurpose, MailCode
from softfactory.models.multipart import MultipartUpload
from softfactory.models.sent_code import SentCode
from softfactory.models.user import User
from softfactory.models.user_storage import UserQuota, UserStorage

__all__ = [
    "Base",
    "CodePurpose",
    "FailedTries",
    "FileCount",
    "FileUpload",
    "LoginSession",
    "MailCode",
    "MultipartUpload",
    "SentCode",
    "UploadStatus",
    "User",
    "UserQuota",
    "UserStorage",
]
