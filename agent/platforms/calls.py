"""Calls of Windows' own functions, by ctypes: rights, streams, and when anything changed last.

Files are opened for backup: who holds the right to copy all (administrators, the system) reads and
sets what its rights would refuse.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from agent.platforms import ntfs
from agent.platforms.ntfs import NtfsEntry
from libs.shared.attributes import MAX_BYTES, WINDOWS_SECURITY, WINDOWS_STREAM

assert sys.platform == "win32"
import msvcrt  # noqa: E402 - only there
from ctypes import wintypes  # noqa: E402 - the same

_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_advapi = ctypes.WinDLL("advapi32", use_last_error=True)
_kernel.CreateFileW.restype = wintypes.HANDLE
_kernel.CreateFileW.argtypes = (
    *(wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, ctypes.c_void_p, wintypes.DWORD),
    *(wintypes.DWORD, wintypes.HANDLE),
)
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.GetFileInformationByHandleEx.argtypes = (
    *(wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD),
)
_kernel.GetFinalPathNameByHandleW.argtypes = (
    *(wintypes.HANDLE, wintypes.LPWSTR, wintypes.DWORD, wintypes.DWORD),
)
_kernel.GetVolumePathNameW.argtypes = (wintypes.LPCWSTR, wintypes.LPWSTR, wintypes.DWORD)
_kernel.GetCurrentProcess.restype = wintypes.HANDLE
_advapi.GetKernelObjectSecurity.argtypes = (
    *(wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p, wintypes.DWORD),
    ctypes.POINTER(wintypes.DWORD),
)
_advapi.SetKernelObjectSecurity.argtypes = (wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p)
_advapi.OpenProcessToken.argtypes = (
    *(wintypes.HANDLE, wintypes.DWORD, ctypes.POINTER(wintypes.HANDLE)),
)
_advapi.LookupPrivilegeValueW.argtypes = (wintypes.LPCWSTR, wintypes.LPCWSTR, ctypes.c_void_p)
_advapi.AdjustTokenPrivileges.argtypes = (
    *(wintypes.HANDLE, wintypes.BOOL, ctypes.c_void_p, wintypes.DWORD, ctypes.c_void_p),
    ctypes.c_void_p,
)

# winnt.h, winbase.h, minwinbase.h
_LIST, _READ_ATTRIBUTES, _GENERIC_READ = 0x1, 0x80, 0x80000000
_READ_CONTROL, _WRITE_DAC, _WRITE_OWNER = 0x20000, 0x40000, 0x80000
_SHARE_ALL, _OPEN_EXISTING = 7, 3
_FOR_BACKUP, _LINK_ITSELF = 0x02000000, 0x00200000
_BASIC_INFO, _STREAM_INFO, _FOLDER_INFO, _FOLDER_INFO_ANEW = 0, 7, 10, 11
_NO_MORE_FILES, _HANDLE_EOF, _INSUFFICIENT_BUFFER, _MORE_DATA = 18, 38, 122, 234
# Not on this file system: invalid function, not supported, invalid parameter, not implemented.
_NO_SUCH_THING = frozenset({1, 50, 87, 120, 124, _HANDLE_EOF})
_NOT_ALLOWED = frozenset({5, 1300, 1307, 1308, 1314})
_TOKEN_ADJUST_AND_QUERY, _ENABLED = 0x28, 2
_PRIVILEGES = ("SeBackupPrivilege", "SeRestorePrivilege", "SeTakeOwnershipPrivilege")
_BUFFER_BYTES = 64 * 1024
_LONGEST_PATH, _BY_LETTER, _BY_DEVICE = 32_768, 0, 2
_MOST_BYTES = 1024 * 1024


class _Luid(ctypes.Structure):
    _fields_ = [("low", wintypes.DWORD), ("high", wintypes.LONG)]


class _TokenPrivileges(ctypes.Structure):
    _fields_ = [("count", wintypes.DWORD), ("luid", _Luid), ("attributes", wintypes.DWORD)]


class _BasicInfo(ctypes.Structure):
    _fields_ = [
        ("created", ctypes.c_int64),
        ("accessed", ctypes.c_int64),
        ("written", ctypes.c_int64),
        ("changed", ctypes.c_int64),
        ("attributes", wintypes.DWORD),
    ]


def security_of(handle: int) -> bytes:
    """Owner, group and DACL of an open file; empty where its file system has none."""
    asked = ntfs.OWNER | ntfs.GROUP | ntfs.DACL
    needed, size = wintypes.DWORD(), 4096
    while True:
        buffer = ctypes.create_string_buffer(size)
        if _advapi.GetKernelObjectSecurity(handle, asked, buffer, size, ctypes.byref(needed)):
            found = buffer.raw[: needed.value]
            return found if len(found) <= size and ntfs.parts_of(found) else b""
        error = ctypes.get_last_error()
        if error in _NO_SUCH_THING:
            return b""
        if error != _INSUFFICIENT_BUFFER or size >= needed.value:
            raise ctypes.WinError(error)
        size = needed.value


def streams_of(handle: int) -> dict[str, int]:
    """The alternate streams of an open file, with their sizes."""
    return ntfs.streams_of(_asked(handle, _STREAM_INFO) or b"")


def changed_ns(path: str) -> int:
    """When anything of a file changed last, or 0 where that isn't counted."""
    info = _BasicInfo()
    with opened(path, _READ_ATTRIBUTES) as handle:
        if not _kernel.GetFileInformationByHandleEx(
            handle, _BASIC_INFO, ctypes.byref(info), ctypes.sizeof(info)
        ):
            raise ctypes.WinError(ctypes.get_last_error())
    return ntfs.unix_ns(info.changed or info.created)


