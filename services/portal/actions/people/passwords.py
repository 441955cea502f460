"""Hashing and checking passwords, slowly on purpose and never in the loop."""

from __future__ import annotations

import asyncio

import argon2


class Passwords:
    """Argon2id in threads, few at a time: each takes 64 MiB and a tenth of a second."""

    def __init__(self, at_once: int = 2, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._turns = asyncio.Semaphore(at_once)
        # What an unknown account is checked against, so that it answers no sooner than a known one.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Returns what may be stored."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Whether a password fits what was stored; always False, as slowly, where nothing was."""
        async with self._turns:
            fits = await asyncio.to_thread(self._verify, stored or self._nobody, password)
        return fits and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
