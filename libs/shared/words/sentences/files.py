"""Why a file or folder was not copied, or could not be written by a restore."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_RIGHTS_CLIENT = "Have the rights on these files looked at, or the files excluded."
_DISK_CLIENT = "Have the disk checked soon: it may be dying."
_DISK_HOTLINE = "Have the client's disk checked soon; more files may be lost there."
_SHORTER_CLIENT = "Have these files and folders given shorter names."
_AS_THEY_ARE_CLIENT = "Call us: these files can't be backed up as they are."
_SYSTEM_CLIENT = "Have these files looked at by whoever looks after the machine."

FILES: dict[str, Explanation] = {
    "permission-denied": Explanation(
        "permission denied",
        "",
        _RIGHTS_CLIENT,
        "Check that the agent's user may read these files, or exclude them.",
    ),
    "vanished": Explanation(
        "it disappeared meanwhile",
        "",
        "Nothing, if these files were deleted or moved during the backup.",
        "Nothing, if it happens seldom; else exclude the folder of such passing files.",
    ),
    "in-use": Explanation(
        "another program holds it",
        "",
        "Close the programs that use these files at the hour of the backup, or call us.",
        "Find the program that holds these files; stop it for the backup, or make a dump.",
    ),
    "disk-error": Explanation("the disk reports an error", "", _DISK_CLIENT, _DISK_HOTLINE),
    "disk-full": Explanation(
        "the disk is full",
        "",
        "Have room made on the machine's disk.",
        "Have room made on the machine's disk.",
    ),
    "read-only": Explanation(
        "the file system is read-only",
        "",
        "Have the machine's disk looked at.",
        "See why the disk is read-only: often it reported errors before.",
    ),
    "network-drive-gone": Explanation(
        "the network drive was disconnected",
        "",
        "Check that the network drive and its server are on at the hour of the backup.",
        "Check the network drive and its server: are they on and reached at that hour?",
    ),
    "unreadable": Explanation(
        "the system refuses[: {detail}]",
        "",
        _SYSTEM_CLIENT,
        "Read the technical detail; have the files looked at on the machine.",
    ),
    "changed-while-read": Explanation(
        "changed while it was read",
        "",
        "Close the programs that use these files at the hour of the backup, or call us.",
        "Find the program that writes these files; stop it for the backup, or make a dump.",
    ),
    "too-large": Explanation(
        "too large: the list of its parts does not fit into one message[ ({amount})]",
        "",
        "Call us: so large a file can't be backed up as one.",
        "Have the file split, or exclude it; a database is dumped in parts.",
    ),
    "emptied": Explanation(
        "it held files at the last run[ ({amount})] and is empty now",
        "",
        "Check that its disk is connected; nothing was taken for removed.",
        "Check the mounts of the machine; if it is right so, run once with --accept-empty.",
    ),
    "name-of-dumps": Explanation(
        "not backed up: the plan's dumps have this name",
        "",
        "Have this folder given another name.",
        "Have this folder given another name.",
    ),
    "name-over-limit": Explanation(
        "its name or its path is longer than the service keeps",
        "",
        _SHORTER_CLIENT,
        _SHORTER_CLIENT,
    ),
    "name-invalid": Explanation(
        "its name is none that the service can keep",
        "",
        "Have these files and folders renamed.",
        "Have these files and folders renamed; if their names look right, report it to us.",
    ),
    "target-invalid": Explanation(
        "where it leads, or its device number, is nothing that the service can keep",
        "",
        _AS_THEY_ARE_CLIENT,
        "Have the links or devices looked at on the machine, or exclude them.",
    ),
    "attributes-invalid": Explanation(
        "its attributes or ACLs are damaged, or longer than the service keeps",
        "",
        _AS_THEY_ARE_CLIENT,
        "Have the attributes and ACLs looked at on the machine, or excluded by exclude_attributes.",
    ),
    "entry-over-limit": Explanation(
        "its size, times, owner or rights are beyond what the service keeps",
        "",
        _AS_THEY_ARE_CLIENT,
        "Have size, times, owner and rights looked at on the machine, or exclude the files.",
    ),
    "attributes-unread": Explanation(
        "backed up without its extended attributes and ACLs[: {detail}]",
        "",
        _SYSTEM_CLIENT,
        "Read the technical detail; have the files looked at on the machine.",
    ),
    "attributes-too-long": Explanation(
        "backed up without an attribute that is longer than the service keeps[: {subject}]",
        "",
        "Nothing, if no program needs this attribute; else call us.",
        "Exclude the attribute by exclude_attributes if nobody needs it.",
    ),
}
