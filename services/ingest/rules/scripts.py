"""What a script says of a file that it puts into a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from libs.shared.batches import check_batch
from libs.shared.entries import MAX_PATH_BYTES, PATH_TOO_LONG, Entry, EntryRejected, FolderDelta
from libs.shared.errors import InvalidRequest
from services.ingest.rules.reported import Commit, Counters, Ending

DEFAULT_MODE = 0o644
FOLDER_MODE = 0o755
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A path from the plan's root with its metadata; sha256 is what its content must have."""

    path: bytes
    mode: int
    mtime_ns: int
    sha256: str

    @property
    def folder(self) -> bytes:
        """The path of the folder that it lies in."""
        return self.path.rpartition(b"/")[0]

    @property
    def name(self) -> bytes:
        """The last part of the path."""
        return self.path.rpartition(b"/")[2]


def name_file(path: bytes, mode: str, mtime: str, sha256: str, now: datetime) -> NamedFile:
    """Reads what headers say of a file, each empty where it is not said.

    Raises EntryRejected for a path that no agent could send, InvalidRequest for the rest.
    """
    file = NamedFile(path, _read_mode(mode), _read_mtime(mtime, now), sha256.strip().lower())
    if len(path) > MAX_PATH_BYTES:
        raise EntryRejected(path, PATH_TOO_LONG)
    entry = Entry(file.name, "f", file.mode, file.mtime_ns, 0, 0, 0, b"", b"")
    check_batch([FolderDelta(file.folder, [entry], [])])
    if sha256 and not (len(file.sha256) == 64 and set(file.sha256) <= set("0123456789abcdef")):
        raise InvalidRequest("X-Content-SHA256 is no SHA-256 in hexadecimal, as sha256sum prints.")
    return file


def check_form(said: Commit, *, has_files: bool) -> None:
    """Raises InvalidRequest for a commit that fits neither an agent's run nor a script's.

    A script whose loop found nothing must not make a restore point without any file.
    """
    if has_files and said.batches:
        raise InvalidRequest("The run has whole files: it can't have batches of entries as well.")
    if not has_files and said.batches is None:
        raise InvalidRequest(
            "No file was put into the run. Put one first, or abort the run; to say that nothing"
            ' changed, commit with "batches": 0.'
        )


def count_files(
    ending: Ending,
    *,
    files_total: int,
    bytes_protected: int,
    bytes_sent: int,
    added: int,
    changed: int,
    more: int,
) -> Ending:
    """The end of a script's run with what was counted here.

    added: files with a new version, changed: those of them that were there before in another
    one, more: how many files the restore point has more than the one before.
    """
    counters = Counters(
        files_total=files_total,
        files_new=added - changed,
        files_changed=changed,
        files_removed=added - changed - more,
        files_not_copied=ending.counters.files_not_copied,
        bytes_protected=bytes_protected,
        bytes_sent=bytes_sent,
    )
    return ending.model_copy(update={"counters": counters})


def _read_mode(text: str) -> int:
    if not text:
        return DEFAULT_MODE
    try:
        return int(text, 8)
    except ValueError:
        raise InvalidRequest("X-Coffre-Mode is no mode in octal, such as 644.") from None


def _read_mtime(text: str, now: datetime) -> int:
    """Nanoseconds since 1970, of seconds since then or of an ISO 8601 time with its zone."""
    if re.fullmatch(r"-?\d{1,11}(\.\d{1,9})?", text):
        return int(Decimal(text) * 10**9)
    try:
        moment = datetime.fromisoformat(text) if text else now
        if moment.tzinfo is not None:
            return (moment - _EPOCH) // _MICROSECOND * 1000
    except ValueError:
        pass
    raise InvalidRequest(
        "X-Coffre-Mtime is neither seconds since 1970 nor a time with its zone, such as"
        " 2026-03-01T02:00:00+01:00."
    )
