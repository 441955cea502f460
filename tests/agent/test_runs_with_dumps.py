"""Runs with dumps, hooks, pings and database files, from the machine to the report and back."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from agent.failures import Interrupted
from tests.agent.house import PASSWORD, ROOT, Client, House, Machine, wait_for
from tests.agent.monitors import Monitor
from tests.servers import free_port
from tests.trees import compare_trees


def script(text: str) -> list[str]:
    """A program of a few words."""
    return [sys.executable, "-c", text]


def printing(text: str) -> dict[str, Any]:
    """A dump that prints a text and its end mark."""
    return command(f"print({text!r}); print('-- the end')")


def command(text: str, **more: Any) -> dict[str, Any]:
    """A dump by a program of the test's own."""
    return {"name": "books", "type": "command", "command": script(text), "end_mark": "-- the end",
            **more}  # fmt: skip


def restored(client: Client, machine: Machine, to: Path, *arguments: str) -> Path:
    """The folder of dumps as it was restored."""
    client.restore(machine, to, "--path", "/@dumps", *arguments)
    return to / "@dumps"


def in_the_portal(client: Client, plan: str, path: str) -> tuple[list[dict[str, Any]], bytes]:
    """The top of a plan as the portal lists it, and a file as it is downloaded there."""
    with httpx2.Client(base_url=client.house.urls["portal"] + "/api/v1", trust_env=False) as portal:
        asked = {"email": client.email, "password": PASSWORD}
        token = portal.post("/tokens", json=asked).json()["token"]
        portal.headers["Authorization"] = f"Bearer {token}"
        listed = portal.get(f"/plans/{plan}/entries", params={"path": "/"})
        assert listed.is_success, listed.text
        file = portal.get(f"/plans/{plan}/file", params={"path": path})
        assert file.is_success, file.text
        return listed.json()["entries"], file.content


def last_run(client: Client) -> Any:
    """What ingest noted of the last run."""
    return client.house.query(
        "SELECT state, outcome, reason_code, reason, number FROM ingest.runs"
        " WHERE tenant_id = $1::text::uuid ORDER BY number DESC LIMIT 1",
        client.tenant_id,
    )[0]


def mail_to(house: House, address: str) -> str:
    """The report to an address, as text."""
    seen: set[Path] = set()

    def look() -> str | None:
        for path in set(house.mail_dir.glob("[0-9]*.eml")) - seen:
            seen.add(path)
            if address.encode() not in (body := path.read_bytes()):
                continue
            mail: Any = email.message_from_bytes(body, policy=email.policy.default)
            if address in mail.get_all("X-Envelope-To", []):
                return str(mail["Subject"] + "\n" + mail.get_body(("plain",)).get_content())
        return None

    return wait_for("the report", look)


