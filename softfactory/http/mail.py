"""How mail leaves: by SMTP in production, into the log and to files anywhere else."""

import secrets
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

import structlog
from flask import Flask
from flask_mailman import EmailMessage
from flask_mailman.backends.smtp import EmailBackend

from config import Config
from softfactory.clock import utc_now
from softfactory.http.extensions import mail

TIMEOUT = 10
"""Seconds that a mail server may take for a step."""
MAX_WAITING = 1000
"""Mails that wait at once; what comes while a dead server holds so many is dropped and logged."""

log = structlog.get_logger(__name__)


class VerifiedSMTP(smtplib.SMTP):
    """SMTP whose STARTTLS checks the server's certificate; smtplib's own default does not."""

    def starttls(
        self,
        keyfile: Any = None,  # noqa: ANN401  # smtplib's signature
        certfile: Any = None,  # noqa: ANN401
        context: ssl.SSLContext | None = None,
    ) -> tuple[int, bytes]:
        """Encrypt the connection, to the server that was meant."""
        return super().starttls(context=context or ssl.create_default_context())


class VerifiedBackend(EmailBackend):
    """Flask-Mailman's SMTP backend, with certificates checked and connections closed."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """The client of the configured kind of connection."""
        return smtplib.SMTP_SSL if self.use_ssl else VerifiedSMTP

    def send_messages(self, email_messages: list[EmailMessage]) -> int:
        """Send, and hang up also when that fails; the base leaves a failed connection open."""
        try:
            sent: int = super().send_messages(email_messages)
            return sent
        finally:
            self.close()


class MailmanMailer:
    """Sends through Flask-Mailman; a failure is logged, without the text, and never raised.

    In production a background thread sends, so that no request waits for the mail server, or shows
    by its duration that there was something to send. The thread begins with the first mail, which
    is after gunicorn forked; what waits when the process ends is sent first. Elsewhere mail is
    written where it is asked for, as files of ``MAIL_FILE_PATH`` too: one RFC 5322 message each.
    """

    def __init__(self, app: Flask, config: Config) -> None:
        self._app = app
        self._in_background = config.app_env == "production"
        self._in_log = config.app_env == "development"
        self._directory = None if self._in_background else config.mail_file_path
        self._domain = config.mail_default_sender.rpartition("@")[2].rstrip("> ") or "localhost"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
        self._room = BoundedSemaphore(MAX_WAITING)
        backends = {"production": VerifiedBackend, "testing": "locmem", "development": "dummy"}
        app.config.update(
            MAIL_BACKEND=backends[config.app_env],
            MAIL_SERVER=config.mail_server,
            MAIL_PORT=config.mail_port,
            MAIL_USE_TLS=config.mail_use_tls,
            MAIL_USE_SSL=config.mail_use_ssl,
            MAIL_USERNAME=config.mail_username,
            MAIL_PASSWORD=config.mail_password,
            MAIL_DEFAULT_SENDER=config.mail_default_sender,
            MAIL_TIMEOUT=TIMEOUT,
        )
        mail.init_app(app)
        app.extensions["mailman"].outbox = []  # locmem makes it with the first mail only

    def send(self, *, to: str, subject: str, body: str) -> None:
        """Accept a plain text mail; returns at once and never raises for a failed delivery."""
        if not self._in_background:
            self._deliver(to, subject, body)
        elif self._room.acquire(blocking=False):
            sending = self._thread.submit(self._deliver, to, subject, body)
            sending.add_done_callback(lambda _: self._room.release())
        else:
            log.error("mail.dropped", to=to, subject=subject, waiting=MAX_WAITING)

    def _deliver(self, to: str, subject: str, body: str) -> None:
        try:
            with self._app.app_context():
                message = self._message(to, subject, body)
                message.send()
                if self._directory:
                    self._write(message)
            if self._in_log:
                log.info("mail.written", to=to, subject=subject, body=body)
        except Exception as error:  # noqa: BLE001  # whatever it is, no caller can mend it
            # Not the exception itself: a server may quote the mail, and with it the code.
            log.error(  # noqa: TRY400
                "mail.failed",
                to=to,
                subject=subject,
                error=type(error).__name__,
                smtp_code=getattr(error, "smtp_code", None),
            )

    def _message(self, to: str, subject: str, body: str) -> EmailMessage:
        # An id of our own: the default one asks for this host's name, and tells it.
        message_id = f"<{secrets.token_hex(16)}@{self._domain}>"
        return EmailMessage(subject, body, to=[to], headers={"Message-ID": message_id})

    def _write(self, message: EmailMessage) -> None:
        """Write ``message`` to a file of its own, which appears when it is whole."""
        if self._directory is None:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{utc_now():%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}.eml"
        unfinished = self._directory / f".{name}"
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(message.message().as_bytes())
        unfinished.rename(self._directory / name)
