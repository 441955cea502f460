"""The services that the agent speaks to, and a client with an enrolled machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.databases import accounting, copied, mariadb  # noqa: F401 - fixtures for all
from tests.agent.monitors import monitor  # noqa: F401 - a fixture for all
from tests.world.clients import Client
from tests.world.house import FOR_AGENTS, House, open_house
from tests.world.machines import Machine


@pytest.fixture(scope="session")
def house(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """Ingest, portal and reporting, for all tests of a worker."""
    folder = tmp_path_factory.mktemp("house")
    with open_house(servers, database_template, folder, *FOR_AGENTS) as opened:
        yield opened


@pytest.fixture
def client(house: House) -> Client:
    """A client company of the test's own."""
    return house.open_client()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A small folder worth copying."""
    folder = tmp_path / "papers"
    (folder / "2026").mkdir(parents=True)
    (folder / "letter.txt").write_text("Madame, Monsieur,\n" * 40)
    (folder / "2026" / "invoice.txt").write_text("1 204,00 €\n")
    (folder / "2026" / "empty").touch()
    (folder / "nothing").mkdir()
    return folder


@pytest.fixture(params=["descriptors", "paths"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent reaches folders by descriptors, then once more by paths, as on Windows."""
    monkeypatch.setenv("COFFRE_AGENT_FOLDERS", request.param)


@pytest.fixture
def machine(client: Client, tmp_path: Path, papers: Path) -> Machine:
    """An enrolled machine with the plan `papers`."""
    return client.machine(tmp_path / "machine", {"papers": {"folders": [str(papers)]}})