@contextmanager
def scan(path: str) -> Iterator[Iterator[NtfsEntry]]:
    """What is in a folder."""
    with opened(path, _LIST | _READ_ATTRIBUTES) as handle:
        yield _entries(handle)


def _entries(handle: int) -> Iterator[NtfsEntry]:
    what = _FOLDER_INFO_ANEW
    while (answer := _asked(handle, what)) is not None:
        yield from ntfs.entries_of(answer)
        what = _FOLDER_INFO


def path_of(handle: int) -> str:
    """The path of an open file, in the form that has no limit; of a shadow copy by its device."""
    buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
    if _kernel.GetFinalPathNameByHandleW(handle, buffer, len(buffer), _BY_LETTER):
        return buffer.value
    if _kernel.GetFinalPathNameByHandleW(handle, buffer, len(buffer), _BY_DEVICE):
        return f"\\\\?\\GLOBALROOT{buffer.value}"
    raise ctypes.WinError(ctypes.get_last_error())


def volume_of(path: str) -> str:
    """The volume that a path lies in, such as `C:\\`; raises OSError."""
    buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
    if not _kernel.GetVolumePathNameW(path, buffer, len(buffer)):
        raise ctypes.WinError(ctypes.get_last_error())
    return buffer.value


@contextmanager
def opened(path: str, access: int = _READ_CONTROL) -> Iterator[int]:
    """A file, a folder or a link itself, opened for what is beside its content."""
    handle = _open(path, access)
    try:
        yield handle
    finally:
        _kernel.CloseHandle(handle)


def open_to_read(path: str) -> int:
    """A descriptor to read a file, which others may change, rename and remove meanwhile."""
    handle = _open(path, _GENERIC_READ)
    return msvcrt.open_osfhandle(handle, os.O_RDONLY | os.O_NOINHERIT)


