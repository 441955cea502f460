"""What retention tells of the backup of our own database, by a PostgreSQL that archives."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from devstack import postgresql
from devstack.ports import Ports
from devstack.processes import Processes
from libs.shared import database
from services.retention import jobs, store
from tests.retention.house import House

PASSWORD = "archived"
NAME = "coffre"


@pytest.fixture
async def archiving() -> AsyncIterator[tuple[Any, Path]]:
    """The administrator of a server of its own that is to archive, and fails; where it should."""
    with tempfile.TemporaryDirectory(prefix="coffre-wal-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "wal").mkdir(mode=0o777)
        (folder / "wal").chmod(0o777)
        for command in ("ALTER SYSTEM SET archive_mode = on", ""):
            processes, free = Processes(folder), Ports(folder)
            cluster = postgresql.start(processes, folder / "cluster", PASSWORD, free, durable=False)
            if command:
                admin = await asyncpg.connect(cluster.dsn())
                await admin.execute(command)
                await admin.execute("ALTER SYSTEM SET archive_command = 'false'")
                await admin.close()
                processes.close()
                free.close()
        roles = {role: role for role in database.ROLES}
        await database.bootstrap(cluster.dsn(), NAME, roles)
        admin = await asyncpg.connect(cluster.dsn(NAME))
        yield admin, folder
        await admin.close()
        processes.close()
        free.close()


async def ask(admin: Any, role: str) -> store.backup.Archiving | None:
    """What PostgreSQL tells a role."""
    host, port = admin._addr
    conn = await asyncpg.connect(f"postgresql://{role}:{role}@{host}:{port}/{NAME}")
    try:
        return await store.backup.find_archiving(conn)
    finally:
        await conn.close()


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_what_is_archived_and_what_is_not_is_told(archiving: tuple[Any, Path]) -> None:
    admin, folder = archiving
    began = await admin.fetchval("SELECT stats_reset FROM pg_stat_archiver")

    async def told() -> store.backup.Archiving:
        found = await ask(admin, "coffre_retention")
        assert found is not None
        return found

    await admin.execute("SELECT pg_switch_wal()")
    while (first := await told()).failures < 1:
        await asyncio.sleep(0.1)
    assert (first.archived_at, first.base_backup_at) == (began, None)

    await admin.execute(f"ALTER SYSTEM SET archive_command = 'cp %p {folder}/wal/%f'")
    await admin.execute("SELECT pg_reload_conf()")
    copy = ["pg_basebackup", f"--dbname={admin_dsn(admin)}", f"--pgdata={folder}/base"]
    copying = await asyncio.create_subprocess_exec(*copy, "--checkpoint=fast", "--wal-method=none")
    assert await copying.wait() == 0
    second = await told()
    now = await admin.fetchval("SELECT now()")
    assert began < second.archived_at <= now
    assert second.base_backup_at is not None
    # The clock of files has whole seconds.
    assert began.replace(microsecond=0) <= second.base_backup_at <= now
    for _ in range(3):
        await admin.execute("SELECT pg_switch_wal()")
        await admin.execute("CHECKPOINT")
    assert (await told()).base_backup_at == second.base_backup_at

    other = await ask(admin, "coffre_quota")
    assert other is not None
    assert other.base_backup_at is None, "nobody else sees what lies in PostgreSQL's folder"


def admin_dsn(admin: Any) -> str:
    """The address of the administrator."""
    host, port = admin._addr
    return f"postgresql://{postgresql.ADMIN}:{PASSWORD}@{host}:{port}/postgres"


async def test_where_nothing_is_archived_nothing_is_late(house: House) -> None:
    told = (jobs.WAL_ARCHIVED, jobs.WAL_FAILURES, jobs.BASE_BACKUP)
    for gauge in told:
        gauge.set(1)
    await jobs.measure_backup(house.keeper)
    assert [gauge._value.get() for gauge in told] == [0, 0, 0]
