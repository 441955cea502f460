"""Acts at the door, and with accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.portal.rules.log.acts.base import Act, Why


@dataclass(frozen=True)
class SignedIn(Act):
    """A session of a browser, or a bearer token of a program."""

    code = "signed-in"
    by: Literal["session", "token"]


@dataclass(frozen=True)
class SignInRefused(Act):
    """A sign-in or a change of password that failed, and why.

    tries: 1, but where somebody guessed too often: how many tries were turned away by then since
    one was let in. Of these just the 1st, 2nd, 4th, 8th, … is noted: whoever guesses on must not
    fill the log.
    """

    code = "sign-in-refused"
    why: Why
    tries: int = 1


@dataclass(frozen=True)
class SignedOut(Act):
    """A session or a token ended by who had it."""

    code = "signed-out"


@dataclass(frozen=True)
class PasswordChanged(Act):
    """Somebody chose a password of their own, and was signed out everywhere."""

    code = "password-changed"


@dataclass(frozen=True)
class LanguageChosen(Act):
    """Somebody chose the language of their pages and mails."""

    code = "language-chosen"
    locale: str


@dataclass(frozen=True)
class PasswordReset(Act):
    """A new one-time password was mailed to somebody."""

    code = "password-reset"
    email: str


@dataclass(frozen=True)
class SessionEnded(Act):
    """Somebody ended one of their own sign-ins, from another one."""

    code = "session-ended"


@dataclass(frozen=True)
class SignedOutEverywhere(Act):
    """Somebody ended all of their sign-ins: so many."""

    code = "signed-out-everywhere"
    sessions: int


@dataclass(frozen=True)
class TokenMade(Act):
    """Somebody made a token for a program: what it may do, until which day."""

    code = "token-made"
    label: str
    scope: Literal["all", "read"]
    until: str


@dataclass(frozen=True)
class TokenRevoked(Act):
    """Somebody revoked a token of theirs."""

    code = "token-revoked"
    label: str


@dataclass(frozen=True)
class SecondFactorAdded(Act):
    """Somebody set up a second factor; label: of a passkey."""

    code = "second-factor-added"
    factor: Literal["totp", "passkey"]
    label: str


@dataclass(frozen=True)
class SecondFactorRemoved(Act):
    """Somebody took a second factor away; label: of a passkey."""

    code = "second-factor-removed"
    factor: Literal["totp", "passkey"]
    label: str


@dataclass(frozen=True)
class SecondFactorsForgotten(Act):
    """All second factors of somebody were taken away, who lost them."""

    code = "second-factors-forgotten"
    email: str


@dataclass(frozen=True)
class RecoveryCodesMade(Act):
    """Somebody got new recovery codes; those before are good no more."""

    code = "recovery-codes-made"


@dataclass(frozen=True)
class RecoveryCodeUsed(Act):
    """A sign-in was completed by a recovery code; left: how many there are still."""

    code = "recovery-code-used"
    left: int


@dataclass(frozen=True)
class PasswordForgotten(Act):
    """Somebody, signed in nowhere, said that they forgot the password of an account."""

    code = "password-forgotten"


@dataclass(frozen=True)
class UsersListed(Act):
    """A client's people with an account."""

    code = "users-listed"


@dataclass(frozen=True)
class _OfUser(Act):
    """Something about a person with an account."""

    email: str


@dataclass(frozen=True)
class UserOpened(_OfUser):
    """An administrator gave somebody an account; a one-time password was mailed."""

    code = "user-opened"
    role: str


@dataclass(frozen=True)
class UserChanged(_OfUser):
    """An administrator set somebody's name, role and language."""

    code = "user-changed"
    name: str
    role: str
    locale: str


@dataclass(frozen=True)
class UserSignedOut(_OfUser):
    """Somebody else ended all of a user's sign-ins, and the tokens of their programs."""

    code = "user-signed-out"


@dataclass(frozen=True)
class UserClosed(_OfUser):
    """An administrator took somebody's account away."""

    code = "user-closed"


@dataclass(frozen=True)
class LogViewed(Act):
    """An administrator looked at the client's access log."""

    code = "log-viewed"


@dataclass(frozen=True)
class LogExported(Act):
    """An administrator took lines of the client's access log home: so many."""

    code = "log-exported"
    lines: int


@dataclass(frozen=True)
class OperatorTokenInstalled(Act):
    """The installation named another bearer token of its first operator."""

    code = "operator-token-installed"


@dataclass(frozen=True)
class OperatorAdded(Act):
    """Another operator was let in."""

    code = "operator-added"
    email: str
    duty: str
