"""What a report tells of all that went wrong: the causes, and the next steps of its reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from libs.shared.events import RunFinished
from libs.shared.reasons import Reason
from libs.shared.words.foreign import inert
from libs.shared.words.tongue import N_, Tongue

_FEW_STEPS = 3

_MISSED = N_("Some files were not backed up: see the list below. All others are safe.")
_MISSED_STEP = N_("Close the programs that use these files at the hour of the backup, or call us.")
_WARNED = N_("All files were backed up, and yet the machine warns of something: see below of what.")
_WARNED_STEP = N_("Below each warning stands what to do; call us if that does not help.")
_LOOK = N_("All files were backed up, and yet something needs a look: a database, or a program.")
_LOOK_STEP = N_("See the databases below, and the run's log on the machine, or call us.")


@dataclass(frozen=True, slots=True)
class CauseWords:
    """A cause with its reader's next step; detail: foreign words, for a technician."""

    cause: str
    step: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Teller:
    """Explains to one reader: a client, or the hotline."""

    tongue: Tongue
    hotline: bool

    def explain(self, reason: Reason | None, *, is_folder: bool = False) -> CauseWords:
        """Explains one reason; None: something failed, and no more is known."""
        if reason is not None:
            reason = replace(reason, subject=inert(reason.subject), detail=inert(reason.detail))
        found = self.tongue.explain(reason, is_folder=is_folder)
        return CauseWords(
            found.cause, found.hotline if self.hotline else found.client, found.detail
        )

    def explain_run(self, run: RunFinished) -> CauseWords | None:
        """Explains a run as a whole; None if there is nothing to do."""
        say = self.tongue.say
        if run.outcome == "succeeded":
            return None
        if run.outcome == "failed":
            return self.explain(run.reason)
        if run.files_not_copied:
            steps = self._list_steps(each.reason for each in run.not_copied)
            return CauseWords(say(_MISSED), steps or say(_MISSED_STEP))
        if run.warnings:
            return CauseWords(say(_WARNED), say(_WARNED_STEP))
        steps = self._list_steps(dump.reason for dump in run.dumps if dump.reason)
        return CauseWords(say(_LOOK), steps or say(_LOOK_STEP))

    def _list_steps(self, reasons: Iterable[Reason]) -> str:
        """Joins the next steps of the first few codes; a step of many codes is said once."""
        steps: dict[str, str] = {}
        for reason in reasons:
            if reason.code not in steps:
                steps[reason.code] = self.explain(reason).step
        return " ".join(list(dict.fromkeys(steps.values()))[:_FEW_STEPS])
