"""How mail leaves in each environment."""

import email
import email.policy
import re
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from structlog.testing import capture_logs

from config import AppEnv, Config
from softfactory.http import mail
from softfactory.http.mail import MailmanMailer
from tests.http.smtp_double import SMTPDouble, running

TO, SUBJECT, BODY = "john@example.com", "Confirm your account", "Your code is 123456\n\nBye.\n"
SECRETS: dict[str, Any] = {"secret_key": "s" * 48, "jwt_secret_key": "j" * 48}


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def smtp() -> Iterator[SMTPDouble]:
    double = SMTPDouble()
    double.gate.set()
    with running(double):
        yield double


def make_mailer(app_env: AppEnv, **settings: Any) -> tuple[MailmanMailer, Flask]:
    app = Flask("softfactory")
    config = Config(app_env=app_env, **SECRETS, **settings)
    return MailmanMailer(app, config), app


def send(mailer: MailmanMailer) -> None:
    mailer.send(to=TO, subject=SUBJECT, body=BODY)


def wait_until_sent(mailer: MailmanMailer) -> None:
    mailer._thread.shutdown(wait=True)


def test_in_testing_mail_goes_to_the_outbox() -> None:
    mailer, app = make_mailer("testing")

    send(mailer)

    (message,) = app.extensions["mailman"].outbox
    assert (message.to, message.subject, message.body) == ([TO], SUBJECT, BODY)


def test_in_testing_the_outbox_is_there_before_the_first_mail() -> None:
    _, app = make_mailer("testing")

    assert app.extensions["mailman"].outbox == []


def test_in_development_mail_is_written_to_the_log() -> None:
    mailer, _ = make_mailer("development")

    with capture_logs() as logs:
        send(mailer)

    assert logs == [
        {
            "event": "mail.written",
            "log_level": "info",
            "to": TO,
            "subject": SUBJECT,
            "body": BODY,
        }
    ]


@pytest.mark.parametrize("app_env", ["development", "testing"])
def test_outside_production_each_mail_is_a_file_too(app_env: AppEnv, tmp_path: Path) -> None:
    mailer, _ = make_mailer(app_env, mail_file_path=tmp_path / "to" / "mails")

    send(mailer)
    send(mailer)

    files = sorted((tmp_path / "to" / "mails").iterdir())
    assert len(files) == 2
    message = email.message_from_bytes(files[0].read_bytes(), policy=email.policy.default)
    assert (message["To"], message["Subject"]) == (TO, SUBJECT)
    assert message["From"] == "SoftFactory Files <no-reply@localhost>"
    assert message["Date"]
    assert message.get_content() == BODY


def test_a_mail_file_has_no_six_digits_but_the_code(tmp_path: Path) -> None:
    mailer, _ = make_mailer("testing", mail_file_path=tmp_path)

    send(mailer)

    (file,) = tmp_path.iterdir()
    assert re.findall(r"(?<!\w)\d{6}(?!\w)", file.read_text()) == ["123456"]


def test_mail_files_are_for_us_alone_and_sort_by_time(tmp_path: Path) -> None:
    mailer, _ = make_mailer("testing", mail_file_path=tmp_path / "mails")

    for number in range(3):
        mailer.send(to=TO, subject=f"Mail {number}", body=BODY)

    files = sorted((tmp_path / "mails").iterdir())
    assert [f"Mail {number}" in file.read_text() for number, file in enumerate(files)] == [True] * 3
    assert (tmp_path / "mails").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert re.fullmatch(r"\d{8}T\d{12}Z-[0-9a-f]{8}\.eml", files[0].name)


