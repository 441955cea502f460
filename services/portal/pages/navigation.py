"""Where a reader can go from every page: one line for each place."""

from __future__ import annotations

from dataclasses import dataclass

from libs.shared.words.tongue import N_
from services.portal.rules.people import Person


@dataclass(frozen=True)
class Entry:
    """A link of the menu; below: addresses of other pages that belong to it."""

    path: str
    name: str
    below: tuple[str, ...] = ()
    for_administrators: bool = False

    def is_at(self, here: str) -> bool:
        """Whether the page at `here` belongs to this entry."""
        return here == self.path or any(
            here.startswith(place)
            for place in (f"{self.path.rstrip('/')}/", *self.below)
            if place != "/"
        )


CLIENTS = (
    Entry("/", N_("Backups"), ("/plans",)),
    Entry("/search", N_("Recover")),
    Entry("/machines", N_("Machines"), for_administrators=True),
    Entry("/volume", N_("Volume"), for_administrators=True),
    Entry("/reports", N_("Reports"), for_administrators=True),
    Entry("/orders", N_("Contract"), ("/overage",), for_administrators=True),
)
"""What people of a client company have before them."""

OPERATORS = (Entry("/clients", N_("Clients")),)
"""What operators have before them, the daily round first."""


def entries_of(person: Person | None) -> list[Entry]:
    """The menu of one reader; nobody has one before signing in."""
    if person is None:
        return []
    if person.is_operator:
        return list(OPERATORS)
    is_administrator = person.role == "administrator"
    return [entry for entry in CLIENTS if is_administrator or not entry.for_administrators]
