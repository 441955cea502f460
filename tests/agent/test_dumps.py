"""Dumps of databases: streamed from real programs, checked, and told from broken ones."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.config import Dump
from agent.dumps import folder, taking
from agent.dumps.taking import Taken
from agent.reading import FileReader
from agent.tree import FILE, FOLDER, Listing, Row

KEY = bytes(range(32))


class Copied:
    """What a dump's chunks put together again."""

    def __init__(self, private: Path) -> None:
        self.private = private
        self._chunks: dict[bytes, bytes] = {}

    def take(self, dump: Dump, size_before: int | None = None) -> Taken:
        """Takes a dump as a run does."""

        def offer(chunk_id: bytes, content: bytes | memoryview) -> None:
            self._chunks[chunk_id] = bytes(content)

        return taking.take(dump, FileReader(KEY, offer).read_stream, self.private, size_before)

    def content(self, taken: Taken) -> bytes:
        """The dump as it would be restored."""
        ids = [taken.chunks[at : at + 32] for at in range(0, len(taken.chunks), 32)]
        return b"".join(self._chunks[each] for each in ids)


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    """Takes dumps, and gives their contents."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    return Copied(private)


def command(script: str, **more: Any) -> Dump:
    """A dump by a program of the test's own."""
    settings: dict[str, Any] = {"timeout_seconds": 30, "end_mark": "-- the end", **more}
    return Dump("accounts", "command", command=(sys.executable, "-c", script), **settings)


# --- programs that behave, and programs that don't -----------------------------------------------


def test_a_dump_larger_than_many_chunks_comes_whole(copied: Copied) -> None:
    script = """
import random, sys
rows = random.Random(7).randbytes(9_000_000)
sys.stdout.buffer.write(rows)
sys.stdout.buffer.flush()
sys.stdout.buffer.write(b"-- the end\\n")
"""
    taken = copied.take(command(script))
    assert (taken.succeeded, taken.guaranteed, taken.detail) == (True, True, "")
    assert taken.size_bytes == 9_000_011
    assert len(taken.chunks) > 32 * 3
    assert copied.content(taken)[-20:].endswith(b"-- the end\n")
    assert copied.take(command(script)).chunks == taken.chunks


@pytest.mark.parametrize(
    ("script", "more", "why"),
    [
        ("pass", {}, "it wrote nothing"),
        ("print('rows')", {}, "its end mark is missing, so it isn't whole"),
        ("print('-- the end' + 'x' * 20000)", {}, "its end mark is missing, so it isn't whole"),
        (
            "print('-- the end')",
            {"min_size_bytes": 12},
            "it has 11 B and should have 12 B at least",
        ),
        ("print('-- the end', flush=True); import sys; sys.exit('disk full')", {}, "disk full"),
        ("import os; print('-- the end', flush=True); os.kill(os.getpid(), 9)", {}, "signal 9"),
        ("import time; time.sleep(60)", {"timeout_seconds": 0.5}, "took longer than 0.5 s"),
        (
            "import os, time; print('-- the end', flush=True); os.close(1); time.sleep(60)",
            {"timeout_seconds": 0.5},
            "took longer than 0.5 s",
        ),
        (
            "import sys\nwhile True: sys.stdout.write('rows ' * 1000 + '-- the end')",
            {"timeout_seconds": 0.5},
            "took longer than 0.5 s",
        ),
        (
            "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
            {"timeout_seconds": 0.5},
            "took longer than 0.5 s",
        ),
    ],
    ids=[
        "nothing",
        "unmarked",
        "mark-in-the-middle",
        "small",
        "status",
        "killed",
        "hangs",
        "hangs-at-its-end",
        "endless",
        "deaf",
    ],
)
def test_a_bad_dump_is_told_from_a_good_one(
    copied: Copied, script: str, more: dict[str, Any], why: str
) -> None:
    began = time.monotonic()
    taken = copied.take(command(script, **more))
    assert (taken.succeeded, taken.guaranteed, taken.size_bytes) == (False, False, 0)
    assert why in taken.detail
    assert time.monotonic() - began < 8


