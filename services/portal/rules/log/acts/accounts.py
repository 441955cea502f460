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
    """A new one-time password was mailed to an administrator."""

    code = "password-reset"
    email: str


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
    """An administrator set somebody's name and role."""

    code = "user-changed"
    name: str
    role: str


@dataclass(frozen=True)
class UserClosed(_OfUser):
    """An administrator took somebody's account away."""

    code = "user-closed"


@dataclass(frozen=True)
class OperatorTokenInstalled(Act):
    """The installation named another bearer token of its first operator."""

    code = "operator-token-installed"


@dataclass(frozen=True)
class OperatorAdded(Act):
    """Another operator was let in, by a command of the installation."""

    code = "operator-added"
    email: str
