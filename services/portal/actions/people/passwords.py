"""Hashing and checking passwords, slowly on purpose and never in the loop."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

import argon2

from libs.shared.shares import Shares
from services.portal.actions.people.turns import Turns

ROOM_EACH = 16
ROOM_IN_ALL = 256


class Passwords:
    """Argon2id in threads, few at a time: each takes 64 MiB and a tenth of a second."""

    def __init__(self, at_once: int = 2, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._turns = Turns(at_once)
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
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(
        self, stored: str | None, password: str, *, source: str = "", is_known: bool = False
    ) -> bool:
        """Whether a password fits what was stored; always False, as slowly, where nothing was.

        source: from where it comes, as what shares the turns; whoever is known has the next one."""
        async with self._turns.take(source, is_known=is_known):
            fits = await asyncio.to_thread(self._verify, stored or self._nobody, password)
        return fits and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
