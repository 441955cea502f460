"""What ingest says no to, each with a stable code and a sentence that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from libs.shared import reasons
from libs.shared.errors import Refusal
from libs.shared.reasons import Reason
from libs.shared.words import explanations

_LISTED = 1_000


class EnrolmentCodeInvalid(Refusal):
    """A code that was never given out, was used, or ran out: all the same to who asks."""

    code = "enrolment-code-invalid"
    status = 401
    title = "This enrolment code can't be used"

    @property
    def detail(self) -> str:
        return "The code is wrong, used or expired; ask your provider for a new one."


class Misdirected(Refusal):
    """Somebody asks for what the portal does."""

    code = "misdirected"
    status = 421
    title = "This is not the portal"

    @property
    def detail(self) -> str:
        return "This is where agents send backups; the portal has another address."


class RunRefused(Refusal):
    """A refusal that ends a run: `reason` is kept as the run's, and told with the problem."""

    @property
    def reason(self) -> Reason:
        """Why the run failed; its code is the problem's."""
        raise NotImplementedError

    def extra(self) -> dict[str, Any]:
        return {"reason": self.reason.as_dict()}


class _Stopped(RunRefused):
    status = 403

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    @property
    def detail(self) -> str:
        because = f" ({self.why})" if self.why else ""
        return f"{self.title}{because}: nothing is backed up; speak to your provider."


class SubscriptionOver(_Stopped):
    """The tenant's subscription ended; why, in an operator's words."""

    code = "subscription-ended"
    title = "The subscription has ended"

    @property
    def reason(self) -> Reason:
        return Reason("subscription-ended", detail=self.why)


class SubscriptionSuspended(_Stopped):
    """The tenant's subscription is suspended; why, in an operator's words."""

    code = "subscription-suspended"
    title = "The subscription is suspended"

    @property
    def reason(self) -> Reason:
        return Reason("subscription-suspended", detail=self.why)


class GrowthBlocked(RunRefused):
    """The tenant may not store more than it does."""

    code = "growth-blocked"
    status = 507
    title = "No more may be stored"

    def __init__(self, why: str, ceiling_bytes: int, stored_bytes: int) -> None:
        super().__init__(why, ceiling_bytes, stored_bytes)
        self.why = why
        self.ceiling_bytes = ceiling_bytes
        self.stored_bytes = stored_bytes

    @property
    def detail(self) -> str:
        because = f" ({self.why})" if self.why else ""
        return (
            f"{self.stored_bytes} bytes are stored and {self.ceiling_bytes} may be{because}; "
            "order more volume in the portal, or remove old backups. What is stored stays safe."
        )

    @property
    def reason(self) -> Reason:
        return Reason("growth-blocked", "", self.stored_bytes, self.ceiling_bytes, self.why)

    def extra(self) -> dict[str, Any]:
        return {
            **super().extra(),
            "ceiling_bytes": self.ceiling_bytes,
            "stored_bytes": self.stored_bytes,
        }


class AllowanceUsed(Refusal):
    """A client had more written today than it may; kind: of what, limit: how much that is.

    seconds_left: until the next day begins, None where waiting does not help.
    """

    code = "allowance-used"
    status = 429
    title = "The day's allowance is used up"

    def __init__(self, kind: str, limit: int, seconds_left: int | None) -> None:
        super().__init__(kind, limit, seconds_left)
        self.kind = kind
        self.limit = limit
        self.seconds_left = seconds_left

    @property
    def detail(self) -> str:
        what = self.kind.replace("-", " ")
        if self.seconds_left is None:
            return f"A client may have {self.limit} {what}; declare fewer, or ask your provider."
        return (
            f"All machines of a client together may bring {self.limit} {what} a day, and have; the"
            f" next day begins in {self.seconds_left} seconds. Ask your provider if you need more."
        )

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.seconds_left is None else {"Retry-After": str(self.seconds_left)}

    def extra(self) -> dict[str, Any]:
        return {"kind": self.kind, "limit": self.limit}


class ChunkUnknown(Refusal):
    """Entries name chunks that the tenant doesn't have; the run stays open."""

    code = "chunk-unknown"
    status = 422
    title = "Entries name chunks that were never sent"

    def __init__(self, chunk_ids: Iterable[bytes]) -> None:
        super().__init__()
        self.chunk_ids = sorted(chunk_ids)

    @property
    def detail(self) -> str:
        return f"{len(self.chunk_ids)} chunks are not stored; send them, then the entries again."

    def extra(self) -> dict[str, Any]:
        return {"chunks": [chunk_id.hex() for chunk_id in self.chunk_ids[:_LISTED]]}


