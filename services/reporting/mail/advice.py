"""What comes after a run that failed, by the code of its reason; translated later."""

from __future__ import annotations

from dataclasses import dataclass

from libs.shared.events import RunFinished


def N_(phrase: str) -> str:  # noqa: N802 - gettext's customary name for "translate this later"
    """Marks a phrase for the catalogue; it is translated where it is shown."""
    return phrase


@dataclass(frozen=True, slots=True)
class Advice:
    """The probable cause, and the next step for the client and for the hotline."""

    cause: str
    client: str
    hotline: str


_CALL_US = N_("Nothing is lost of the earlier restore points. Call us if the next run fails too.")

ADVICE: dict[str, Advice] = {
    "growth-blocked": Advice(
        N_("The volume kept for you has reached its limit, so nothing more can be added."),
        N_("Order more volume or reduce what is copied; recovery of your files goes on."),
        N_("Call the client: order more volume, or reduce; an operator can unblock meanwhile."),
    ),
    "subscription-ended": Advice(
        N_("The subscription has ended, so copies are not accepted any more."),
        N_("Call us if this is a mistake: the end can be taken back for 30 days."),
        N_("Check the subscription; if the end was meant, remove the agent from the machine."),
    ),
    "subscription-suspended": Advice(
        N_("The subscription is suspended, so copies are not accepted for the moment."),
        N_("Call us to settle what is open; nothing is deleted meanwhile."),
        N_("Check the account of the client; lift the suspension once it is settled."),
    ),
    "folder-missing": Advice(
        N_("A folder of the plan is no longer there, or its disk is not mounted."),
        N_("Check that the folder and its disk are there, or correct the plan; then run again."),
        N_("Check the disk or the network drive of the machine, then run the plan again."),
    ),
    "folder-swapped": Advice(
        N_("Where a folder of the plan held files, another, empty folder is now."),
        N_("Check that its disk is mounted; if it is right so, have the run accept it once."),
        N_("Check the mounts of the machine; if it is right so, run once with --accept-empty."),
    ),
    "source-empty": Advice(
        N_("Far fewer files were found than the plan expects, so none was taken for removed."),
        N_("Check that the folder and its disk are there; if it is right so, correct the plan."),
        N_("Check the mounts of the machine; if it is right so, lower the plan's minimum."),
    ),
    "incomplete": Advice(
        N_("Not everything that the plan promises was copied: files again and again, or a dump."),
        N_("See below what is missing; close the program that holds it, or correct the plan."),
        N_("See below what is missing; find the program that holds it, or exclude the file."),
    ),
    "dump-failed": Advice(
        N_("A database could not be dumped; its last good dump is kept, and all else was copied."),
        N_("See below which one and why; have the database looked at, then run again."),
        N_("See below which one and why; check the database and its access, then run again."),
    ),
    "hook-failed": Advice(
        N_("A program that must run before the copy did not end well, so nothing was copied."),
        N_("Have the program looked at by whoever looks after the machine, then run again."),
        N_("Read the end of the log for what the program said, mend it, then run again."),
    ),
    "abandoned": Advice(
        N_("The machine stopped answering in the middle of the copy."),
        N_("Check that the machine is on and connected; the next run goes on where it was."),
        N_("Check that the machine was not switched off or cut from the network during the run."),
    ),
    "interrupted": Advice(
        N_("The copy was stopped on the machine: by a person, or because it was shut down."),
        N_("Nothing, if that was meant; the next run goes on where it was."),
        N_("Ask whether it was meant; the next run goes on where it was."),
    ),
    "not-authorised": Advice(
        N_("The machine's access was withdrawn or has been replaced."),
        N_("Enrol the machine again with a new code from us."),
        N_("Check whether the agent was revoked; give the client a new enrolment code."),
    ),
}
_UNKNOWN = Advice(N_("The copy could not be completed."), _CALL_US, N_("Read the end of the log."))

_WARNED = N_("Some files were not copied: see the list below. All others are safe.")
_LOOK = N_("All files were copied, and yet something needs a look: a database, or a program.")
_LOOK_STEP = N_("See the databases below, and the run's log on the machine, or call us.")
_TOLD = N_("All files were copied, and yet the machine warns of something: see below of what.")
_TOLD_STEP = N_("Below each warning stands what to do; call us if that does not help.")
_WARNED_STEP = N_("Close the programs that use these files at the hour of the copy, or call us.")


def find_advice(run: RunFinished) -> Advice | None:
    """Returns what to say about a run; None if there is nothing to do."""
    if run.outcome == "succeeded":
        return None
    if run.outcome == "succeeded_with_warnings":
        if run.files_not_copied == 0 and run.warnings:
            return Advice(_TOLD, _TOLD_STEP, _TOLD_STEP)
        if run.files_not_copied == 0:
            return Advice(_LOOK, _LOOK_STEP, _LOOK_STEP)
        return Advice(_WARNED, _WARNED_STEP, _WARNED_STEP)
    return _UNKNOWN if run.reason is None else ADVICE.get(run.reason.code, _UNKNOWN)
