"""What retention does, in verbs."""

from services.retention.actions.expiry import clear_holds, expire_plan, expire_tenant, judge_runs
from services.retention.actions.keeper import Keeper
from services.retention.actions.times import TimeDoubtful, accept_time, check_time

__all__ = [
    "Keeper",
    "TimeDoubtful",
    "accept_time",
    "check_time",
    "clear_holds",
    "expire_plan",
    "expire_tenant",
    "judge_runs",
]