def test_a_dump_that_hangs_leaves_no_process_behind(copied: Copied, tmp_path: Path) -> None:
    script = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
"""
    taken = copied.take(command(script, timeout_seconds=1))
    assert "took longer than 1.0 s" in taken.detail, "its child holds the pipe"
    child = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    deadline = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_without_a_mark_is_kept_and_not_guaranteed(copied: Copied) -> None:
    taken = copied.take(command("print('rows')", end_mark=None))
    assert (taken.succeeded, taken.guaranteed) == (True, False)
    assert taken.detail == "it has no end mark that could be checked"


def test_a_dump_much_smaller_than_before_is_suspect(copied: Copied) -> None:
    script = "print('x' * 989 + '-- the end')"
    assert not copied.take(command(script), size_before=1999).is_suspect
    taken = copied.take(command(script), size_before=2001)
    assert (taken.succeeded, taken.guaranteed, taken.is_suspect) == (True, True, True)
    assert "2.0 kB" in taken.detail


def test_a_program_that_is_not_there_says_so(copied: Copied) -> None:
    taken = copied.take(Dump("accounts", "command", command=("no-such-program",)))
    assert taken.detail == "no-such-program can't be started: No such file or directory"


# --- the folder of dumps -------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["A", "srv", "+x"])
def test_the_folder_of_dumps_stands_at_its_place_in_the_walk(first: str) -> None:
    good = Taken("books", "books.sql", True, True, 5, 9, KEY)
    bad = Taken("shop", "shop.sql", False, False, 6)
    name = first.encode()
    row: Row = (name, FOLDER << 12 | 0o755, 1, 0, 1, 1, 0, 0)
    walk = [Listing(b"", rows=[row], pinned=True), Listing(name), Listing(name + b"/below")]
    listings = list(folder.with_dumps(walk, [bad, good], lambda *_: None))
    paths = [listing.path for listing in listings]
    assert paths == sorted([b"", name, name + b"/below", b"@dumps"])
    assert [row[0] for row in listings[0].rows] == sorted([name, b"@dumps"])
    dumps = listings[paths.index(b"@dumps")]
    assert [row[:5] for row in dumps.rows] == [(b"books.sql", FILE << 12 | 0o600, 0, 9, 5)]
    assert (dumps.contents, dumps.kept) == ({b"books.sql": KEY}, [b"shop.sql"])
    only = [listing.path for listing in folder.with_dumps([Listing(b"")], [good], lambda *_: None)]
    assert only == [b"", b"@dumps"]


def test_a_real_folder_of_that_name_is_left_out_and_named() -> None:
    missed: dict[bytes, str] = {}
    row: Row = (b"@dumps", FOLDER << 12 | 0o755, 77, 0, 1, 1, 0, 0)
    walk = [Listing(b"", rows=[row]), Listing(b"@dumps"), Listing(b"@dumps/x"), Listing(b"etc")]
    good = Taken("books", "books.sql", True, True, 5, 9, KEY)
    listings = list(folder.with_dumps(walk, [good], missed.__setitem__))
    assert [listing.path for listing in listings] == [b"", b"@dumps", b"etc"]
    assert listings[0].rows[0][2] == 0, "ours, not the machine's"
    assert listings[1].contents
    assert missed == {b"@dumps": "not copied: the plan's dumps have this name"}


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture
def accounting(servers: Any, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL database with rows, and one to load a dump into; runs SQL on a database."""
    admin = servers.postgres_admin_dsn.rpartition("/")[0]
    names = {role: f"{role}_{uuid.uuid4().hex[:8]}" for role in ("books", "fresh")}

    def sql(statement: str, database: str = "postgres") -> str:
        address = f"{admin}/{names.get(database, database)}"
        ran = subprocess.run(
            ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, address],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return ran.stdout

    for name in names.values():
        sql(f"CREATE DATABASE {name}")
    sql(
        "CREATE TABLE entries (id int PRIMARY KEY, label text, amount numeric);"
        "INSERT INTO entries SELECT n, 'facture n° ' || n || E'\\t\\\\\\n', n / 7.0"
        " FROM generate_series(1, 5000) n",
        "books",
    )
    sql.names = names  # type: ignore[attr-defined] # for the tests
    yield sql
    for name in names.values():
        sql(f"DROP DATABASE {name} WITH (FORCE)")


