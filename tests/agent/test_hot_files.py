"""Which files are databases, by their names alone."""

from __future__ import annotations

import pytest

from agent.walking.hot import MAX_NAMED, HotFiles
from libs.shared.entries import Entry, FolderDelta


def copied(folder: str, *names: str, kind: str = "f", size: int = 9) -> HotFiles:
    """What is found where these names are copied from a folder."""
    entries = [
        Entry(name.encode(), kind, 0o600, 0, 0, 0, size, b"", b"")  # type: ignore[arg-type] # a letter
        for name in names
    ]
    hot = HotFiles()
    hot.look(FolderDelta(folder.encode(), entries, []))
    return hot


@pytest.mark.parametrize(
    ("folder", "names", "found"),
    [
        ("var/lib/mysql", ["ibdata1", "ib_logfile0", "my.cnf"], ["ib_logfile0", "ibdata1"]),
        ("var/lib/mysql/shop", ["orders.ibd", "orders.frm"], ["orders.ibd"]),
        ("C:/mssql", ["Paie.MDF", "Paie_log.ldf"], ["Paie.MDF", "Paie_log.ldf"]),
        ("srv", ["Caisse.accdb", "old.mdb", "mdb.txt", "notes"], ["Caisse.accdb", "old.mdb"]),
        ("srv/exchange", ["Mailbox Database.edb"], ["Mailbox Database.edb"]),
        ("srv", ["GESTION.FDB"], ["GESTION.FDB"]),
        ("oradata", ["SYSTEM01.DBF"], ["SYSTEM01.DBF"]),
        ("maps", ["roads.dbf", "roads.shp", "other.dbf"], ["other.dbf"]),
        ("var/lib/mongodb", ["WiredTiger.wt", "WiredTiger.lock"], ["WiredTiger.wt"]),
        ("srv", ["app.sqlite", "app.sqlite-wal", "app.sqlite-shm"], ["app.sqlite"]),
        ("srv", ["app.sqlite", "-wal", "my-journal"], []),
    ],
)
def test_databases_are_known_by_their_names(
    folder: str, names: list[str], found: list[str]
) -> None:
    assert copied(folder, *names).named() == [(f"/{folder}/{name}", 9) for name in found]


def test_a_postgresql_folder_is_named_as_a_whole() -> None:
    hot = copied("var/lib/postgresql/15/main/global", "pg_control", "1262")
    assert hot.named() == [("/var/lib/postgresql/15/main", 0)]
    assert copied("srv/odd", "pg_control").named() == []


def test_only_files_with_something_in_their_logs_count() -> None:
    assert copied("srv", "archive.mdb", kind="d").named() == []
    assert copied("srv", "app.db-wal", size=0).named() == []
    assert copied("srv", "app.db-wal", size=5).named() == [("/srv/app.db", 0)]


def test_a_folder_full_of_tables_does_not_fill_the_report() -> None:
    hot = copied("var/lib/mysql/shop", *(f"t{number}.ibd" for number in range(500)))
    assert len(hot.found) == 500
    assert len(hot.named()) == MAX_NAMED
    assert len(hot.as_results(5)) == 5
    assert hot.as_results(0) == []
