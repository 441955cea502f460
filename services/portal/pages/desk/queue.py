"""The first page of an operator: what waits, the worst first, with its cause and the next step."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import clock, errors
from libs.shared.events import IncidentDecision
from libs.shared.words.tongue import N_, Explained, Tongue
from services.portal.actions import approvals, desk, incidents
from services.portal.actions.desk import Queue
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.desk.one import CAUSES
from services.portal.pages.operators import UNSETTLED
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.rules.incidents import SEVERITY
from services.portal.store.desk import Waiting

router = APIRouter()

KINDS = {
    "unblock": N_("let the client grow again"),
    "reset": N_("send a new password to {subject}"),
    "reset-factors": N_("send a new password to {subject} and take the second factors away"),
    "close": N_("close the account of {subject}"),
    "promote": N_("make {subject} an administrator"),
    "demote": N_("make {subject} a user without the administrator’s rights"),
    "end": N_("end the subscription now"),
    "look": N_("look into the files, for 24 hours"),
}
_DECISIONS: dict[str, IncidentDecision] = {
    "acknowledge": "acknowledge",
    "snooze": "snooze",
    "note": "note",
    "close": "close",
}
_PROBLEMS = {
    "note-missing": N_("Say why: it stays with the incident."),
    "own-approval": N_("You asked for this yourself: another operator confirms it."),
    "operator-unsettled": UNSETTLED,
    "approval-over": N_("This was answered already, or nobody answered in time."),
    "subscription-state": N_("Not possible in the present state of the subscription."),
}
_MORNING_HOUR = 8
_LONGEST_NOTE = 500


@router.get("/queue")
async def show_queue(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    cause: Annotated[str, Query(max_length=40)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What waits; `cause`: of this alone."""
    chosen = cause if cause in CAUSES else None
    found = await desk.list_queue(resources, operator.at(address), chosen, page)
    tongue = speak(request, operator, "Europe/Paris")
    return render(
        request,
        "queue.html",
        operator,
        queue=found,
        causes=CAUSES,
        kinds=KINDS,
        shown=[one for one in SEVERITY if one in found.counts],
        cause=chosen or "",
        page=page,
        told={one.incident_id: tell(tongue, one) for one in (*found.waiting, *found.in_hand)},
        following=_next_of(found),
        problem=_PROBLEMS.get(problem, ""),
    )


def _next_of(queue: Queue) -> dict[UUID, UUID | None]:
    """By incident, the one below it: where the round goes on."""
    ids = [one.incident_id for one in (*queue.waiting, *queue.in_hand)]
    return dict(zip_longest(ids, ids[1:]))


def tell(tongue: Tongue, one: Waiting) -> Explained:
    """What an incident comes from, and the next step of the hotline, in words."""
    say = tongue.say
    if one.cause in {"failed", "abandoned", "refused", "unusual"}:
        return tongue.explain(one.reason)
    cause, step = {
        "missed": (
            N_("A run was due on {moment}, and none has come since."),
            N_("Call the client: is the machine on, and does its timer start the runs?"),
        ),
        "damage": (
            N_("Stored data was found damaged on {moment}."),
            N_("Check the store's disks, then run the plan again: what is missing is sent anew."),
        ),
        "undeliverable": (
            N_("Mails can't be delivered: {people}."),
            N_("Check the address with the client, and correct who gets the reports."),
        ),
        "parked": (
            N_("A service could not handle an event."),
            N_("Read its error; once the cause is mended, have it handled again."),
        ),
        "waiting": (
            N_("A destruction is due and waits for an operator."),
            N_("See what it waits for, then confirm it or hold it."),
        ),
        "called": (
            N_("An administrator of the client asked to be called about the volume."),
            N_("Call one of the administrators; they see the figures of the contract."),
        ),
        "help": (
            N_("{by} asks for help with a run."),
            N_("Answer by mail or call; the message stands with the run."),
        ),
    }.get(one.cause, (N_("This goes on since {moment}."), N_("Look at the client, then decide.")))
    said = say(
        cause,
        moment=tongue.moment(one.opened_at),
        people=", ".join(one.recipients) or say("see the mail"),
        by=one.asked_by or say("Somebody"),
    )
    return Explained(said, "", "", say(step), "")


@router.post("/queue/{incident_id}/{decision}")
async def decide(
    incident_id: UUID,
    decision: str,
    request: Request,
    operator: Operator,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Takes an incident in hand, puts it off, notes something or closes it; then the next one."""
    if decision not in _DECISIONS:
        raise errors.NotFound
    form = sent.fields
    note = line(form, "note", _LONGEST_NOTE)
    query = {"cause": field(form, "cause")[:40]} if field(form, "cause") else {}
    if not note and decision in {"note", "close"}:
        query["problem"] = "note-missing"
        return RedirectResponse(f"/queue?{urlencode(query)}#i-{incident_id}", 303)
    until = None
    if decision == "snooze":
        until = _read_until(field(form, "days"), speak(request, operator, "Europe/Paris"))
    what = _DECISIONS[decision]
    await incidents.decide(resources.pool, sent.actor, incident_id, what, note, until)
    following = field(form, "next")[:40] if decision != "note" else str(incident_id)
    return RedirectResponse(f"/queue?{urlencode(query)}#i-{following}", 303)


def _read_until(days: str, tongue: Tongue) -> datetime:
    """In the morning, so many days from now."""
    if not (days.isascii() and days.isdecimal() and len(days) < 4 and 1 <= int(days) <= 365):
        raise errors.InvalidRequest("An incident is put off by 1 to 365 days.")
    local = clock.now().astimezone(tongue.zone) + timedelta(days=int(days))
    return local.replace(hour=_MORNING_HOUR, minute=0, second=0, microsecond=0)


@router.post("/approvals/{approval_id}/{answer}")
async def answer_approval(
    approval_id: UUID,
    answer: str,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Confirms what another operator asked for, or declines it."""
    if answer not in {"confirm", "decline"}:
        raise errors.NotFound
    try:
        if answer == "confirm":
            await approvals.confirm(resources, sent.actor, approval_id)
        else:
            await approvals.decline(resources, sent.actor, approval_id)
    except errors.Refusal as refusal:
        if refusal.code not in _PROBLEMS:
            raise
        return RedirectResponse(f"/queue?{urlencode({'problem': refusal.code})}#approvals", 303)
    return RedirectResponse("/queue#approvals", 303)
