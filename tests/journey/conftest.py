"""One running installation for all journeys of a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world.machines import Machine
from tests.world.running import Installation


@pytest.fixture
def make_machine(installation: Installation, tmp_path: Path) -> Callable[..., Machine]:
    """Makes a machine of a new client company, so that journeys don't see each other.

    Its plan `documents` copies the empty folder `machine.source`.
    """

    def make(name: str = "Boulangerie Kérouédan") -> Machine:
        client = installation.open_client(name)
        folder = tmp_path / client.tenant_id
        (folder / "source").mkdir(parents=True)
        plan = {"folders": [str(folder / "source")], "recipients": [client.email]}
        return client.machine(folder / "agent", {"documents": plan})

    return make


@pytest.fixture
def machine(make_machine: Callable[..., Machine]) -> Machine:
    """An enrolled machine of a client of the journey's own."""
    return make_machine()