def test_a_file_that_cannot_be_written_is_logged_without_the_code(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mailer, _ = make_mailer("testing", mail_file_path=tmp_path / "file")

    with capture_logs() as logs:
        send(mailer)

    assert [entry["event"] for entry in logs] == ["mail.failed"]
    assert "123456" not in str(logs)


def test_a_subject_with_a_line_break_is_no_mail() -> None:
    mailer, app = make_mailer("testing")

    with capture_logs() as logs:
        mailer.send(to=TO, subject="a\nBcc: eve@example.com", body=BODY)

    assert app.extensions["mailman"].outbox == []
    assert logs[0]["error"] == "BadHeaderError"


def test_in_production_mail_goes_by_smtp(smtp: SMTPDouble, tmp_path: Path) -> None:
    mailer, _ = make_mailer(
        "production",
        mail_server="127.0.0.1",
        mail_port=smtp.port,
        mail_default_sender="Files <files@example.com>",
        mail_file_path=tmp_path / "mails",
    )

    with capture_logs() as logs:
        send(mailer)
        wait_until_sent(mailer)

    message = email.message_from_string(
        smtp.mails[0].replace("\r\n", "\n"), policy=email.policy.default
    )
    assert (message["To"], message["From"]) == (TO, "Files <files@example.com>")
    assert message["Message-ID"].endswith("@example.com>")
    assert message.get_content() == BODY
    assert not (tmp_path / "mails").exists()
    assert logs == []


def test_a_slow_mail_server_keeps_nobody_waiting() -> None:
    with running(SMTPDouble()) as smtp:
        mailer, _ = make_mailer("production", mail_server="127.0.0.1", mail_port=smtp.port)

        started = time.monotonic()
        send(mailer)
        waited = time.monotonic() - started

        assert smtp.mails == []  # It greets nobody yet.
        smtp.gate.set()
        wait_until_sent(mailer)
        assert len(smtp.mails) == 1
        assert waited < 1


def test_a_mail_server_that_refuses_is_logged_without_the_code(smtp: SMTPDouble) -> None:
    smtp.refusal = b"554 spam: Your code is 123456"
    mailer, _ = make_mailer("production", mail_server="127.0.0.1", mail_port=smtp.port)

    with capture_logs() as logs:
        send(mailer)
        wait_until_sent(mailer)

    assert [(e["event"], e["error"], e["smtp_code"]) for e in logs] == [
        ("mail.failed", "SMTPDataError", 554)
    ]
    assert "123456" not in str(logs)


def test_a_mail_server_that_is_not_there_is_logged_and_the_next_mail_is_tried(
    smtp: SMTPDouble,
) -> None:
    mailer, app = make_mailer("production", mail_server="127.0.0.1", mail_port=1)

    with capture_logs() as logs:
        send(mailer)
        mailer._thread.submit(lambda: None).result()
        app.extensions["mailman"].port = smtp.port
        send(mailer)
        wait_until_sent(mailer)

    assert [entry["error"] for entry in logs] == ["ConnectionRefusedError"]
    assert len(smtp.mails) == 1


def test_mail_that_finds_no_room_is_dropped_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "MAX_WAITING", 2)
    with running(SMTPDouble()) as smtp:
        mailer, _ = make_mailer("production", mail_server="127.0.0.1", mail_port=smtp.port)

        with capture_logs() as logs:
            for _ in range(3):
                send(mailer)
            smtp.gate.set()
            wait_until_sent(mailer)

        assert [entry["event"] for entry in logs] == ["mail.dropped"]
        assert len(smtp.mails) == 2


def test_room_is_free_again_when_mail_was_sent(
    smtp: SMTPDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "MAX_WAITING", 1)
    mailer, _ = make_mailer("production", mail_server="127.0.0.1", mail_port=smtp.port)

    with capture_logs() as logs:
        for _ in range(3):
            send(mailer)
            mailer._thread.submit(lambda: None).result()
        wait_until_sent(mailer)

    assert len(smtp.mails) == 3
    assert logs == []


def test_starttls_checks_the_certificate_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[Any] = []

    def starttls(self: smtplib.SMTP, **options: Any) -> tuple[int, bytes]:
        contexts.append(options["context"])
        return 220, b""

    monkeypatch.setattr(smtplib.SMTP, "starttls", starttls)
    double = SMTPDouble(offers_tls=True)
    double.gate.set()
    with running(double) as smtp:
        mailer, _ = make_mailer(
            "production", mail_server="127.0.0.1", mail_port=smtp.port, mail_use_tls=True
        )
        send(mailer)
        wait_until_sent(mailer)

    (context,) = contexts
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
