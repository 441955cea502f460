"""A provider's whole installation for one story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.provider import Provider, open_provider
from tests.destruction.conftest import firm

__all__ = ["firm"]


@pytest.fixture
def provider(servers: Any, database_template: str, tmp_path: Path) -> Iterator[Provider]:
    """All five services as processes, at today's date."""
    with open_provider(servers, database_template, tmp_path / "installation") as opened:
        yield opened
