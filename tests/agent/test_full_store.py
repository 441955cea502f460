"""A SeaweedFS that is full to the brim: named, survived, and nothing lost."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devstack import seaweedfs
from devstack.ports import Ports
from devstack.processes import Processes
from tests.agent.test_restores_gone_wrong import disk
from tests.trees import compare_trees
from tests.world.house import FOR_AGENTS, House, open_house
from tests.world.waiting import wait_for

pytestmark = pytest.mark.long

SMALL, LARGER = "220m", "900m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Where the store keeps everything."""
    folder = tmp_path / "store"
    with disk(folder, SMALL):
        yield folder


@pytest.fixture
def small_house(
    servers: Any, database_template: str, small_disk: Path, tmp_path: Path
) -> Iterator[House]:
    """The services with a store of their own."""
    processes, free = Processes(tmp_path), Ports(tmp_path)
    try:
        store = seaweedfs.start(processes, small_disk, secrets.token_hex(16), free)
        own = replace(servers, s3_endpoint=store.endpoint, s3_secret_key=store.secret_key)
        with open_house(own, database_template, tmp_path / "house", *FOR_AGENTS) as opened:
            yield opened
    finally:
        processes.close()
        free.close()


def test_a_full_store_is_named_and_loses_nothing(
    small_house: House, small_disk: Path, papers: Path, tmp_path: Path
) -> None:
    client = small_house.open_client()
    plans = {"papers": {"folders": [str(papers)]}}
    machine = client.machine(tmp_path / "machine", plans, patience="15s")
    for number in range(10):
        (papers / f"early {number}").write_bytes(os.urandom(8_000_000))
    machine.run()
    for number in range(20):
        (papers / f"late {number}").write_bytes(os.urandom(10_000_000))
    full = machine.run(expect=22)
    assert "The storage refuses to take more (500 InternalError)" in full["error"]["sentence"]
    assert "Nothing that was acknowledged is lost" in full["error"]["sentence"]

    back = client.restore(machine, tmp_path / "while full")
    assert (back["run_number"], back["files_restored"]) == (1, 13)
    subprocess.run(["mount", "-o", f"remount,size={LARGER}", small_disk], check=True)

    def copied() -> dict[str, Any] | None:
        ended = machine.agent("run", "papers", "--json")
        summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return summary if ended.returncode == 0 else None

    # The store looks once a minute whether there is room.
    done = wait_for("a run after room was made", copied, 120)
    assert done["bytes_sent"] < 200_000_000
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
