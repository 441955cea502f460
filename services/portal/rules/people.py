"""Who signs in, with what, and how often they may guess."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from zxcvbn import zxcvbn

from libs.shared import errors
from libs.shared.events import Locale, SubscriptionState
from services.portal.rules.log.chain import NOBODY, Actor, Duty

Role = Literal["operator", "administrator", "user"]

Kind = Literal["session", "token", "bootstrap", "pending", "enrolling", "personal"]
"""What somebody holds: `pending` waits for the second step of a sign-in, `enrolling` opens the
page of second factors alone, `bootstrap` is the installation's own, `personal` a program's."""
Scope = Literal["all", "read"]

SESSION_LIFE = timedelta(hours=12)
TOKEN_LIFE = timedelta(hours=12)
PENDING_LIFE = timedelta(minutes=10)
SEEN_EVERY = timedelta(minutes=5)
"""How exactly it is kept when somebody was seen last: each time would be a write a request."""
MOST_TOKENS = 20
"""How many personal tokens somebody may have."""
LONGEST_TOKEN_DAYS = 366
ONE_TIME_LIFE = timedelta(hours=24)
ENROLMENT_LIFE = timedelta(days=7)
PASSWORD_MIN_LENGTH = 12
PASSWORD_MAX_LENGTH = 1024

# Letters and digits that are hard to confuse when they are read aloud or copied by hand.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in; duty: of the provider's operators alone."""

    user_id: UUID
    tenant_id: UUID | None
    role: Role
    name: str
    email: str
    locale: Locale
    duty: Duty | None = None

    @property
    def is_operator(self) -> bool:
        """Whether they are the provider's own staff."""
        return self.role == "operator"

    def at(self, address: str, credential: bytes = b"") -> Actor:
        """This person at work: from where, and by which sign-in."""
        tenant_id = self.tenant_id or NOBODY
        return Actor(tenant_id, self.user_id, self.name, address, credential, self.duty)


@dataclass(frozen=True)
class Held:
    """What somebody holds: whose it is, of which kind, and what it may do.

    subscription: of their company, where they are a client's.
    """

    person: Person
    kind: Kind
    scope: Scope
    subscription: SubscriptionState | None


@dataclass(frozen=True)
class Credential:
    """One thing that somebody is signed in with, or gave to a program, as its owner sees it."""

    credential_id: UUID
    kind: Kind
    scope: Scope
    label: str
    browser: str
    address: str
    created_at: datetime
    last_at: datetime | None
    expires_at: datetime | None
    is_this: bool


class ReadsOnly(errors.Forbidden):
    """A personal token that may look and change nothing."""

    code = "token-reads-only"

    def __init__(self) -> None:
        super().__init__("This token may read and change nothing; make another one for that.")


class TooManyTokens(errors.Refusal):
    """Nobody keeps track of so many tokens."""

    code = "too-many-tokens"
    status = 409
    title = "Too many tokens"

    @property
    def detail(self) -> str:
        return f"There are {MOST_TOKENS} already: revoke one that nothing uses."


class WrongPassword(errors.Refusal):
    """The same words for an unknown address and for a wrong password."""

    code = "wrong-password"
    status = 401
    title = "Sign-in refused"

    @property
    def detail(self) -> str:
        return "The address or the password is wrong, or the one-time password has expired."


class TooManyTries(errors.TooManyRequests):
    """So many passwords were wrong that the next one has to wait."""

    title = "Too many wrong passwords"

    @property
    def detail(self) -> str:
        return (
            f"Wait {self.retry_after_seconds} seconds, or sign in where you have before; a new"
            " one-time password works at once."
        )


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


Weakness = Literal["short", "long", "same", "personal", "common", "pattern", "guessable"]
"""What is wrong with a password; `personal`, `common` and `pattern` say why it is guessable."""


class PasswordTooWeak(errors.Refusal):
    """A new password that doesn't follow the rules."""

    code = "password-too-weak"
    status = 422
    title = "Choose another password"

    def __init__(self, reason: Weakness) -> None:
        super().__init__()
        self.reason: Weakness = reason

    @property
    def detail(self) -> str:
        return {
            "short": f"A password has at least {PASSWORD_MIN_LENGTH} characters.",
            "long": f"A password has at most {PASSWORD_MAX_LENGTH} characters.",
            "same": "The new password must differ from the present one.",
            "personal": f"It is made of your name, your address or your company's. {_BETTER}",
            "common": f"It is one of those that are tried first. {_BETTER}",
            "pattern": f"It is made of a repetition, a series or a date. {_BETTER}",
            "guessable": f"It would be guessed too soon. {_BETTER}",
        }[self.reason]

    def extra(self) -> dict[str, str]:
        return {"reason": self.reason}


_BETTER = "Four words that only you would put together are better, and easy to keep in mind."
_LEAST_SCORE = 3
_JUDGED_CHARACTERS = 24
_WHY: dict[str, Weakness] = {"dictionary": "common", "bruteforce": "guessable"}
_WORDS = re.compile(r"\w+")
_OURS = ("coffre", "sauvegarde", "safety copy", "mot de passe", "motdepasse", "azerty")


def check_new_password(new: str, present: str, person: Person, company: str) -> None:
    """Raises PasswordTooWeak unless `new` can replace `present`; takes some hundredths of a second.

    What a guesser would try first is judged by zxcvbn, which knows the commonest passwords: 3 of
    its 4 points stand for 10^8 guesses and more."""
    if len(new) < PASSWORD_MIN_LENGTH:
        raise PasswordTooWeak("short")
    if len(new) > PASSWORD_MAX_LENGTH:
        raise PasswordTooWeak("long")
    if new == present:
        raise PasswordTooWeak("same")
    if weakness := find_weakness(new, (person.name, person.email, company)):
        raise PasswordTooWeak(weakness)


def find_weakness(password: str, personal: Sequence[str] = ()) -> Weakness | None:
    """Why a password would be guessed too soon, if it would; `personal`: names and addresses.

    Their words count for nothing: the rest must be good enough alone."""
    words = {word for text in personal for word in _WORDS.findall(text) if len(word) > 2}
    known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    rest = re.sub(known, "", password, flags=re.IGNORECASE)
    if rest != password and _judge(rest):
        return "personal"
    return _judge(password)


def _judge(password: str) -> Weakness | None:
    """What zxcvbn finds in the first characters; more would take it seconds and tell little."""
    if not password:
        return "guessable"
    judged = zxcvbn(password[:_JUDGED_CHARACTERS], user_inputs=_OURS)
    if judged["score"] >= _LEAST_SCORE:
        return None
    longest = max(judged["sequence"], key=lambda match: len(match["token"]))
    pattern: str = longest["pattern"]
    return _WHY.get(pattern, "pattern")


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
