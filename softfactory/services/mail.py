"""What is mailed to users, and the port through which it leaves."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self


class Mailer(Protocol):
    """Takes mail for delivery."""

    def send(self, *, to: str, subject: str, body: str) -> None:
        """Accept a plain text mail; returns at once and never raises for a failed delivery."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The text of one mail.

    The code is the first number of a body: programs that read it take the first six digits.
    """

    subject: str
    body: str

    @classmethod
    def confirmation(cls, *, username: str, code: str, lifetime: timedelta) -> Self:
        """Return the mail that proves a new account's address."""
        return cls(
            subject="Confirm your SoftFactory Files account",
            body=(
                f"Your verification code is {code}\n\n"
                f"Enter it to confirm the account {username}. "
                f"It is good for {_minutes(lifetime)}.\n\n"
                "If you did not register, ignore this mail.\n"
            ),
        )

    @classmethod
    def password_reset(cls, *, username: str, code: str, lifetime: timedelta) -> Self:
        """Return the mail that lets a user choose a new password."""
        return cls(
            subject="Reset your SoftFactory Files password",
            body=(
                f"Your password reset code is {code}\n\n"
                f"Enter it to choose a new password for the account {username}. "
                f"It is good for {_minutes(lifetime)}.\n\n"
                "If you did not ask for it, ignore this mail: your password stays as it is.\n"
            ),
        )

    @classmethod
    def access_keys_ended(cls, *, username: str, count: int) -> Self:
        """Return the mail that tells why a user's own S3 tools stopped working."""
        keys = "Your access key was" if count == 1 else f"Your {count} access keys were"
        return cls(
            subject="Your SoftFactory Files access keys were deactivated",
            body=(
                f"The password of the account {username} was changed. {keys} deactivated with "
                "it, so that nobody who had the old password goes on using them.\n\n"
                "Activate them again, or better make new ones, where you still need them. "
                "Temporary credentials end by themselves within an hour.\n\n"
                "If you did not change the password, reset it now.\n"
            ),
        )


def _minutes(lifetime: timedelta) -> str:
    minutes = max(1, round(lifetime.total_seconds() / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
