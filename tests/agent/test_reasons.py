"""What systems and servers say, as reasons."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from agent.restore import collisions
from agent.telling import failures, oserrors, sentences
from agent.telling.counters import Missed
from agent.telling.failures import Problem
from libs.shared.reasons import CODES, Reason


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "permission-denied"),
        (errno.EPERM, "permission-denied"),
        (errno.ENOENT, "vanished"),
        (errno.EBUSY, "in-use"),
        (errno.EIO, "disk-error"),
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "read-only"),
        (errno.ESTALE, "network-drive-gone"),
        (errno.EMFILE, "unreadable"),
        (None, "unreadable"),
    ],
)
def test_an_error_of_the_system_is_a_code(number: int | None, code: str) -> None:
    error = OSError("strange") if number is None else OSError(number, os.strerror(number))
    reason = oserrors.reason_of(error)
    words = {None: "strange", errno.EMFILE: "Too many open files"}.get(number, "")
    assert reason == Reason(code, detail=words)
    assert {"file", "unrestored"} <= set(CODES[reason.code].kinds)


def test_what_windows_says_of_locked_files_and_of_symlinks() -> None:
    """Both come as other errors, told apart by numbers of Windows' own."""
    locked = PermissionError(errno.EACCES, "Permission denied")
    locked.winerror = 32  # type: ignore[attr-defined]  # as there
    assert oserrors.reason_of(locked) == Reason("in-use")
    link = OSError(errno.EINVAL, "Invalid argument")
    assert collisions.reason_of(b"x", link) == Reason("name-unsupported")
    link.winerror = 1314  # type: ignore[attr-defined]  # as there
    assert collisions.reason_of(b"x", link) == Reason("links-forbidden")


def test_a_folder_and_what_is_in_it_are_told_apart() -> None:
    denied = Reason("permission-denied")
    assert Missed(denied).sentence == "permission denied"
    folder = Missed(denied, is_folder=True)
    assert folder.sentence == "the folder can't be read: permission denied"


def problem(status: int, code: str, **members: Any) -> Problem:
    document = {"type": f"urn:coffre:problem:{code}", "detail": "A sentence.", **members}
    return Problem(status, document)


def test_a_refusal_that_ends_a_run_brings_its_reason() -> None:
    blocked = Reason("growth-blocked", amount=10, limit=5, detail="unpaid")
    failure = failures.final(problem(507, "growth-blocked", reason=blocked.as_dict()), "Enrol.")
    assert failure.reason == blocked
    assert failure.exit_code == failures.GROWTH_BLOCKED
    assert str(failure) == sentences.in_full(blocked)
    assert sentences.with_sentence(blocked, str(failure)) == {
        **blocked.as_dict(),
        "sentence": str(failure),
    }


@pytest.mark.parametrize("told", [None, "a sentence", {"code": "growth-blocked"}, {"code": 5}, []])
def test_any_other_refusal_is_named_by_its_own_code(told: object) -> None:
    failure = failures.final(problem(409, "entry-invalid", reason=told), "Enrol.")
    assert failure.reason == Reason("server-refused", "entry-invalid", 409, detail="A sentence.")
    assert str(failure) == "A sentence."
    assert Problem(500, {}).reason.subject == "http-500"


def test_who_is_not_known_is_told_what_to_do() -> None:
    failure = failures.final(problem(401, "unauthenticated"), "Enrol.")
    assert failure.reason == Reason("not-authorised", detail="A sentence.")
    assert str(failure) == "A sentence. Enrol."
