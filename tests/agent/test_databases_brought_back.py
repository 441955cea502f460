"""A database from the machine to the report, and back from a restore and from the portal."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.world.clients import Client


def in_the_portal(client: Client, plan: str, path: str) -> tuple[list[dict[str, Any]], bytes]:
    """The top of a plan as the portal lists it, and a file as it is downloaded there."""
    with client.sign_in() as portal:
        listed = portal.get(f"/plans/{plan}/entries", params={"path": "/"})
        assert listed.is_success, listed.text
        file = portal.get(f"/plans/{plan}/file", params={"path": path})
        assert file.is_success, file.text
        return listed.json()["entries"], file.content


def test_a_postgresql_database_is_dumped_reported_and_brought_back(
    client: Client,
    servers: Any,
    accounting: Any,
    tmp_path: Path,
) -> None:
    address = urlsplit(servers.postgres_admin_dsn)
    (tmp_path / "password").write_text(f"{address.password}\n")
    plan = {
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
    [(subject, report)] = client.reports(1)
    assert subject.startswith("[REUSSIE] ")
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
    now = client.restore_dumps(machine, tmp_path / "now")
    assert load(now) == accounting(rows, "books")
    listed, downloaded = in_the_portal(client, "papers", "/@dumps/books.sql")
    assert [(entry["name"], entry["kind"]) for entry in listed] == [("@dumps", "folder")]
    assert downloaded == (now / "books.sql").read_bytes()
    assert load(client.restore_dumps(machine, tmp_path / "then", "--run", "1")).startswith("5000|")
