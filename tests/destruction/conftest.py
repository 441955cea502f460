"""A firm of all five services, for the end of clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.destruction.firm import Firm, open_firm


@pytest.fixture
async def firm(database: Any, servers: Any, bucket: str, tmp_path: Path) -> AsyncIterator[Firm]:
    """All services on a database and a bucket of the test's own."""
    async with open_firm(database, servers, bucket, tmp_path) as firm:
        yield firm
