"""Why a run failed and what comes next, by reason code: phrases, in English, to be translated."""

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
    "dump-failed": Advice(
        N_("An expected database dump failed or is missing."),
        N_("Check that the database runs and that its password is right; then run again."),
        N_("Read the end of the log; check the database, its password and the room on the disk."),
    ),
    "not-copied-again": Advice(
        N_("The same file could not be copied in three runs in a row."),
        N_("Close the program that holds the file, or take it out of the plan."),
        N_("See with the client which program holds the file, or exclude it."),
    ),
    "abandoned": Advice(
        N_("The machine stopped answering in the middle of the copy."),
        N_("Check that the machine is on and connected; the next run goes on where it was."),
        N_("Check that the machine was not switched off or cut from the network during the run."),
    ),
    "superseded": Advice(
        N_("A newer run of the same plan began before this one had ended."),
        N_("Leave more time between two runs if this comes back."),
        N_("Look whether two agents run the same plan, or whether its rhythm is too tight."),
    ),
}
_UNKNOWN = Advice(N_("The copy could not be completed."), _CALL_US, N_("Read the end of the log."))
_ALIASES = {"suspended": "subscription-suspended", "ended": "subscription-ended"}

_WARNED = N_("Some files were not copied: see the list below. All others are safe.")
_WARNED_STEP = N_("Close the programs that use these files at the hour of the copy, or call us.")


def find_advice(run: RunFinished) -> Advice | None:
    """Returns what to say about a run; None if there is nothing to do."""
    if run.outcome == "succeeded":
        return None
    if run.outcome == "succeeded_with_warnings":
        return Advice(_WARNED, _WARNED_STEP, _WARNED_STEP)
    return ADVICE.get(_ALIASES.get(run.reason_code, run.reason_code), _UNKNOWN)


REASONS: dict[str, str] = {
    "permission-denied": N_("permission denied"),
    "changed": N_("changed while it was read"),
    "vanished": N_("disappeared while it was read"),
    "unreadable": N_("can't be read"),
}
