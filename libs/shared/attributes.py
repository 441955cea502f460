"""What an entry has beside its mode: extended attributes, ACLs, a time beyond the wire's.

A set of attributes is MessagePack, `[[name bin, value bin]...]` sorted by name, so that equal sets
are equal bytes (docs/protocol.md, section 5). Used by the agent and the services alike.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

import msgspec

MAX_BYTES = 256 * 1024
"""The longest set; what is more is left out and told."""

TIME = b"time"
"""The attribute of a time that `mtime_ns` can't hold: seconds since 1970, nine decimals."""
ACL_ACCESS, ACL_DEFAULT = b"system.posix_acl_access", b"system.posix_acl_default"
"""POSIX ACLs, as Linux gives them."""
WINDOWS_SECURITY = b"windows.security"
"""Owner, group and DACL of Windows: a self-relative SECURITY_DESCRIPTOR ([MS-DTYP] 2.4.6)."""
WINDOWS_STREAM = b"windows.stream."
"""Before the name of an alternate stream, whose content is the value."""
OF_WINDOWS = (WINDOWS_SECURITY, WINDOWS_STREAM)
MAX_NAME_BYTES = 255 * 3
"""The longest name of an attribute."""

# From the beginning of year 1 to the end of year 30828, the last that Windows knows.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 910_692_730_085
_TIME = re.compile(rb"(-?[0-9]{1,13})\.([0-9]{9})")
_SECOND_NS = 10**9

# linux/posix_acl_xattr.h: a version, then (tag, permissions, id) each.
_ACL_HEAD = struct.Struct("<I")
_ACL_ENTRY = struct.Struct("<HHI")
_ACL_VERSION = 2
_ACL_TAGS = {1: "user", 2: "user", 4: "group", 8: "group", 0x10: "mask", 0x20: "other"}
_ACL_NAMED = frozenset({2, 8})
_ACL_GROUP = 4

# [MS-DTYP] 2.4.6, 2.4.2 and 2.4.5: a descriptor's head, a SID's, an ACL's.
_DESCRIPTOR = struct.Struct("<BBHIIII")
_SELF_RELATIVE, _HAS_DACL = 0x8000, 0x0004
_SID_HEAD_BYTES, _SUB_AUTHORITY_BYTES, _MOST_SUB_AUTHORITIES = 8, 4, 15
_DACL_HEAD = struct.Struct("<BBHHH")
_ACE_HEAD = struct.Struct("<BBH")

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]])


def write(found: Mapping[bytes, bytes]) -> bytes:
    """A set as it travels; empty for none."""
    return _encode(sorted(found.items())) if found else b""


def read(written: bytes) -> dict[bytes, bytes]:
    """The attributes of a set; none where it is no set, as only altered rows hold one."""
    try:
        return dict(_decoder.decode(written)) if written else {}
    except msgspec.MsgspecError:
        return {}


def find_fault(written: bytes) -> str | None:
    """What is wrong with a set; None for nothing."""
    if len(written) > MAX_BYTES:
        return f"its attributes have {len(written)} bytes, {MAX_BYTES} are allowed"
    try:
        pairs = _decoder.decode(written)
    except (msgspec.MsgspecError, RecursionError):
        return "its attributes can't be read"
    found = dict(pairs)
    if not found or written != write(found):
        return "its attributes are not in their one form"
    return next(filter(None, (_fault_of(*pair) for pair in pairs)), None)


def _fault_of(name: bytes, value: bytes) -> str | None:
    if not 1 <= len(name) <= MAX_NAME_BYTES or b"\0" in name:
        return f"an attribute has a name of 1 to {MAX_NAME_BYTES} bytes without NUL"
    if name == TIME and read_time(value) is None:
        return "its time is none between the years 1 and 30828"
    if name in (ACL_ACCESS, ACL_DEFAULT) and read_acl(value) is None:
        return "its ACL can't be read"
    if name == WINDOWS_SECURITY and not is_descriptor(value):
        return "its security descriptor can't be read"
    return None


