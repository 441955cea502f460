"""What a destruction waits for: an operator's second look, the right time, the store."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_CLIENT = "Nothing is destroyed before that is settled."
_CONFIRM = (
    "Have another operator than the one who ended the subscription look at it: if all is right,"
    " `coffre destruction confirm` lets it go on; if not, reinstate the client."
)

DESTRUCTIONS: dict[str, Explanation] = {
    "destruction-large": Explanation(
        "The destruction would delete {amount}, more than any before ({limit}).",
        "",
        _CLIENT,
        _CONFIRM,
    ),
    "destructions-many": Explanation(
        "More destructions than usual are due in a day: {amount}, and not {limit}.",
        "",
        _CLIENT,
        _CONFIRM,
    ),
    "still-sends": Explanation(
        "A machine of the client still tries to send backups[: the last time on {subject}].",
        "",
        _CLIENT,
        _CONFIRM,
    ),
    "time-doubted": Explanation(
        "The time can't be believed, and with it the day on which this is due[: {detail}].",
        "",
        _CLIENT,
        "Set the clocks right. If the date is right, say so with"
        " `python -m services.retention clock --accept`.",
    ),
    "objects-locked": Explanation(
        "The store does not delete objects of the client yet, {amount} of them[, until"
        " {subject}][: {detail}].",
        "",
        "Nothing is certified before all is deleted.",
        "Wait for the end of the lock, or have the store lift it; it is tried again every hour.",
    ),
}
