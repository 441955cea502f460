"""The provider's database is lost and rebuilt: a machine enrols again and goes on where it was."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from uuid import UUID

from libs.shared.bucket import packs_of
from libs.shared.objects import ObjectStore
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.machines import Machine

LOST = [
    *(f"catalogue.{table}" for table in ("versions", "folders", "runs", "plans", "volumes")),
    *("catalogue.chunks", "catalogue.packs"),
    *(f"ingest.{table}" for table in ("names_due", "rebuilds", "runs", "plans")),
]
TOKENS = ["ingest.agents"]


def lose_and_rebuild(client: Client, lost: list[str]) -> subprocess.CompletedProcess[str]:
    """All rows of this client are gone; bucket and master key bring them back."""
    house = client.house
    for table in lost:
        house.query(
            f"DELETE FROM {table} WHERE tenant_id = $1::text::uuid",
            client.tenant_id,
        )
    return house.command("ingest", "rebuild", "--tenant", client.tenant_id)


async def delete_all(objects: ObjectStore, prefix: str) -> None:
    for key in [key async for key, _ in objects.list(prefix)]:
        await objects.delete(key)


def test_a_machine_goes_on_after_the_database_was_lost(
    machine: Machine, papers: Path, client: Client, tmp_path: Path
) -> None:
    machine.run()
    (papers / "letter.txt").write_text("Chère Madame,\n")
    machine.run()

    rebuilt = lose_and_rebuild(client, LOST + TOKENS)
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert machine.agent("run", "papers").returncode != 0  # its token is lost
    machine.enrol(client.enrolment_code())
    went_on = machine.run()
    assert (went_on["files_new"], went_on["files_changed"], went_on["bytes_sent"]) == (0, 0, 0)
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    client.restore(machine, tmp_path / "first", "--run", "1")
    first = Path(f"{tmp_path}/first{papers}/letter.txt")
    assert first.read_text() == "Madame, Monsieur,\n" * 40

    # Lost again, but for the tokens, which were in a backup, and all packs with it: the next
    # run finds out and sends what is missing.
    asyncio.run(delete_all(client.house.objects, packs_of(UUID(client.tenant_id))))
    damaged = lose_and_rebuild(client, LOST)
    assert damaged.returncode == 3
    assert "letter.txt" in damaged.stdout
    healed = machine.run()
    assert healed["bytes_sent"] > 0
    client.restore(machine, tmp_path / "healed")
    assert compare_trees(papers, Path(f"{tmp_path}/healed{papers}")) == []