def write_time(time_ns: int) -> bytes:
    """A time for the attribute TIME, brought into the years 1 to 30828."""
    seconds, part = divmod(time_ns, _SECOND_NS)
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        seconds, part = min(max(seconds, _FIRST_SECOND), _LAST_SECOND), 0
    return b"%d.%09d" % (seconds, part)


def read_time(value: bytes) -> int | None:
    """The nanoseconds since 1970 of an attribute TIME; None if it is none."""
    found = _TIME.fullmatch(value)
    if found is None or not _FIRST_SECOND <= int(found[1]) <= _LAST_SECOND:
        return None
    return int(found[1]) * _SECOND_NS + int(found[2])


def time_of(mtime_ns: int, written: bytes) -> int:
    """An entry's time in nanoseconds, the exact one where the wire's could not hold it."""
    if written and TIME in (found := read(written)):
        return read_time(found[TIME]) or mtime_ns
    return mtime_ns


def has_of_windows(written: bytes) -> bool:
    """Whether there is what Windows alone can be given."""
    return bool(written) and any(name.startswith(OF_WINDOWS) for name in read(written))


def has_of_others(written: bytes) -> bool:
    """Whether there is more than a time, and than what Windows alone can be given."""
    return bool(written) and any(
        name != TIME and not name.startswith(OF_WINDOWS) for name in read(written)
    )


def is_descriptor(value: bytes) -> bool:
    """Is it a self-relative security descriptor, of which no part lies outside of it?"""
    if len(value) < _DESCRIPTOR.size:
        return False
    revision, _, control, owner, group, _, dacl = _DESCRIPTOR.unpack_from(value)
    return (
        revision == 1
        and bool(control & _SELF_RELATIVE)
        and all(not at or _is_sid(value, at) for at in (owner, group))
        and (not control & _HAS_DACL or not dacl or _is_dacl(value, dacl))
    )


def _is_sid(value: bytes, at: int) -> bool:
    if not _DESCRIPTOR.size <= at <= len(value) - _SID_HEAD_BYTES or value[at] != 1:
        return False
    count = int(value[at + 1])
    end = at + _SID_HEAD_BYTES + count * _SUB_AUTHORITY_BYTES
    return count <= _MOST_SUB_AUTHORITIES and end <= len(value)


def _is_dacl(value: bytes, at: int) -> bool:
    if not _DESCRIPTOR.size <= at <= len(value) - _DACL_HEAD.size:
        return False
    _, _, size, count, _ = _DACL_HEAD.unpack_from(value, at)
    end, at = at + size, at + _DACL_HEAD.size
    if end > len(value):
        return False
    for _ in range(count):
        if at + _ACE_HEAD.size > end:
            return False
        _, _, length = _ACE_HEAD.unpack_from(value, at)
        if length < _ACE_HEAD.size:
            return False
        at += length
    return bool(at <= end)


def mode_of(mode: int, written: bytes) -> int:
    """The mode to give where ACLs aren't kept: the group's own rights and not the ACL's mask."""
    acl = read(written).get(ACL_ACCESS) if written else None
    for tag, permissions, _ in (read_acl(acl) or ()) if acl else ():
        if tag == _ACL_GROUP:
            return mode & ~0o070 | permissions << 3
    return mode


def read_acl(value: bytes) -> list[tuple[int, int, int]] | None:
    """(tag, permissions, id) of each entry of an ACL as Linux gives it; None if it is none."""
    body = value[_ACL_HEAD.size :]
    if value[: _ACL_HEAD.size] != _ACL_HEAD.pack(_ACL_VERSION) or len(body) % _ACL_ENTRY.size:
        return None
    found = list(_ACL_ENTRY.iter_unpack(body))
    if not all(tag in _ACL_TAGS and permissions <= 7 for tag, permissions, _ in found):
        return None
    return found


def acl_text(value: bytes) -> str:
    """An ACL in the text form that archives hold, users and groups by number."""
    parts = []
    for tag, permissions, who in read_acl(value) or ():
        named = str(who) if tag in _ACL_NAMED else ""
        rights = "".join(
            letter if permissions & bit else "-"
            for letter, bit in zip("rwx", (4, 2, 1), strict=True)
        )
        parts.append(f"{_ACL_TAGS[tag]}:{named}:{rights}")
    return ",".join(parts)
