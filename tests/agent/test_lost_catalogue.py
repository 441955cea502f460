"""The provider's database is lost and rebuilt: a machine enrols again and goes on where it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import minio

from libs.shared.bucket import packs_of
from tests.agent.house import Client
from tests.agent.machines import ROOT, Machine
from tests.trees import compare_trees

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
    return subprocess.run(
        [sys.executable, "-m", "services.ingest", "rebuild", "--tenant", client.tenant_id],
        cwd=ROOT,
        env={
            **os.environ,
            **house.environ,
            "COFFRE_DATABASE_URL": house.environ["DATABASE_OF"].format(service="ingest"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def enrol_again(client: Client, machine: Machine) -> None:
    code = client.enrolment_code()
    enrolled = machine.agent("enrol", "--server", machine.server, "--code", code)
    assert enrolled.returncode == 0, enrolled.stderr


def test_a_machine_goes_on_after_the_database_was_lost(
    machine: Machine, papers: Path, client: Client, tmp_path: Path
) -> None:
    machine.run()
    (papers / "letter.txt").write_text("Chère Madame,\n")
    machine.run()

    rebuilt = lose_and_rebuild(client, LOST + TOKENS)
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert machine.agent("run", "papers").returncode != 0  # its token is lost
    enrol_again(client, machine)
    went_on = machine.run()
    assert (went_on["files_new"], went_on["files_changed"], went_on["bytes_sent"]) == (0, 0, 0)
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    client.restore(machine, tmp_path / "first", "--run", "1")
    first = Path(f"{tmp_path}/first{papers}/letter.txt")
    assert first.read_text() == "Madame, Monsieur,\n" * 40

    # Lost again, but for the tokens, which were in a backup, and all packs with it: the next
    # run finds out and sends what is missing.
    house = client.house
    bucket = minio.Minio(
        house.environ["COFFRE_S3_ENDPOINT"].removeprefix("http://"),
        house.environ["COFFRE_S3_ACCESS_KEY"],
        house.environ["COFFRE_S3_SECRET_KEY"],
        secure=False,
        region="us-east-1",
    )
    name = house.environ["COFFRE_S3_BUCKET"]
    for pack in bucket.list_objects(name, packs_of(UUID(client.tenant_id)), recursive=True):
        bucket.remove_object(name, str(pack.object_name))
    damaged = lose_and_rebuild(client, LOST)
    assert damaged.returncode == 3
    assert "letter.txt" in damaged.stdout
    healed = machine.run()
    assert healed["bytes_sent"] > 0
    client.restore(machine, tmp_path / "healed")
    assert compare_trees(papers, Path(f"{tmp_path}/healed{papers}")) == []
