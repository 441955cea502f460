"""Runs with dumps: what a run comes to when they succeed, fail, hang, shrink or are lost."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.telling.failures import Interrupted
from tests.agent.scripts import command, printing, script
from tests.servers import free_port
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.house import House
from tests.world.machines import ROOT
from tests.world.waiting import wait_for


def test_a_dump_that_fails_keeps_the_last_good_one_and_copies_all_else(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    plan: dict[str, Any] = {"folders": [str(papers)], "dump": [printing("first")]}
    told = tmp_path / "told"
    plan["hooks"] = {
        "on_error": script(
            "import os; print(os.environ['COFFRE_REASON_CODE'], os.environ['COFFRE_REASON'],"
            f" file=open({str(told)!r}, 'a'))"
        )
    }
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    assert machine.run()["outcome"] == "succeeded"
    assert not told.exists()

    plan["dump"] = [command("print('half of it')"), {**printing("other"), "name": "other"}]
    (papers / "new.txt").write_text("new")
    failed = machine.run(expect=1)
    assert (failed["outcome"], failed["error"]["code"]) == ("failed", "dump-failed")
    assert (failed["files_total"], failed["files_new"], failed["files_removed"]) == (6, 2, 0)
    assert [dump["succeeded"] for dump in failed["dumps"]] == [False, True]
    assert failed["dumps"][0]["reason"]["code"] == "dump-cut"
    assert "its end mark is missing" in failed["dumps"][0]["reason"]["sentence"]
    assert told.read_text().startswith("dump-failed Databases without a good dump: books. All")
    run = client.last_run()
    assert (run["state"], run["outcome"], run["code"], run["subject"]) == (
        "committed", "failed", "dump-failed", "books",
    )  # fmt: skip
    dumps = client.restore_dumps(machine, tmp_path / "a")
    assert (dumps / "books.dump").read_text() == "first\n-- the end\n"
    assert (dumps / "other.dump").read_text() == "other\n-- the end\n"

    # The same where the list of the last run comes from the server, and for one that hangs.
    for file in (machine.folder / "state" / "plans").glob("*.json"):
        file.unlink()
    plan["dump"][0] = command("import time; print('rows', flush=True); time.sleep(60)", timeout=1)
    again = machine.run(expect=1)
    why = again["dumps"][0]["reason"]
    assert (why["code"], why["limit"]) == ("dump-timed-out", 1)
    assert (again["files_total"], again["files_new"], again["files_removed"]) == (6, 0, 0)
    dumps = client.restore_dumps(machine, tmp_path / "b")
    assert (dumps / "books.dump").read_text() == "first\n-- the end\n"

    plan["dump"] = []
    assert machine.run()["files_removed"] == 2
    client.restore(machine, tmp_path / "c")
    assert not (tmp_path / "c" / "@dumps").exists()


def test_a_run_that_is_told_to_stop_stops_its_dump(client: Client, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    slow = command(
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    hooks = {"after": script(f"open({str(tmp_path / 'given back')!r}, 'w')")}
    plan = {"dump": [slow], "hooks": hooks}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    running = subprocess.Popen(
        machine.command("run", "papers", "--json"), cwd=ROOT, stdout=subprocess.PIPE
    )
    wait_for("the dump", lambda: (pid.exists() and pid.read_text()) or None)
    running.terminate()
    output, _ = running.communicate(timeout=120)
    assert running.returncode == Interrupted.exit_code
    assert json.loads(output.splitlines()[-1])["error"]["code"] == "interrupted"
    assert not Path(f"/proc/{pid.read_text()}").exists()
    assert (tmp_path / "given back").exists()
    assert client.last_run()["code"] == "interrupted"


def test_dumps_stand_beside_the_folders_of_the_machine(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    (papers / "ibdata1").write_bytes(os.urandom(3000))
    plan: dict[str, Any] = {"folders": [str(papers)], "dump": [printing("x" * 5000)]}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    first = machine.run()
    # A database file is named, and no reason for a warning.
    assert (first["outcome"], first["files_total"]) == ("succeeded", 5)
    assert first["hot_files"] == [str(papers / "ibdata1")]
    (event,) = client.house.query(
        "SELECT payload FROM ingest.outbox WHERE tenant_id = $1::text::uuid"
        " AND type LIKE 'run.finished%'",
        client.tenant_id,
    )
    told = event["payload"]
    told = json.loads(told)["dumps"] if isinstance(told, str) else told["dumps"]
    assert [(dump["name"], dump["succeeded"], dump["guaranteed"]) for dump in told] == [
        ("books", True, True),
        (str(papers / "ibdata1"), True, False),
    ]

    looked = json.loads(machine.agent("run", "papers", "--dry-run", "--json").stdout)
    assert (looked["files_total"], looked["files_removed"], looked["dumps"]) == (5, 0, ["books"])
    assert looked["dump_bytes_last_time"] == {"books": 5012}

    # A dump that shrank is worth a look, once.
    plan["dump"] = [printing("x" * 500)]
    warned = machine.run(expect=3)
    assert (warned["files_total"], warned["files_changed"], warned["files_removed"]) == (5, 1, 0)
    assert warned["hot_files"] == []
    why = warned["dumps"][0]["reason"]
    assert why["sentence"].startswith("much smaller than last time, when it had 5.0 kB: now ")
    assert warned["dumps"][0]["guaranteed"]
    assert machine.run()["outcome"] == "succeeded"
    client.restore(machine, tmp_path / "back")
    assert sorted(each.name for each in (tmp_path / "back").iterdir()) == [
        "@dumps", papers.parts[1],
    ]  # fmt: skip
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


def test_a_dry_run_tells_how_large_dumps_were(client: Client, papers: Path, tmp_path: Path) -> None:
    broken = {**command("raise SystemExit(1)"), "name": "mails"}
    plan: dict[str, Any] = {"folders": [str(papers)], "dump": [printing("x" * 5000), broken]}
    machine = client.machine(tmp_path / "machine", {"papers": plan})

    def look() -> list[str]:
        said = machine.agent("run", "papers", "--dry-run").stdout.splitlines()
        return [line for line in said if "ump" in line]

    unknown = "size not known"
    assert look() == [f"Dumps: books ({unknown}), mails ({unknown})."]
    assert machine.run(expect=1)["outcome"] == "failed"
    assert look() == [f"Dumps: about 5.0 kB, as last time: books (5.0 kB), mails ({unknown})."]
    plan["dump"] = [printing("x" * 5000), {**printing("y" * 2000), "name": "mails"}]
    machine.run()
    assert look() == ["Dumps: about 7.0 kB, as last time: books (5.0 kB), mails (2.0 kB)."]


def test_a_part_of_a_dump_that_the_server_lost_is_asked_for_in_vain(
    client: Client, tmp_path: Path
) -> None:
    lose = (
        "import asyncio, asyncpg, os\n"
        "async def lose():\n"
        f"    c = await asyncpg.connect({client.house.admin_dsn!r})\n"
        "    for table in ('chunks', 'packs'):\n"
        f"        which = \"tenant_id = '{client.tenant_id}'\"\n"
        "        await c.execute(f'DELETE FROM catalogue.{table} WHERE {which}')\n"
        "asyncio.run(lose())"
    )
    plan: dict[str, Any] = {"dump": [printing("rows")], "hooks": {"after": script(lose)}}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    failed = machine.run(expect=1)
    assert "can't be read a second time" in failed["error"]["sentence"]
    assert "Run again" in failed["error"]["sentence"]
    assert client.last_run()["state"] == "failed"
    del plan["hooks"]
    assert machine.run()["dumps"][0]["guaranteed"]
    dumps = client.restore_dumps(machine, tmp_path / "back")
    assert (dumps / "books.dump").read_text() == "rows\n-- the end\n"


def test_a_slow_dump_keeps_its_run_alive(house: House, client: Client, tmp_path: Path) -> None:
    listens = {**house.place.listens, "ingest": free_port()}
    monitors = {**house.place.monitors, "ingest": free_port()}
    hurried = House(replace(house.place, listens=listens, monitors=monitors))
    hurried.start("ingest", COFFRE_LEASE_SECONDS="12")
    go_on = tmp_path / "go-on"
    waits = (
        "import os, time\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.02)\n"
        "print('-- the end')"
    )
    machine = client.machine(tmp_path / "machine", {"papers": {"dump": [command(waits)]}})
    machine.server = hurried.url("ingest")

    def ends_of_lease() -> Any:
        asked = "SELECT lease_until FROM ingest.runs WHERE tenant_id = $1::text::uuid"
        return [row["lease_until"] for row in client.house.query(asked, client.tenant_id)]

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(machine.run)
        try:
            [first] = wait_for("the run", lambda: ends_of_lease() or None)
            wait_for("a sign of life", lambda: ends_of_lease() > [first])
        finally:
            go_on.touch()
            ended = running.result()
            hurried.stop("ingest")
    assert ended["run_number"] == 1
    assert client.last_run()["state"] == "committed"
