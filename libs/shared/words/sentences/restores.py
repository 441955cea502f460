"""What a restore could not bring back, and how a restore ended."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_REPEAT = "Repeat the same command: it goes on from here."
_REPEAT_CLIENT = "Restore once more with the same command: it goes on from there."
_REPEAT_HOTLINE = "Let the client repeat the same command: it goes on from there."
_OTHER_CLIENT = "Restore this file into another folder or onto another disk, or from the portal."
_OTHER_HOTLINE = "Let the client restore it elsewhere, or download it from the portal."
_CALL_CLIENT = "Call us: an older restore point may have it."
_DAMAGED_HOTLINE = "Look for damage in retention's audit; try an older restore point."
_WAY_CLIENT = "Move away what is there, or restore into another folder."
_WAY_HOTLINE = "Let the client restore into an empty folder."

RESTORES: dict[str, Explanation] = {
    # What could not be brought back.
    "name-too-long": Explanation(
        "its name is too long for the target's file system", "", _OTHER_CLIENT, _OTHER_HOTLINE
    ),
    "name-unsupported": Explanation(
        "the target's file system can't hold such a name", "", _OTHER_CLIENT, _OTHER_HOTLINE
    ),
    "name-clash": Explanation(
        "the target's file system takes its name for that of another one there",
        "",
        _OTHER_CLIENT,
        _OTHER_HOTLINE,
    ),
    "file-too-large": Explanation(
        "the target's file system can't hold so large a file", "", _OTHER_CLIENT, _OTHER_HOTLINE
    ),
    "not-permitted": Explanation(
        "the target's file system can't hold such a thing, or we may not",
        "",
        _OTHER_CLIENT,
        _OTHER_HOTLINE,
    ),
    "links-forbidden": Explanation(
        "Windows lets only administrators make symlinks, or all in developer mode",
        "",
        "Restore as an administrator of the machine.",
        "Let the client restore as an administrator of the machine.",
    ),
    "something-there": Explanation(
        "something else is there already; --overwrite replaces it", "", _WAY_CLIENT, _WAY_HOTLINE
    ),
    "folder-in-the-way": Explanation(
        "a folder of that name is in the way", "", _WAY_CLIENT, _WAY_HOTLINE
    ),
    "no-folder-in-the-way": Explanation(
        "something that is no folder is in the way", "", _WAY_CLIENT, _WAY_HOTLINE
    ),
    "content-missing": Explanation(
        "the server does not hold all of its content", "", _CALL_CLIENT, _DAMAGED_HOTLINE
    ),
    "content-inconsistent": Explanation(
        "its chunks do not add up to its size", "", _CALL_CLIENT, _DAMAGED_HOTLINE
    ),
    "content-damaged": Explanation("its content is damaged", "", _CALL_CLIENT, _DAMAGED_HOTLINE),
    "content-unfetched": Explanation(
        "its content can't be fetched[: {detail}]", "", _REPEAT_CLIENT, _REPEAT_HOTLINE
    ),
    # How a restore ended.
    "restore-interrupted": Explanation(
        "The restore was stopped.", _REPEAT, _REPEAT_CLIENT, _REPEAT_HOTLINE
    ),
    "restore-goes-on": Explanation(
        "Another restore is writing below {subject}.",
        "Wait for its end, or restore into another folder.",
        "Wait for its end, or restore into another folder.",
        "Let the client wait for its end, or restore into another folder.",
    ),
    "restore-unwritable": Explanation(
        "{subject} can't be written[: {detail}].",
        f"Make room. {_REPEAT}",
        "Have room made on this disk, then restore once more with the same command.",
        "Check room and rights of the target on the client's machine.",
    ),
    "restore-failed": Explanation(
        "The restore failed[: {detail}].",
        "",
        "Call us, or recover your files from the portal.",
        "Read the technical detail; the portal can recover the files as well.",
    ),
    "portal-list-cut": Explanation(
        "The portal's list broke off[ ({detail})].", _REPEAT, _REPEAT_CLIENT, _REPEAT_HOTLINE
    ),
    "portal-list-malformed": Explanation(
        "The portal's list can't be read[: {detail}].",
        "",
        "Call us, or recover your files from the portal.",
        "Check that the agent is as new as the portal.",
    ),
    "worker-died": Explanation(
        "A worker process of the restore ended by itself (exit code {amount}).",
        _REPEAT,
        _REPEAT_CLIENT,
        "See on the machine whether memory is short; then let the client repeat the command.",
    ),
}
