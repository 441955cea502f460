"""What the documents tell operators to do can be done."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from libs.shared.database import SERVICES

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    if page.parent.name != "decisions"  # they tell of what was so then
]
OF_ALL = {"serve", "migrate", "events", "event-key", "clock"}


@pytest.mark.parametrize("service", SERVICES)
def test_each_command_of_a_service_that_is_told_is_offered(service: str) -> None:
    told = {
        word
        for page in PAGES
        for word in re.findall(rf"python -m services\.{service} ([a-z][a-z-]*)", page.read_text())
    }
    commands = importlib.import_module(f"services.{service}.commands").COMMANDS
    assert told <= OF_ALL | {command.name for command in commands}
    wired = (ROOT / "services" / service / "__main__.py").read_text()
    assert f'runtime.main("{service}", serve, commands.COMMANDS)' in wired


def test_each_page_of_operations_is_in_their_index() -> None:
    folder = ROOT / "docs/operations"
    index = (folder / "README.md").read_text()
    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([\w-]+\.md)", index))
