"""Runs with hooks around the copy and pings of a monitoring service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agent.monitors import Monitor
from tests.agent.scripts import script
from tests.world.clients import Client


def test_a_hook_that_fails_before_the_copy_leaves_a_report_and_no_copy(
    client: Client,
    papers: Path,
    tmp_path: Path,
    monitor: Monitor,
) -> None:
    plan: dict[str, Any] = {
        "folders": [str(papers)],
        "hooks": {"before": script("import sys; print('no such mount'); sys.exit(4)")},
        "ping_url": monitor.url,
    }
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    failed = machine.run(expect=1)
    assert (failed["error"]["code"], failed["run_number"]) == ("hook-failed", 1)
    assert "ended with status 4" in failed["error"]["sentence"]
    run = client.last_run()
    assert (run["state"], run["code"]) == ("failed", "hook-failed")
    (start, fail) = monitor.told
    assert (start[0], fail[0]) == ("/ping/0000-secret/start", "/ping/0000-secret/fail")
    assert "no such mount" in fail[1]
    assert "ended with status 4" in fail[1]

    plan["hooks"] = {"after": script("import sys; sys.exit(5)")}
    monitor.answers = [500, 500, 500]
    warned = machine.run(expect=3)
    assert warned["outcome"] == "succeeded_with_warnings"
    assert "The program to run after the backup failed" in warned["warnings"][0]["sentence"]
    assert "The monitoring service 127.0.0.1 could not be told" in warned["warnings"][1]["sentence"]
    assert len(monitor.told) == 2 + 3, "one start in two tries, one end in one"
    plan["hooks"] = {}
    assert machine.run()["outcome"] == "succeeded", "the monitor answers again"


def test_a_folder_that_is_mounted_by_a_hook_is_given_back_whatever_happens(
    client: Client, tmp_path: Path
) -> None:
    folder, notes = tmp_path / "mounted", tmp_path / "notes"
    note = f"import os; print(os.environ['COFFRE_OUTCOME'], file=open({str(notes)!r}, 'a'));"
    mount = f"import os; os.mkdir({str(folder)!r}); open({str(folder / 'a')!r}, 'w').write('a')"
    unmount = f"{note} import shutil; shutil.rmtree({str(folder)!r}, ignore_errors=True)"
    hooks = {"before": script(mount), "after": script(unmount)}
    plan: dict[str, Any] = {"folders": [str(folder)], "hooks": hooks}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    assert machine.run()["files_total"] == 1
    assert not folder.exists()
    hooks["before"] = script("pass")
    assert machine.run(expect=1)["error"]["code"] == "folder-missing"
    assert notes.read_text().split() == ["succeeded", "failed"]
