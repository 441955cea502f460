"""How long whoever needs broker or database waits between tries, and what of it is told."""

from __future__ import annotations

import asyncio

from libs.shared import logs

_PAUSE_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Retries:
    """Waits longer with each try that failed; told of the first, the tenth, and some after."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._tries = 0

    def reset(self) -> None:
        """Something went well: the next trouble is the first again."""
        self._tries = 0

    async def wait(self, trouble: Exception) -> None:
        """Waits out a trouble."""
        pause = _PAUSE_SECONDS[min(self._tries, len(_PAUSE_SECONDS) - 1)]
        self._tries += 1
        if self._tries in (1, 10) or self._tries % 60 == 0:
            logs.get().warning(self._event, why=str(trouble), tries=self._tries)
        await asyncio.sleep(pause)
