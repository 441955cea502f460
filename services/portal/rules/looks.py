"""Looks of operators into a client's files: said why, for a while, in the client's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.shared import errors
from libs.shared.events import DumpResult
from services.portal.rules.approvals import LIFE

HOURS = LIFE // timedelta(hours=1)
"""So long a look is open."""


@dataclass(frozen=True)
class Look:
    """How far a client's files are open to an operator.

    takes_two: another one has to confirm it, names of files as well. until: when an open look is
    over, None where there is none. reason: what the client reads of it.
    """

    takes_two: bool
    until: datetime | None
    reason: str

    def check_names(self) -> None:
        """Raises LookNotConfirmed where even the names are shut."""
        if self.takes_two and self.until is None:
            raise LookNotConfirmed

    def check_contents(self) -> None:
        """Raises LookNotConfirmed, LookNotOpened: nobody reads a file without saying why."""
        self.check_names()
        if self.until is None:
            raise LookNotOpened


def hide_paths(dumps: Sequence[DumpResult]) -> list[DumpResult]:
    """Dumps as those read them to whom names of files are shut.

    A database that was open and without a dump is told of by the path of its file.
    """
    return [
        one.model_copy(update={"name": "", "reason": one.reason.without_details()})
        if one.reason is not None and one.reason.code == "database-file"
        else one
        for one in dumps
    ]


class LookNotConfirmed(errors.Refusal):
    """Here it takes a second operator to see a client's files, be it their names."""

    code = "look-not-confirmed"
    status = 403
    title = "Another operator has to confirm this"

    @property
    def detail(self) -> str:
        return (
            "Ask for a look into this client's files: once another operator has confirmed it, they"
            f" are open to you for {HOURS} hours."
        )


class LookNotOpened(errors.Refusal):
    """Contents are shut until an operator says why they look."""

    code = "look-not-opened"
    status = 403
    title = "Say first why you look into this client's files"

    @property
    def detail(self) -> str:
        return (
            "Open a look into this client's files, with a reason that the client reads: they are"
            f" open to you for {HOURS} hours then."
        )
