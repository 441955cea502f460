"""What went wrong in a run without making it fail."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_CLOCK = "Runs are dated by the server; set the clock, or runs will begin at wrong times."
_CLOCK_CLIENT = "We date backups ourselves, but they begin at wrong times: have the clock set."
_CLOCK_HOTLINE = (
    "Have the clock set by the network; if it is wrong again, the battery may be empty."
)
_NEXT_COMPARES = "Nothing is lost: the next run compares with the server's list."
_COMPARED = "Nothing is lost: this run compares with the server's list."
_ROOM_CLIENT = (
    "Nothing is lost, but the next backup may fail: have room made on the machine's disk."
)
_DISK_CLIENT = "Nothing is lost, but the next backup may fail: have the machine's disk looked at."
_STATE_HOTLINE = (
    "Check room and rights of the agent's state folder: without it the next run may fail."
)
_DISK_HOTLINE = "Have the disk checked: it may be dying."
_LOOK = "See what the program said above, and that what was stopped for the backup works again."
_AFTER_CLIENT = (
    "Check that what was stopped for the backup works again; have the program looked at."
)
_AFTER_HOTLINE = (
    "Read the end of the log for what the program said; see that no service stands still."
)
_ON_ERROR_CLIENT = "Your files are not concerned. Have the program looked at."
_ON_ERROR_HOTLINE = "Read the end of the log for what the program said."

WARNINGS: dict[str, Explanation] = {
    "clock-ahead": Explanation(
        "The machine's clock is ahead by about {amount}.", _CLOCK, _CLOCK_CLIENT, _CLOCK_HOTLINE
    ),
    "clock-behind": Explanation(
        "The machine's clock is behind by about {amount}.", _CLOCK, _CLOCK_CLIENT, _CLOCK_HOTLINE
    ),
    "state-disk-full": Explanation(
        "The machine can't note what it backed up: the disk of {subject} is full.",
        f"Make room there. {_NEXT_COMPARES}",
        _ROOM_CLIENT,
        _STATE_HOTLINE,
    ),
    "state-read-only": Explanation(
        "The machine can't note what it backed up: the disk of {subject} is read-only.",
        _NEXT_COMPARES,
        _DISK_CLIENT,
        "See why the disk is read-only: often it reported errors before.",
    ),
    "state-forbidden": Explanation(
        "The machine can't note what it backed up: the agent may not write to {subject}.",
        f"Give it back to the user who runs the agent. {_NEXT_COMPARES}",
        "Nothing is lost, but the next backup may fail: have the rights on this folder looked at.",
        _STATE_HOTLINE,
    ),
    "state-disk-error": Explanation(
        "The machine can't note what it backed up: the disk of {subject} reports an error.",
        f"Have the disk checked. {_NEXT_COMPARES}",
        _DISK_CLIENT,
        _DISK_HOTLINE,
    ),
    "state-not-kept": Explanation(
        "The machine can't note what it backed up: {subject} can't be written[: {detail}].",
        _NEXT_COMPARES,
        _ROOM_CLIENT,
        _STATE_HOTLINE,
    ),
    "state-damaged": Explanation(
        "What the machine had noted of its last backup is damaged, or lost in part.",
        f"{_COMPARED} If it happens again, check the disk.",
        "Nothing is lost: the backup was compared with our list. If it comes again, call us.",
        "If it comes again, check disk and memory of the machine.",
    ),
    "state-foreign": Explanation(
        "What the machine had noted of its last backup is of another machine or server.",
        _COMPARED,
        "Nothing is lost. After a machine was enrolled again that is normal; else call us.",
        "Normal once after an enrolment; else see whether two machines share a configuration.",
    ),
    "snapshot-not-removed": Explanation(
        "The snapshot of {subject} could not be removed[: {detail}].",
        "Everything was backed up. The next run tries again; remove it by hand if it stays.",
        "Everything was backed up. A snapshot that stays takes room on the disk: if this comes"
        " again, have it removed by whoever looks after the machine.",
        "If it comes again, remove the snapshot by hand: it takes room on the client's disk.",
    ),
    "after-hook-failed": Explanation(
        "The program to run after the backup failed: {subject} ended with status {amount}.",
        _LOOK,
        _AFTER_CLIENT,
        _AFTER_HOTLINE,
    ),
    "after-hook-timed-out": Explanation(
        "The program to run after the backup failed: {subject} took longer than {limit} and was"
        " stopped.",
        _LOOK,
        _AFTER_CLIENT,
        _AFTER_HOTLINE,
    ),
    "after-hook-not-started": Explanation(
        "The program to run after the backup failed: {subject} can't be started[: {detail}].",
        "See that what was stopped for the backup works again.",
        _AFTER_CLIENT,
        "Check on the machine that the program is there and may be run; see that no service stands"
        " still.",
    ),
    "error-hook-failed": Explanation(
        "The program to run on an error failed: {subject} ended with status {amount}.",
        "",
        _ON_ERROR_CLIENT,
        _ON_ERROR_HOTLINE,
    ),
    "error-hook-timed-out": Explanation(
        "The program to run on an error failed: {subject} took longer than {limit} and was"
        " stopped.",
        "",
        _ON_ERROR_CLIENT,
        _ON_ERROR_HOTLINE,
    ),
    "error-hook-not-started": Explanation(
        "The program to run on an error failed: {subject} can't be started[: {detail}].",
        "",
        _ON_ERROR_CLIENT,
        "Check on the machine that the program is there and may be run.",
    ),
    "ping-failed": Explanation(
        "The monitoring service {subject} could not be told of the backup[: {detail}].",
        "Nothing else is concerned; check the service, or its address in the plan.",
        "Your files are not concerned. Have the service looked at, or its address in the plan.",
        "Check the monitoring service, and its address in the plan.",
    ),
}
