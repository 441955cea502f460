"""What became of a dump, or of a database file that was copied as a file."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_LOOKED_AT = "Have the database looked at, then run again."
_ACCESS_HOTLINE = (
    "Read the technical detail; check the database, its access and its password, then run the plan"
    " again."
)
_AGAIN_CLIENT = "Run again; have the database looked at if this comes again."
_AGAIN_HOTLINE = "Run the plan again; if it comes again, make the dump by hand on the machine."
_FILE_CLIENT = "Have the password file looked at by whoever looks after the machine."
_FILE_HOTLINE = "Check on the machine that the agent may read the file, and what it holds."
_ROOM_CLIENT = "Have room made on this disk, then run again."
_SPLIT_CLIENT = "Call us: so large a database is dumped in several parts."
_SPLIT_HOTLINE = "Have the dump split by databases or tables, each with a dump of its own."

DUMPS: dict[str, Explanation] = {
    "dump-program-failed": Explanation(
        "{subject} ended with status {amount}[: {detail}]", "", _LOOKED_AT, _ACCESS_HOTLINE
    ),
    "dump-program-killed": Explanation(
        "{subject} was killed by signal {amount}[: {detail}]",
        "",
        _LOOKED_AT,
        "See on the machine who ended the program: short memory, a service, a person.",
    ),
    "dump-program-missing": Explanation(
        "the program {subject} is not installed",
        "Install it, or correct PATH.",
        "Have it installed on the machine, then run again.",
        "Install it on the machine, or correct PATH, then run the plan again.",
    ),
    "dump-not-started": Explanation(
        "{subject} can't be started[: {detail}]",
        "",
        "Have the program looked at by whoever looks after the machine.",
        "Check on the machine that the program is there and may be run.",
    ),
    "dump-timed-out": Explanation(
        "it took longer than {limit} and was stopped",
        "",
        "Have the database looked at, or more time given to its dump in the plan.",
        "See why the dump takes so long; give it more time in the plan.",
    ),
    "dump-empty": Explanation("it wrote nothing", "", _LOOKED_AT, _AGAIN_HOTLINE),
    "dump-cut": Explanation(
        "its end mark is missing, so it isn't whole", "", _AGAIN_CLIENT, _AGAIN_HOTLINE
    ),
    "dump-malformed": Explanation(
        "it doesn't begin as such a dump does",
        "",
        "Have the plan looked at: the program may write something else.",
        "Check in the plan that the kind of the dump is that of its program.",
    ),
    "dump-unreadable": Explanation(
        "it can't be read again[: {detail}]", "", _AGAIN_CLIENT, _AGAIN_HOTLINE
    ),
    "dump-too-small": Explanation(
        "it has {amount} and should have {limit} at least",
        "",
        "Check that nothing is missing in the database; if it is right so, have the plan"
        " corrected.",
        "Ask whether data was removed; if it is right so, lower the dump's minimum in the plan.",
    ),
    "dump-too-large": Explanation(
        "too large: the list of its parts does not fit into one message[ ({amount})]",
        "",
        _SPLIT_CLIENT,
        _SPLIT_HOTLINE,
    ),
    "dump-much-smaller": Explanation(
        "much smaller than last time, when it had {limit}[: now {amount}]",
        "",
        "Check that nothing is missing in the database.",
        "Ask whether data was removed; compare with the last dump.",
    ),
    "dump-unproven": Explanation(
        "it has no end mark that could be checked",
        "",
        "Call us if you want a dump whose end is checked.",
        "Use a kind of dump that has an end mark, or name one in the plan.",
    ),
    "dump-password-unreadable": Explanation(
        "the password file {subject} can't be read[: {detail}]",
        "",
        _FILE_CLIENT,
        _FILE_HOTLINE,
    ),
    "dump-password-invalid": Explanation(
        "{subject} must hold the password in one line", "", _FILE_CLIENT, _FILE_HOTLINE
    ),
    "dump-folder-unwritable": Explanation(
        "the folder {subject} can't be written[: {detail}]",
        "",
        _ROOM_CLIENT,
        "Check room and rights of this folder on the machine.",
    ),
    "dump-no-room": Explanation(
        "the backup needs {limit} for a while, and {subject} has {amount} free",
        "",
        _ROOM_CLIENT,
        "Make room on this disk of the machine, or move the agent's state folder.",
    ),
    "database-unreadable": Explanation(
        "the file {subject} can't be read[: {detail}]",
        "",
        "Have the rights on this file looked at by whoever looks after the machine.",
        "Check on the machine that the agent may read the file.",
    ),
    "database-not-copied": Explanation(
        "{subject} can't be backed up[: {detail}]", "", _AGAIN_CLIENT, _AGAIN_HOTLINE
    ),
    "database-damaged": Explanation(
        "the database is damaged[: {detail}]",
        "",
        "Have it repaired by whoever looks after it; earlier dumps can be recovered.",
        "Have the database repaired on the machine; earlier dumps can be recovered.",
    ),
    "database-file": Explanation(
        "a database file: use a dump",
        "",
        "Have a dump of this database made in the plan: a file backed up in use may be of no use.",
        "Add a dump of this database to the plan.",
    ),
}
