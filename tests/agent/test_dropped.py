"""Copies are dropped in the portal while their machine goes on: nothing that it has is missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.house import House
from tests.world.machines import Machine
from tests.world.waiting import wait_for


@pytest.fixture(autouse=True)
def retention(house: House) -> Iterator[None]:
    """Retention beside the others."""
    house.start("retention")
    yield
    house.stop("retention")


def drop(client: Client, **wish: str) -> str:
    """Has copies dropped, and waits until that is done; returns the reduction's id."""
    with client.sign_in() as api:
        said = api.post("reductions/preview", json=wish).json()
        ordered = api.post("reductions", json=wish)
        assert ordered.status_code == 202, (said, ordered.text)
        reduction_id = str(ordered.json()["reduction_id"])
        done = wait_state(api, reduction_id, "applied")
        assert done["freed_bytes"] == said["freed_bytes"] > 0
    return reduction_id


def wait_state(api: Any, reduction_id: str, state: str) -> dict[str, Any]:
    """The reduction, once it is in a state."""

    def look() -> dict[str, Any] | None:
        listed = api.get("reductions").json()["reductions"]
        [one] = [each for each in listed if each["reduction_id"] == reduction_id]
        return one if one["state"] == state else None

    return wait_for(f"the reduction to be {state}", look)


def test_a_machine_sends_again_what_was_dropped_and_it_still_has(
    machine: Machine, papers: Path, client: Client, tmp_path: Path
) -> None:
    machine.run()
    inside = str(papers).strip("/")
    reduction = drop(client, what="folder", plan="papers", folder=f"{inside}/2026")
    less = client.restore(machine, tmp_path / "less")
    [missing] = less["dropped"]
    assert missing["path"] == f"{papers}/2026"
    assert missing["undo_until"]
    for asked in (("--list",), ("--dry-run", "--to", str(tmp_path / "none"))):
        told = client.ask_restore(machine, *asked).stdout
        assert f"{papers}/2026 was dropped by {missing['by']} on " in told, asked
        assert "can be taken back until" in told, asked
    beside = ("--path", str(papers / "letter.txt"))
    assert client.restore(machine, tmp_path / "beside", *beside)["dropped"] == []
    left = Path(f"{tmp_path}/less{papers}")
    assert (left / "letter.txt").exists()
    assert not (left / "2026/invoice.txt").exists()

    again = machine.run()
    assert again["files_new"] == 2, "invoice.txt and empty, without anybody's doing"
    assert client.restore(machine, tmp_path / "back")["dropped"] == []
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    unchanged = machine.run()
    assert (unchanged["files_new"], unchanged["bytes_sent"]) == (0, 0)

    with client.sign_in() as api:
        assert api.post(f"reductions/{reduction}/withdraw").status_code == 204
        wait_state(api, reduction, "withdrawn")
    client.restore(machine, tmp_path / "first", "--run", "1")
    assert compare_trees(papers, Path(f"{tmp_path}/first{papers}")) == []


def test_a_dropped_plan_begins_anew(
    machine: Machine, papers: Path, client: Client, tmp_path: Path
) -> None:
    machine.run()
    drop(client, what="plan", plan="papers")
    refused = client.ask_restore(machine, "--to", str(tmp_path / "none"), "--json")
    assert refused.returncode != 0
    assert machine.run()["files_new"] == 3
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
