"""Opening what is walked: the folders that a plan names, and those that a listing named."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from agent.exclusions.rules import CACHE_SIGNATURE, CACHE_TAG
from agent.platforms import folders
from agent.telling import oserrors
from agent.telling.failures import AgentError
from agent.telling.names import shown_absolute
from agent.walking.views import Views
from libs.shared.reasons import Reason

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def open_folder(path: bytes, inode: int | None, views: Views) -> int:
    """Open the folder that a listing named, and no other; OSError where it isn't there any more."""
    views.enter(path, inode)
    if views.begins_at(path):
        inode = None
    descriptor = folders.open_absolute(views.actual(path))
    # Windows' listings name no inodes.
    if inode and folders.status(descriptor).st_ino != inode:
        folders.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "it was replaced while the plan was walked")
    return descriptor


def open_root(root: bytes, views: Views, close: bool = False) -> int:
    """Open a folder that the plan names; close: only to see that it can be. AgentError if not."""
    try:
        descriptor = folders.open_named(views.actual(root))
        if close:
            with folders.scan(descriptor):
                pass
    except OSError as error:
        raise missing(root, error) from error
    if close:
        folders.close(descriptor)
        return -1
    return descriptor


def missing(root: bytes, error: OSError) -> AgentError:
    """What it means that one of the plan's folders can't be reached."""
    place, words = shown_absolute(root), oserrors.words_of(error)
    if error.errno in GONE:
        return AgentError(Reason("folder-missing", place, detail=words))
    return AgentError(Reason("folder-unreadable", place, detail=words))


def is_signed(folder: int) -> bool:
    """Does the folder's CACHEDIR.TAG begin as it must?"""
    try:
        descriptor = folders.open_file(CACHE_TAG, folder)
    except OSError:
        return False
    try:
        return os.read(descriptor, len(CACHE_SIGNATURE)) == CACHE_SIGNATURE
    finally:
        os.close(descriptor)


def outermost(roots: Iterable[bytes]) -> list[bytes]:
    """Of some folders, those that lie in no other of them."""
    kept: list[bytes] = []
    for folder in sorted(roots):
        if not any(outer in (b"", folder) or folder.startswith(outer + b"/") for outer in kept):
            kept.append(folder)
    return kept
