"""Databases to dump, and what their dumps are put together to."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.config import Dump
from agent.dumps import taking
from agent.dumps.taking import TakenDump
from agent.walking.reading import FileReader

KEY = bytes(range(32))


class Copied:
    """What a dump's chunks put together again."""

    def __init__(self, private: Path) -> None:
        self.private = private
        self._chunks: dict[bytes, bytes] = {}

    def take(self, dump: Dump, size_before: int | None = None) -> TakenDump:
        """Takes a dump as a run does."""

        def offer(chunk_id: bytes, content: bytes | memoryview) -> None:
            self._chunks[chunk_id] = bytes(content)

        return taking.take(dump, FileReader(KEY, offer).read_stream, self.private, size_before)

    def content(self, taken: TakenDump) -> bytes:
        """The dump as it would be restored."""
        ids = [taken.chunks[at : at + 32] for at in range(0, len(taken.chunks), 32)]
        return b"".join(self._chunks[each] for each in ids)


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    """Takes dumps, and gives their contents."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    return Copied(private)


@pytest.fixture(scope="module")
def accounting(servers: Any) -> Iterator[Callable[[str], str]]:
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


class path_first:  # noqa: N801 - reads as a verb
    """Lets programs of a folder be found before all others."""

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        self._path = str(folder) if alone else f"{folder}{os.pathsep}{os.environ['PATH']}"
        self._before = os.environ["PATH"]

    def __enter__(self) -> None:
        os.environ["PATH"] = self._path

    def __exit__(self, *_: object) -> None:
        os.environ["PATH"] = self._before