def postgresql(servers: Any, database: str, folder: Path, **more: Any) -> Dump:
    """A dump of a database of the test server, its password in a file."""
    address = urlsplit(servers.postgres_admin_dsn)
    (folder / "password").write_text(f"{address.password}\n")
    (folder / "password").chmod(0o600)
    return Dump(
        "books", "postgresql", database=database, host=address.hostname, port=address.port,
        user=address.username, password_file=folder / "password", timeout_seconds=60, **more,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["plain", "custom"])
def test_a_postgresql_dump_brings_every_row_back(
    copied: Copied, servers: Any, accounting: Any, tmp_path: Path, kind: Any
) -> None:
    dump = postgresql(servers, accounting.names["books"], tmp_path, format=kind)
    taken = copied.take(dump)
    assert (taken.detail, taken.succeeded, taken.guaranteed) == ("", True, True)
    assert taken.file_name == ("books.sql" if kind == "plain" else "books.dump")
    file = tmp_path / taken.file_name
    file.write_bytes(copied.content(taken))
    address = servers.postgres_admin_dsn.rpartition("/")[0] + "/" + accounting.names["fresh"]
    load = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", address, "-f", str(file)]
    if kind == "custom":
        load = ["pg_restore", "--exit-on-error", "-d", address, str(file)]
    subprocess.run(load, check=True, capture_output=True)
    query = "SELECT md5(string_agg(entries::text, '|' ORDER BY id)), count(*) FROM entries"
    assert accounting(query, "fresh") == accounting(query, "books")
    assert accounting(query, "fresh").strip().endswith("|5000")


def test_a_refused_password_is_said_and_never_shown(
    copied: Copied, servers: Any, accounting: Any, tmp_path: Path
) -> None:
    dump = postgresql(servers, accounting.names["books"], tmp_path)
    (tmp_path / "password").write_text("not-that-one\n")
    taken = copied.take(dump)
    assert not taken.succeeded
    assert taken.detail.startswith("pg_dump ended with status 1: ")
    assert "password authentication failed" in taken.detail
    leaking = "import os, sys; sys.exit('with ' + os.environ.get('PGPASSWORD', '') + ' I failed')"
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{leaking}\n")
    program.chmod(0o755)
    with path_first(program.parent):
        taken = copied.take(dump)
    assert taken.detail == "pg_dump ended with status 1: with *** I failed"
    (tmp_path / "password").unlink()
    assert "password can't be read: No such file" in copied.take(dump).detail


