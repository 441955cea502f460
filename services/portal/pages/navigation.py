"""Where a reader can go from every page: one line for each place."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.shared.words.tongue import N_
from services.portal.rules.log.chain import Actor
from services.portal.rules.operators import may_code
from services.portal.rules.people import Person

_OF_FILES = frozenset({"file", "files", "selection", "versions"})
"""What the pages of a plan's files are called."""


@dataclass(frozen=True)
class MenuEntry:
    """A link of the menu; below: addresses of other pages that belong to it.

    is_for_files: pages of a plan's files belong to it, and not to the entry of its plan.
    leaves: the act of an operator's page, which only some duties may do.
    """

    path: str
    name: str
    below: tuple[str, ...] = ()
    for_administrators: bool = False
    leaves: str = ""
    is_for_recovery: bool = False
    is_for_files: bool = False

    def is_at(self, here: str) -> bool:
        """Whether the page at `here` belongs to this entry."""
        if here.startswith("/plans/") and not _OF_FILES.isdisjoint(here.split("/")[3:4]):
            return self.is_for_files
        return here == self.path or any(
            here.startswith(place)
            for place in (f"{self.path.rstrip('/')}/", *self.below)
            if place != "/"
        )


CLIENTS = (
    MenuEntry("/", N_("Backups"), ("/plans",)),
    MenuEntry("/search", N_("Recover"), ("/selection",), is_for_recovery=True, is_for_files=True),
    MenuEntry("/machines", N_("Machines"), for_administrators=True),
    MenuEntry("/volume", N_("Volume"), for_administrators=True, is_for_recovery=True),
    MenuEntry("/reports", N_("Reports"), for_administrators=True),
    MenuEntry("/orders", N_("Contract"), ("/overage",), for_administrators=True),
)
"""What people of a client company have before them."""

ACCOUNT = MenuEntry("/account", N_("Account"), ("/people", "/log", "/documents", "/password"))
"""What people see of themselves and of their company, behind their name."""

OPERATORS = (
    MenuEntry("/queue", N_("To look after")),
    MenuEntry("/clients", N_("Clients")),
    MenuEntry("/overages", N_("Overages")),
    MenuEntry("/notices", N_("Notices")),
    MenuEntry("/billing", N_("Billing"), ("/prices",), leaves="billing-viewed"),
    MenuEntry("/destructions", N_("Destructions")),
    MenuEntry("/parked", N_("Parked events"), leaves="parked-listed"),
    MenuEntry("/operators", N_("Operators"), leaves="operators-listed"),
)
"""What operators have before them, the daily round first."""


def home_of(actor: Actor) -> str:
    """What the addresses of a client's pages begin with; operators have them below the client."""
    return f"/clients/{actor.tenant_id}" if actor.duty else ""


def pages_of(actor: Actor, plan_id: UUID) -> str:
    """Where the pages of a plan are; operators have them among those of its client."""
    return f"{home_of(actor)}/plans/{plan_id}"


def entries_of(person: Person | None, *, recovers: bool) -> list[MenuEntry]:
    """The menu of one reader; nobody has one before signing in.

    recovers: whether a client's subscription lets its people have files back.
    """
    if person is None:
        return []
    if person.is_operator:
        return [one for one in OPERATORS if not one.leaves or may_code(person.duty, one.leaves)]
    is_administrator = person.role == "administrator"
    return [
        entry
        for entry in CLIENTS
        if (is_administrator or not entry.for_administrators)
        and (recovers or not entry.is_for_recovery)
    ]
