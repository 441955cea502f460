"""Machines of clients, and their runs where nothing is really copied: figures as of a true one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from agent import __version__
from devstack.provider.cast import DAYS, GB, Company, Machine, Plan
from devstack.provider.house import House
from devstack.provider.rhythm import Turn
from libs.shared import database, outbox
from libs.shared.catalogue import volumes
from libs.shared.events import Counted, DumpCounted, DumpResult, NotCopied, RunFinished
from libs.shared.reasons import Reason

SENT_A_SECOND = 9_000_000
WALKED_A_SECOND = 3_500
LONGEST_SECONDS = 3_000
_UNCOPIED = ("Outlook/archive.pst", "Partagé/~$planning.xlsx", "Devis/2026/devis en cours.docx")
_LOG = "{at:%H:%M:%S} {plan}: {text}\n"


@dataclass
class Standing:
    """What a plan has come to: its machine's identity, its newest run."""

    agent_id: UUID
    token: str
    chunk_key: bytes
    plan_id: UUID
    number: int = 0
    files: int = 0
    size_bytes: int = 0


@dataclass
class Growth:
    """What a client's volume was last told of: the day, and what came to be protected since."""

    days_left: int = -1
    protected_bytes: int = 0


@dataclass(frozen=True)
class _Figures:
    """A restore point beside the one before."""

    files: int
    new: int
    changed: int
    removed: int
    size_bytes: int
    new_bytes: int
    packed_bytes: int
    renamed: int = 0
    ending: str = ""


async def enrol(house: House, company: Company, machine: Machine) -> list[Standing]:
    """A machine joins by the code that an operator made for it, and declares its plans."""
    where = f"/tenants/{company.tenant_id}/enrolments"
    code = (await house.ask("POST", where, {"label": machine.hostname}))["code"]
    await house.settle()
    told = {
        "code": code,
        "hostname": machine.hostname,
        "platform": machine.platform,
        "agent_version": __version__,
    }
    enrolled = await house.tell("POST", "/v1/enrolments", json=told)
    found = []
    for plan in machine.plans:
        declaration = {
            "folders": plan.folders,
            "exclude": [],
            "schedule": plan.schedule,
            "timezone": "Europe/Paris",
            "dumps": plan.dumps,
            "recipients": [company.administrator.email],
        }
        where = f"/v1/plans/{plan.name}"
        declared = await house.tell("PUT", where, enrolled["token"], json=declaration)
        found.append(
            Standing(
                UUID(enrolled["agent_id"]),
                enrolled["token"],
                bytes.fromhex(enrolled["chunk_key"]),
                UUID(declared["plan_id"]),
            )
        )
    await house.settle()
    return found


async def finish(house: House, standing: Standing, turn: Turn, volume: Growth) -> None:
    """A run ends as it is fated."""
    standing.number += 1
    figures = _find_figures(standing, turn)
    is_good = turn.fate not in {"failed", "blocked"}
    run = _tell(standing, turn, figures) if is_good else _tell_failure(standing, turn)
    tenant_id = turn.company.tenant_id
    if is_good:
        volume.protected_bytes += figures.size_bytes - standing.size_bytes
        standing.files, standing.size_bytes = figures.files, figures.size_bytes
    async with database.transaction(house.pools["ingest"]) as conn:
        held = await volumes.read(conn, tenant_id)
        # Once a day: what each run adds is told by its own figures.
        if is_good and volume.days_left != turn.days_left:
            stored = round(turn.company.stored_gb(turn.days_left) * GB)
            held = await volumes.change(
                conn, tenant_id, stored - held.stored_bytes, volume.protected_bytes
            )
            volume.days_left, volume.protected_bytes = turn.days_left, 0
        await outbox.add(conn, run.model_copy(update={"stored_bytes": held.stored_bytes}))


