"""Times as the target's file system keeps them: what it makes of ours is equal to ours."""

from __future__ import annotations

import os
from contextlib import suppress

from agent.platforms import folders

COARSEST_NS = 2 * 10**9
"""The coarsest clock that there is: FAT's."""

_NAME = b".coffre-restore-clock"
_ODD_SECOND_NS = 1_000_000_001 * 10**9 + 999_999_999
# Between these every file system keeps times, if maybe coarsely.
_FIRST_SAFE_NS, _LAST_SAFE_NS = 315_532_800 * 10**9, 2**31 * 10**9

_ticks: dict[int, int] = {}


def is_equal(folder: int, wanted_ns: int, found_ns: int, *, may_try: bool = True) -> bool:
    """Is a time in a folder what its file system makes of the wanted one?

    may_try: find that out by a passing file, where it isn't plain; else whatever may be so is.
    """
    lag_ns = wanted_ns - found_ns
    if 0 <= lag_ns < folders.TICK_NS:
        return True
    if not _FIRST_SAFE_NS <= wanted_ns < _LAST_SAFE_NS:
        return not may_try or _made_of(folder, wanted_ns) == found_ns
    if not 0 < lag_ns < COARSEST_NS:
        return False
    return not may_try or lag_ns < _tick(folder)


def _tick(folder: int) -> int:
    """What the times of a folder's file system are counted in, in ns."""
    device = folders.status(folder).st_dev
    if device not in _ticks:
        _ticks[device] = _ODD_SECOND_NS - _made_of(folder, _ODD_SECOND_NS) + 1
    return _ticks[device]


def _made_of(folder: int, time_ns: int) -> int:
    """What becomes of a time that a file in a folder is given."""
    with suppress(FileNotFoundError):
        folders.remove(_NAME, folder)
    descriptor = folders.new_file(_NAME, folder)
    try:
        with suppress(OverflowError):
            os.utime(descriptor, ns=(time_ns, time_ns))
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
        folders.remove(_NAME, folder)
