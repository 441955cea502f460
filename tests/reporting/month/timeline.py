"""What happens in a script, in the order in which reporting hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tests.reporting.month.script import Act, Ran, Script


@dataclass(frozen=True)
class Declared:
    """A client is there, with these plans."""

    customer: str
    plans: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """Reporting's jobs have their turns."""


@dataclass(frozen=True)
class Returned:
    """Reporting is there again; what was said meanwhile waits."""


Item = Declared | Act | Ran | Step | Returned


def list_timeline(script: Script) -> list[tuple[datetime, Item]]:
    """Each with when it is heard of; what was said while reporting was down, at its return."""
    found: list[tuple[datetime, int, Item]] = []
    for customer in script.customers:
        by_moment: dict[datetime, list[str]] = {}
        for plan in customer.plans:
            by_moment.setdefault(script.declared_at(plan.name), []).append(plan.name)
        for at, names in by_moment.items():
            found.append((at, 0, Declared(customer.name, tuple(names))))
    found += [(act.at, 1, act) for act in script.acts]
    found += [(ran.at, 2, ran) for ran in script.runs]
    found += [(at, 3, Step()) for at in script.steps]
    found.sort(key=lambda one: one[:2])
    if script.outage is None:
        return [(at, item) for at, _, item in found]
    begins, ends = script.outage
    before = [(at, item) for at, _, item in found if at < begins]
    meanwhile = [item for at, _, item in found if begins <= at < ends]
    after = [(at, item) for at, _, item in found if at >= ends]
    waiting = [(ends, item) for item in meanwhile if not isinstance(item, Step)]
    return [*before, (ends, Returned()), *waiting, *after]
