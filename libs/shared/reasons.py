"""Why a run failed, a file was not copied, a dump is no good: codes with typed fields, no sentence.

One closed list, `CODES`: agent, ingest and retention say nothing else, and
`libs.shared.words.explanations` has the sentences. A reader may meet a code that is newer than
itself, and passes it on.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MAX_AMOUNT = 2**63

Kind = Literal["run", "warning", "dump", "file", "restore", "unrestored", "hold", "destruction"]
Unit = Literal["", "bytes", "seconds", "number", "status"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason; ValueError where the code has not the form of one, or an amount is too large.

    subject: what it is about: a path, a program, names of dumps, a host. amount, limit: what was
    measured, and what was expected or allowed, in the unit of the code. detail: foreign words
    only, of a program, a system, a server or an operator; never a sentence of ours.
    """

    code: str
    subject: str = ""
    amount: int | None = None
    limit: int | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise ValueError("a code is 1 to 64 small letters, digits and hyphens")
        for amount in (self.amount, self.limit):
            if amount is not None and not -_MAX_AMOUNT <= amount < _MAX_AMOUNT:
                raise ValueError("an amount has 64 bits")

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def without_details(self) -> Reason:
        """The same for who may not read what it is about."""
        return Reason(self.code)


def write(reason: Reason | None) -> dict[str, Any] | None:
    """A reason, or that there is none, as JSON has it."""
    return None if reason is None else reason.as_dict()


def read(value: object) -> Reason | None:
    """The reason that a JSON value is; None where it is none. Members that we don't know go."""
    if not isinstance(value, dict):
        return None
    code, subject, detail = (value.get(name, "") for name in ("code", "subject", "detail"))
    amount, limit = value.get("amount"), value.get("limit")
    if not all(isinstance(text, str) for text in (code, subject, detail)):
        return None
    if not all(number is None or type(number) is int for number in (amount, limit)):
        return None
    try:
        return Reason(code, subject, amount, limit, detail)
    except ValueError:
        return None


class Meaning(NamedTuple):
    """What a code says, and what its fields hold; an empty text is a field that is not used.

    kinds: where it may stand: how a run ended, a warning of a run, a dump (or a database file
    copied as a file), a file or folder not copied, how a restore ended, what it could not restore,
    why nothing of a plan expires, what a destruction waits for.
    unit: of amount and limit.
    """

    kinds: tuple[Kind, ...]
    subject: str = ""
    amount: str = ""
    limit: str = ""
    unit: Unit = ""
    detail: str = ""


_SYSTEM = "what the system said"
_SERVER = "what the server said"
_OPERATOR = "why, in the operator's words"
_RUN: tuple[Kind, ...] = ("run",)
_BOTH: tuple[Kind, ...] = ("run", "restore")
_WARNING: tuple[Kind, ...] = ("warning",)
_DUMP: tuple[Kind, ...] = ("dump",)
_FILE: tuple[Kind, ...] = ("file",)
_ANY_FILE: tuple[Kind, ...] = ("file", "unrestored")
_UNRESTORED: tuple[Kind, ...] = ("unrestored",)
_RESTORE: tuple[Kind, ...] = ("restore",)
_HOLD: tuple[Kind, ...] = ("hold",)
_DESTRUCTION: tuple[Kind, ...] = ("destruction",)