def test_a_postgresql_database_is_dumped_reported_and_brought_back(
    client: Client,
    servers: Any,
    accounting: Any,
    tmp_path: Path,
) -> None:
    address = urlsplit(servers.postgres_admin_dsn)
    (tmp_path / "password").write_text(f"{address.password}\n")
    reader = f"reader-{client.tenant_id[:8]}@menuiserie.example"
    plan = {
        "recipients": [reader],
        "dump": [
            {
                "name": "books", "type": "postgresql", "database": accounting.names["books"],
                "host": address.hostname, "port": address.port, "user": address.username,
                "password_file": str(tmp_path / "password"), "timeout": "1 min",
            }
        ],
    }  # fmt: skip
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    first = machine.run()
    assert (first["outcome"], first["files_total"], first["files_new"]) == ("succeeded", 1, 1)
    (dump,) = first["dumps"]
    assert (dump["name"], dump["succeeded"], dump["guaranteed"]) == ("books", True, True)
    assert dump["size_bytes"] == first["bytes_protected"] > 100_000
    report = mail_to(client.house, reader)
    assert report.startswith("REUSSIE - ")
    assert "- books (" in report
    assert "restauration garantie" in report

    accounting("DELETE FROM entries WHERE id > 4000", "books")
    second = machine.run()
    assert (second["run_number"], second["files_changed"]) == (2, 1)

    def load(folder: Path) -> str:
        accounting("DROP TABLE IF EXISTS entries", "fresh")
        target = f"{servers.postgres_admin_dsn.rpartition('/')[0]}/{accounting.names['fresh']}"
        subprocess.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", target, "-f", folder / "books.sql"],
            check=True, capture_output=True,
        )  # fmt: skip
        return str(accounting(rows, "fresh"))

    rows = "SELECT count(*), md5(string_agg(entries::text, '|' ORDER BY id)) FROM entries"
    now = restored(client, machine, tmp_path / "now")
    assert load(now) == accounting(rows, "books")
    listed, downloaded = in_the_portal(client, "papers", "/@dumps/books.sql")
    assert [(entry["name"], entry["kind"]) for entry in listed] == [("@dumps", "folder")]
    assert downloaded == (now / "books.sql").read_bytes()
    assert load(restored(client, machine, tmp_path / "then", "--run", "1")).startswith("5000|")


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
    assert (failed["outcome"], failed["error_code"]) == ("failed", "dump-failed")
    assert (failed["files_total"], failed["files_new"], failed["files_removed"]) == (6, 2, 0)
    assert [dump["succeeded"] for dump in failed["dumps"]] == [False, True]
    assert "its end mark is missing" in failed["dumps"][0]["detail"]
    assert told.read_text().startswith("dump-failed These dumps failed, and all else was copied")
    run = last_run(client)
    assert (run["state"], run["outcome"], run["reason_code"]) == (
        "committed", "failed", "incomplete",
    )  # fmt: skip
    assert "books" in run["reason"]
    dumps = restored(client, machine, tmp_path / "a")
    assert (dumps / "books.dump").read_text() == "first\n-- the end\n"
    assert (dumps / "other.dump").read_text() == "other\n-- the end\n"

    # The same where the list of the last run comes from the server, and for one that hangs.
    for file in (machine.folder / "state" / "plans").glob("*.json"):
        file.unlink()
    plan["dump"][0] = command("import time; print('rows', flush=True); time.sleep(60)", timeout=1)
    again = machine.run(expect=1)
    assert "books: it took longer than 1.0 s and was stopped" in again["error"]
    assert (again["files_total"], again["files_new"], again["files_removed"]) == (6, 0, 0)
    dumps = restored(client, machine, tmp_path / "b")
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
    output, _ = running.communicate(timeout=30)
    assert running.returncode == Interrupted.exit_code
    assert json.loads(output.splitlines()[-1])["error_code"] == "interrupted"
    assert not Path(f"/proc/{pid.read_text()}").exists()
    assert (tmp_path / "given back").exists()
    assert last_run(client)["reason_code"] == "interrupted"


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

    # A dump that shrank is worth a look, once.
    plan["dump"] = [printing("x" * 500)]
    warned = machine.run(expect=3)
    assert (warned["files_total"], warned["files_changed"], warned["files_removed"]) == (5, 1, 0)
    assert warned["hot_files"] == []
    assert "much smaller than last time, when it had 5.0 kB" in warned["dumps"][0]["detail"]
    assert warned["dumps"][0]["guaranteed"]
    assert machine.run()["outcome"] == "succeeded"
    client.restore(machine, tmp_path / "back")
    assert sorted(each.name for each in (tmp_path / "back").iterdir()) == [
        "@dumps", papers.parts[1],
    ]  # fmt: skip
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


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
    assert "can't be read a second time" in failed["error"]
    assert "Run again" in failed["error"]
    assert last_run(client)["state"] == "failed"
    del plan["hooks"]
    assert machine.run()["dumps"][0]["guaranteed"]
    dumps = restored(client, machine, tmp_path / "back")
    assert (dumps / "books.dump").read_text() == "rows\n-- the end\n"


def test_a_slow_dump_keeps_its_run_alive(house: House, client: Client, tmp_path: Path) -> None:
    hurried = replace(
        house,
        folder=tmp_path,
        environ={**house.environ, "COFFRE_LEASE_SECONDS": "2"},
        urls={**house.urls, "ingest": f"http://127.0.0.1:{free_port()}"},
        processes={},
    )
    hurried.start("ingest")
    try:
        slow = command("import time; time.sleep(4); print('-- the end')")
        machine = client.machine(tmp_path / "machine", {"papers": {"dump": [slow]}})
        machine.server = hurried.urls["ingest"]
        assert machine.run()["run_number"] == 1
        assert last_run(client)["state"] == "committed"
    finally:
        hurried.stop("ingest")


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
    assert (failed["error_code"], failed["run_number"]) == ("hook-failed", 1)
    assert "ended with status 4" in failed["error"]
    run = last_run(client)
    assert (run["state"], run["reason_code"]) == ("failed", "hook-failed")
    (start, fail) = monitor.told
    assert (start[0], fail[0]) == ("/ping/0000-secret/start", "/ping/0000-secret/fail")
    assert "no such mount" in fail[1]
    assert "ended with status 4" in fail[1]

    plan["hooks"] = {"after": script("import sys; sys.exit(5)")}
    monitor.answers = [500, 500, 500]
    warned = machine.run(expect=3)
    assert warned["outcome"] == "succeeded_with_warnings"
    assert "The hook after the copy failed" in warned["warnings"][0]
    assert len(monitor.told) == 2 + 3, "one start in two tries, one end in one"
    plan["hooks"] = {}
    assert machine.run()["outcome"] == "succeeded", "a deaf monitor would be no reason to warn"


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
    assert machine.run(expect=1)["error_code"] == "folder-missing"
    assert notes.read_text().split() == ["succeeded", "failed"]
