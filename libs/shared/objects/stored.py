"""What all stores have in common: what they hold, and how they fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

Bytes = bytes | bytearray | memoryview


class ObjectMissing(Exception):  # noqa: N818 - named after what happened
    """There is no object of that key."""


class StoreLied(Exception):  # noqa: N818 - named after what happened
    """The store said yes, but its answer does not prove what was asked."""


class StoredObject(NamedTuple):
    """An object in a listing; `modified_at` is by the store's clock."""

    key: str
    size_bytes: int
    modified_at: datetime


class StoredVersion(NamedTuple):
    """One version of an object in a listing, or a marker that it was deleted, which has no bytes.

    version_id: `null` in a bucket that keeps no versions.
    """

    key: str
    version_id: str
    size_bytes: int


class Undeletable(NamedTuple):
    """A version that the store won't delete, and its code for why."""

    key: str
    version_id: str
    code: str


class VersionPage(NamedTuple):
    """Up to a thousand versions, and behind which key and version the listing goes on, if any."""

    versions: list[StoredVersion]
    goes_on_behind: tuple[str, str] | None


class Backend(Protocol):
    """One store's requests, each made in a thread and repeatable.

    kind: what it is called in traces.
    failures: what they raise beside ObjectMissing where the store doesn't do as asked.
    """

    kind: str
    failures: tuple[type[Exception], ...]

    def put(self, key: str, body: Bytes) -> None:
        """Stores an object whole, replacing an older one; it is durable and proved on return."""

    def read(self, key: str) -> bytes:
        """Returns the whole object."""

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Returns exactly the bytes that were asked for."""

    def stat(self, key: str) -> None:
        """Raises ObjectMissing where there is no object of that key."""

    def delete(self, key: str) -> None:
        """Removes an object, of which an absent one is no failure."""

    def list_page(self, prefix: str, after: str) -> list[StoredObject]:
        """Returns the next thousand objects behind the key `after`, in key order."""

    def list_versions_page(self, prefix: str, key_marker: str, version_marker: str) -> VersionPage:
        """Returns the next thousand versions, of all objects whose key starts with `prefix`."""

    def delete_versions(self, versions: Sequence[StoredVersion]) -> list[Undeletable]:
        """Deletes up to a thousand versions for good; returns those that it refused."""

    def find_lock(self, key: str, version_id: str) -> datetime | None:
        """Returns until when a version is locked; None where no date is known."""

    def read_date(self) -> datetime:
        """Returns what time the store says it is, to the second."""

    def ensure(self) -> None:
        """Makes the place where objects lie; fine if it is there already."""

    def look(self) -> None:
        """Raises where the store doesn't answer that it has that place."""

    def advise(self, failure: BaseException | None) -> str:
        """Says what is wrong with the settings; empty where nothing of them is."""

    def find_refusal(self, failure: Exception, *, is_lasting: bool) -> str:
        """Says in what words the store refuses to take anything; empty where it doesn't."""

    def close(self) -> None:
        """Frees connections."""