CODES: dict[str, Meaning] = {
    # How a run ended.
    "folder-missing": Meaning(_RUN, "the folder", detail=_SYSTEM),
    "folder-unreadable": Meaning(_RUN, "the folder", detail=_SYSTEM),
    "folder-swapped": Meaning(_RUN, "the folder", amount="files at the last run", unit="number"),
    "source-empty": Meaning(
        _RUN, "its folders", amount="files found", limit="files expected", unit="number"
    ),
    "source-small": Meaning(
        _RUN, "its folders", amount="bytes found", limit="bytes expected", unit="bytes"
    ),
    "snapshot-not-taken": Meaning(_RUN, "the file system's place", detail=_SYSTEM),
    "hook-failed": Meaning(_RUN, "the program", amount="its status", unit="status"),
    "hook-timed-out": Meaning(_RUN, "the program", limit="the time it had", unit="seconds"),
    "hook-not-started": Meaning(_RUN, "the program", detail=_SYSTEM),
    "dump-failed": Meaning(_RUN, "their names", amount="how many", unit="number"),
    "dump-missing": Meaning(_RUN, "their names", amount="how many", unit="number"),
    "missed-again": Meaning(
        _RUN, amount="how many files", limit="in how many runs in a row", unit="number"
    ),
    "incomplete": Meaning(_RUN),
    "abandoned": Meaning(_RUN, limit="how long it may be silent", unit="seconds"),
    "overtaken": Meaning(_RUN),
    "agent-revoked": Meaning(_RUN),
    "growth-blocked": Meaning(
        _RUN, amount="bytes stored", limit="bytes allowed", unit="bytes", detail=_OPERATOR
    ),
    "subscription-ended": Meaning(_RUN, detail=_OPERATOR),
    "subscription-suspended": Meaning(_RUN, detail=_OPERATOR),
    "rebuilt": Meaning(_RUN),
    "interrupted": Meaning(_RUN, "the signal"),
    "others-between": Meaning(_RUN, amount="how many tries", unit="number"),
    "content-changed": Meaning(_RUN, amount="how many chunks", unit="number"),
    "dump-lost": Meaning(_RUN, "the dump's file"),
    "records-missing": Meaning(_RUN),
    "state-unusable": Meaning(_RUN, "the state folder", detail=_SYSTEM),
    "list-cut": Meaning(_RUN, amount="how many tries", unit="number"),
    "server-refused": Meaning(
        _BOTH, "the problem's code", amount="the HTTP status", unit="status", detail=_SERVER
    ),
    "server-unreachable": Meaning(
        _BOTH, "its address", limit="for how long", unit="seconds", detail=_SYSTEM
    ),
    "server-busy": Meaning(
        _BOTH, "its address", limit="for how long", unit="seconds", detail=_SERVER
    ),
    "storage-refused": Meaning(
        _BOTH, "its address", limit="for how long", unit="seconds", detail=_SERVER
    ),
    "answered-by-another": Meaning(
        _BOTH, "its address", amount="the HTTP status", unit="status", detail=_SERVER
    ),
    "server-moved": Meaning(_BOTH, "its address", detail=_SERVER),
    "proxy-sign-in": Meaning(_BOTH, "the proxy's address", detail=_SERVER),
    "not-encrypted": Meaning(_BOTH, "its address", detail=_SYSTEM),
    "certificate-untrusted": Meaning(_BOTH, "its address", detail=_SYSTEM),
    "not-authorised": Meaning(_BOTH, detail=_SERVER),
    "already-running": Meaning(_RUN),
    "usage": Meaning(_BOTH),
    "failed": Meaning(_RUN),
    # What went wrong in a run without making it fail.
    "clock-ahead": Meaning(_WARNING, amount="by how much", unit="seconds"),
    "clock-behind": Meaning(_WARNING, amount="by how much", unit="seconds"),
    "state-disk-full": Meaning(_WARNING, "the state folder"),
    "state-read-only": Meaning(_WARNING, "the state folder"),
    "state-forbidden": Meaning(_WARNING, "the state folder"),
    "state-disk-error": Meaning(_WARNING, "the state folder"),
    "state-not-kept": Meaning(_WARNING, "the state folder", detail=_SYSTEM),
    "state-damaged": Meaning(_WARNING),
    "state-foreign": Meaning(_WARNING),
    "snapshot-not-removed": Meaning(_WARNING, "the file system's place", detail=_SYSTEM),
    "after-hook-failed": Meaning(_WARNING, "the program", amount="its status", unit="status"),
    "after-hook-timed-out": Meaning(
        _WARNING, "the program", limit="the time it had", unit="seconds"
    ),
    "after-hook-not-started": Meaning(_WARNING, "the program", detail=_SYSTEM),
    "error-hook-failed": Meaning(_WARNING, "the program", amount="its status", unit="status"),
    "error-hook-timed-out": Meaning(
        _WARNING, "the program", limit="the time it had", unit="seconds"
    ),
    "error-hook-not-started": Meaning(_WARNING, "the program", detail=_SYSTEM),
    "ping-failed": Meaning(_WARNING, "its host", detail="what it or the system said"),
    # What became of a dump, or of a database file that was copied as a file.
    "dump-program-failed": Meaning(
        _DUMP, "the program", amount="its status", unit="status", detail="the program's last lines"
    ),
    "dump-program-killed": Meaning(
        _DUMP, "the program", amount="the signal", unit="number", detail="the program's last lines"
    ),
    "dump-program-missing": Meaning(_DUMP, "the program"),
    "dump-not-started": Meaning(_DUMP, "the program", detail=_SYSTEM),
    "dump-timed-out": Meaning(_DUMP, limit="the time it had", unit="seconds"),
    "dump-empty": Meaning(_DUMP),
    "dump-cut": Meaning(_DUMP),
    "dump-malformed": Meaning(_DUMP),
    "dump-unreadable": Meaning(_DUMP, detail="its last lines"),
    "dump-too-small": Meaning(_DUMP, amount="bytes", limit="bytes at least", unit="bytes"),
    "dump-too-large": Meaning(_DUMP, amount="bytes", unit="bytes"),
    "dump-much-smaller": Meaning(_DUMP, amount="bytes", limit="bytes last time", unit="bytes"),
    "dump-unproven": Meaning(_DUMP),
    "dump-password-unreadable": Meaning(_DUMP, "the file", detail=_SYSTEM),
    "dump-password-invalid": Meaning(_DUMP, "the file"),
    "dump-folder-unwritable": Meaning(_DUMP, "the folder", detail=_SYSTEM),
    "dump-no-room": Meaning(
        _DUMP, "the folder", amount="bytes free", limit="bytes needed", unit="bytes"
    ),
    "database-unreadable": Meaning(_DUMP, "the file", detail=_SYSTEM),
    "database-not-copied": Meaning(_DUMP, "its file", detail="what SQLite said"),
    "database-damaged": Meaning(_DUMP, "its file", detail="what SQLite found"),
    "database-file": Meaning(_DUMP),
    # Why a file or folder was not copied, or could not be written by a restore.
    "permission-denied": Meaning(_ANY_FILE),
    "vanished": Meaning(_ANY_FILE),
    "in-use": Meaning(_ANY_FILE),
    "disk-error": Meaning(_ANY_FILE),
    "disk-full": Meaning(_ANY_FILE),
    "read-only": Meaning(_ANY_FILE),
    "network-drive-gone": Meaning(_ANY_FILE),
    "unreadable": Meaning(_ANY_FILE, detail=_SYSTEM),
    "changed-while-read": Meaning(_FILE),
    "too-large": Meaning(_FILE, amount="bytes", unit="bytes"),
    "emptied": Meaning(_FILE, amount="files at the last run", unit="number"),
    "name-of-dumps": Meaning(_FILE),
    "name-over-limit": Meaning(_FILE),
    "name-invalid": Meaning(_FILE),
    "target-invalid": Meaning(_FILE),
    "attributes-invalid": Meaning(_FILE),
    "entry-over-limit": Meaning(_FILE),
    "attributes-unread": Meaning(_FILE, detail=_SYSTEM),
    "attributes-too-long": Meaning(_FILE, "the attribute's name"),
    # What else a restore can't do.
    "name-too-long": Meaning(_UNRESTORED),
    "name-unsupported": Meaning(_UNRESTORED),
    "name-clash": Meaning(_UNRESTORED),
    "file-too-large": Meaning(_UNRESTORED),
    "not-permitted": Meaning(_UNRESTORED),
    "links-forbidden": Meaning(_UNRESTORED),
    "something-there": Meaning(_UNRESTORED),
    "folder-in-the-way": Meaning(_UNRESTORED),
    "no-folder-in-the-way": Meaning(_UNRESTORED),
    "content-missing": Meaning(_UNRESTORED),
    "content-inconsistent": Meaning(_UNRESTORED),
    "content-damaged": Meaning(_UNRESTORED),
    "content-unfetched": Meaning(_UNRESTORED, detail=_SYSTEM),
    # How a restore ended.
    "restore-interrupted": Meaning(_RESTORE),
    "restore-goes-on": Meaning(_RESTORE, "the folder"),
    "restore-unwritable": Meaning(_RESTORE, "the path", detail=_SYSTEM),
    "restore-failed": Meaning(_RESTORE, detail=_SYSTEM),
    "portal-list-cut": Meaning(_RESTORE, detail=_SYSTEM),
    "portal-list-malformed": Meaning(_RESTORE, detail="what the decoder said"),
    "worker-died": Meaning(_RESTORE, amount="its status", unit="status"),
    # Why nothing of a plan expires.
    "files-lost": Meaning(
        _HOLD,
        "the day of the restore point that had them",
        amount="files whose content is gone",
        limit="files that should be there",
        unit="number",
    ),
    "bytes-lost": Meaning(
        _HOLD,
        "the day of the restore point that had them",
        amount="bytes of content that is gone",
        limit="bytes that should be there",
        unit="bytes",
    ),
    "mass-change": Meaning(
        _HOLD,
        amount="files with other content, which cannot be compressed",
        limit="files that were there",
        unit="number",
    ),
    "mass-rename": Meaning(
        _HOLD,
        "the ending",
        amount="files that lie there under it",
        limit="files that were there",
        unit="number",
    ),
    "mass-removal": Meaning(
        _HOLD, amount="files that are left", limit="files that usually are there", unit="number"
    ),
    "volume-shrunken": Meaning(
        _HOLD, amount="bytes that are left", limit="bytes that usually are there", unit="bytes"
    ),
    "dump-shrunken": Meaning(
        _HOLD, "the dump's file", amount="bytes", limit="bytes that are usual", unit="bytes"
    ),
    "dump-identical": Meaning(
        _HOLD,
        "the dump's file",
        amount="for how many runs in a row",
        limit="for how many it may be",
        unit="number",
    ),
    # What a destruction waits for.
    "destruction-large": Meaning(
        _DESTRUCTION,
        amount="bytes to destroy",
        limit="bytes of the largest before, or taken for usual",
        unit="bytes",
    ),
    "destructions-many": Meaning(
        _DESTRUCTION, amount="due in a day", limit="how many are usual", unit="number"
    ),
    "still-sends": Meaning(_DESTRUCTION, "when a machine last tried (UTC)"),
    "time-doubted": Meaning(_DESTRUCTION, detail="which clocks disagree"),
    "objects-locked": Meaning(
        _DESTRUCTION,
        "until when (UTC), if the store says it",
        amount="how many",
        unit="number",
        detail=_SERVER,
    ),
}
