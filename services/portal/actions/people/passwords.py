"""Hashing and checking passwords, slowly on purpose and never in the loop."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext

import argon2

from libs.shared.shares import Shares
from services.portal.actions.people.turns import Turns

ROOM_EACH = 16
ROOM_IN_ALL = 256
_NICER = 10
"""By so much threads that hash step back: pages that others wait for go first."""


class Passwords:
    """Argon2id in threads, few at a time: each takes 64 MiB and a tenth of a second."""

    def __init__(self, at_once: int = 2, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._turns = Turns(at_once)
        self._threads = ThreadPoolExecutor(at_once, "passwords", _step_back)
        self._room = Shares("sign-in", most=ROOM_EACH, total=ROOM_IN_ALL)
        # What an unknown account is checked against, so that it answers no sooner than a known one.
        self._nobody = self._hasher.hash("nobody has this password")

    def room(self, source: str, *, is_known: bool) -> AbstractAsyncContextManager[None]:
        """Room to have a password compared: for who is not known there is only so much.

        Raises ShareUsed, or Unavailable where others have it all."""
        return nullcontext() if is_known else self._room.hold(source, wait_seconds=0)

    async def hash(self, password: str) -> str:
        """Returns what may be stored, for somebody who is known."""
        async with self._turns.take("", is_known=True):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._hasher.hash, password)

    async def is_right(
        self, stored: str | None, password: str, *, source: str = "", is_known: bool = False
    ) -> bool:
        """Whether a password fits what was stored; always False, as slowly, where nothing was.

        source: from where it comes, as what shares the turns; whoever is known has the next one."""
        async with self._turns.take(source, is_known=is_known):
            fits = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._verify, stored or self._nobody, password
            )
        return fits and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _step_back() -> None:
    # Linux gives each thread a priority of its own, which those that argon2 starts inherit.
    mine = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, mine) + _NICER
    os.setpriority(os.PRIO_PROCESS, mine, min(niceness, 19))
