"""Runs that are stopped, refused, limited, dated wrongly: each ends clearly and wastes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.machines import ROOT, Machine
from tests.world.waiting import wait_for


def start(machine: Machine) -> subprocess.Popen[str]:
    """Begins a run and does not wait for it."""
    return subprocess.Popen(
        machine.command("run", "papers", "--json"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def stored_bytes(client: Client) -> int:
    """What the tenant's packs take in the store."""
    (row,) = client.house.query(
        "SELECT coalesce(sum(object_bytes), 0)::bigint AS bytes FROM catalogue.packs"
        " WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    return int(row["bytes"])


def limit_growth(client: Client, ceiling_bytes: int) -> None:
    """Sets how much the tenant may store."""
    client.house.query(
        "INSERT INTO ingest.allowances"
        " VALUES ($1::text::uuid, 1000000, $2::bigint, 'the contract is full')"
        " ON CONFLICT (tenant_id) DO UPDATE SET version = 1000000, ceiling_bytes = $2::bigint",
        client.tenant_id,
        ceiling_bytes,
    )


def test_a_run_stopped_and_started_again_sends_no_chunk_twice(
    machine: Machine, client: Client, papers: Path
) -> None:
    for number in range(60):
        (papers / f"scan {number}").write_bytes(os.urandom(1_000_000))
    running = start(machine)
    wait_for("a pack", lambda: stored_bytes(client) > 0 or None)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 24, errors
    first = json.loads(output.splitlines()[-1])
    assert (first["outcome"], first["error"]["code"]) == ("failed", "interrupted")
    second = machine.run()
    assert second["files_total"] == 63
    assert first["bytes_sent"] > 0
    assert 60_000_000 < first["bytes_sent"] + second["bytes_sent"] < 60_500_000


def test_what_does_not_fit_is_refused_before_anything_is_sent(
    machine: Machine, client: Client, papers: Path
) -> None:
    machine.run()
    held = stored_bytes(client)
    limit_growth(client, held + 50_000)
    (papers / "zeros").write_bytes(bytes(30_000_000))
    (papers / "copy").write_bytes((papers / "letter.txt").read_bytes())
    fits = machine.run()
    assert fits["bytes_sent"] < 50_000, "by its size alone it would not have fitted"
    held = stored_bytes(client)
    for number in range(20):
        (papers / f"scan {number}").write_bytes(os.urandom(10_000))
    refused = machine.run(expect=20)
    assert (refused["outcome"], refused["error"]["code"]) == ("failed", "growth-blocked")
    assert refused["bytes_sent"] == 0
    assert stored_bytes(client) == held
    (run,) = client.house.query(
        "SELECT state, reason->>'code' AS code FROM ingest.runs WHERE run_id = $1::text::uuid",
        refused["run_id"],
    )
    assert (run["state"], run["code"]) == ("failed", "growth-blocked")
    for number in range(20):
        (papers / f"scan {number}").unlink()
    limit_growth(client, 1)
    (papers / "letter.txt").rename(papers / "renamed.txt")
    assert machine.run()["bytes_sent"] == 0


def test_a_limit_of_bandwidth_is_kept(machine: Machine, client: Client, papers: Path) -> None:
    (papers / "scan").write_bytes(os.urandom(2_000_000))
    (machine.folder / "limited.toml").write_text(
        machine.config.read_text().replace("[[plan]]", '[bandwidth]\nlimit = "500 kB/s"\n[[plan]]')
    )
    command = [word.replace("agent.toml", "limited.toml") for word in machine.command()]
    began = time.monotonic()
    ended = subprocess.run(
        [*command, "run", "papers", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert time.monotonic() - began > 2.5, "two megabytes at half a megabyte a second"
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert lines[-1]["bytes_sent"] > 2_000_000
    statuses = [line for line in lines if line["message_type"] == "status"]
    assert statuses
    assert statuses[-1].keys() >= {
        "files_done", "files_total", "bytes_done", "bytes_total", "bytes_sent",
        "bytes_per_second", "seconds_left",
    }  # fmt: skip
    assert statuses[-1]["files_done"] == 4


@pytest.mark.parametrize(
    ("date", "words"), [("2019-03-01", "behind by about"), ("2041-03-01", "ahead by about")]
)
def test_a_clock_that_is_wrong_by_years_is_told_and_harms_nothing(
    machine: Machine, client: Client, papers: Path, tmp_path: Path, date: str, words: str
) -> None:
    """The machine's clock is really another one: the process lives in another year."""
    program = (
        "import sys, time_machine\n"
        f"with time_machine.travel('{date}T02:00:00Z', tick=True):\n"
        "    from agent.__main__ import main\n"
        "    main()\n"
    )
    arguments = machine.command("run", "papers", "--json")[3:]
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    summary = json.loads(ended.stdout.splitlines()[-1])
    assert words in summary["warnings"][0]["sentence"]
    (run,) = client.house.query(
        "SELECT abs(extract(epoch FROM now() - started_at)) AS seconds FROM ingest.runs"
        " WHERE run_id = $1::text::uuid",
        summary["run_id"],
    )
    assert run["seconds"] < 600
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


def test_names_that_differ_by_case_or_accents_composed_are_two_files(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    names = ["Report.txt", "REPORT.txt", "caf\u00e9", "cafe\u0301", "ﬁn", "fin"]
    for name in names:
        (papers / name).write_text(name)
    assert machine.run()["files_total"] == 3 + len(names)
    client.restore(machine, tmp_path / "back")
    back = Path(f"{tmp_path}/back{papers}")
    assert {name: (back / name).read_text() for name in names} == {name: name for name in names}


def test_a_dry_run_tells_what_would_be_sent_and_starts_nothing(
    machine: Machine, client: Client, papers: Path
) -> None:
    def dry_run() -> dict[str, Any]:
        ended = machine.agent("run", "papers", "--dry-run", "--json")
        assert ended.returncode == 0, ended.stderr
        summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return summary

    def plans_and_runs() -> tuple[int, int]:
        (row,) = client.house.query(
            "SELECT (SELECT count(*) FROM ingest.plans WHERE tenant_id = $1::text::uuid) AS plans,"
            " (SELECT count(*) FROM ingest.runs WHERE tenant_id = $1::text::uuid) AS runs",
            client.tenant_id,
        )
        return row["plans"], row["runs"]

    first = dry_run()
    assert first["compared_with"] == "nothing: a first backup"
    assert (first["files_new"], first["files_to_read"]) == (3, 3)
    assert plans_and_runs() == (0, 0)
    machine.run()
    (papers / "big.bin").write_bytes(bytes(70_000))
    (papers / "letter.txt").write_text("Madame")
    (papers / "2026" / "invoice.txt").unlink()
    second = dry_run()
    changes = [second[f"files_{kind}"] for kind in ("total", "new", "changed", "removed")]
    assert changes == [3, 1, 1, 1]
    assert second["bytes_to_read"] == 70_006
    assert second["largest"][0] == {"path": str(papers / "big.bin"), "size_bytes": 70_000}
    for file in (machine.folder / "state" / "plans").iterdir():
        file.unlink()
    third = dry_run()
    assert third["compared_with"] == "the server's list"
    assert [third[key] for key in ("files_new", "files_changed", "files_removed")] == [1, 1, 1]
    assert plans_and_runs() == (1, 1)
    for_people = machine.agent("run", "papers", "--dry-run")
    assert "1 new, 1 changed, 1 removed" in for_people.stdout
    assert f"70.0 kB  {papers / 'big.bin'}" in for_people.stdout
    assert machine.run()["files_new"] == 1
