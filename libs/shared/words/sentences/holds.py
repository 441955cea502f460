"""Why nothing of a plan expires: more of its content is gone than usual."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_CLIENT = (
    "Nothing that was stored is given up meanwhile. If you did not delete or replace these files"
    " yourself, call us at once: the machine may be under attack."
)
_HOTLINE = (
    "Ask the client whether that was meant. If not, recover from a restore point of that day; if"
    " so, let the versions of the plan expire again on the client’s page."
)

_DUMP_CLIENT = (
    "Nothing that was stored is given up meanwhile. Have the database looked at, and what writes"
    " it out; if that was meant, tell us."
)
_DUMP_HOTLINE = (
    "Ask whether the database was emptied, moved or put out of use. If that was meant, let the"
    " versions of the plan expire again on the client’s page."
)

HOLDS: dict[str, Explanation] = {
    "files-lost": Explanation(
        "Files that were there on {subject}: {limit}; those whose content is gone: {amount}.",
        "",
        _CLIENT,
        _HOTLINE,
    ),
    "mass-change": Explanation(
        "Files that got other content, which can't be compressed: {amount}, of {limit}. So it looks"
        " where files were encrypted.",
        "",
        _CLIENT,
        _HOTLINE,
    ),
    "mass-rename": Explanation(
        "Files that lie there with the ending {subject} now: {amount}, of {limit}. So it looks"
        " where files were encrypted.",
        "",
        _CLIENT,
        _HOTLINE,
    ),
    "mass-removal": Explanation(
        "Files that are left: {amount}; usually {limit}.", "", _CLIENT, _HOTLINE
    ),
    "volume-shrunken": Explanation(
        "Volume that is left: {amount}; usually {limit}.", "", _CLIENT, _HOTLINE
    ),
    "dump-shrunken": Explanation(
        "The dump {subject} has {amount}; usually {limit}.", "", _DUMP_CLIENT, _DUMP_HOTLINE
    ),
    "dump-identical": Explanation(
        "Runs in a row whose dump {subject} is the same as before: {amount}; usually {limit} at"
        " most.",
        "",
        _DUMP_CLIENT,
        _DUMP_HOTLINE,
    ),
    "bytes-lost": Explanation(
        "Of {limit} of content that was there on {subject}, {amount} is gone.",
        "",
        _CLIENT,
        _HOTLINE,
    ),
}
