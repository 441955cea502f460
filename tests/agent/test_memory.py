"""What is remembered between runs is a cache: whatever happens to it, nothing is sent twice."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.machines import Machine


def plans_of(machine: Machine) -> Path:
    """The folder with what is remembered."""
    return machine.folder / "state" / "plans"


def spoil(file: Path, how: str) -> None:
    """Damages a file in one of the ways files get damaged."""
    content = bytearray(file.read_bytes())
    if how == "truncated":
        del content[len(content) // 3 :]
    elif how == "flipped":
        content[len(content) // 2] ^= 4
    elif how == "garbage":
        content[:] = b'{"checksum": 3, "remembered": [[[['
    else:
        content.clear()
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "flipped", "garbage", "empty"])
@pytest.mark.parametrize("which", ["json", "records"])
def test_a_damaged_memory_costs_a_comparison(
    machine: Machine, papers: Path, which: str, how: str
) -> None:
    machine.run()
    (file,) = plans_of(machine).glob(f"*.{which}")
    spoil(file, how)
    (papers / "letter.txt").unlink()
    (papers / "moved.txt").write_text("1 204,00 €\n")
    summary = machine.run(expect=3)
    assert "is damaged, or lost in part" in summary["warnings"][0]["sentence"]
    assert len(summary["warnings"]) == 1
    assert summary["bytes_sent"] == 0
    changes = [summary[f"files_{kind}"] for kind in ("total", "new", "changed", "removed")]
    assert changes == [3, 1, 0, 1]
    assert machine.run()["outcome"] == "succeeded", "it is warned of once"


def test_a_number_that_was_altered_by_hand_is_not_believed(machine: Machine, papers: Path) -> None:
    machine.run()
    (papers / "more.txt").write_text("more")
    machine.run()
    (file,) = plans_of(machine).glob("*.json")
    kept = json.loads(file.read_text())
    kept["remembered"]["missed"] = {str(papers / "more.txt").encode().hex(): 7}
    kept["remembered"]["files_total"] = 900_000
    file.write_text(json.dumps(kept))
    summary = machine.run(expect=3)
    assert "is damaged" in summary["warnings"][0]["sentence"]
    assert (summary["files_total"], summary["files_new"]) == (4, 0)
    assert machine.run()["outcome"] == "succeeded"


def test_the_memory_of_another_machine_is_not_ours(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    """Both know a run 1 of a plan of the same name, with other files in it."""
    machine.run()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs.txt").write_text("theirs")
    other = client.machine(tmp_path / "other", {"papers": {"folders": [str(elsewhere)]}})
    other.run()
    shutil.rmtree(plans_of(other))
    shutil.copytree(plans_of(machine), plans_of(other))
    (elsewhere / "more.txt").write_text("more")
    summary = other.run(expect=3)
    assert "of another machine or server" in summary["warnings"][0]["sentence"]
    changes = [summary[f"files_{kind}"] for kind in ("total", "new", "changed", "removed")]
    assert changes == [2, 1, 0, 0]
    assert other.run()["outcome"] == "succeeded"
    client.restore(machine, tmp_path / "back", plan=plan_id(other))
    assert compare_trees(elsewhere, Path(f"{tmp_path}/back{elsewhere}")) == []


def plan_id(machine: Machine) -> str:
    """The id of a machine's only plan, whose name another machine may use as well."""
    (file,) = plans_of(machine).glob("*.json")
    return str(json.loads(file.read_text())["remembered"]["plan_id"])


def test_two_machines_with_one_token_compare_with_the_server_each_time(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    twin = machine.twin(tmp_path / "twin")
    (papers / "of the twin").write_text("of the twin")
    assert twin.run()["files_new"] == 1
    (papers / "ours").write_text("ours")
    ended = machine.agent("run", "papers", "--json")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert any("two machines use the same token" in line.get("message", "") for line in lines)
    assert (lines[-1]["files_new"], lines[-1]["files_changed"]) == (1, 0)
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


def test_the_same_number_of_another_run_is_not_taken_for_ours(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    """As after an old database was put back, and a twin of the machine ran meanwhile."""
    machine.run()
    twin = machine.twin(tmp_path / "twin")
    (papers / "seen by both").write_text("seen by both")
    twin.run()
    (file,) = plans_of(twin).glob("*.json")
    run_id = json.loads(file.read_text())["remembered"]["run_id"]
    client.house.query(
        "UPDATE catalogue.runs SET run_id = gen_random_uuid() WHERE run_id = $1::text::uuid", run_id
    )
    ended = twin.agent("run", "papers", "--json")
    assert "Comparing with the server's list" in ended.stdout
    summary = json.loads(ended.stdout.splitlines()[-1])
    assert summary["bytes_sent"] == 0
    assert "of another machine or server" in summary["warnings"][0]["sentence"]


def fill(file: Path) -> None:
    """Takes all room that a disk has left."""
    with file.open("ab", buffering=0) as opened, suppress(OSError):
        while opened.write(bytes(4096)):
            pass


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few kilobytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40k,mode=700", "none", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk can only be mounted by root, outside most containers")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_state_folder_ends_no_copy_and_spoils_nothing(
    client: Client, papers: Path, tmp_path: Path, tiny_disk: Path
) -> None:
    plans: dict[str, dict[str, Any]] = {"papers": {"folders": [str(papers)]}}
    machine = client.machine(tmp_path / "machine", plans)
    machine.run()
    shutil.move(machine.folder / "state", tiny_disk)
    (machine.folder / "state").symlink_to(tiny_disk / "state")
    fill(tiny_disk / "fill")
    for number in range(30):
        (papers / f"note {number}").write_text(f"note {number}")
    summary = machine.run(expect=3)
    assert summary["files_new"] == 30
    assert [one["code"] for one in summary["warnings"]] == ["state-disk-full"]
    assert "compares with the server's list" in summary["warnings"][0]["sentence"]
    _, report = client.reports(2)[1]
    assert "La machine ne peut pas noter ce qu’elle a sauvegardé" in report

    stuck = machine.run(expect=1)
    assert stuck["error"]["code"] == "state-unusable"
    assert str(machine.folder / "state") in stuck["error"]["sentence"]

    (tiny_disk / "fill").unlink()
    again = machine.run()
    assert (again["files_total"], again["files_new"], again["bytes_sent"]) == (33, 0, 0)
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
