"""What agents say of themselves, their plans and their runs, within limits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Self, TypeVar
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from libs.shared.events import DumpResult, NotCopied, Outcome
from libs.shared.reasons import Reason

MAX_NOT_COPIED = 1_000
MAX_WARNINGS = 20
MAX_LOG_TAIL_BYTES = 64 * 1024
_MAX_SUBJECT = 4_096
_MAX_I64 = 2**63 - 1

R = TypeVar("R", Reason, Reason | None)


def _without_nul(text: str) -> str:
    """PostgreSQL holds no NUL in a text: shown as the sign for what can't be shown."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _check_line(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("has control characters")
    return text


def _check_address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+", text):
        raise ValueError("is no mail address")
    return text


def _check_schedule(text: str) -> str:
    try:
        CronSim(text, datetime(2026, 1, 1))  # noqa: DTZ001 - only asks whether it can be read
    except CronSimError as error:
        raise ValueError("is no cron expression, such as '30 1 * * *'") from error
    return text


def _check_timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError of its own
        raise ValueError("is no time zone, such as 'Europe/Paris'") from error
    except KeyError as error:
        raise ValueError("is no time zone, such as 'Europe/Paris'") from error
    return text


Text = Annotated[str, AfterValidator(_without_nul)]
Line = Annotated[str, Field(max_length=255), AfterValidator(_check_line)]
Address = Annotated[str, Field(max_length=254), AfterValidator(_check_address)]
Count = Annotated[int, Field(ge=0, le=_MAX_I64)]


class Said(BaseModel):
    """What an agent says of itself, its plans and its runs; members we don't know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Machine(Said):
    """The machine that enrols."""

    hostname: Annotated[Line, Field(min_length=1)]
    platform: Line = ""
    agent_version: Line = ""


class Declaration(Said):
    """What a plan copies, how often, and who reads its reports."""

    folders: Annotated[tuple[Text, ...], Field(max_length=1_000)]  # none where all is dumps
    exclude: Annotated[tuple[Text, ...], Field(max_length=10_000)] = ()
    schedule: Annotated[Line, AfterValidator(_check_schedule)]
    timezone: Annotated[Line, AfterValidator(_check_timezone)]
    dumps: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    recipients: Annotated[tuple[Address, ...], Field(max_length=100)] = ()
    reports: bool = True


class Counters(Said):
    """A run in numbers, as the agent counted; bytes_read: None where it doesn't say."""

    files_total: Count = 0
    files_new: Count = 0
    files_changed: Count = 0
    files_removed: Count = 0
    files_not_copied: Count = 0
    bytes_protected: Count = 0
    bytes_sent: Count = 0
    bytes_read: Count | None = None


class Ending(Said):
    """What an agent says at the end of a run, good or bad; `reason` is why it failed."""

    reason: Reason | None = None
    counters: Counters = Counters()
    not_copied: tuple[NotCopied, ...] = ()
    dumps: Annotated[tuple[DumpResult, ...], Field(max_length=100)] = ()
    warnings: tuple[Reason, ...] = ()
    log_tail: Text = ""
    started_at: AwareDatetime | None = None

    def shortened(self) -> Ending:
        """Returns what was reported, cut to our limits; the counters tell the whole number."""
        kept = tuple(
            file.model_copy(
                update={
                    "path": _without_nul(file.path)[:_MAX_SUBJECT],
                    "reason": _shorten(file.reason, 500),
                }
            )
            for file in self.not_copied[:MAX_NOT_COPIED]
        )
        missed = max(self.counters.files_not_copied, len(self.not_copied))
        dumps = tuple(
            dump.model_copy(
                update={
                    "name": _without_nul(dump.name)[:255],
                    "reason": _shorten(dump.reason, 2_000),
                }
            )
            for dump in self.dumps
        )
        warnings = tuple(_shorten(warning, 500) for warning in self.warnings[:MAX_WARNINGS])
        return self.model_copy(
            update={
                "reason": _shorten(self.reason, 2_000),
                "not_copied": kept,
                "dumps": dumps,
                "warnings": warnings,
                "counters": self.counters.model_copy(update={"files_not_copied": missed}),
                "log_tail": _tail(self.log_tail),
            }
        )

    def numbers_alone(self) -> Self:
        """Returns the end without all that can be long."""
        few = {"not_copied": (), "warnings": (), "log_tail": ""}
        return self.model_copy(update=few)


class Commit(Ending):
    """The end of a run that worked; `full`: what the delta does not name is gone.

    A script that put whole files says nothing of `batches` and need not count.
    """

    batches: Annotated[int, Field(ge=0, le=100_000)] | None = None
    outcome_hint: Outcome = "succeeded"
    full: bool = False


class Abort(Ending):
    """The end of a run that did not work."""


def _shorten(reason: R, most_detail: int) -> R:
    if reason is None:
        return reason
    return replace(
        reason,
        subject=_without_nul(reason.subject)[:_MAX_SUBJECT],
        detail=_without_nul(reason.detail)[:most_detail],
    )


def _tail(text: str) -> str:
    return text.encode()[-MAX_LOG_TAIL_BYTES:].decode("utf-8", "ignore")