class ChunksMissing(ChunkUnknown):
    """Chunks that a run's entries need went away before its commit."""

    code = "chunks-missing"
    status = 409
    title = "Chunks that the run needs are gone"

    @property
    def detail(self) -> str:
        return (
            f"{len(self.chunk_ids)} chunks are not stored any more; send them, then commit again."
        )


class BatchesMissing(Refusal):
    """A commit counts batches that never came."""

    code = "batches-missing"
    status = 409
    title = "Batches of entries are missing"

    def __init__(self, batches: list[int]) -> None:
        super().__init__(batches)
        self.batches = batches

    @property
    def detail(self) -> str:
        return (
            f"{len(self.batches)} batches of entries never arrived; send them, then commit again."
        )

    def extra(self) -> dict[str, Any]:
        return {"batches": self.batches[:_LISTED]}


class ContentMismatch(Refusal):
    """A file arrived with another content than it was said to have."""

    code = "content-mismatch"
    status = 422
    title = "The file is not what its SHA-256 says"

    def __init__(self, said: str, received: str) -> None:
        super().__init__(said, received)
        self.said = said
        self.received = received

    @property
    def detail(self) -> str:
        return f"What arrived has the SHA-256 {self.received}, not {self.said}; send it again."

    def extra(self) -> dict[str, Any]:
        return {"sha256": self.received}


class FilesMissing(Refusal):
    """Contents of files that a script put into the run went away before its commit."""

    code = "files-missing"
    status = 409
    title = "Files of the run are gone"

    def __init__(self, paths: Iterable[bytes]) -> None:
        super().__init__()
        self.paths = sorted(paths)

    @property
    def detail(self) -> str:
        return f"{len(self.paths)} files are not stored any more; put them again, then commit."

    def extra(self) -> dict[str, Any]:
        return {"files": [quote(path) for path in self.paths[:_LISTED]]}


class ParentOutdated(Refusal):
    """The delta does not start from the plan's newest restore point."""

    code = "parent-outdated"
    status = 409
    title = "Another run was committed meanwhile"

    def __init__(self, parent: int | None, last_run: int | None) -> None:
        super().__init__(parent, last_run)
        self.parent = parent
        self.last_run = last_run

    @property
    def detail(self) -> str:
        if self.parent == self.last_run:
            return (
                f"Some of restore point {self.parent} was dropped, or taken back, since its list "
                "was read; start another run, and read the list anew."
            )
        return (
            f"The run started from restore point {self.parent}, the newest is {self.last_run}; "
            "start another run from that one."
        )

    def extra(self) -> dict[str, Any]:
        return {"parent": self.parent, "last_run": self.last_run}


class RunClosed(Refusal):
    """The run has ended, and not in the way that is asked for."""

    code = "run-closed"
    status = 409
    title = "The run is closed"

    def __init__(self, state: str, reason: Reason | None) -> None:
        super().__init__(state, reason)
        self.state = state
        self.reason = reason

    @property
    def detail(self) -> str:
        if self.reason is None:
            return f"The run has ended as {self.state}; start another one."
        why = f"{explanations.say(self.reason)} {explanations.next_step(self.reason)}".rstrip()
        return f"The run has ended as {self.state}; start another one. {why}"

    def extra(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "reason": reasons.write(self.reason),
        }


class CatalogueOccupied(Refusal):
    """A rebuild is for an empty catalogue: what is there might be newer than the bucket."""

    code = "catalogue-occupied"
    status = 409
    title = "The catalogue is not empty"

    def __init__(self, tenants: Iterable[object]) -> None:
        self.tenants = [str(tenant) for tenant in tenants]
        super().__init__(*self.tenants)

    @property
    def detail(self) -> str:
        return (
            "The catalogue holds something of these tenants already, so nothing was touched: "
            + ", ".join(self.tenants[:20])
            + ". Rebuild into an empty database, or name another tenant with --tenant."
        )


class RebuildGoesOn(Refusal):
    """Two rebuilds at once would get in each other's way."""

    code = "rebuild-goes-on"
    status = 409
    title = "Another rebuild goes on"

    @property
    def detail(self) -> str:
        return "Another rebuild of this database goes on; let it end, or stop it first."
