"""Dumps of real databases, loaded into fresh ones and compared row by row."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config import Dump
from agent.dumps.taking import TakenDump
from libs.shared.reasons import Reason
from libs.shared.words.explanations import say
from tests.agent.databases import Copied, path_first, postgresql


def why(taken: TakenDump) -> str:
    """What is said of a dump."""
    assert taken.reason is not None
    return say(taken.reason)


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "custom"])
def test_a_postgresql_dump_brings_every_row_back(
    copied: Copied, servers: Any, accounting: Any, tmp_path: Path, kind: Any
) -> None:
    dump = postgresql(servers, accounting.names["books"], tmp_path, format=kind)
    taken = copied.take(dump)
    assert (taken.reason, taken.succeeded, taken.guaranteed) == (None, True, True)
    assert taken.file_name == ("books.sql" if kind == "plain" else "books.dump")
    file = tmp_path / taken.file_name
    file.write_bytes(copied.content(taken))
    address = servers.postgres_admin_dsn.rpartition("/")[0] + "/" + accounting.names["fresh"]
    accounting("DROP TABLE IF EXISTS entries", "fresh")
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
    assert why(taken).startswith("pg_dump ended with status 1: ")
    assert "password authentication failed" in why(taken)
    leaking = "import os, sys; sys.exit('with ' + os.environ.get('PGPASSWORD', '') + ' I failed')"
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{leaking}\n")
    program.chmod(0o755)
    with path_first(program.parent):
        taken = copied.take(dump)
    assert why(taken) == "pg_dump ended with status 1: with *** I failed"
    (tmp_path / "password").unlink()
    assert "password can't be read: No such file" in why(copied.take(dump))


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
    assert why(taken).startswith("it can't be read again: pg_restore: error: ")


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
    assert (taken.reason, taken.succeeded, taken.guaranteed) == (None, True, True)
    assert taken.file_name == "shop.sql"
    assert copied.content(taken).startswith(b"-- MySQL dump")
    assert "1045" in why(refused)
    assert "s3cret" not in why(refused)
    assert why(missing) == "the program mysqldump is not installed"
    assert list(copied.private.iterdir()) == [], "the file with the password is gone"


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
    assert (taken.reason, taken.succeeded, taken.guaranteed) == (None, True, True)
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
    assert (taken.reason, taken.succeeded, taken.guaranteed) == (None, True, True)
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
    assert "No such file" in why(copied.take(dump))
    assert not (tmp_path / "ledger.db").exists()
    ledger = sqlite3.connect(tmp_path / "ledger.db")
    ledger.execute("CREATE TABLE entries (note text)")
    ledger.executemany("INSERT INTO entries VALUES (?)", [("x" * 500,)] * 1000)
    ledger.execute("CREATE INDEX by_note ON entries (note)")
    ledger.commit()
    assert copied.take(dump).guaranteed
    ledger.execute("BEGIN EXCLUSIVE")
    locked = copied.take(replace(dump, timeout_seconds=0.3))
    assert locked.reason == Reason("dump-timed-out", limit=1)
    ledger.rollback()
    ledger.close()
    with (tmp_path / "ledger.db").open("r+b") as file:
        file.seek(4096 * 20)
        file.write(b"\x55" * 4096 * 3)
    assert "damaged" in why(copied.take(dump))
    (tmp_path / "ledger.db").write_text("this is no database" * 100)
    assert "file is not a database" in why(copied.take(dump))
    assert list(copied.private.iterdir()) == []
    copied.private.rmdir()
    assert why(copied.take(dump)).endswith("private can't be written: No such file or directory")
