"""A machine was taken over: its client gets other keys, and everything copied before comes back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.shared.protocol import chunk_key_id
from tests.agent.test_damage import damage_all
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.house import FOR_AGENTS, House, open_house
from tests.world.machines import Machine

OFFSET = "COFFRE_CLOCK_OFFSET_SECONDS"
BEFORE = "-900"


@pytest.fixture
def house(servers: Any, database_template: str, tmp_path: Path) -> Iterator[House]:
    """Services a quarter of an hour ago; so that new keys can begin."""
    folder = tmp_path / "house"
    environ = {OFFSET: BEFORE}
    with open_house(servers, database_template, folder, *FOR_AGENTS, **environ) as opened:
        yield opened


def let_time_pass(house: House) -> None:
    """It is now, and nobody has keys in memory any more."""
    house.environ[OFFSET] = "0"
    for service in FOR_AGENTS:
        house.stop(service)
        house.start(service)
    house.wait_ready(*FOR_AGENTS)


def keys_of(machine: Machine) -> list[str]:
    (file,) = machine.folder.rglob("*.identity.json")
    kept = json.loads(file.read_text())
    return [kept["chunk_key"], *kept["former_chunk_keys"]]


def run(machine: Machine) -> dict[str, Any]:
    """A run; the services' clock is a quarter of an hour behind at first, which is a warning."""
    ended = machine.agent("run", "papers", "--json")
    assert ended.returncode in (0, 3), ended.stderr
    summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert summary["files_not_copied"] == 0
    return summary


def test_new_keys_for_what_is_copied_from_now_on(
    house: House, machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    run(machine)
    [old] = keys_of(machine)
    renewed = house.command("ingest", "rotate-tenant-keys", client.tenant_id)
    assert renewed.returncode == 0, renewed.stderr
    assert "New keys are used from" in renewed.stdout
    # Asked again they are the same; and until that moment nothing changes.
    again = house.command("ingest", "rotate-tenant-keys", client.tenant_id)
    assert again.stdout == renewed.stdout
    assert run(machine)["bytes_sent"] == 0
    assert keys_of(machine) == [old]

    let_time_pass(house)
    (papers / "letter.txt").write_text("Chère Madame,\n")
    changed = run(machine)
    assert (changed["files_new"], changed["files_changed"]) == (0, 1)
    new, former = keys_of(machine)
    assert (former, new != old) == (old, True)
    assert run(machine)["bytes_sent"] == 0
    newcomer = client.machine(tmp_path / "other", {"papers": {"folders": [str(papers)]}})
    assert keys_of(newcomer) == [new]

    # What either key named comes back, from the agent's restore, archives and a lost catalogue.
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    client.restore(machine, tmp_path / "first", "--run", "1")
    first = Path(f"{tmp_path}/first{papers}/letter.txt")
    assert first.read_text() == "Madame, Monsieur,\n" * 40
    with client.sign_in() as api:
        answer = api.get("plans/papers/archive", params={"format": "zip", "run": 1})
        assert answer.status_code == 200, answer.text

    # What a bad disk damaged is sent again under the name that it had.
    damage_all(house, client.tenant_id)
    assert run(machine)["bytes_sent"] > 0
    client.restore(machine, tmp_path / "healed")
    assert compare_trees(papers, Path(f"{tmp_path}/healed{papers}")) == []


def test_a_tenant_without_keys_gets_none(house: House) -> None:
    nobody = house.command("ingest", "rotate-tenant-keys", str(uuid.uuid4()))
    assert (nobody.returncode, "Nothing was changed" in nobody.stderr) == (1, True)


def test_a_key_is_named_without_telling_it() -> None:
    assert chunk_key_id(bytes(32)) != chunk_key_id(bytes(31) + b"1")
    assert len(chunk_key_id(bytes(32))) == 16
