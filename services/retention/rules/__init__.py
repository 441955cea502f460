"""When something may be forgotten: pure decisions of retention."""

from services.retention.rules.auditing import Disagreement, compare_object
from services.retention.rules.collecting import (
    Limits,
    Need,
    Usage,
    Verdict,
    choose_groups,
    judge_pack,
)
from services.retention.rules.destruction import DESTRUCTION_AFTER, find_destruction_date
from services.retention.rules.expiry import (
    FEW_FILES,
    RunFacts,
    find_cutoff,
    find_unusual,
    is_alive,
)
from services.retention.rules.parts import (
    find_unneeded,
    is_given_up,
)
from services.retention.rules.rhythm import Rhythm
from services.retention.rules.times import MAX_GAP, MAX_STEP, Clocks, find_objections

__all__ = [
    "DESTRUCTION_AFTER",
    "FEW_FILES",
    "MAX_GAP",
    "MAX_STEP",
    "Clocks",
    "Disagreement",
    "Limits",
    "Need",
    "Rhythm",
    "RunFacts",
    "Usage",
    "Verdict",
    "choose_groups",
    "compare_object",
    "find_cutoff",
    "find_destruction_date",
    "find_objections",
    "find_unneeded",
    "find_unusual",
    "is_alive",
    "is_given_up",
    "judge_pack",
]
