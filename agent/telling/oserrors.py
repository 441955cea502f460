"""What an error of the system means, as a reason."""

from __future__ import annotations

import errno

from libs.shared.reasons import Reason

_BY_ERRNO = {
    errno.EACCES: Reason("permission-denied"),
    errno.EPERM: Reason("permission-denied"),
    errno.ENOENT: Reason("vanished"),
    errno.ENOTDIR: Reason("vanished"),
    errno.EBUSY: Reason("in-use"),
    errno.ETXTBSY: Reason("in-use"),
    errno.EIO: Reason("disk-error"),
    errno.ENOSPC: Reason("disk-full"),
    errno.EDQUOT: Reason("disk-full"),
    errno.EROFS: Reason("read-only"),
    errno.ESTALE: Reason("network-drive-gone"),
    errno.EHOSTDOWN: Reason("network-drive-gone"),
    errno.EHOSTUNREACH: Reason("network-drive-gone"),
    errno.ENETUNREACH: Reason("network-drive-gone"),
    errno.ENOTCONN: Reason("network-drive-gone"),
    errno.ECONNRESET: Reason("network-drive-gone"),
    errno.ETIMEDOUT: Reason("network-drive-gone"),
}
# Windows says "permission denied" of what another program has locked.
_SHARING_VIOLATION, _LOCK_VIOLATION = 32, 33


def words_of(error: OSError) -> str:
    """What the system says of it."""
    return error.strerror or str(error) or type(error).__name__


def reason_of(error: OSError) -> Reason:
    """Why a file or folder can't be had."""
    if getattr(error, "winerror", 0) in (_SHARING_VIOLATION, _LOCK_VIOLATION):
        return Reason("in-use")
    return _BY_ERRNO.get(error.errno or 0) or Reason("unreadable", detail=words_of(error))