def give_security(path: str, descriptor: bytes) -> bool:
    """Give owner, group and DACL; False if only the DACL could be given.

    As they are: nothing is handed on to what lies below, nor taken from the folder above.
    Raises OSError.
    """
    parts = ntfs.parts_of(descriptor)
    given = ctypes.create_string_buffer(ntfs.to_be_set(descriptor), len(descriptor))
    if parts & ~ntfs.DACL:
        with suppress(PermissionError):
            _set(path, _WRITE_DAC | _WRITE_OWNER, parts, given)
            return True
    if parts & ntfs.DACL:
        _set(path, _WRITE_DAC, ntfs.DACL, given)
    return not parts & ~ntfs.DACL


def _set(path: str, access: int, parts: int, given: ctypes.Array[ctypes.c_char]) -> None:
    with opened(path, access) as handle:
        if not _advapi.SetKernelObjectSecurity(handle, parts, given):
            raise _error(ctypes.get_last_error(), path)


def _open(path: str, access: int) -> int:
    _take_privileges()
    flags = _FOR_BACKUP | _LINK_ITSELF
    handle = _kernel.CreateFileW(path, access, _SHARE_ALL, None, _OPEN_EXISTING, flags, None)
    if handle in (None, ctypes.c_void_p(-1).value):
        raise _error(ctypes.get_last_error(), path)
    return int(handle)


def _error(code: int, path: str) -> OSError:
    error = ctypes.WinError(code)
    if code in _NOT_ALLOWED:
        # Windows has several words for it, of which Python knows one.
        return PermissionError(13, error.strerror, path, code)
    error.filename = path
    return error


def _asked(handle: int, what: int) -> bytes | None:
    """An answer of GetFileInformationByHandleEx; None for no such thing, or no more of it."""
    size = _BUFFER_BYTES
    while True:
        buffer = ctypes.create_string_buffer(size)
        if _kernel.GetFileInformationByHandleEx(handle, what, buffer, size):
            return buffer.raw
        error = ctypes.get_last_error()
        if error == _NO_MORE_FILES or (what == _STREAM_INFO and error in _NO_SUCH_THING):
            return None
        if error not in (_INSUFFICIENT_BUFFER, _MORE_DATA) or size >= _MOST_BYTES:
            raise ctypes.WinError(error)
        size *= 2


@functools.cache
def _take_privileges() -> None:
    """The rights to copy and restore all, where this process may have them."""
    token = wintypes.HANDLE()
    process = _kernel.GetCurrentProcess()
    if not _advapi.OpenProcessToken(process, _TOKEN_ADJUST_AND_QUERY, ctypes.byref(token)):
        return
    for name in _PRIVILEGES:
        wanted = _TokenPrivileges(1, _Luid(), _ENABLED)
        if _advapi.LookupPrivilegeValueW(None, name, ctypes.byref(wanted.luid)):
            _advapi.AdjustTokenPrivileges(token, False, ctypes.byref(wanted), 0, None, None)
    _kernel.CloseHandle(token)


def read(target: int | bytes | str) -> dict[bytes, bytes]:
    """Rights and streams of an open file or of what lies at a path; raises OSError.

    Of a stream that is longer than is kept comes only so much that this shows.
    """
    with ExitStack() as stack:
        if isinstance(target, int):
            handle = msvcrt.get_osfhandle(target)
        else:
            handle = stack.enter_context(opened(os.fsdecode(target)))
        security = security_of(handle)
        found = {WINDOWS_SECURITY: security} if security else {}
        for name in streams_of(handle):
            with open(f"{path_of(handle)}:{name}{ntfs.DATA}", "rb") as stream:
                found[WINDOWS_STREAM + os.fsencode(name)] = stream.read(MAX_BYTES + 1)
    return found


def write_stream(path: str, name: str, content: bytes) -> None:
    """Write an alternate stream."""
    if not {"\\", "/", ":"}.isdisjoint(name):
        # It would lead out of the file.
        raise OSError(errno.EINVAL, "Windows has no such streams", name)
    with open(f"{path}:{name}{ntfs.DATA}", "wb") as stream:
        stream.write(content)
