"""Why nothing of a plan expires: more of its content is gone than usual."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_CLIENT = (
    "Nothing that was stored is given up meanwhile. If you did not delete or replace these files"
    " yourself, call us at once: the machine may be under attack."
)
_HOTLINE = (
    "Ask the client whether that was meant. If not, recover from a restore point of that day; if"
    " so, let the plan expire again with `python -m services.retention clear`."
)

HOLDS: dict[str, Explanation] = {
    "files-lost": Explanation(
        "Files that were there on {subject}: {limit}; those whose content is gone: {amount}.",
        "",
        _CLIENT,
        _HOTLINE,
    ),
    "bytes-lost": Explanation(
        "Of {limit} of content that was there on {subject}, {amount} is gone.",
        "",
        _CLIENT,
        _HOTLINE,
    ),
}
