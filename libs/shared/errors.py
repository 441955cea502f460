"""Refusals: what the business says no to, each a class with a code, a status and a sentence.

Everything else that is raised is a bug, and answered with a 500.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """A request that is understood and not granted; answered as an RFC 9457 problem.

    A subclass sets `code`, `status` and `title`, takes typed fields, and builds `detail`:
    one sentence that a person can act on.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "Refused"

    @property
    def detail(self) -> str:
        """A sentence for the person who reads the answer."""
        return self.title

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the answer carries, such as Retry-After."""
        return {}

    def extra(self) -> dict[str, Any]:
        """Further members of the problem, as JSON values."""
        return {}

    def problem(self) -> dict[str, Any]:
        """The whole problem as a JSON object (RFC 9457, section 3)."""
        return {
            "type": f"urn:coffre:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra(),
        }

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class NotFound(Refusal):
    """What was asked for does not exist, or belongs to somebody else: the same answer."""

    code = "not-found"
    status = 404
    title = "Not found"

    def __init__(self, what: str = "page") -> None:
        super().__init__(what)
        self.what = what

    @property
    def detail(self) -> str:
        return f"There is no such {self.what}."


class Unauthenticated(Refusal):
    """Who asks is not known."""

    code = "unauthenticated"
    status = 401
    title = "Not signed in"

    def __init__(
        self,
        sentence: str = "Send a valid bearer token in the Authorization header.",
        scheme: str = "Bearer",
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.scheme = scheme

    @property
    def detail(self) -> str:
        return self.sentence

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.scheme}


class Forbidden(Refusal):
    """Who asks is known, and may not."""

    code = "forbidden"
    status = 403
    title = "Not allowed"

    def __init__(self, sentence: str = "You are not allowed to do this.") -> None:
        super().__init__(sentence)
        self.sentence = sentence

    @property
    def detail(self) -> str:
        return self.sentence


class Conflict(Refusal):
    """The request does not fit the present state."""

    code = "conflict"
    status = 409
    title = "In conflict with the present state"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    @property
    def detail(self) -> str:
        return self.sentence


class InvalidRequest(Refusal):
    """The request can be read but makes no sense.

    `errors` lists the places: {"where": "body.name", "problem": "Field required"}.
    """

    code = "invalid-request"
    status = 422
    title = "Invalid request"

    def __init__(self, sentence: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.errors = errors or []

    @property
    def detail(self) -> str:
        return self.sentence

    def extra(self) -> dict[str, Any]:
        return {"errors": self.errors} if self.errors else {}


class BodyTooLarge(Refusal):
    """A body is larger than this address accepts."""

    code = "body-too-large"
    status = 413
    title = "Body too large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes

    @property
    def detail(self) -> str:
        return f"The body may have {self.limit_bytes} bytes at most; send it in smaller parts."

    @property
    def headers(self) -> dict[str, str]:
        return {"Connection": "close"}

    def extra(self) -> dict[str, Any]:
        return {"limit_bytes": self.limit_bytes}


class TooSlow(Refusal):
    """A body did not arrive in time."""

    code = "too-slow"
    status = 408
    title = "The body came too slowly"

    def __init__(self, deadline_seconds: float) -> None:
        super().__init__(deadline_seconds)
        self.deadline_seconds = deadline_seconds

    @property
    def detail(self) -> str:
        return (
            f"No more of the body arrived within {self.deadline_seconds:g} seconds; send it again."
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Connection": "close"}


class TooManyRequests(Refusal):
    """Somebody asks too often."""

    code = "too-many-requests"
    status = 429
    title = "Too many requests"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds

    @property
    def detail(self) -> str:
        return f"Wait {self.retry_after_seconds} seconds, then try again."

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class ShareUsed(TooManyRequests):
    """Somebody already has as much of something that clients share as one may have at once."""

    code = "share-used"
    title = "Too much at once"

    def __init__(self, what: str, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        self.what = what

    @property
    def detail(self) -> str:
        return (
            f"Other requests of yours use all that you may have of the {self.what} at once; "
            f"nothing is lost, try again in {self.retry_after_seconds} seconds."
        )


class Unavailable(Refusal):
    """Something that we need does not answer; the same request may succeed later.

    After a connection lost in COMMIT the outcome is unknown: repeat with the same key.
    """

    code = "unavailable"
    status = 503
    title = "Not available for the moment"

    def __init__(self, what: str, retry_after_seconds: int = 5) -> None:
        super().__init__(what, retry_after_seconds)
        self.what = what
        self.retry_after_seconds = retry_after_seconds

    @property
    def detail(self) -> str:
        return (
            f"The {self.what} does not answer; "
            f"nothing is lost, try again in {self.retry_after_seconds} seconds."
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class StorageRefused(Unavailable):
    """The store answers, and takes nothing: it is full, or closed to us."""

    code = "storage-refused"
    title = "The storage takes nothing more"

    def __init__(self, answer: str, retry_after_seconds: int = 30) -> None:
        super().__init__("storage", retry_after_seconds)
        self.answer = answer

    @property
    def detail(self) -> str:
        return (
            f"The storage refuses to take more ({self.answer}): it may be full, and the provider"
            " must act. Nothing that was acknowledged is lost; try again in"
            f" {self.retry_after_seconds} seconds."
        )
