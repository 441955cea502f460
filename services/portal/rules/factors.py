"""What somebody has beside a password: codes of an app, codes on paper, passkeys."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyotp

from libs.shared import errors

STEP_SECONDS = 30
DRIFT = 1
"""How many steps a telephone's clock may be off."""
RECOVERY_CODES = 10
MOST_PASSKEYS = 20

_SIX_DIGITS = re.compile(r"[0-9]{6}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE_LETTERS = 12


class SecondFactorRequired(errors.Refusal):
    """The password was right, and isn't enough."""

    code = "second-factor-required"
    status = 403
    title = "A second factor is needed"

    @property
    def detail(self) -> str:
        return "Send the six digits of your app, or a recovery code, as `totp`."


class EnrolFirst(errors.Refusal):
    """An operator who has no second factor yet opens no other page."""

    code = "second-factor-missing"
    status = 403
    title = "Set up a second factor first"

    @property
    def detail(self) -> str:
        return "Operators need a second factor: sign in by browser and set one up."


class WrongCode(errors.Refusal):
    """A code that is wrong, too old, or was used before."""

    code = "second-factor-wrong"
    status = 401
    title = "Code refused"

    @property
    def detail(self) -> str:
        return "The code is wrong, too old, or was used before."


class PasskeyRefused(errors.Refusal):
    """What a browser sent is no answer to what it was asked."""

    code = "passkey-refused"
    status = 422
    title = "Passkey refused"

    @property
    def detail(self) -> str:
        return "This passkey was not accepted: try again."


@dataclass(frozen=True)
class Totp:
    """An app that shows codes; last_step: of the newest code that was taken."""

    sealed_secret: str
    is_confirmed: bool
    last_step: int


@dataclass(frozen=True)
class Passkey:
    """A key that a browser, a telephone or a stick keeps for one person and this portal."""

    key_id: bytes
    passkey_id: UUID
    public_key: bytes
    sign_count: int
    label: str
    added_at: datetime
    last_at: datetime | None


@dataclass(frozen=True)
class Factors:
    """All that somebody has; an app that was not confirmed doesn't count."""

    has_totp: bool
    recovery_codes: int
    passkeys: tuple[Passkey, ...]

    @property
    def is_any(self) -> bool:
        """Whether a sign-in has a second step."""
        return self.has_totp or bool(self.passkeys)


def seal_context(user_id: UUID) -> str:
    """What an app's secret is bound to, so that no row serves another person."""
    return f"coffre/totp/v1 {user_id}"


def find_step(secret: str, code: str, now: datetime, last_step: int) -> int | None:
    """Of which step a code is; None where it fits none near now that is later than the last."""
    if not is_totp(code):
        return None
    totp, present = pyotp.TOTP(secret, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    for step in range(present - DRIFT, present + DRIFT + 1):
        fits = hmac.compare_digest(totp.generate_otp(step), code)
        if fits and step > last_step:
            return step
    return None


def is_totp(typed: str) -> bool:
    """Whether what was typed is a code of an app; else it is one of those on paper."""
    return _SIX_DIGITS.fullmatch(typed) is not None


def normalise(typed: str) -> str:
    """A code as it is compared: people type blanks, hyphens and capitals."""
    return re.sub(r"[\s-]", "", typed[:200]).lower()


def new_recovery_codes() -> list[str]:
    """Codes for a paper: 12 letters are 59 bits, and each is good once."""
    return [
        "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS))
        for _ in range(RECOVERY_CODES)
    ]


def show_code(code: str) -> str:
    """A code in groups of four, as it is copied by hand."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def code_sha256(user_id: UUID, code: str) -> bytes:
    """What is kept of a recovery code: it has too many bits to be guessed from that."""
    return hashlib.sha256(user_id.bytes + code.encode()).digest()