def test_a_custom_dump_cut_short_is_noticed(
    copied: Copied, servers: Any, accounting: Any, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n{shutil.which("pg_dump")} "$@" | head -c 60000\n')
    program.chmod(0o755)
    dump = postgresql(servers, accounting.names["books"], tmp_path, format="custom")
    with path_first(program.parent):
        taken = copied.take(dump)
    assert not taken.succeeded
    assert taken.detail.startswith("it can't be read again: pg_restore: error: ")


class path_first:  # noqa: N801 - reads as a verb
    """Lets programs of a folder be found before all others."""

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        self._path = str(folder) if alone else f"{folder}{os.pathsep}{os.environ['PATH']}"
        self._before = os.environ["PATH"]

    def __enter__(self) -> None:
        os.environ["PATH"] = self._path

    def __exit__(self, *_: object) -> None:
        os.environ["PATH"] = self._before


# --- MySQL, MariaDB ------------------------------------------------------------------------------

# As the real ones: options read first from the named file, then a dump with its mark at the end.
FAKE_MYSQLDUMP = f"""#!{sys.executable}
import configparser, os, stat, sys
options = sys.argv[1:]
file = options[0].removeprefix("--defaults-extra-file=")
assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
client = configparser.RawConfigParser()
client.read(file)
if client["client"]["password"] != '"p\\\\"a\\\\\\\\ss"':
    sys.exit("Got error: 1045: Access denied using password " + client["client"]["password"])
assert not any("ss" in option for option in options[1:] if "pass" not in option), options
assert "--single-transaction" in options and options[-2:] == ["--", "dolibarr"], options
print("-- MySQL dump\\nCREATE TABLE t (id int);\\n-- Dump completed")
"""


def test_a_mysql_dump_gets_its_password_by_a_private_file(copied: Copied, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "mysqldump"
    program.parent.mkdir()
    program.write_text(FAKE_MYSQLDUMP)
    program.chmod(0o755)
    (tmp_path / "password").write_text('p"a\\ss\n')
    dump = Dump(
        "shop", "mysql", database="dolibarr", user="backup", password_file=tmp_path / "password"
    )
    with path_first(program.parent, alone=True):
        taken = copied.take(dump)
        (tmp_path / "password").write_text("s3cret\n")
        refused = copied.take(dump)
        program.unlink()
        missing = copied.take(dump)
    assert (taken.detail, taken.succeeded, taken.guaranteed) == ("", True, True)
    assert taken.file_name == "shop.sql"
    assert copied.content(taken).startswith(b"-- MySQL dump")
    assert "1045" in refused.detail
    assert "s3cret" not in refused.detail
    assert missing.detail == "the program mysqldump is not installed"
    assert list(copied.private.iterdir()) == [], "the file with the password is gone"


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A MariaDB server of the test's own, by its socket."""
    if not shutil.which("mariadbd") or not shutil.which("mariadb-install-db"):
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    folder = tmp_path_factory.mktemp("mariadb")
    own = ["--no-defaults", f"--datadir={folder / 'data'}"]
    as_user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        ["mariadb-install-db", *own, *as_user, "--auth-root-authentication-method=normal",
         "--skip-test-db"], check=True, capture_output=True,
    )  # fmt: skip
    socket = folder / "socket"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["mariadbd", *own, *as_user, f"--socket={socket}", "--skip-networking",
             "--innodb-buffer-pool-size=16M"], stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            is_late = server.poll() is not None or time.monotonic() > deadline
            assert not is_late, (folder / "log").read_text()
            time.sleep(0.05)
        yield socket
    finally:
        server.terminate()
        server.wait(30)


def test_a_mariadb_dump_brings_every_row_back(
    copied: Copied, mariadb: Path, tmp_path: Path
) -> None:
    def sql(statement: str, database: str = "mysql") -> str:
        ran = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={mariadb}", "--user=root", "-N",
             "--default-character-set=utf8mb4", database],
            input=statement, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return ran.stdout

    sql("CREATE DATABASE shop; CREATE DATABASE fresh;")
    sql(
        "CREATE USER backup@localhost IDENTIFIED BY 'p\"a ss'; GRANT ALL ON *.* TO backup@localhost"
    )
    sql(
        "CREATE TABLE orders (id int PRIMARY KEY, label text, raw blob) CHARACTER SET utf8mb4;"
        "INSERT INTO orders SELECT seq, concat('café 🥐 ', seq), unhex(sha2(seq, 256))"
        " FROM seq_1_to_3000; CREATE PROCEDURE hello() SELECT 'bonjour';",
        "shop",
    )
    (tmp_path / "password").write_text('p"a ss\n')
    (tmp_path / "my.cnf").write_text(f"[client]\nsocket={mariadb}\n[mysqldump]\nskip-comments\n")
    os.environ["MYSQL_HOME"] = str(tmp_path)
    try:
        taken = copied.take(
            Dump(
                "shop",
                "mysql",
                database="shop",
                user="backup",
                password_file=tmp_path / "password",
                timeout_seconds=60,
            )
        )
    finally:
        del os.environ["MYSQL_HOME"]
    assert (taken.detail, taken.succeeded, taken.guaranteed) == ("", True, True)
    sql(copied.content(taken).decode(), "fresh")
    query = "SELECT count(*), md5(group_concat(id, label, hex(raw) ORDER BY id)) FROM orders"
    many = "SET SESSION group_concat_max_len = 10000000;"
    assert sql(many + query, "fresh") == sql(many + query, "shop")
    assert sql("CALL hello()", "fresh") == "bonjour\n"
    assert list(copied.private.iterdir()) == []


