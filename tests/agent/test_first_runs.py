"""A machine enrols, copies, finds nothing to do, copies what changed, and gets it all back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.agent.scripts import script
from tests.trees import build_hostile_tree, compare_trees
from tests.world.clients import Client
from tests.world.machines import Machine
from tests.world.waiting import wait_for


def test_a_folder_is_copied_once_and_then_only_what_changed(
    machine: Machine, papers: Path, client: Client, tmp_path: Path
) -> None:
    first = machine.run()
    assert first["outcome"] == "succeeded"
    assert (first["files_total"], first["files_new"]) == (3, 3)
    assert first["bytes_protected"] == sum(f.stat().st_size for f in papers.rglob("*.txt"))
    assert first["bytes_sent"] > 0

    second = machine.run()
    assert (second["files_total"], second["files_new"], second["files_changed"]) == (3, 0, 0)
    assert second["bytes_sent"] == 0
    assert second["run_number"] == 2
    (versions,) = client.house.query(
        "SELECT count(*) FILTER (WHERE first_run = 1) AS first,"
        " count(*) FILTER (WHERE first_run = 2) AS second"
        " FROM catalogue.versions WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    assert versions["first"] >= 5
    assert versions["second"] == 0

    (papers / "letter.txt").write_text("Chère Madame,\n")
    (papers / "2026" / "invoice.txt").unlink()
    (papers / "new.txt").write_text("new")
    third = machine.run()
    changes = (third["files_new"], third["files_changed"], third["files_removed"])
    assert changes == (1, 1, 1)
    assert third["files_total"] == 3

    restored = client.restore(machine, tmp_path / "back")
    assert restored["run_number"] == 3
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    client.restore(machine, tmp_path / "earlier", "--run", "1", "--path", str(papers / "2026"))
    earlier = Path(f"{tmp_path}/earlier{papers}")
    assert (earlier / "2026" / "invoice.txt").read_text() == "1 204,00 €\n"
    assert [entry.name for entry in earlier.iterdir()] == ["2026"]


def test_machines_that_begin_together_ask_for_nothing_and_harm_nothing(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    """Where a client has no chunk, all are sent; what another machine sends then comes twice."""
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    waits = (
        "import os, time\n"
        f"open({str(begun)!r}, 'w').close()\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.02)"
    )
    plan = {"folders": [str(papers)]}
    slow = client.machine(tmp_path / "slow", {"slow": {**plan, "hooks": {"before": script(waits)}}})
    quick = client.machine(tmp_path / "quick", {"quick": plan})
    later = client.machine(tmp_path / "later", {"later": plan})
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(slow.run)
        try:
            wait_for("the run to begin", begun.exists)
            first = quick.run()
        finally:
            go_on.touch()
        second = running.result()
    assert (first["outcome"], second["outcome"]) == ("succeeded", "succeeded")
    assert second["bytes_sent"] == first["bytes_sent"] > 0
    assert later.run()["bytes_sent"] == 0
    (kept,) = client.house.query(
        "SELECT count(*) AS chunks, count(DISTINCT chunk_id) AS different FROM catalogue.chunks"
        " WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    assert kept["chunks"] == kept["different"] > 0
    for machine in (slow, quick, later):
        back = tmp_path / f"back-{machine.folder.name}"
        client.restore(machine, back)
        assert compare_trees(papers, Path(f"{back}{papers}")) == []


def test_whatever_a_file_system_holds_comes_back(client: Client, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    specials = build_hostile_tree(tree)
    machine = client.machine(tmp_path / "machine", {"papers": {"folders": [str(tree)]}})
    summary = machine.run()
    assert summary["specials_skipped"] == len(specials)
    assert summary["outcome"] == "succeeded"
    client.restore(machine, tmp_path / "b")
    back = Path(f"{tmp_path}/b{tree}")
    assert compare_trees(tree, back, ignore=specials) == []
    assert (back / "sparse").stat().st_blocks * 512 < 16 * 1024 * 1024
    again = client.restore(machine, tmp_path / "b")
    assert again["files_restored"] == 0
    assert machine.run()["bytes_sent"] == 0
