"""Who signs in, with what, and how often they may guess."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from libs.shared import errors
from libs.shared.events import Locale
from services.portal.rules.log.chain import NOBODY, Actor

Role = Literal["operator", "administrator", "user"]

SESSION_LIFE = timedelta(hours=12)
TOKEN_LIFE = timedelta(hours=12)
ONE_TIME_LIFE = timedelta(hours=24)
ENROLMENT_LIFE = timedelta(days=7)
PASSWORD_MIN_LENGTH = 12
PASSWORD_MAX_LENGTH = 1024

# Letters and digits that are hard to confuse when they are read aloud or copied by hand.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    user_id: UUID
    tenant_id: UUID | None
    role: Role
    name: str
    email: str
    locale: Locale

    @property
    def is_operator(self) -> bool:
        """Whether they are the provider's own staff."""
        return self.role == "operator"

    def at(self, address: str, credential: bytes = b"") -> Actor:
        """This person at work: from where, and by which sign-in."""
        return Actor(self.tenant_id or NOBODY, self.user_id, self.name, address, credential)


class WrongPassword(errors.Refusal):
    """The same words for an unknown address and for a wrong password."""

    code = "wrong-password"
    status = 401
    title = "Sign-in refused"

    @property
    def detail(self) -> str:
        return "The address or the password is wrong, or the one-time password has expired."


class PasswordChangeRequired(errors.Refusal):
    """A one-time password opens one door: that of choosing another."""

    code = "password-change-required"
    status = 403
    title = "Choose your own password first"

    @property
    def detail(self) -> str:
        return (
            "This is a one-time password: choose your own with POST /api/v1/password "
            "{email, password, new_password} or on the sign-in page."
        )


class PasswordTooWeak(errors.Refusal):
    """A new password that doesn't follow the rules."""

    code = "password-too-weak"
    status = 422
    title = "Choose another password"

    def __init__(self, reason: Literal["short", "long", "same", "address"]) -> None:
        super().__init__()
        self.reason = reason

    @property
    def detail(self) -> str:
        return {
            "short": f"A password has at least {PASSWORD_MIN_LENGTH} characters.",
            "long": f"A password has at most {PASSWORD_MAX_LENGTH} characters.",
            "same": "The new password must differ from the present one.",
            "address": "The password must not be your mail address.",
        }[self.reason]


def check_new_password(new: str, *, present: str, email: str) -> None:
    """Raises PasswordTooWeak unless `new` can replace `present`."""
    if len(new) < PASSWORD_MIN_LENGTH:
        raise PasswordTooWeak("short")
    if len(new) > PASSWORD_MAX_LENGTH:
        raise PasswordTooWeak("long")
    if new == present:
        raise PasswordTooWeak("same")
    if new.strip().lower() == email.strip().lower():
        raise PasswordTooWeak("address")


@dataclass(frozen=True)
class Throttle:
    """How many wrong guesses a subject may make within a window that its first guess opens."""

    kind: str
    attempts: int
    window: timedelta

    def subject(self, name: str) -> bytes:
        """The key under which attempts are counted; 32 bytes."""
        return hashlib.sha256(f"{self.kind}\0{name}".encode()).digest()

    def retry_after_seconds(self, opened_at: datetime, now: datetime) -> int:
        """When the window closes, at least one second from now."""
        return max(1, int((opened_at + self.window - now).total_seconds()) + 1)


ACCOUNT_THROTTLE = Throttle("account", 10, timedelta(hours=1))
ADDRESS_THROTTLE = Throttle("address", 100, timedelta(hours=1))


def token_sha256(token: str) -> bytes:
    """What is kept of a session, a bearer token: enough to recognise it, not to use it."""
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    """An opaque credential of 256 bits."""
    return secrets.token_urlsafe(32)


def new_code(groups: int = 4, letters: int = 5) -> str:
    """A code that people copy by hand: 20 letters in fours groups are 99 bits."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(letters)) for _ in range(groups)
    )


def form_token(session: str) -> str:
    """What a form of a session carries, so that no other site can fill it in."""
    return hashlib.sha256(f"form\0{session}".encode()).hexdigest()
