"""Objects damaged in the store: the next run sends what they held, and all comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

from libs.shared import bucket
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.house import House
from tests.world.machines import Machine


def damage_all(house: House, tenant_id: str) -> None:
    """What a bad disk does, and what a scrub finds."""

    async def overwrite() -> None:
        async for key, size in house.objects.list(bucket.packs_of(UUID(tenant_id))):
            await house.objects.put(key, bytes(size))

    asyncio.run(overwrite())
    house.query(
        "UPDATE catalogue.packs SET state = 'damaged', damaged_at = '2026-01-01'"
        " WHERE tenant_id = $1::text::uuid",
        tenant_id,
    )


def test_an_unchanged_run_heals_what_was_damaged(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    (papers / "gone").write_text("this machine will have lost it")
    machine.run()
    (papers / "gone").unlink()
    machine.run()
    damage_all(client.house, client.tenant_id)
    client.restore(machine, tmp_path / "broken", expect=3)

    ended = machine.agent("run", "papers")
    assert ended.returncode == 0, ended.stderr
    assert "Sent again, for the store had them damaged: 2 chunks" in ended.stdout + ended.stderr
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    # What nobody has any more is asked for again, and costs nothing.
    assert machine.run()["bytes_sent"] == 0


def test_a_client_whose_contract_is_full_is_healed(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    damage_all(client.house, client.tenant_id)
    client.house.query(
        "INSERT INTO ingest.allowances VALUES ($1::text::uuid, 1000000, 1, 'the contract is full')"
        " ON CONFLICT (tenant_id) DO UPDATE SET version = 1000000, ceiling_bytes = 1",
        client.tenant_id,
    )
    # Read once more, since it was touched; the other is sent for being asked for.
    (papers / "letter.txt").touch()
    assert machine.run()["outcome"] == "succeeded"
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []

    (papers / "letter.txt").write_text("another letter altogether")
    assert machine.run(expect=20)["error"]["code"] == "growth-blocked"
    client.house.query(
        "UPDATE ingest.allowances SET ceiling_bytes = NULL WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    assert machine.run()["outcome"] == "succeeded"
