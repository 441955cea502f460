"""Folders that became empty: an empty mount is never a success, and history is never lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.machines import Machine


def test_a_folder_swapped_for_an_empty_one_fails_until_it_is_accepted(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    papers.rename(tmp_path / "elsewhere")
    papers.mkdir()
    for _ in range(2):
        summary = machine.run(expect=1)
        assert (summary["outcome"], summary["error"]["code"]) == ("failed", "folder-swapped")
        assert f"{papers} held files at the last run (3)" in summary["error"]["sentence"]
        assert "--accept-empty" in summary["error"]["sentence"]
    client.restore(machine, tmp_path / "back")
    kept = Path(f"{tmp_path}/back{papers}")
    assert compare_trees(tmp_path / "elsewhere", kept) == []
    # It is so too where nothing is remembered, and only the server knows of files.
    for file in (machine.folder / "state" / "plans").iterdir():
        file.unlink()
    assert machine.run(expect=1)["error"]["code"] == "folder-swapped"

    accepted = machine.agent("run", "papers", "--json", "--accept-empty")
    assert accepted.returncode == 3
    assert '"files_removed": 3' in accepted.stdout
    assert machine.run()["outcome"] == "succeeded"


def test_an_unmounted_disk_is_no_folder_without_files(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    mounted = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(papers)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk can only be mounted by root, outside most containers")
    try:
        (papers / "on the disk").write_text("on the disk")
        machine = client.machine(tmp_path / "machine", {"papers": {"folders": [str(papers)]}})
        assert machine.run()["files_total"] == 1
    finally:
        subprocess.run(["umount", papers], check=True)
    for file in sorted(papers.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    assert machine.run(expect=1)["error"]["code"] == "folder-swapped"


def test_a_folder_emptied_by_its_owner_is_told_once(machine: Machine, papers: Path) -> None:
    machine.run()
    for file in sorted(papers.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    summary = machine.run(expect=3)
    assert [(one["path"], one["reason"]["code"]) for one in summary["not_copied"]] == [
        (str(papers), "emptied")
    ]
    assert summary["not_copied"][0]["reason"]["amount"] == 3
    assert summary["files_removed"] == 3
    assert machine.run()["outcome"] == "succeeded"


def test_less_than_a_plan_promises_fails_before_anything_is_removed(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.plans["papers"] |= {"min_files": 3, "min_size": "500 B"}
    assert machine.run()["files_total"] == 3
    (papers / "2026" / "invoice.txt").unlink()
    few = machine.run(expect=1)
    assert (few["outcome"], few["error"]["code"]) == ("failed", "source-empty")
    assert f"below {papers} than the plan expects" in few["error"]["sentence"]
    assert "2 instead of at least 3" in few["error"]["sentence"]
    (papers / "2026" / "invoice.txt").touch()
    (papers / "letter.txt").write_text("short")
    small = machine.run(expect=1)
    assert (small["error"]["code"], small["error"]["limit"]) == ("source-small", 500)
    assert "at least 500 B" in small["error"]["sentence"]
    back = client.restore(machine, tmp_path / "back")
    assert back["run_number"] == 1
    restored = Path(f"{tmp_path}/back{papers}")
    assert (restored / "2026" / "invoice.txt").read_text() == "1 204,00 €\n"
    (run,) = client.house.query(
        "SELECT reason->>'code' AS code FROM ingest.runs WHERE run_id = $1::text::uuid",
        few["run_id"],
    )
    assert run["code"] == "source-empty"