def _find_figures(standing: Standing, turn: Turn) -> _Figures:
    plan, chance, company = turn.plan, turn.chance, turn.company
    share = company.stored_gb(turn.days_left) / company.stored_gb(0)
    files = max(len(plan.dumps), round(plan.files * share))
    size_bytes = round(plan.size_gb * GB * share * chance.uniform(0.998, 1.002))
    if not standing.files:
        return _Figures(files, files, 0, 0, size_bytes, size_bytes, round(size_bytes * 0.62))
    if plan.dumps:
        packed = round(size_bytes * 0.11)
        return _Figures(files, 0, files, 0, size_bytes, size_bytes // 4, packed // 4)
    if turn.fate == "emptied":
        gone = round(standing.files * 0.58)
        left = round(standing.size_bytes * 0.47)
        return _Figures(standing.files - gone, 0, 0, gone, left, 0, 0)
    if turn.fate == "encrypted":
        hit = round(standing.files * 0.83)
        new_bytes = round(standing.size_bytes * 0.83)
        packed = round(new_bytes * 0.997)
        return _Figures(
            standing.files, hit, 0, hit, standing.size_bytes, new_bytes, packed, hit, ".lockbit"
        )
    # As after a purge: what is gone doesn't come back within days.
    files = min(files, round(standing.files * 1.01) + 20)
    size_bytes = min(size_bytes, round(standing.size_bytes * 1.01) + GB // 10)
    pace = plan.busy / 1000 * chance.uniform(0.5, 1.5) * (0.1 if turn.at.weekday() > 4 else 1)
    removed = round(files * pace * 0.06)
    changed = round(files * pace)
    new = max(0, files - standing.files + removed)
    files = standing.files + new - removed
    each = size_bytes / max(files, 1)
    new_bytes = round((changed * 0.4 + new) * each)
    return _Figures(
        files, new, changed, removed, size_bytes, new_bytes, round(new_bytes * 0.61)
    )  # fmt: skip


def _tell(standing: Standing, turn: Turn, figures: _Figures) -> RunFinished:
    plan = turn.plan
    is_warned = turn.fate == "warned"
    seconds = 12 + figures.files / WALKED_A_SECOND + figures.packed_bytes / SENT_A_SECOND
    dumps = tuple(DumpResult(name=n, succeeded=True, guaranteed=True, size_bytes=s) for n, s in (
        (name, figures.size_bytes // len(plan.dumps)) for name in plan.dumps))  # fmt: skip
    return RunFinished(
        **_common(standing, turn),
        outcome="succeeded_with_warnings" if is_warned else "succeeded",
        finished_at=turn.at + timedelta(seconds=min(seconds, LONGEST_SECONDS)),
        files_total=figures.files,
        files_new=figures.new,
        files_changed=figures.changed,
        files_removed=figures.removed,
        files_not_copied=int(is_warned),
        bytes_protected=figures.size_bytes,
        bytes_sent=figures.packed_bytes,
        stored_bytes=0,
        restore_point=True,
        counted=Counted(
            files_total=figures.files,
            files_new=figures.new,
            files_changed=figures.changed,
            files_removed=figures.removed,
            bytes_protected=figures.size_bytes,
            bytes_replaced=figures.new_bytes,
            new_bytes=figures.new_bytes,
            packed_bytes=figures.packed_bytes,
            ending=figures.ending,
            files_renamed=figures.renamed,
            dumps=tuple(
                DumpCounted(name=one.name, size_bytes=one.size_bytes, is_same=False)
                for one in dumps
            ),
        ),
        not_copied=(_find_uncopied(turn.chance, plan),) if is_warned else (),
        dumps=dumps,
        log_tail=_write_log(turn, f"{figures.files} fichiers, {figures.packed_bytes} octets"),
    )


def _tell_failure(standing: Standing, turn: Turn) -> RunFinished:
    reason, dumps = _find_reason(turn)
    seconds = {"server-unreachable": 900, "dump-failed": 240}.get(reason.code, 6)
    return RunFinished(
        **_common(standing, turn),
        outcome="failed",
        reason=reason,
        finished_at=turn.at + timedelta(seconds=seconds),
        files_total=0, files_new=0, files_changed=0, files_removed=0, files_not_copied=0,
        bytes_protected=0, bytes_sent=0, stored_bytes=0,
        restore_point=False,
        dumps=dumps,
        log_tail=_write_log(turn, reason.code),
    )  # fmt: skip


def _common(standing: Standing, turn: Turn) -> dict[str, Any]:
    return {
        "tenant_id": turn.company.tenant_id,
        "run_id": uuid4(),
        "plan_id": standing.plan_id,
        "plan_name": turn.plan.name,
        "agent_id": standing.agent_id,
        "hostname": turn.machine.hostname,
        "number": standing.number,
        "started_at": turn.at,
    }


def _find_reason(turn: Turn) -> tuple[Reason, tuple[DumpResult, ...]]:
    plan, company = turn.plan, turn.company
    if turn.fate == "blocked":
        held = round(company.stored_gb(turn.days_left) * GB)
        return Reason("growth-blocked", amount=held, limit=held), ()
    if plan.dumps and (company.story == "dump-failing" or turn.chance.random() < 0.6):
        name = plan.dumps[0]
        said = f'pg_dump: error: connection to database "{name}" failed: FATAL: too many clients'
        why = Reason("dump-program-failed", "pg_dump", 1, detail=said)
        dump = DumpResult(name=name, succeeded=False, guaranteed=False, size_bytes=0, reason=why)
        return Reason("dump-failed", name, 1), (dump,)
    if plan.folders and company.story == "failing" and turn.days_left < DAYS // 10:
        gone = r"[Errno 2] No such file or directory"
        return Reason("folder-missing", plan.folders[0], detail=gone), ()
    return turn.chance.choice(_REASONS), ()


_REASONS = (
    Reason("server-unreachable", "sauvegarde.coffre.example", limit=900, detail="timed out"),
    Reason("server-unreachable", "sauvegarde.coffre.example", limit=900, detail="No route to host"),
    Reason("interrupted", "SIGTERM"),
    Reason("hook-failed", "/etc/coffre/avant.sh", 1),
)


def _find_uncopied(chance: random.Random, plan: Plan) -> NotCopied:
    code = chance.choice(("in-use", "changed-while-read", "permission-denied"))
    path = "/".join((plan.folders[0], chance.choice(_UNCOPIED)))
    return NotCopied(path=path.lstrip("/"), reason=Reason(code))


def _write_log(turn: Turn, text: str) -> str:
    began = turn.at
    return "".join(
        _LOG.format(at=began + timedelta(seconds=seconds), plan=turn.plan.name, text=said)
        for seconds, said in ((0, "début"), (2, "lecture des dossiers"), (5, text))
    )
