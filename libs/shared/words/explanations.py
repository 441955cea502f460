"""What each code of `libs.shared.reasons` means, and what to do: the sentences, in English.

Places are {subject}, {amount}, {limit} and {detail}; what stands in square brackets is left out
where a place in it is empty. Runs, warnings and restores have whole sentences; dumps, files and
what a restore left out have what can follow a colon, in small letters and without a full stop.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from libs.shared.reasons import CODES, Reason, Unit
from libs.shared.words.plain import duration_text, size_text, span_text

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")


class Explanation(NamedTuple):
    """What a code means, and the next step for the client, the technician and the hotline.

    technician: who reads it sits at the machine, before the agent's log.
    """

    cause: str
    technician: str = ""
    client: str = ""
    hotline: str = ""


_AGAIN = "Run again."
_GOES_ON = "Nothing is lost: the next run goes on from here."
_REPEAT = "Repeat the same command: it goes on from here."
_STAYS = "Nothing was taken for removed: the last restore point stays."
_HOOK = "Nothing was copied; read above what the program said."
_LOOK = "See what the program said above, and that what was stopped for the copy works again."
_COMPARED = "Nothing is lost: this run compares with the server's list."
_NEXT_COMPARES = "Nothing is lost: the next run compares with the server's list."

EXPLANATIONS: dict[str, Explanation] = {
    # How a run ended.
    "folder-missing": Explanation(
        "The folder {subject} is not there[: {detail}].",
        "Nothing was copied; put the folder back, or take it out of the plan.",
    ),
    "folder-unreadable": Explanation(
        "The folder {subject} can't be read[: {detail}].",
        "Nothing was copied; let the agent read it, or take it out of the plan.",
    ),
    "folder-swapped": Explanation(
        "{subject} held {amount} files at the last run; now another, empty folder is in its place.",
        f"Is a disk not mounted? {_STAYS} If it is right so, run once with --accept-empty.",
    ),
    "source-empty": Explanation(
        "{amount} files were found below {subject}, and the plan expects at least {limit} files.",
        f"Is a disk not mounted? {_STAYS} If it is right so, lower min_files.",
    ),
    "source-small": Explanation(
        "{amount} were found below {subject}, and the plan expects at least {limit}.",
        f"Is a disk not mounted? {_STAYS} If it is right so, lower min_size.",
    ),
    "hook-failed": Explanation(
        "The hook before the copy failed: {subject} ended with status {amount}.", _HOOK
    ),
    "hook-timed-out": Explanation(
        "The hook before the copy failed: {subject} took longer than {limit} and was stopped.",
        _HOOK,
    ),
    "hook-not-started": Explanation(
        "The hook before the copy failed: {subject} can't be started[: {detail}].",
        "Nothing was copied; see that the program is there and may be run.",
    ),
    "dump-failed": Explanation(
        "Dumps failed, and all else was copied: {subject}.",
        "See above why. The last good dump of each is kept.",
    ),
    "dump-missing": Explanation(
        "Dumps that the plan promises did not come, and all else was copied: {subject}.",
        "The last good dump of each is kept.",
    ),
    "missed-again": Explanation(
        "{amount} files could not be read in {limit} runs in a row; all others were copied.",
        "Make them readable, or exclude them.",
    ),
    "incomplete": Explanation(
        "Not all that was contracted could be copied.", "See above what is missing."
    ),
    "abandoned": Explanation(
        "The agent gave no sign of life any more[ for {limit}].",
        "See whether the machine is on and reaches the server.",
    ),
    "overtaken": Explanation(
        "Another run of the same plan was started since.",
        "If not by this machine, the same token is used on two.",
    ),
    "agent-revoked": Explanation(
        "The machine's access was withdrawn during the run.",
        "Ask your provider; to go on, enrol the machine again.",
    ),
    "growth-blocked": Explanation(
        "{amount} are stored and {limit} may be[ ({detail})].",
        "Order more volume in the portal, or remove old copies. What is stored stays safe.",
    ),
    "subscription-ended": Explanation(
        "The subscription has ended[ ({detail})].", "Nothing is copied; speak to your provider."
    ),
    "subscription-suspended": Explanation(
        "The subscription is suspended[ ({detail})].", "Nothing is copied; speak to your provider."
    ),
    "rebuilt": Explanation(
        "Brought back from the bucket; some of it could not be read.",
        "The next run sends what is missing.",
    ),
    "interrupted": Explanation(
        "The run was stopped[ by {subject}].", "The next one goes on from here."
    ),
    "others-between": Explanation(
        "Other runs of this plan got in between {amount} times.",
        "Is the same configuration used on two machines?",
    ),
    "content-changed": Explanation(
        "The server lacks {amount} chunks of files that have changed since.", _AGAIN
    ),
    "dump-lost": Explanation(
        "The server lacks a part of the dump {subject}, which can't be read a second time.",
        "Run again: the dump will be made and sent anew.",
    ),
    "records-missing": Explanation("The server lacks chunks of files.", _AGAIN),
    "state-unusable": Explanation(
        "The server's list of the last run can't be kept in {subject}[: {detail}].",
        "Nothing was copied; make room there and run again.",
    ),
    "list-cut": Explanation(
        "The server's list of the last run broke off {amount} times.", _GOES_ON
    ),
    "server-refused": Explanation(
        "The server refused ({subject}, {amount})[: {detail}]",
        "If it comes again, show this to your provider.",
    ),
    "server-unreachable": Explanation(
        "{subject} could not be reached[ for {limit}][ ({detail})].", _GOES_ON
    ),
    "server-busy": Explanation("{subject} took nothing[ for {limit}][ ({detail})].", _GOES_ON),
    "storage-refused": Explanation(
        "The storage of {subject} took nothing[ for {limit}][ ({detail})].", _GOES_ON
    ),
    "certificate-untrusted": Explanation(
        "The certificate of {subject} can't be trusted[: {detail}].",
        "Set ca_file in the configuration if the server has a private authority.",
    ),
    "not-authorised": Explanation(
        "The server does not accept this machine[: {detail}]",
        "Ask your provider for an enrolment code, then run: "
        "coffre-agent --config FILE enrol --server URL --code CODE",
    ),
    "already-running": Explanation("Another run of this plan is going on.", "Let it end."),
    "usage": Explanation("The command line or the configuration is wrong."),
    "failed": Explanation("The run failed.", "Read the end of the log."),
    # What went wrong in a run without making it fail.
    "clock-ahead": Explanation(
        "The clock of this machine is {amount} ahead of the server's.",
        "Runs are dated by the server; set the clock, or runs will begin at wrong times.",
    ),
    "clock-behind": Explanation(
        "The clock of this machine is {amount} behind the server's.",
        "Runs are dated by the server; set the clock, or runs will begin at wrong times.",
    ),
    "state-disk-full": Explanation(
        "{subject} can't be written: the disk is full.", f"Make room there. {_NEXT_COMPARES}"
    ),
    "state-read-only": Explanation(
        "{subject} can't be written: its file system is read-only.", _NEXT_COMPARES
    ),
    "state-forbidden": Explanation(
        "{subject} can't be written: permission denied.",
        f"Give it back to the user who runs the agent. {_NEXT_COMPARES}",
    ),
    "state-disk-error": Explanation(
        "{subject} can't be written: the disk reports an error.",
        f"Have the disk checked. {_NEXT_COMPARES}",
    ),
    "state-not-kept": Explanation("{subject} can't be written[: {detail}].", _NEXT_COMPARES),
    "state-damaged": Explanation(
        "What is remembered of the last run is damaged, or lost in part.",
        f"{_COMPARED} If it happens again, check the disk.",
    ),
    "state-foreign": Explanation(
        "What is remembered of the last run is another machine's or another server's.", _COMPARED
    ),
    "after-hook-failed": Explanation(
        "The hook after the copy failed: {subject} ended with status {amount}.", _LOOK
    ),
    "after-hook-timed-out": Explanation(
        "The hook after the copy failed: {subject} took longer than {limit} and was stopped.", _LOOK
    ),
    "after-hook-not-started": Explanation(
        "The hook after the copy failed: {subject} can't be started[: {detail}].",
        "See that what was stopped for the copy works again.",
    ),
    "error-hook-failed": Explanation(
        "The hook on error failed: {subject} ended with status {amount}."
    ),
    "error-hook-timed-out": Explanation(
        "The hook on error failed: {subject} took longer than {limit} and was stopped."
    ),
    "error-hook-not-started": Explanation(
        "The hook on error failed: {subject} can't be started[: {detail}]."
    ),
    "ping-failed": Explanation(
        "The monitoring service {subject} could not be told[: {detail}].",
        "Nothing else is concerned; check the service, or its address in the plan.",
    ),
    # What became of a dump.
    "dump-program-failed": Explanation("{subject} ended with status {amount}[: {detail}]"),
    "dump-program-killed": Explanation("{subject} was killed by signal {amount}[: {detail}]"),
    "dump-program-missing": Explanation(
        "the program {subject} is not installed", "Install it, or correct PATH."
    ),
    "dump-not-started": Explanation("{subject} can't be started[: {detail}]"),
    "dump-timed-out": Explanation("it took longer than {limit} and was stopped"),
    "dump-empty": Explanation("it wrote nothing"),
    "dump-cut": Explanation("its end mark is missing, so it isn't whole"),
    "dump-malformed": Explanation("it doesn't begin as such a dump does"),
    "dump-unreadable": Explanation("it can't be read again[: {detail}]"),
    "dump-too-small": Explanation("it has {amount} and should have {limit} at least"),
    "dump-too-large": Explanation(
        "too large: its list of chunks does not fit into one message[ ({amount})]"
    ),
    "dump-much-smaller": Explanation("much smaller than last time, when it had {limit}"),
    "dump-unproven": Explanation("it has no end mark that could be checked"),
    "dump-password-unreadable": Explanation("{subject} can't be read[: {detail}]"),
    "dump-password-invalid": Explanation("{subject} must hold the password in one line"),
    "dump-folder-unwritable": Explanation("{subject} can't be written[: {detail}]"),
    "dump-no-room": Explanation(
        "the copy needs {limit} for a while, and {subject} has {amount} free"
    ),
    "database-unreadable": Explanation("{subject} can't be read[: {detail}]"),
    "database-not-copied": Explanation("{subject} can't be copied[: {detail}]"),
    "database-damaged": Explanation("the database is damaged[: {detail}]"),
    "database-file": Explanation("a database file: use a dump"),
    # A file or folder that was not copied, or could not be written by a restore.
    "permission-denied": Explanation("permission denied"),
    "vanished": Explanation("it disappeared meanwhile"),
    "in-use": Explanation("another program holds it"),
    "disk-error": Explanation("the disk reports an error"),
    "disk-full": Explanation("the disk is full"),
    "read-only": Explanation("the file system is read-only"),
    "network-drive-gone": Explanation("the network drive was disconnected"),
    "unreadable": Explanation("the system refuses[: {detail}]"),
    "changed-while-read": Explanation("changed while it was read"),
    "too-large": Explanation(
        "too large: its list of chunks does not fit into one message[ ({amount})]"
    ),
    "emptied": Explanation("it held {amount} files at the last run and is empty now"),
    "name-of-dumps": Explanation("not copied: the plan's dumps have this name"),
    # What only a restore can't do.
    "name-too-long": Explanation("its name is too long for the target's file system"),
    "name-unsupported": Explanation("the target's file system can't hold such a name"),
    "name-clash": Explanation(
        "the target's file system takes its name for that of another one there"
    ),
    "file-too-large": Explanation("the target's file system can't hold so large a file"),
    "not-permitted": Explanation("the target's file system can't hold such a thing, or we may not"),
    "links-forbidden": Explanation(
        "Windows lets only administrators make symlinks, or all in developer mode"
    ),
    "something-there": Explanation("something else is there already; --overwrite replaces it"),
    "folder-in-the-way": Explanation("a folder of that name is in the way"),
    "no-folder-in-the-way": Explanation("something that is no folder is in the way"),
    "content-missing": Explanation("the server does not hold all of its content"),
    "content-inconsistent": Explanation("its chunks do not add up to its size"),
    "content-damaged": Explanation("its content is damaged"),
    "content-unfetched": Explanation("its content can't be fetched[: {detail}]"),
    # How a restore ended.
    "restore-interrupted": Explanation("The restore was stopped.", _REPEAT),
    "restore-goes-on": Explanation(
        "Another restore is writing below {subject}.",
        "Wait for its end, or restore into another folder.",
    ),
    "restore-unwritable": Explanation(
        "{subject} can't be written[: {detail}].", f"Make room. {_REPEAT}"
    ),
    "restore-failed": Explanation("The restore failed[: {detail}]."),
    "portal-list-cut": Explanation("The portal's list broke off[ ({detail})].", _REPEAT),
    "portal-list-malformed": Explanation("The portal's list can't be read[: {detail}]."),
    "worker-died": Explanation(
        "A worker process of the restore ended by itself (exit code {amount}).", _REPEAT
    ),
}

IN_FOLDER = "the folder can't be read: {reason}"
"""Why a whole folder was not copied."""

UNKNOWN = Explanation("{code}[ ({subject})][: {detail}]", "The agent or the server is newer.")
"""A code that this version has no sentence for."""

_LONG = frozenset({"clock-ahead", "clock-behind"})


def say(reason: Reason) -> str:
    """The cause in English."""
    return _fill(reason, EXPLANATIONS.get(reason.code, UNKNOWN).cause)


def next_step(reason: Reason) -> str:
    """What the technician can do, in English; empty where nothing general can be said."""
    return _fill(reason, EXPLANATIONS.get(reason.code, UNKNOWN).technician)


def say_missed(reason: Reason, *, is_folder: bool) -> str:
    """Why a file, or a folder with all below it, was not copied, in English."""
    return IN_FOLDER.format(reason=say(reason)) if is_folder else say(reason)


def fill(phrase: str, values: dict[str, str]) -> str:
    """A phrase with its places filled; what is in brackets only where its places are not empty."""

    def keep(optional: re.Match[str]) -> str:
        inner = optional[1]
        return inner if all(values.get(place) for place in _PLACE.findall(inner)) else ""

    # In one pass, so that braces and brackets in what is filled in are left alone.
    return _PLACE.sub(lambda place: values.get(place[1]) or "?", _OPTIONAL.sub(keep, phrase))


def _fill(reason: Reason, phrase: str) -> str:
    meaning = CODES.get(reason.code)
    unit: Unit = meaning.unit if meaning else ""
    is_long = reason.code in _LONG
    values = {
        "code": reason.code,
        "subject": reason.subject,
        "amount": _amount(reason.amount, unit, is_long=is_long),
        "limit": _amount(reason.limit, unit, is_long=is_long),
        "detail": reason.detail,
    }
    return fill(phrase, values)


def _amount(amount: int | None, unit: Unit, *, is_long: bool) -> str:
    if amount is None:
        return ""
    if unit == "bytes":
        return size_text(amount)
    if unit == "seconds":
        return span_text(amount) if is_long else duration_text(amount)
    return str(amount)
