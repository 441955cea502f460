"""Files that can't be read or don't hold still, folders that are gone, servers that are away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.house import House
from tests.world.machines import ROOT, Machine
from tests.world.waiting import wait_for


def stored_bytes(client: Client) -> int:
    """What the tenant's packs take in the store."""
    (row,) = client.house.query(
        "SELECT coalesce(sum(object_bytes), 0)::bigint AS bytes, count(*) AS packs"
        " FROM catalogue.packs WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    return int(row["bytes"])


def test_an_unreadable_file_is_named_and_its_last_version_kept(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run(mere_user=True)
    before = (papers / "letter.txt").read_bytes()
    (papers / "letter.txt").write_text("changed, but nobody may read it")
    (papers / "letter.txt").chmod(0)
    for _ in range(2):
        summary = machine.run(expect=3, mere_user=True)
        assert summary["outcome"] == "succeeded_with_warnings"
        assert summary["files_total"] == 3
        (missed,) = summary["not_copied"]
        assert (missed["path"], missed["is_folder"]) == (str(papers / "letter.txt"), False)
        assert missed["reason"]["code"] == "permission-denied"
    third = machine.run(expect=1, mere_user=True)
    assert third["outcome"] == "failed"
    client.restore(machine, tmp_path / "back")
    assert Path(f"{tmp_path}/back{papers}/letter.txt").read_bytes() == before
    (papers / "letter.txt").chmod(0o644)
    assert machine.run(mere_user=True)["files_changed"] == 1


def test_a_folder_that_cannot_be_listed_keeps_what_was_copied_of_it(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run(mere_user=True)
    (papers / "2026").chmod(0)
    summary = machine.run(expect=3, mere_user=True)
    assert (summary["files_total"], summary["files_removed"]) == (3, 0)
    (missed,) = summary["not_copied"]
    assert (missed["path"], missed["is_folder"]) == (str(papers / "2026"), True)
    assert missed["reason"]["code"] == "permission-denied"
    assert missed["reason"]["sentence"] == "the folder can't be read: permission denied"
    client.restore(machine, tmp_path / "back", "--path", str(papers / "2026" / "invoice.txt"))
    assert Path(f"{tmp_path}/back{papers}/2026/invoice.txt").read_text() == "1 204,00 €\n"
    (papers / "2026").chmod(0o755)
    assert machine.run(mere_user=True)["files_not_copied"] == 0


def test_a_file_that_changes_while_it_is_read_is_copied_with_a_warning(
    machine: Machine, papers: Path
) -> None:
    (papers / "log").write_bytes(os.urandom(30_000_000))
    ended = threading.Event()

    def write_on() -> None:
        with (papers / "log").open("ab", buffering=0) as log:
            while not ended.wait(0.001):
                log.write(b"another line\n")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        summary = machine.run(expect=3)
    finally:
        ended.set()
        writer.join()
    (missed,) = summary["not_copied"]
    assert (missed["path"], missed["reason"]["code"]) == (str(papers / "log"), "changed-while-read")
    assert summary["files_new"] == 4
    after = machine.run()
    assert (after["outcome"], after["files_changed"]) == ("succeeded", 1)


def test_a_missing_folder_fails_the_run_and_harms_nothing(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    papers.rename(tmp_path / "elsewhere")
    summary = machine.run(expect=1)
    assert (summary["outcome"], summary["error"]["code"]) == ("failed", "folder-missing")
    assert str(papers) in summary["error"]["sentence"]
    (tmp_path / "elsewhere").rename(papers)
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    again = machine.run()
    assert (again["files_total"], again["bytes_sent"]) == (3, 0)


@pytest.mark.parametrize("loss", ["all", "records", "damaged", "older"])
def test_a_lost_memory_costs_a_comparison_and_no_upload(
    machine: Machine, papers: Path, loss: str
) -> None:
    machine.run()
    plans = machine.folder / "state" / "plans"
    older = {file.name: file.read_bytes() for file in plans.iterdir()}
    (papers / "more.txt").write_text("more")
    machine.run()
    for file in plans.iterdir():
        if loss == "all" or (loss == "records" and file.suffix == ".records"):
            file.unlink()
        elif loss == "damaged":
            content = bytearray(file.read_bytes())
            content[len(content) // 2 :] = b"x" * (len(content) - len(content) // 2)
            file.write_bytes(content)
    if loss == "older":
        for name, content in older.items():
            (plans / name).write_bytes(content)
    (papers / "letter.txt").unlink()
    # Where all is gone or older, nothing tells a loss from a machine that was set up again.
    is_warned_of = loss in ("records", "damaged")
    summary = machine.run(expect=3 if is_warned_of else 0)
    assert len(summary["warnings"]) == is_warned_of
    assert summary["bytes_sent"] == 0
    changes = [summary[f"files_{kind}"] for kind in ("total", "new", "changed", "removed")]
    assert changes == [3, 0, 0, 1]


def test_blocked_growth_stops_what_grows_and_nothing_else(
    machine: Machine, client: Client, papers: Path
) -> None:
    machine.run()
    client.house.query(
        "INSERT INTO ingest.allowances VALUES ($1::text::uuid, 1000000, 1, 'the contract is full')"
        " ON CONFLICT (tenant_id) DO UPDATE SET version = 1000000, ceiling_bytes = 1",
        client.tenant_id,
    )
    (papers / "letter.txt").rename(papers / "moved.txt")
    assert machine.run()["bytes_sent"] == 0
    (papers / "new.bin").write_bytes(os.urandom(10_000))
    summary = machine.run(expect=20)
    assert (summary["outcome"], summary["error"]["code"]) == ("failed", "growth-blocked")
    assert (summary["error"]["limit"], summary["error"]["detail"]) == (1, "the contract is full")
    assert "rder more volume" in summary["error"]["sentence"]
    (papers / "new.bin").unlink()
    assert machine.run()["outcome"] == "succeeded"


def test_a_wrong_token_is_said_plainly(machine: Machine) -> None:
    (machine.folder / "token").write_text("not-a-token\n")
    ended = machine.agent("run", "papers")
    assert ended.returncode == 21
    assert "enrol" in ended.stderr


def test_a_code_serves_once_and_the_token_is_ours_alone(
    client: Client, tmp_path: Path, papers: Path
) -> None:
    machine = Machine(
        tmp_path / "m", {"papers": {"folders": [str(papers)]}}, client.house.url("ingest")
    )
    machine.folder.mkdir()
    code = client.enrolment_code()
    unenrolled = machine.agent("run", "papers", "--json")
    assert unenrolled.returncode == 21
    assert json.loads(unenrolled.stdout.splitlines()[-1])["error"]["code"] == "not-authorised"
    enrol = ("enrol", "--server", machine.server, "--code", code)
    assert machine.agent(*enrol).returncode == 0
    token = machine.folder / "token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text().split()) == 1
    again = machine.agent(*enrol)
    assert again.returncode == 21
    assert "new" in again.stderr


def test_an_ended_subscription_is_refused_with_its_reason(machine: Machine, client: Client) -> None:
    client.house.portal.ask("POST", f"/tenants/{client.tenant_id}/end", {"reason": "moved away"})
    wait_for("the end at ingest", client.house.all_delivered)
    summary = machine.run(expect=1)
    assert summary["error"]["code"] == "subscription-ended"
    assert "moved away" in summary["error"]["sentence"]


def test_a_server_that_is_away_is_waited_for(machine: Machine, house: House, papers: Path) -> None:
    announce(house)
    wait_for("the notice at ingest", house.all_delivered)
    machine.run()
    (papers / "more.txt").write_text("more")
    house.stop("ingest")
    try:
        machine.more["patience"] = 1
        summary = machine.run(expect=22)
        assert summary["error"]["code"] == "server-unreachable"
        assert "Maintenance was announced until" in machine.agent("run", "papers").stderr
        machine.more["patience"] = 120
        waiting = start(machine)
        assert waiting.stdout is not None
        lines = (json.loads(line) for line in waiting.stdout)
        assert any(line["message_type"] == "waiting" for line in lines)
    finally:
        house.start("ingest")
    *_, summary = lines
    _, errors = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, errors
    assert summary["files_new"] == 1


def announce(house: House) -> None:
    """An operator announces maintenance that goes on now."""
    now = datetime.now(UTC)
    drafted = house.portal.ask(
        "POST",
        "/notices",
        {
            "kind": "maintenance",
            "title": {"fr": "Serveurs", "en": "Servers"},
            "text": {"fr": "Nouveaux serveurs.", "en": "New servers."},
            "begins_at": (now - timedelta(minutes=1)).isoformat(),
            "ends_at": (now + timedelta(hours=1)).isoformat(),
        },
    )
    house.portal.ask("POST", f"/notices/{drafted['notice_id']}/publish", None)
    wait_for("the notice to be told", lambda: told_clients(house, drafted["notice_id"]))


def told_clients(house: House, notice_id: str) -> bool:
    clients = house.portal.ask("GET", f"/notices/{notice_id}", None)["clients"]
    return bool(clients) and all(one["told_at"] for one in clients)


def start(machine: Machine) -> subprocess.Popen[str]:
    """Begins a run and does not wait for it."""
    return subprocess.Popen(
        machine.command("run", "papers", "--json"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def grown(client: Client) -> Any:
    """Waits until something of a run is stored."""
    return wait_for("a pack", lambda: stored_bytes(client) > 0 or None)


def test_a_killed_run_goes_on_where_it_was(
    machine: Machine, client: Client, house: House, papers: Path
) -> None:
    for number in range(60):
        (papers / f"scan {number}").write_bytes(os.urandom(1_000_000))
    killed = start(machine)
    grown(client)
    killed.kill()
    killed.communicate()
    running = start(machine)
    wait_for("another pack", lambda: stored_bytes(client) > 20_000_000 or None)
    house.kill("ingest")
    house.start("ingest")
    output, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert json.loads(output.splitlines()[-1])["files_total"] == 63
    (chunks,) = house.query(
        'SELECT sum(length)::bigint AS bytes FROM (SELECT DISTINCT pack_no, "offset", length'
        " FROM catalogue.chunks WHERE tenant_id = $1::text::uuid) AS frames",
        client.tenant_id,
    )
    assert stored_bytes(client) < 60_000_000 * 1.7, "packs in flight may be twice, no more"
    assert chunks["bytes"] < 60_000_000 * 1.01


def test_a_run_that_is_told_to_stop_says_so(machine: Machine, client: Client, papers: Path) -> None:
    for number in range(60):
        (papers / f"scan {number}").write_bytes(os.urandom(1_000_000))
    running = start(machine)
    grown(client)
    running.terminate()
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 24
    summary = json.loads(output.splitlines()[-1])
    assert (summary["outcome"], summary["error"]["code"]) == ("failed", "interrupted")
    (run,) = client.house.query(
        "SELECT state, reason->>'code' AS code FROM ingest.runs WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    assert (run["state"], run["code"]) == ("failed", "interrupted")


def is_held(lock: Path) -> bool:
    """Whether somebody has locked a file; to try it oneself might be what the other meets."""
    return f":{lock.stat().st_ino} " in Path("/proc/locks").read_text()


def test_two_runs_of_a_plan_do_not_meet(machine: Machine, papers: Path) -> None:
    (papers / "big").write_bytes(os.urandom(40_000_000))
    first = start(machine)
    lock = machine.folder / "state" / "plans" / "papers.lock"
    wait_for("the lock", lambda: lock.exists() and is_held(lock))
    # Held still, so that it can't be done before the second has looked.
    first.send_signal(signal.SIGSTOP)
    try:
        assert machine.run(expect=23)["error"]["code"] == "already-running"
    finally:
        first.send_signal(signal.SIGCONT)
        first.communicate()
    assert first.returncode == 0
