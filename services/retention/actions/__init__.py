"""What retention does, in verbs."""

from services.retention.actions.collecting import collect_tenant
from services.retention.actions.collection import (
    Collected,
    Marked,
    MarkOutdated,
    condemn,
    delete,
    forget,
    mark_tenant,
    remove_objects,
    resurrect,
)
from services.retention.actions.expiry import clear_holds, expire_plan, expire_tenant, judge_runs
from services.retention.actions.keeper import Keeper
from services.retention.actions.parts import sweep_parts
from services.retention.actions.repacking import repack
from services.retention.actions.repairing import audit_tenant
from services.retention.actions.scrubbing import scrub_tenant
from services.retention.actions.strays import sweep_strays
from services.retention.actions.times import TimeDoubtful, accept_time, check_time

__all__ = [
    "Collected",
    "Keeper",
    "MarkOutdated",
    "Marked",
    "TimeDoubtful",
    "accept_time",
    "audit_tenant",
    "check_time",
    "clear_holds",
    "collect_tenant",
    "condemn",
    "delete",
    "expire_plan",
    "expire_tenant",
    "forget",
    "judge_runs",
    "mark_tenant",
    "remove_objects",
    "repack",
    "resurrect",
    "scrub_tenant",
    "sweep_parts",
    "sweep_strays",
]