# --- SQLite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_sqlite_database_is_copied_whole_while_it_is_written_to(
    copied: Copied, tmp_path: Path, mode: str
) -> None:
    database = tmp_path / "ledger é.db"
    ended = threading.Event()
    ledger = sqlite3.connect(database)
    ledger.execute(f"PRAGMA journal_mode = {mode}")
    ledger.execute("PRAGMA user_version = 42")
    ledger.execute("CREATE TABLE debits (amount int, note blob)")
    ledger.execute("CREATE TABLE credits (amount int, note blob)")
    ledger.executemany("INSERT INTO debits VALUES (0, ?)", [(os.urandom(900),)] * 8000)
    ledger.commit()

    def write_on() -> None:
        writing = sqlite3.connect(database, timeout=30)
        writing.execute("PRAGMA synchronous = OFF")
        while not ended.is_set():
            # Both or none, on pages that lie far apart.
            writing.execute("INSERT INTO debits VALUES (1, ?)", (b"d" * 900,))
            writing.execute("INSERT INTO credits VALUES (1, ?)", (b"c" * 900,))
            writing.commit()
            time.sleep(0.0005)
        writing.close()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        while not ledger.execute("SELECT count(*) FROM credits").fetchone()[0]:
            time.sleep(0.01)
        taken = copied.take(Dump("ledger", "sqlite", path=database, timeout_seconds=60))
    finally:
        ended.set()
        writer.join()
        ledger.close()
    assert (taken.detail, taken.succeeded, taken.guaranteed) == ("", True, True)
    restored = tmp_path / taken.file_name
    restored.write_bytes(copied.content(taken))
    back = sqlite3.connect(restored)
    sums = back.execute(
        "SELECT (SELECT sum(amount) FROM debits), (SELECT sum(amount) FROM credits)"
    )
    debits, credits_ = sums.fetchone()
    assert debits == credits_
    assert back.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert back.execute("PRAGMA user_version").fetchone() == (42,)
    back.close()
    assert list(copied.private.iterdir()) == [], "the temporary copy is gone"


def test_a_sqlite_database_that_cannot_be_trusted_is_no_dump(
    copied: Copied, tmp_path: Path
) -> None:
    dump = Dump("ledger", "sqlite", path=tmp_path / "ledger.db", timeout_seconds=60)
    assert "No such file" in copied.take(dump).detail
    assert not (tmp_path / "ledger.db").exists()
    ledger = sqlite3.connect(tmp_path / "ledger.db")
    ledger.execute("CREATE TABLE entries (note text)")
    ledger.executemany("INSERT INTO entries VALUES (?)", [("x" * 500,)] * 1000)
    ledger.execute("CREATE INDEX by_note ON entries (note)")
    ledger.commit()
    assert copied.take(dump).guaranteed
    ledger.execute("BEGIN EXCLUSIVE")
    locked = copied.take(replace(dump, timeout_seconds=0.3))
    assert "took longer than 0.3 s" in locked.detail
    ledger.rollback()
    ledger.close()
    with (tmp_path / "ledger.db").open("r+b") as file:
        file.seek(4096 * 20)
        file.write(b"\x55" * 4096 * 3)
    assert "damaged" in copied.take(dump).detail
    (tmp_path / "ledger.db").write_text("this is no database" * 100)
    assert "file is not a database" in copied.take(dump).detail
    assert list(copied.private.iterdir()) == []
    copied.private.rmdir()
    assert copied.take(dump).detail.endswith("private can't be written: No such file or directory")
