"""Which line of the menu a page belongs to."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.portal.pages import navigation
from services.portal.rules.people import Person

PLAN = "/plans/5d0c5a0e-8d3e-4c0e-9a55-2f1b6f7f0c11"
ANNE = Person(UUID(int=1), UUID(int=2), "administrator", "Anne", "anne@a.example", "fr")


@pytest.mark.parametrize(
    ("here", "lit"),
    [
        ("/", "Backups"),
        (PLAN, "Backups"),
        (f"{PLAN}/runs/7", "Backups"),
        (f"{PLAN}/changes", "Backups"),
        (f"{PLAN}/files", "Recover"),
        (f"{PLAN}/file", "Recover"),
        (f"{PLAN}/versions", "Recover"),
        (f"{PLAN}/selection", "Recover"),
        ("/search", "Recover"),
        ("/selection", "Recover"),
        ("/machines/5/revoke", "Machines"),
        ("/overage", "Contract"),
        ("/account/sessions", "Account"),
        ("/people", "Account"),
        ("/log", "Account"),
    ],
)
def test_a_page_lights_one_line_of_the_menu(here: str, lit: str) -> None:
    menu = navigation.entries_of(ANNE, recovers=True)
    assert [entry.name for entry in (*menu, navigation.ACCOUNT) if entry.is_at(here)] == [lit]
